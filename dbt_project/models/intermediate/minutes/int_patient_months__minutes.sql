{{ config(meta={'touched_by': 'patient_months'}) }}
-- Seconds per patient-month and scenario, and the first day that has any; 'actual' for every patient-month, zeros included.
with sums as (
    select
        scenario,
        practice_id,
        patient_id,
        month,
        cast(sum(credited_seconds) as bigint) as credited_seconds,
        cast(sum(staff_seconds) as bigint) as staff_seconds,
        cast(sum(practitioner_seconds) as bigint) as practitioner_seconds,
        min(case when credited_seconds > 0 then local_day end) as first_credited_on
    from {{ ref('int_patient_days') }}
    group by scenario, practice_id, patient_id, month
)

select
    'actual' as scenario,
    months.practice_id,
    months.patient_id,
    months.month,
    coalesce(sums.credited_seconds, 0) as credited_seconds,
    coalesce(sums.staff_seconds, 0) as staff_seconds,
    coalesce(sums.practitioner_seconds, 0) as practitioner_seconds,
    sums.first_credited_on
from {{ ref('int_patient_months') }} as months
left join sums
    on
        months.practice_id = sums.practice_id
        and months.patient_id = sums.patient_id
        and months.month = sums.month
        and sums.scenario = 'actual'
union all
select
    scenario,
    practice_id,
    patient_id,
    month,
    credited_seconds,
    staff_seconds,
    practitioner_seconds,
    first_credited_on
from sums
where scenario <> 'actual'
