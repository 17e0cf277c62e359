{{ config(meta={'touched_by': 'judged_entries'}) }}
-- Steps 1, 2 and 4 of rules.md A3 as far as they judge a whole entry. screening is step 1 or 2 (null: passed); content is what step 4 says of the
-- entry apart from its program, which depends on the month.
with screened as (
    select
        entries.*,
        case
            when entries.voided then 'voided'
            when entries.elapsed_seconds < 0 then 'invalid_interval'
            when entries.elapsed_seconds is null then 'open_timer'
            when entries.elapsed_seconds > {{ limit('runaway_timer') }} * 60 then 'runaway_timer'
        end as first_screening
    from {{ ref('int_time_entries__timed') }} as entries
    {{ only_touched('judged_entries', 'entries') }}
),

duplicates as (
    select
        practice_id,
        entry_id,
        row_number() over (
            partition by practice_id, member_id, start_at, end_at, patient_id, program order by entry_id
        ) > 1 as is_duplicate
    from screened
    where first_screening is null and has_clock_times
),

activities as (
    select
        activity as spelling,
        regexp_replace(lower(trim(activity)), '[ _-]+', ' ', 'g') as activity
    from (select distinct activity from screened)
)

select
    screened.practice_id,
    screened.entry_id,
    screened.patient_id,
    screened.member_id,
    screened.program,
    screened.start_at,
    screened.end_at,
    screened.has_clock_times,
    screened.local_day,
    screened.elapsed_seconds,
    screened.recorded_at,
    screened.time_zone,
    screened.is_split,
    screened.is_documented,
    screened.note_sha256,
    screened.voided,
    members.active_from,
    members.active_to,
    members.role,
    screened.first_screening is null and not coalesce(duplicates.is_duplicate, false) as is_real,
    case
        when screened.first_screening is not null then screened.first_screening
        when duplicates.is_duplicate then 'duplicate_entry'
        when patients.patient_id is null then 'unknown_patient'
        when members.member_id is null then 'unknown_member'
    end as screening,
    patients.patient_id is not null as is_known_patient,
    members.member_id is not null as is_known_member,
    case
        when coalesce(members.role, 'not_counted') = 'not_counted' then 'nonclinical_staff'
        when excluded.activity is not null then 'non_countable_activity'
        when screened.face_to_face then 'face_to_face'
        when not screened.is_documented then 'undocumented'
    end as content
from screened
left join duplicates on screened.practice_id = duplicates.practice_id and screened.entry_id = duplicates.entry_id
left join {{ ref('int_patients__current') }} as patients
    on screened.practice_id = patients.practice_id and screened.patient_id = patients.patient_id
left join {{ ref('int_members__current') }} as members
    on screened.practice_id = members.practice_id and screened.member_id = members.member_id
left join activities on screened.activity = activities.spelling
left join {{ ref('rule_non_countable_activities') }} as excluded on activities.activity = excluded.activity
