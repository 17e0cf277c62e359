{{ config(meta={'touched_by': 'patient_months'}) }}
-- Diagnoses of a claim: the conditions that made the patient-month eligible, by recorded_date and condition_id, one of each group first, at most 12.
-- A program that asks for no chronic condition takes what else is on the problem list where there is none.
with firsts as (
    select
        *,
        row_number() over (
            partition by practice_id, patient_id, month, condition_group
            order by coalesce(recorded_date, date '0001-01-01'), condition_id
        ) as place_in_group
    from {{ ref('int_patient_months__conditions') }}
),

codes as (
    select
        practice_id,
        patient_id,
        month,
        icd10_code,
        bool_or(condition_group is not null) as is_chronic,
        bool_or(condition_group is not null and place_in_group = 1) as is_first_of_a_group,
        min((coalesce(recorded_date, date '0001-01-01'), condition_id)) as listed_as
    from firsts
    group by practice_id, patient_id, month, icd10_code
),

eligible as (
    select
        *,
        bool_or(is_chronic) over (partition by practice_id, patient_id, month) as has_chronic
    from codes
),

ranked as (
    select
        practice_id,
        patient_id,
        month,
        icd10_code,
        row_number() over (
            partition by practice_id, patient_id, month order by is_first_of_a_group desc, listed_as, icd10_code
        ) as place
    from eligible
    where is_chronic or not has_chronic
)

select
    practice_id,
    patient_id,
    month,
    {{ list_in_order('icd10_code', 'place') }} as icd10_codes
from ranked
where place <= 12
group by practice_id, patient_id, month
