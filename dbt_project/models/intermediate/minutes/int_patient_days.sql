{{ config(meta={'touched_by': 'patient_months'}) }}
-- Seconds per patient and local day, as a union of intervals (R-TIME-3): all of it, the billing practitioner's own, everyone else's.
-- scenario 'actual' is what reaches step 6; 'documented' adds the undocumented time, 'resolved' adds overlaps and runaway timers as well (A6b);
-- the latter two only for patient-months that they can change. Intervals are united only where they can overlap: on days on which time runs beside
-- other time, and on days to which a scenario adds; elsewhere the seconds add up, and a day to which it adds nothing is as it is.
with segments as (
    select
        segments.practice_id,
        segments.patient_id,
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
    inner join {{ ref('int_patients__current') }} as patients
        on segments.practice_id = patients.practice_id and segments.patient_id = patients.patient_id
),

added as (
    select
        practice_id,
        patient_id,
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
        visits.practice_id,
        visits.patient_id,
        visits.month,
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

-- The days to which each scenario adds.
added_days as (
    select distinct
        'resolved' as scenario,
        practice_id,
        patient_id,
        month,
        local_day
    from added
    union all
    select distinct
        'documented' as scenario,
        practice_id,
        patient_id,
        month,
        local_day
    from added
    where is_undocumented
),

changed_months as (
    select distinct
        scenario,
        practice_id,
        patient_id,
        month
    from added_days
),

to_unite as (
    select
        'actual' as scenario,
        practice_id,
        patient_id,
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
        segments.practice_id,
        segments.patient_id,
        segments.month,
        segments.local_day,
        segments.start_at,
        segments.end_at,
        segments.seconds,
        segments.is_practitioner
    from segments
    inner join added_days
        on
            segments.practice_id = added_days.practice_id
            and segments.patient_id = added_days.patient_id
            and segments.local_day = added_days.local_day
    where segments.is_actual
    union all
    select
        scenarios.scenario,
        added.practice_id,
        added.patient_id,
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
        partition by scenario, practice_id, patient_id, local_day
        order by start_at, end_at
        rows between unbounded preceding and 1 preceding
    )
),

seconds_of_rows as (
    select
        scenario,
        practice_id,
        patient_id,
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
        practice_id,
        patient_id,
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
        practice_id,
        patient_id,
        month,
        local_day,
        cast(sum(credited_seconds) as bigint) as credited_seconds,
        cast(sum(case when is_practitioner then own_seconds else 0 end) as bigint) as practitioner_seconds,
        cast(sum(case when is_practitioner then 0 else own_seconds end) as bigint) as staff_seconds
    from seconds_of_rows
    group by scenario, practice_id, patient_id, month, local_day
)

select
    scenario,
    practice_id,
    patient_id,
    month,
    local_day,
    credited_seconds,
    practitioner_seconds,
    staff_seconds
from days
union all
select
    changed_months.scenario,
    days.practice_id,
    days.patient_id,
    days.month,
    days.local_day,
    days.credited_seconds,
    days.practitioner_seconds,
    days.staff_seconds
from days
inner join changed_months
    on days.practice_id = changed_months.practice_id and days.patient_id = changed_months.patient_id and days.month = changed_months.month
left join added_days
    on
        changed_months.scenario = added_days.scenario
        and days.practice_id = added_days.practice_id
        and days.patient_id = added_days.patient_id
        and days.local_day = added_days.local_day
where days.scenario = 'actual' and added_days.scenario is null
