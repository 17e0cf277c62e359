{{ config(meta={'touched_by': 'judged_entries'}) }}
-- Steps 1, 2 and 4 of rules.md A3 as far as they judge a whole entry. screening is step 1 or 2 (null: passed); content is what step 4 says of the
-- entry apart from its program, which depends on the month.
with entries as (
    select
        timed.*,
        case
            when timed.voided then 'voided'
            when timed.elapsed_seconds < 0 then 'invalid_interval'
            when timed.elapsed_seconds is null then 'open_timer'
            when timed.elapsed_seconds > {{ limit('runaway_timer') }} * 60 then 'runaway_timer'
        end as first_screening
    from {{ ref('int_time_entries__timed') }} as timed
    {{ only_touched('judged_entries', 'timed') }}
),

-- What may have been entered twice has one number: the few that share it are looked at, and nothing is decided by it.
alike as (
    select hash(practice_id, member_id, patient_id, program, start_at, end_at) as entry_number
    from entries
    where first_screening is null and has_clock_times
    group by entry_number
    having count(*) > 1
),

duplicates as (
    select
        practice_id,
        entry_id
    from (
        select
            entries.practice_id,
            entries.entry_id,
            row_number() over (
                partition by entries.practice_id, entries.member_id, entries.start_at, entries.end_at, entries.patient_id, entries.program
                order by entries.entry_id
            ) as place
        from entries
        inner join alike
            on hash(entries.practice_id, entries.member_id, entries.patient_id, entries.program, entries.start_at, entries.end_at) = alike.entry_number
        where entries.first_screening is null and entries.has_clock_times
    )
    where place > 1
),

activities as (
    select
        activity as spelling,
        regexp_replace(lower(trim(activity)), '[ _-]+', ' ', 'g') as activity
    from (select distinct activity from entries)
)

select
    entries.practice_id,
    entries.entry_id,
    entries.has_clock_times,
    entries.recorded_at,
    entries.is_split,
    entries.note_number,
    members.active_from,
    members.active_to,
    entries.first_screening is null and duplicates.entry_id is null as is_real,
    case
        when entries.first_screening is not null then entries.first_screening
        when duplicates.entry_id is not null then 'duplicate_entry'
        when patients.patient_id is null then 'unknown_patient'
        when members.member_id is null then 'unknown_member'
    end as screening,
    patients.patient_id is not null and members.member_id is not null as is_known,
    case
        when coalesce(members.role, 'not_counted') = 'not_counted' then 'nonclinical_staff'
        when excluded.activity is not null then 'non_countable_activity'
        when entries.face_to_face then 'face_to_face'
        when not entries.is_documented then 'undocumented'
    end as content
from entries
left join duplicates on entries.practice_id = duplicates.practice_id and entries.entry_id = duplicates.entry_id
left join {{ ref('int_patients__current') }} as patients
    on entries.practice_id = patients.practice_id and entries.patient_id = patients.patient_id
left join {{ ref('int_members__current') }} as members
    on entries.practice_id = members.practice_id and entries.member_id = members.member_id
left join activities on entries.activity = activities.spelling
left join {{ ref('rule_non_countable_activities') }} as excluded on activities.activity = excluded.activity
