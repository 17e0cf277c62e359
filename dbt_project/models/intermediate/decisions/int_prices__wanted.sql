{{ config(meta={'touched_by': 'patient_months'}) }}
-- What each patient-month asks the price of: its candidates' codes on their service dates, at the share that the biller is paid.
select distinct
    practice_id,
    patient_id,
    month,
    candidates.procedure_code,
    dated.service_date,
    coalesce(basis.payment_share, 1) as payment_share
from {{ ref('int_candidates') }} as candidates
inner join {{ ref('int_candidates__dated') }} as dated using (scenario, practice_id, patient_id, month, track)
inner join {{ ref('int_patient_months__basis') }} as basis using (practice_id, patient_id, month)
where dated.service_date is not null
