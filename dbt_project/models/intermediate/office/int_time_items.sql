{{ config(meta={'touched_by': 'patient_months'}) }}
-- Time that documentation ('documented') or a word of the member ('resolved') could still bring back, by item, with what it would bring: the
-- patient-month decided again with all such time credited, less what it is worth without, split over the items by minutes (rules.md A6b, A7).
with visits as (
    select
        practice_id,
        kind,
        'documented' as scenario,
        month,
        patient_id,
        member_id,
        cast(null as varchar) as entry_id,
        appointment_id,
        call_id,
        min(local_day) as worked_on,
        sum(seconds) as seconds,
        cast(null as bigint) as elapsed_seconds
    from {{ ref('int_visits_without_time') }}
    group by practice_id, kind, month, patient_id, member_id, appointment_id, call_id
),

every_item as (
    select
        practice_id,
        kind,
        scenario,
        month,
        patient_id,
        member_id,
        entry_id,
        cast(null as varchar) as appointment_id,
        cast(null as varchar) as call_id,
        worked_on,
        seconds,
        elapsed_seconds
    from {{ ref('int_time_recoverable') }}
    union all
    select * from visits
),

-- Of patients known and months reported: where there is no patient-month, nothing can be billed or mended.
items as (
    select
        every_item.*,
        every_item.kind || ':' || coalesce(every_item.entry_id, every_item.appointment_id, every_item.call_id) || ':' || strftime(every_item.month, '%Y-%m')
            as item_id,
        cast(every_item.seconds // 60 as bigint) as minutes
    from every_item
    inner join {{ ref('int_patient_months') }} as months
        on
            every_item.practice_id = months.practice_id
            and every_item.patient_id = months.patient_id
            and every_item.month = months.month
    where months.is_reported
),

-- What documenting adds is not counted twice.
stakes as (
    select
        scenario,
        practice_id,
        patient_id,
        month,
        cast(
            (
                allowed_difference
                - case
                    when scenario = 'resolved' then coalesce(max(case when scenario = 'documented' then allowed_difference end) over patient_month, 0)
                    else 0
                end
            ) * 100 as bigint
        ) as cents
    from {{ ref('int_scenario_stakes') }}
    window patient_month as (partition by practice_id, patient_id, month)
),

shared as (
    select
        items.*,
        coalesce(stakes.cents, 0) as cents,
        sum(items.minutes) over patient_month as all_minutes,
        row_number() over (
            partition by items.scenario, items.practice_id, items.patient_id, items.month order by items.item_id
        ) as place
    from items
    left join stakes
        on
            items.practice_id = stakes.practice_id
            and items.patient_id = stakes.patient_id
            and items.month = stakes.month
            and items.scenario = stakes.scenario
    window patient_month as (partition by items.scenario, items.practice_id, items.patient_id, items.month)
),

split as (
    select
        *,
        case when all_minutes > 0 then cast((cents * minutes) // all_minutes as bigint) else 0 end as own_cents
    from shared
)

select
    practice_id,
    item_id,
    scenario,
    kind,
    month,
    patient_id,
    member_id,
    entry_id,
    appointment_id,
    call_id,
    worked_on,
    cast(seconds as bigint) as seconds,
    minutes,
    cast(elapsed_seconds // 60 as bigint) as elapsed_minutes,
    cast(
        (
            own_cents
            + case
                when place = 1 then cents - sum(own_cents) over (partition by scenario, practice_id, patient_id, month)
                else 0
            end
        ) * cast(0.01 as decimal(4, 2)) as decimal(12, 2)
    ) as dollars_at_stake
from split
