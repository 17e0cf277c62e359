{{ config(meta={'touched_by': 'patient_months', 'is_of_tonight': true, 'is_numbered': true}) }}
-- Seconds of patients' local days on which the union of intervals (R-TIME-3) is to be made: all of it, the billing practitioner's own, everyone else's.
-- scenario 'actual' is what reaches step 6 and runs beside other time; whatever runs beside none adds up as it is (seconds_by_day, macros/time.sql, has both).
-- The others have what a day would gain by it: 'documented' by the undocumented time, 'resolved' by overlaps and runaway timers as well (A6b); of the days to
-- which they add, and never less than nothing, for a union only grows.
-- By numbers, as int_time_segments.
with segments as (
    select
        patient_number,
        local_day,
        start_at,
        end_at,
        seconds,
        is_beside,
        is_practitioner,
        disposition is null as is_actual,
        {{ is_undocumented() }} as is_undocumented,
        {{ is_unresolved() }} as is_unresolved
    from {{ ref('int_time_segments') }}
    where patient_number is not null
),

added as (
    select
        patient_number,
        local_day,
        start_at,
        end_at,
        seconds,
        is_practitioner,
        is_undocumented
    from segments
    where is_undocumented or is_unresolved
    union all
    select
        patients.patient_number,
        visits.local_day,
        visits.start_at,
        visits.end_at,
        visits.seconds,
        coalesce(visits.member_id = patients.billing_practitioner_id, false) as is_practitioner,
        true as is_undocumented
    from {{ ref('int_visits_without_time') }} as visits
    inner join {{ ref('int_patients__current') }} as patients
        on visits.practice_id = patients.practice_id and visits.patient_id = patients.patient_id
    where visits.seconds > 0
),

-- The days to which each scenario adds: 1 is 'documented', 2 'resolved' (0 'actual'); numbers are put in an order sooner than words.
added_days as (
    select distinct
        2 as scenario_number,
        patient_number,
        local_day
    from added
    union all
    select distinct
        1 as scenario_number,
        patient_number,
        local_day
    from added
    where is_undocumented
),

-- What reaches step 6 on them: by scenario there is a copy of it.
on_added_days as (
    select
        patient_number,
        local_day,
        start_at,
        end_at,
        seconds,
        is_beside,
        is_practitioner
    from segments
    where is_actual and (patient_number, local_day) in (select (added.patient_number, added.local_day) from added)
),

to_unite as (
    select
        0 as scenario_number,
        patient_number,
        local_day,
        start_at,
        end_at,
        seconds,
        is_practitioner
    from segments
    where is_beside
    union all
    select
        added_days.scenario_number,
        on_added_days.patient_number,
        on_added_days.local_day,
        on_added_days.start_at,
        on_added_days.end_at,
        on_added_days.seconds,
        on_added_days.is_practitioner
    from on_added_days
    inner join added_days
        on
            on_added_days.patient_number = added_days.patient_number
            and on_added_days.local_day = added_days.local_day
    union all
    select
        scenarios.scenario_number,
        added.patient_number,
        added.local_day,
        added.start_at,
        added.end_at,
        added.seconds,
        added.is_practitioner
    from added
    inner join (select unnest([1, 2]) as scenario_number) as scenarios
        on added.is_undocumented or scenarios.scenario_number = 2
),

ordered as (
    select
        *,
        max(end_at) over earlier as earlier_end,
        max(case when is_practitioner then end_at end) over earlier as earlier_practitioner_end,
        max(case when not is_practitioner then end_at end) over earlier as earlier_staff_end
    from to_unite
    window earlier as (
        partition by scenario_number, patient_number, local_day
        order by start_at, end_at
        rows between unbounded preceding and 1 preceding
    )
),

united as (
    select
        scenario_number,
        patient_number,
        local_day,
        is_practitioner,
        case
            when start_at is null then seconds
            else greatest({{ seconds_between('greatest(start_at, coalesce(earlier_end, start_at))', 'end_at') }}, 0)
        end as credited_seconds,
        case
            when start_at is null then seconds
            else greatest(
                {{ seconds_between(
                    'greatest(start_at, coalesce(case when is_practitioner then earlier_practitioner_end else earlier_staff_end end, start_at))', 'end_at'
                ) }}, 0
            )
        end as own_seconds
    from ordered
),

actual_days as (
    select
        patient_number,
        local_day,
        sum(credited_seconds) as credited_seconds,
        sum(case when is_practitioner then own_seconds else 0 end) as practitioner_seconds,
        sum(case when is_practitioner then 0 else own_seconds end) as staff_seconds
    from united
    where scenario_number = 0
    group by patient_number, local_day
),

scenario_days as (
    select
        scenario_number,
        patient_number,
        local_day,
        sum(credited_seconds) as credited_seconds,
        sum(case when is_practitioner then own_seconds else 0 end) as practitioner_seconds,
        sum(case when is_practitioner then 0 else own_seconds end) as staff_seconds
    from united
    where scenario_number > 0
    group by scenario_number, patient_number, local_day
),

-- What the days to which a scenario adds have without it.
unchanged_days as (
    select
        patient_number,
        local_day,
        sum(credited_seconds) as credited_seconds,
        sum(practitioner_seconds) as practitioner_seconds,
        sum(staff_seconds) as staff_seconds
    from (
        select
            patient_number,
            local_day,
            seconds as credited_seconds,
            case when is_practitioner then seconds else 0 end as practitioner_seconds,
            case when is_practitioner then 0 else seconds end as staff_seconds
        from on_added_days
        where not is_beside
        union all
        from actual_days
        where (patient_number, local_day) in (select (added.patient_number, added.local_day) from added)
    )
    group by patient_number, local_day
)

select
    'actual' as scenario,
    patient_number,
    {{ month_of('local_day') }} as month,
    local_day,
    cast(credited_seconds as bigint) as credited_seconds,
    cast(practitioner_seconds as bigint) as practitioner_seconds,
    cast(staff_seconds as bigint) as staff_seconds
from actual_days
union all
select
    case when scenario_days.scenario_number = 1 then 'documented' else 'resolved' end as scenario,
    scenario_days.patient_number,
    {{ month_of('scenario_days.local_day') }} as month,
    scenario_days.local_day,
    cast(scenario_days.credited_seconds - coalesce(unchanged_days.credited_seconds, 0) as bigint) as credited_seconds,
    cast(scenario_days.practitioner_seconds - coalesce(unchanged_days.practitioner_seconds, 0) as bigint) as practitioner_seconds,
    cast(scenario_days.staff_seconds - coalesce(unchanged_days.staff_seconds, 0) as bigint) as staff_seconds
from scenario_days
left join unchanged_days
    on scenario_days.patient_number = unchanged_days.patient_number and scenario_days.local_day = unchanged_days.local_day
