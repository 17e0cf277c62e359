-- Our own claims from earlier closes: one row per patient-month, the newest claim. A claim that the payer rejected unprocessed claims nothing.
select
    practice_id,
    patient_id,
    month,
    claim_id,
    close_version,
    status,
    sum(charge_amount) as billed_amount
from {{ from_configuration('claim_lines') }}
group by practice_id, patient_id, month, claim_id, close_version, status
qualify row_number() over (partition by practice_id, patient_id, month order by close_version desc) = 1
