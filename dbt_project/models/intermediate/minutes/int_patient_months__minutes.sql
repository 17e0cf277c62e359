{{ config(meta={'touched_by': 'patient_months'}) }}
-- Seconds per patient-month and scenario, and the first day that has any; 'actual' for every patient-month, zeros included, the others for those that they
-- can change. logged_seconds: whatever was logged and not voided, in each scenario the same.
{%- set sums %}
        sum(credited_seconds) as credited_seconds,
        sum(staff_seconds) as staff_seconds,
        sum(practitioner_seconds) as practitioner_seconds,
        min(case when credited_seconds > 0 then local_day end) as first_credited_on
{%- endset %}
with actual as (
    select
        patient_number,
        month,
        sum(logged_seconds) as logged_seconds,
        {{ sums | trim }}
    from {{ seconds_by_day() }}
    where scenario = 'actual'
    group by patient_number, month
),

gains as (
    select
        scenario,
        patient_number,
        month,
        {{ sums | trim }}
    from {{ ref('int_patient_days') }}
    where scenario <> 'actual'
    group by scenario, patient_number, month
)

select
    'actual' as scenario,
    months.practice_id,
    months.patient_id,
    months.month,
    cast(coalesce(actual.logged_seconds, 0) as bigint) as logged_seconds,
    cast(coalesce(actual.credited_seconds, 0) as bigint) as credited_seconds,
    cast(coalesce(actual.staff_seconds, 0) as bigint) as staff_seconds,
    cast(coalesce(actual.practitioner_seconds, 0) as bigint) as practitioner_seconds,
    actual.first_credited_on
from {{ ref('int_patient_months') }} as months
left join {{ ref('int_patients__current') }} as patients
    on months.practice_id = patients.practice_id and months.patient_id = patients.patient_id
left join actual on patients.patient_number = actual.patient_number and months.month = actual.month
union all
select
    gains.scenario,
    patients.practice_id,
    patients.patient_id,
    gains.month,
    cast(coalesce(actual.logged_seconds, 0) as bigint) as logged_seconds,
    cast(coalesce(actual.credited_seconds, 0) + gains.credited_seconds as bigint) as credited_seconds,
    cast(coalesce(actual.staff_seconds, 0) + gains.staff_seconds as bigint) as staff_seconds,
    cast(coalesce(actual.practitioner_seconds, 0) + gains.practitioner_seconds as bigint) as practitioner_seconds,
    least(
        coalesce(actual.first_credited_on, gains.first_credited_on), coalesce(gains.first_credited_on, actual.first_credited_on)
    ) as first_credited_on
from gains
inner join {{ ref('int_patients__current') }} as patients on gains.patient_number = patients.patient_number
left join actual on gains.patient_number = actual.patient_number and gains.month = actual.month
