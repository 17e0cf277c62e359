{{ config(meta={'touched_by': 'patient_months'}) }}
-- Diagnoses of a claim, of patient-months whose minutes reach one: the conditions that made the patient-month eligible, by recorded_date and condition_id, one of
-- each group first, at most 12. A program that asks for no chronic condition takes what else is on the problem list where there is none.
-- (Not of those with claimable codes: these hang on what was claimed, and behind a close a month's conditions are not there any more.)
-- A patient-month as one number, for this statement alone: conditions are put in their order by it at a fraction of what names cost.
with months as (
    select
        basis.practice_id,
        basis.patient_id,
        basis.month,
        basis.chronic_condition_count > 0 as has_chronic,
        row_number() over (order by basis.practice_id, basis.patient_id, basis.month) as number
    from {{ ref('int_patient_months__basis') }} as basis
    semi join {{ ref('int_candidates') }} as candidates
        on
            basis.practice_id = candidates.practice_id
            and basis.patient_id = candidates.patient_id
            and basis.month = candidates.month
            and candidates.scenario = 'actual'
),

firsts as (
    select
        months.number,
        conditions.icd10_code,
        coalesce(conditions.recorded_date, date '0001-01-01') as recorded_date,
        conditions.condition_id,
        conditions.condition_group is not null and row_number() over (
            partition by months.number, conditions.condition_group
            order by coalesce(conditions.recorded_date, date '0001-01-01'), conditions.condition_id
        ) = 1 as is_first_of_a_group
    from {{ ref('int_patient_months__conditions') }} as conditions
    inner join months
        on conditions.practice_id = months.practice_id and conditions.patient_id = months.patient_id and conditions.month = months.month
    where conditions.condition_group is not null or not months.has_chronic
),

codes as (
    select
        number,
        icd10_code,
        bool_or(is_first_of_a_group) as is_first_of_a_group,
        min((recorded_date, condition_id)) as listed_as
    from firsts
    group by number, icd10_code
),

ranked as (
    select
        number,
        icd10_code,
        row_number() over (partition by number order by is_first_of_a_group desc, listed_as, icd10_code) as place
    from codes
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
