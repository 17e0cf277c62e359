-- Each patient-month's newest claim. Payers' answers are not posted yet: what left the house is submitted.
select
    practice_id,
    patient_id,
    month,
    claim_id,
    cast(close_version as integer) as close_version,
    status,
    cast(billed_amount as decimal(12, 2)) as billed_amount,
    cast(0 as decimal(12, 2)) as paid_amount,
    cast([] as varchar[]) as denial_codes
from {{ ref('int_claims__current') }}
