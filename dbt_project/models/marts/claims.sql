-- The claim that stands of each patient-month, and what the payer said.
select
    practice_id,
    patient_id,
    month,
    claim_id,
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
from {{ ref('int_claims__current') }}
