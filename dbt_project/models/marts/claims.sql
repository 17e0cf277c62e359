-- The claim that stands of each patient-month, and what the payer said.
with next_payers as (
    select
        claim_id,
        sum(paid_amount) as paid_amount
    from {{ ref('int_claim_postings') }}
    where posting = 'posted' and kind = 'next_payer'
    group by claim_id
)

select
    claims.practice_id,
    claims.patient_id,
    claims.month,
    claims.claim_id,
    cast(claims.close_version as integer) as close_version,
    claims.status,
    cast(claims.billed_amount as decimal(12, 2)) as billed_amount,
    cast(claims.paid_amount as decimal(12, 2)) as paid_amount,
    claims.denial_codes,
    claims.remark_codes,
    claims.rejection_codes,
    claims.claimed_on as submitted_on,
    claims.answered_on,
    claims.check_number,
    cast(claims.reversals as integer) as reversals,
    cast(coalesce(next_payers.paid_amount, 0) as decimal(12, 2)) as other_payers_amount
from {{ ref('int_claims__current') }} as claims
left join next_payers on claims.claim_id = next_payers.claim_id
