-- Nights on which a patient stood in a panel snapshot in force. A row in quarantine whose patient_id could be read is still a presence.
select
    practice_id,
    patient_id,
    extract_date
from {{ ref('stg_patients') }}
union
select
    practice_id,
    patient_id,
    extract_date
from {{ ref('stg_quarantine') }}
where table_name = 'patients' and patient_id is not null and is_in_force
