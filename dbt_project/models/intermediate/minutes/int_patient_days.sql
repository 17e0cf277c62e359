{{ config(meta={'touched_by': 'patient_months', 'is_of_tonight': true}) }}
-- Seconds per patient and local day, as a union of intervals (R-TIME-3): all of it, the billing practitioner's own, everyone else's.
-- scenario 'actual' is what reaches step 6; 'documented' adds the undocumented time, 'resolved' adds overlaps and runaway timers as well (A6b);
-- the latter two only for patient-months that they can change. Intervals are united only where they can overlap: on days on which time runs beside
-- other time, and on days to which a scenario adds; elsewhere the seconds add up, and a day to which it adds nothing is as it is.
-- A patient as one number, for this statement alone: what is united and added up is found by it at a fraction of what names cost.
with patients as (
    select
        practice_id,
        patient_id,
        billing_practitioner_id,
        row_number() over (order by practice_id, patient_id) as number
    from {{ ref('int_patients__current') }}
),

segments as (
    select
        patients.number,
        segments.month,
        segments.local_day,
        segments.start_at,
        segments.end_at,
        segments.seconds,
        segments.is_beside,
        segments.disposition is null as is_actual,
        segments.disposition = 'undocumented' and segments.passes_days and segments.seconds > 0 as is_undocumented,
        segments.disposition in ('staff_overlap', 'runaway_timer') and segments.would_count and segments.seconds > 0 as is_unresolved,
        coalesce(segments.member_id = patients.billing_practitioner_id, false) as is_practitioner
    from {{ ref('int_time_segments') }} as segments
    inner join patients
        on segments.practice_id = patients.practice_id and segments.patient_id = patients.patient_id
),

added as (
    select
        number,
        month,
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
        patients.number,
        visits.month,
        visits.local_day,
        visits.start_at,
        visits.end_at,
        visits.seconds,
        coalesce(visits.member_id = patients.billing_practitioner_id, false) as is_practitioner,
        true as is_undocumented
    from {{ ref('int_visits_without_time') }} as visits
    inner join patients
        on visits.practice_id = patients.practice_id and visits.patient_id = patients.patient_id
    where visits.seconds > 0
),

-- The days to which each scenario adds.
added_days as (
    select distinct
        'resolved' as scenario,
        number,
        month,
        local_day
    from added
    union all
    select distinct
        'documented' as scenario,
        number,
        month,
        local_day
    from added
    where is_undocumented
),

changed_months as (
    select distinct
        scenario,
        number,
        month
    from added_days
),

to_unite as (
    select
        'actual' as scenario,
        number,
        month,
        local_day,
        start_at,
        end_at,
        seconds,
        is_practitioner
    from segments
    where is_beside
    union all
    select
        added_days.scenario,
        segments.number,
        segments.month,
        segments.local_day,
        segments.start_at,
        segments.end_at,
        segments.seconds,
        segments.is_practitioner
    from segments
    inner join added_days
        on
            segments.number = added_days.number
            and segments.local_day = added_days.local_day
    where segments.is_actual
    union all
    select
        scenarios.scenario,
        added.number,
        added.month,
        added.local_day,
        added.start_at,
        added.end_at,
        added.seconds,
        added.is_practitioner
    from added
    inner join (select unnest(['documented', 'resolved']) as scenario) as scenarios
        on added.is_undocumented or scenarios.scenario = 'resolved'
),

ordered as (
    select
        *,
        max(end_at) over earlier as earlier_end,
        max(case when is_practitioner then end_at end) over earlier as earlier_practitioner_end,
        max(case when not is_practitioner then end_at end) over earlier as earlier_staff_end
    from to_unite
    window earlier as (
        partition by scenario, number, local_day
        order by start_at, end_at
        rows between unbounded preceding and 1 preceding
    )
),

seconds_of_rows as (
    select
        scenario,
        number,
        month,
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
    union all
    select
        'actual' as scenario,
        number,
        month,
        local_day,
        is_practitioner,
        seconds as credited_seconds,
        seconds as own_seconds
    from segments
    where is_actual and not is_beside
),

days as (
    select
        scenario,
        number,
        month,
        local_day,
        cast(sum(credited_seconds) as bigint) as credited_seconds,
        cast(sum(case when is_practitioner then own_seconds else 0 end) as bigint) as practitioner_seconds,
        cast(sum(case when is_practitioner then 0 else own_seconds end) as bigint) as staff_seconds
    from seconds_of_rows
    group by scenario, number, month, local_day
),

every_day as (
    select
        scenario,
        number,
        month,
        local_day,
        credited_seconds,
        practitioner_seconds,
        staff_seconds
    from days
    union all
    select
        changed_months.scenario,
        days.number,
        days.month,
        days.local_day,
        days.credited_seconds,
        days.practitioner_seconds,
        days.staff_seconds
    from days
    inner join changed_months on days.number = changed_months.number and days.month = changed_months.month
    left join added_days
        on changed_months.scenario = added_days.scenario and days.number = added_days.number and days.local_day = added_days.local_day
    where days.scenario = 'actual' and added_days.scenario is null
)

select
    every_day.scenario,
    patients.practice_id,
    patients.patient_id,
    every_day.month,
    every_day.local_day,
    every_day.credited_seconds,
    every_day.practitioner_seconds,
    every_day.staff_seconds
from every_day
inner join patients on every_day.number = patients.number
