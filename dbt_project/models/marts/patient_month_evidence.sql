{{ config(meta={'touched_by': 'patient_months', 'follows_practice': ['newest_night']}) }}
-- What the decision on a patient-month rests on, in one row: every reason that applies (not only the first), the consent, the visit, the days that
-- count (one bit per day, bit 0 = the first) and every track its minutes reach, also where another reason bars the claim.
select
    evidence.practice_id,
    evidence.patient_id,
    evidence.month,
    evidence.program,
    evidence.findings,
    practices.newest_night,
    evidence.* exclude (practice_id, patient_id, month, program, findings)
from {{ ref('int_patient_months__evidence') }} as evidence
inner join {{ ref('stg_practices') }} as practices on evidence.practice_id = practices.practice_id
