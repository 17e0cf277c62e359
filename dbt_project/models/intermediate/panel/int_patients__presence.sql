{{ config(meta={'touched_by': 'files'}) }}
-- Nights on which a patient stood in a panel snapshot in force (of a night there is one). A row in quarantine whose patient_id could be read is still a
-- presence.
select
    panel.practice_id,
    panel.patient_id,
    panel.extract_date,
    panel.file_id
from {{ ref('stg_patients') }} as panel
{{ only_touched('files', 'panel') }}
union
select
    quarantine.practice_id,
    quarantine.patient_id,
    quarantine.extract_date,
    quarantine.file_id
from {{ ref('stg_quarantine') }} as quarantine
{{ only_touched('files', 'quarantine') }}
where quarantine.table_name = 'patients' and quarantine.patient_id is not null and quarantine.is_in_force
