-- Every claim of every 835, exactly once: posted to our claim, a stranger's (unmatched), a repetition, or held with its remittance.
-- `next_payer`: Medicare is only ever asked to pay first, so who answers as the second or third has our claim from Medicare and answers for itself;
-- what such a payer takes back is its own, also where its payment never came. So does Medicaid, and what is filed with another than Medicare where Medicare
-- has decided, though it says "first". Who passes the payments of several payers on may give them all one id (TRN03): there they are told apart by what the
-- claim was filed with (CLP06), where it is Medicaid or they say that they are next or what an earlier payer paid (OA-23).
with behind_others as (
    select distinct
        adjustments.transaction_id,
        adjustments.claim_position
    from {{ ref('stg_payment_adjustments') }} as adjustments
    inner join {{ ref('stg_remittances') }} as remittances on adjustments.transaction_id = remittances.transaction_id
    inner join {{ ref('rule_denials') }} as rules
        on
            adjustments.group_code = rules.group_code
            and adjustments.reason_code = rules.reason_code
            and rules.posted_as = 'other_payer'
            and {{ in_force('rules', 'remittances.payment_on') }}
    where adjustments.adjustment_amount <> 0
),

claims as (
    select
        payments.* exclude (filing_code),
        judged.remittance_id,
        judged.outcome,
        remittances.payment_on,
        remittances.check_number,
        remittances.payer_id,
        coalesce(statuses.kind, 'decision') as said_kind,
        filings.pays,
        -- Medicare's codes are one, and so is none at all.
        case when coalesce(filings.pays <> 'first', true) then payments.filing_code end as filed_as,
        bool_or(filings.pays = 'first' and coalesce(statuses.kind, 'decision') = 'decision') over (partition by payments.claim_id) as is_medicares,
        min(case when filings.pays = 'first' and coalesce(statuses.kind, 'decision') = 'decision' then remittances.payer_id end)
            over (partition by payments.claim_id) as medicares_payer_id,
        behind_others.transaction_id is not null as names_earlier_payer,
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
    left join behind_others
        on payments.transaction_id = behind_others.transaction_id and payments.claim_position = behind_others.claim_position
),

-- is_anothers: who says so is not Medicare, whatever else they say.
whose as (
    select
        *,
        coalesce(pays = 'next' or (filed_as is not null and is_medicares and (names_earlier_payer or medicares_payer_id <> payer_id)), false) as is_anothers
    from claims
),

kinds as (
    select
        *,
        case when said_kind = 'decision' and is_anothers then 'next_payer' else said_kind end as kind
    from whose
)

select
    claims.* exclude (outcome, is_repeated, kind, payer_id, said_kind, pays, filed_as, is_medicares, medicares_payer_id, names_earlier_payer, is_anothers),
    case
        when
            claims.kind = 'reversal'
            and (claims.is_anothers or bool_or(claims.kind = 'next_payer') over the_payer)
            and not bool_or(claims.kind = 'decision') over the_payer
            then 'next_payer'
        -- Who decided it as the first payer, and finds later that another pays first.
        when claims.kind = 'next_payer' and claims.payer_id is not null and bool_or(claims.kind = 'decision') over the_payer then 'decision'
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
from kinds as claims
left join {{ ref('int_claims__sent') }} as sent on claims.claim_id = sent.claim_id
window the_payer as (partition by claims.claim_id, claims.payer_id, claims.filed_as)
