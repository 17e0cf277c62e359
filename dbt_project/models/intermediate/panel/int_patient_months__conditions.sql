{{ config(meta={'touched_by': 'patient_months', 'is_of_tonight': true}) }}
-- Conditions on the problem list with their chronic condition groups (null: none), on the month's last day (or the newest night, if earlier); rules.md A1.6.
with listed as (
    select
        months.practice_id,
        months.patient_id,
        months.month,
        months.month_end,
        conditions.condition_id,
        conditions.icd10_code,
        conditions.recorded_date
    from {{ ref('int_patient_months') }} as months
    inner join {{ ref('int_conditions__current') }} as conditions
        on
            months.practice_id = conditions.practice_id
            and months.patient_id = conditions.patient_id
            and coalesce(conditions.recorded_date, conditions.onset_date, date '0001-01-01') <= months.as_of
            and case
                when conditions.resolved_date is not null then conditions.resolved_date > months.as_of
                else conditions.clinical_status = 'active'
            end
)

select
    listed.practice_id,
    listed.patient_id,
    listed.month,
    listed.condition_id,
    listed.icd10_code,
    listed.recorded_date,
    groups.condition_group
from listed
left join {{ ref('int_condition_codes__grouped') }} as groups
    on listed.icd10_code = groups.icd10_code and {{ in_force('groups', 'listed.month_end') }}
