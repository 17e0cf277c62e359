{{ config(meta={'touched_by': 'files'}) }}
-- Of a patients file in force: how many patients each billing practitioner has.
select
    patients.practice_id,
    patients.file_id,
    patients.billing_practitioner_id,
    count(*) as patients
from {{ ref('stg_patients') }} as patients
{{ only_touched('files', 'patients') }}
group by patients.practice_id, patients.file_id, patients.billing_practitioner_id
