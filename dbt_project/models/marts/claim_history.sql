-- Every claim that ever went out, also one that was turned back and sent anew, and what the payer said of it.
select
    practice_id,
    claim_id,
    patient_id,
    month,
    cast(close_version as integer) as close_version,
    status,
    cast(billed_amount as decimal(12, 2)) as billed_amount,
    cast(paid_amount as decimal(12, 2)) as paid_amount,
    denial_codes,
    remark_codes,
    rejection_codes,
    claimed_on as submitted_on,
    answered_on,
    check_number,
    cast(reversals as integer) as reversals
from {{ ref('int_claims__history') }}
