-- The newest claim of each patient-month. A claim that the payer rejected unprocessed claims nothing.
select *
from {{ ref('int_claims__history') }}
qualify row_number() over (partition by practice_id, patient_id, month order by close_version desc, claim_id) = 1
