{{ config(meta={'touched_by': 'patient_months', 'dagster': {'ref': {'name': 'patient_month_decisions'}}}) }}
select
    coalesce(months.practice_id, decisions.practice_id) as practice_id,
    coalesce(months.patient_id, decisions.patient_id) as patient_id
from (select * from {{ ref('int_patient_months') }} where is_reported) as months
full outer join {{ ref('patient_month_decisions') }} as decisions using (practice_id, patient_id, month)
where months.practice_id is null or decisions.practice_id is null
