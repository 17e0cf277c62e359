{{ config(meta={'touched_by': 'patient_months'}) }}
-- Diagnoses of a claim: the conditions that made the patient-month eligible, by recorded_date and condition_id, one of each group first, at most 12.
-- A program that asks for no chronic condition takes what else is on the problem list where there is none.
-- A patient-month as one number, for this statement alone: conditions are put in their order by it at a fraction of what names cost.
with months as (
    select
        practice_id,
        patient_id,
        month,
        row_number() over (order by practice_id, patient_id, month) as number
    from {{ ref('int_patient_months') }}
),

firsts as (
    select
        months.number,
        conditions.icd10_code,
        conditions.condition_group,
        coalesce(conditions.recorded_date, date '0001-01-01') as recorded_date,
        conditions.condition_id,
        row_number() over (
            partition by months.number, conditions.condition_group
            order by coalesce(conditions.recorded_date, date '0001-01-01'), conditions.condition_id
        ) as place_in_group
    from {{ ref('int_patient_months__conditions') }} as conditions
    inner join months
        on conditions.practice_id = months.practice_id and conditions.patient_id = months.patient_id and conditions.month = months.month
),

codes as (
    select
        number,
        icd10_code,
        bool_or(condition_group is not null) as is_chronic,
        bool_or(condition_group is not null and place_in_group = 1) as is_first_of_a_group,
        min((recorded_date, condition_id)) as listed_as
    from firsts
    group by number, icd10_code
),

eligible as (
    select
        *,
        bool_or(is_chronic) over (partition by number) as has_chronic
    from codes
),

ranked as (
    select
        number,
        icd10_code,
        row_number() over (partition by number order by is_first_of_a_group desc, listed_as, icd10_code) as place
    from eligible
    where is_chronic or not has_chronic
),

listed as (
    select
        number,
        {{ list_in_order('icd10_code', 'place') }} as icd10_codes
    from ranked
    where place <= 12
    group by number
)

select
    months.practice_id,
    months.patient_id,
    months.month,
    listed.icd10_codes
from listed
inner join months on listed.number = months.number
