{{ config(meta={'touched_by': 'patient_months'}) }}
-- Seconds per patient and local day, as a union of intervals (R-TIME-3): all of it, the billing practitioner's own, everyone else's.
-- scenario 'actual' is what reaches step 6; 'documented' adds the undocumented time, 'resolved' adds overlaps and runaway timers as well (A6b);
-- the latter two only for patient-months that they can change.
with actual as (
    select
        practice_id,
        patient_id,
        member_id,
        month,
        local_day,
        start_at,
        end_at,
        seconds
    from {{ ref('int_time_segments') }}
    where disposition is null
),

undocumented as (
    select
        practice_id,
        patient_id,
        member_id,
        month,
        local_day,
        start_at,
        end_at,
        seconds
    from {{ ref('int_time_segments') }}
    where disposition = 'undocumented' and passes_days and seconds > 0
    union all
    select
        practice_id,
        patient_id,
        member_id,
        month,
        local_day,
        start_at,
        end_at,
        seconds
    from {{ ref('int_visits_without_time') }}
    where seconds > 0
),

unresolved as (
    select
        practice_id,
        patient_id,
        member_id,
        month,
        local_day,
        start_at,
        end_at,
        seconds
    from {{ ref('int_time_segments') }}
    where disposition in ('staff_overlap', 'runaway_timer') and would_count and seconds > 0
),

touched as (
    select
        practice_id,
        patient_id,
        month,
        bool_or(is_undocumented) as has_undocumented
    from (
        select practice_id, patient_id, month, true as is_undocumented from undocumented
        union all
        select practice_id, patient_id, month, false as is_undocumented from unresolved
    )
    group by practice_id, patient_id, month
),

scenarios as (
    select 'actual' as scenario, actual.* from actual
    union all
    select 'documented' as scenario, actual.*
    from actual
    inner join touched using (practice_id, patient_id, month)
    where touched.has_undocumented
    union all
    select 'documented' as scenario, undocumented.* from undocumented
    union all
    select 'resolved' as scenario, actual.*
    from actual
    inner join touched using (practice_id, patient_id, month)
    union all
    select 'resolved' as scenario, undocumented.*
    from undocumented
    union all
    select 'resolved' as scenario, unresolved.* from unresolved
),

ordered as (
    select
        scenarios.*,
        coalesce(scenarios.member_id = patients.billing_practitioner_id, false) as is_practitioner,
        max(scenarios.end_at) over earlier as earlier_end,
        max(case when scenarios.member_id = patients.billing_practitioner_id then scenarios.end_at end) over earlier as earlier_practitioner_end,
        max(case when scenarios.member_id <> patients.billing_practitioner_id then scenarios.end_at end) over earlier as earlier_staff_end
    from scenarios
    inner join {{ ref('int_patients__current') }} as patients
        on scenarios.practice_id = patients.practice_id and scenarios.patient_id = patients.patient_id
    window earlier as (
        partition by scenarios.scenario, scenarios.practice_id, scenarios.patient_id, scenarios.local_day
        order by scenarios.start_at, scenarios.end_at
        rows between unbounded preceding and 1 preceding
    )
),

added as (
    select
        *,
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
)

select
    scenario,
    practice_id,
    patient_id,
    month,
    local_day,
    cast(sum(credited_seconds) as bigint) as credited_seconds,
    cast(sum(case when is_practitioner then own_seconds else 0 end) as bigint) as practitioner_seconds,
    cast(sum(case when not is_practitioner then own_seconds else 0 end) as bigint) as staff_seconds
from added
group by scenario, practice_id, patient_id, month, local_day
