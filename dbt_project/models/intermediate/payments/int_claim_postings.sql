-- Every claim of every 835, exactly once: posted to our claim, a stranger's (unmatched), a repetition, or held with its remittance.
-- `next_payer`: Medicare is only ever asked to pay first, so who answers as the second or third has our claim from Medicare and answers for itself;
-- what such a payer takes back is its own, also where its payment never came. So does Medicaid, and what is filed with another than Medicare where Medicare
-- has decided, though it says "first".
with claims as (
    select
        payments.* exclude (filing_code),
        judged.remittance_id,
        judged.outcome,
        remittances.payment_on,
        remittances.check_number,
        remittances.payer_id,
        case
            when coalesce(statuses.kind, 'decision') <> 'decision' then statuses.kind
            when filings.pays = 'next' then 'next_payer'
            when
                payments.filing_code is not null
                and filings.pays is null
                and min(case when filings.pays = 'first' and coalesce(statuses.kind, 'decision') = 'decision' then remittances.payer_id end)
                    over (partition by payments.claim_id)
                <> remittances.payer_id
                then 'next_payer'
            else 'decision'
        end as kind,
        coalesce(filings.pays = 'next', false) as is_filed_next,
        coalesce(statuses.is_denial, false) as is_denial,
        judged.outcome = 'posted' and judged.is_part and row_number() over (
            partition by judged.remittance_id, judged.outcome, payments.content_sha256, payments.occurrence
            order by judged.is_part, payments.transaction_id
        ) > 1 as is_repeated
    from {{ ref('stg_claim_payments') }} as payments
    inner join {{ ref('int_remittances__judged') }} as judged on payments.transaction_id = judged.transaction_id
    inner join {{ ref('stg_remittances') }} as remittances on payments.transaction_id = remittances.transaction_id
    left join {{ ref('rule_remittance_claim_statuses') }} as statuses
        on
            payments.claim_status_code = statuses.claim_status_code
            and {{ in_force('statuses', 'remittances.payment_on') }}
    left join {{ ref('rule_claim_filing_codes') }} as filings
        on
            payments.filing_code = filings.filing_code
            and {{ in_force('filings', 'remittances.payment_on') }}
)

select
    claims.* exclude (outcome, is_repeated, kind, payer_id, is_filed_next),
    case
        when
            claims.kind = 'reversal'
            and (claims.is_filed_next or bool_or(claims.kind = 'next_payer') over (partition by claims.claim_id, claims.payer_id))
            and not bool_or(claims.kind = 'decision') over (partition by claims.claim_id, claims.payer_id)
            then 'next_payer'
        -- Who decided it as the first payer, and finds later that another pays first.
        when
            claims.kind = 'next_payer'
            and claims.payer_id is not null
            and bool_or(claims.kind = 'decision') over (partition by claims.claim_id, claims.payer_id)
            then 'decision'
        else claims.kind
    end as kind,
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
