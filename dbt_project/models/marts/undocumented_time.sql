-- Work that nobody can bill until someone writes it down: by item, with what crediting all of the patient-month's items would bring.
with notes as (
    select
        practice_id,
        'missing_note:' || entry_id || ':' || strftime(month, '%Y-%m') as item_id,
        month,
        patient_id,
        member_id,
        'missing_note' as kind,
        entry_id,
        cast(null as varchar) as appointment_id,
        sum(seconds) as seconds
    from {{ ref('int_time_segments') }}
    where disposition = 'undocumented' and passes_days and seconds > 0
    group by practice_id, month, patient_id, member_id, entry_id
),

timers as (
    select
        practice_id,
        'open_timer:' || entry_id || ':' || strftime(month, '%Y-%m') as item_id,
        month,
        patient_id,
        member_id,
        'open_timer' as kind,
        entry_id,
        cast(null as varchar) as appointment_id,
        0 as seconds
    from {{ ref('int_time_segments') }}
    where disposition = 'open_timer'
),

visits as (
    select
        practice_id,
        'visit_without_time:' || appointment_id || ':' || strftime(month, '%Y-%m') as item_id,
        month,
        patient_id,
        member_id,
        'visit_without_time' as kind,
        cast(null as varchar) as entry_id,
        appointment_id,
        sum(seconds) as seconds
    from {{ ref('int_visits_without_time') }}
    group by practice_id, month, patient_id, member_id, appointment_id
),

every_item as (
    select * from notes
    union all
    select * from timers
    union all
    select * from visits
),

-- Of patients known and months reported: where there is no patient-month, nothing can be billed or mended.
items as (
    select
        every_item.*,
        cast(every_item.seconds // 60 as bigint) as minutes
    from every_item
    inner join {{ ref('int_patient_months') }} as months
        on
            every_item.practice_id = months.practice_id
            and every_item.patient_id = months.patient_id
            and every_item.month = months.month
    where months.is_reported
),

-- The night of the first accepted row that was already so: an open timer is another kind of item than a missing note,
-- and what ends before it starts is none.
entry_rows as (
    select
        practice_id,
        entry_id,
        extract_date,
        note_id is null and note_sha256 is null as is_without_note,
        case
            when started_at is not null and ended_at is not null then ended_at >= started_at
            else duration_seconds >= 0
        end as has_length
    from {{ ref('stg_time_entries') }}
    where not voided
),

entry_nights as (
    select
        practice_id,
        entry_id,
        min(case when is_without_note and has_length then extract_date end) as without_note_on,
        min(case when has_length is null then extract_date end) as open_on
    from entry_rows
    group by practice_id, entry_id
),

visit_nights as (
    select
        practice_id,
        appointment_id,
        min(extract_date) as completed_on
    from {{ ref('stg_appointments') }}
    where status = 'completed' and visit_type = 'ccm_call'
    group by practice_id, appointment_id
),

-- What crediting the patient-month's undocumented time would add, where nothing but minutes stands in the way.
stakes as (
    select
        changes.practice_id,
        changes.patient_id,
        changes.month,
        cast(changes.allowed_difference * 100 as bigint) as cents
    from {{ ref('int_scenario_changes') }} as changes
    inner join {{ ref('int_decisions') }} as decisions using (practice_id, patient_id, month)
    where changes.scenario = 'documented' and (decisions.decision <> 'not_claimable' or decisions.reason = 'below_threshold')
),

shared as (
    select
        items.*,
        coalesce(stakes.cents, 0) as cents,
        sum(items.minutes) over (partition by items.practice_id, items.patient_id, items.month) as all_minutes,
        row_number() over (partition by items.practice_id, items.patient_id, items.month order by items.item_id) as place
    from items
    left join stakes
        on items.practice_id = stakes.practice_id and items.patient_id = stakes.patient_id and items.month = stakes.month
),

split as (
    select
        *,
        case when all_minutes > 0 then cast((cents * minutes) // all_minutes as bigint) else 0 end as own_cents
    from shared
)

select
    split.practice_id,
    split.item_id,
    split.month,
    split.patient_id,
    split.member_id,
    split.kind,
    split.entry_id,
    split.appointment_id,
    split.minutes,
    cast(
        (
            split.own_cents
            + case
                when split.place = 1
                    then split.cents - sum(split.own_cents) over (partition by split.practice_id, split.patient_id, split.month)
                else 0
            end
        ) * cast(0.01 as decimal(4, 2)) as decimal(12, 2)
    ) as dollars_at_stake,
    case split.kind
        when 'missing_note' then entry_nights.without_note_on
        when 'open_timer' then entry_nights.open_on
        else visit_nights.completed_on
    end as found_on,
    cast(split.month + interval 1 month as date) + cast(practices.close_first_day - 2 as integer) as due_on
from split
inner join {{ ref('stg_practices') }} as practices on split.practice_id = practices.practice_id
left join entry_nights on split.practice_id = entry_nights.practice_id and split.entry_id = entry_nights.entry_id
left join visit_nights on split.practice_id = visit_nights.practice_id and split.appointment_id = visit_nights.appointment_id
