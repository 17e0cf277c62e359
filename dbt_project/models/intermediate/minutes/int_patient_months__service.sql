{{ config(meta={'touched_by': 'patient_months'}) }}
-- What step 5 of the minutes needs to know of a patient-month: program, start of service, days that count.
select
    enrollment.practice_id,
    enrollment.patient_id,
    enrollment.month,
    enrollment.program,
    enrollment.is_consent_in_force,
    {{ service_starts_on('enrollment', 'visits') }} as service_starts_on,
    days.alive_days,
    days.fee_for_service_days,
    days.facility_days
from {{ ref('int_patient_months__enrollment') }} as enrollment
inner join {{ ref('int_patient_months__days') }} as days using (practice_id, patient_id, month)
left join {{ ref('int_patient_months__visits') }} as visits using (practice_id, patient_id, month)
