-- Every claim of every 835, exactly once: posted to our claim, a stranger's (unmatched), a repetition, or held with its remittance.
with claims as (
    select
        payments.*,
        judged.remittance_id,
        judged.outcome,
        remittances.payment_on,
        remittances.check_number,
        coalesce(statuses.kind, 'decision') as kind,
        coalesce(statuses.is_denial, false) as is_denial,
        judged.outcome = 'posted' and judged.is_part and row_number() over (
            partition by judged.remittance_id, judged.outcome, payments.content_sha256, payments.occurrence
            order by payments.transaction_id
        ) > 1 as is_repeated
    from {{ ref('stg_claim_payments') }} as payments
    inner join {{ ref('int_remittances__judged') }} as judged on payments.transaction_id = judged.transaction_id
    inner join {{ ref('stg_remittances') }} as remittances on payments.transaction_id = remittances.transaction_id
    left join {{ ref('rule_remittance_claim_statuses') }} as statuses
        on
            payments.claim_status_code = statuses.claim_status_code
            and {{ in_force('statuses', 'remittances.payment_on') }}
)

select
    claims.* exclude (outcome, is_repeated),
    case
        when claims.is_repeated or claims.outcome = 'repeated' then 'repeated'
        when claims.outcome <> 'posted' then 'held'
        when sent.claim_id is null then 'unmatched'
        else 'posted'
    end as posting,
    sent.practice_id,
    sent.patient_id,
    sent.month
from claims
left join {{ ref('int_claims__sent') }} as sent on claims.claim_id = sent.claim_id
