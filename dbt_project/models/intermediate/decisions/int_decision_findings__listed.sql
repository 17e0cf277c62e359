{{ config(meta={'touched_by': 'patient_months'}) }}
-- What stands against a patient-month, first what decides.
select
    practice_id,
    patient_id,
    month,
    {{ list_in_order('reason', 'precedence') }} as findings
from {{ ref('int_decision_findings') }}
group by practice_id, patient_id, month
