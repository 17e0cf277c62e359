-- Every claim that ever left the house, one row per claim.
select
    practice_id,
    patient_id,
    month,
    claim_id,
    close_version,
    status,
    sum(charge_amount) as billed_amount,
    -- The night whose facts it went out on, and the date of its interchange.
    min(claimed_on) as claimed_on
from {{ from_configuration('claim_lines') }}
group by practice_id, patient_id, month, claim_id, close_version, status
