{{ config(meta={'touched_by': 'patient_months', 'is_of_tonight': true}) }}
-- Each piece with what steps 1 to 5 of rules.md A3 say of it; disposition is null for what reaches step 6. Where the member was with someone else
-- for part of a piece, that part and the rest are segments of their own. overlap_pass and day_pass keep what steps 2, 4 and 5 would say, for the
-- time that documentation or a word of the member could still bring back (A6b). is_whole: the segment is all of its entry. is_beside: it reaches step 6
-- on a day of the patient on which time runs beside other time.
{%- set columns = [
    'practice_id', 'entry_id', 'patient_id', 'member_id', 'program', 'local_day', 'month', 'entry_start_at', 'screening', 'content',
    'is_known', 'is_inactive',
] %}
with activities as (
    select
        activity as spelling,
        regexp_replace(lower(trim(activity)), '[ _-]+', ' ', 'g') as activity
    from (select distinct activity from {{ judged_entries() }})
),

-- Spellings of activities that do not count.
excluded as (
    select activities.spelling
    from activities
    inner join {{ ref('rule_non_countable_activities') }} as excluded on activities.activity = excluded.activity
),

pieces as (
    select
        pieces.practice_id,
        pieces.entry_id,
        pieces.patient_id,
        pieces.member_id,
        pieces.program,
        pieces.local_day,
        pieces.month,
        pieces.start_at,
        pieces.end_at,
        pieces.seconds,
        pieces.is_whole,
        pieces.entry_start_at,
        members.active_from,
        members.active_to,
        case
            when {{ step_1('pieces') }} is not null then {{ step_1('pieces') }}
            when doubled.entry_id is not null then 'duplicate_entry'
            when patients.patient_id is null then 'unknown_patient'
            when members.member_id is null then 'unknown_member'
        end as screening,
        patients.patient_id is not null and members.member_id is not null as is_known,
        pieces.start_at is not null and doubled.entry_id is null and {{ step_1('pieces') }} is null as can_overlap,
        case
            when coalesce(members.role, 'not_counted') = 'not_counted' then 'nonclinical_staff'
            when pieces.activity in (select excluded.spelling from excluded) then 'non_countable_activity'
            when pieces.face_to_face then 'face_to_face'
            when not pieces.is_documented then 'undocumented'
        end as content,
        coalesce(
            (members.active_from is not null and pieces.local_day < members.active_from)
            or (members.active_to is not null and pieces.local_day > members.active_to),
            false
        ) as is_inactive
    from {{ time_pieces('judged') }} as pieces
    {{ only_touched('patient_months', 'pieces') }}
    left join {{ ref('int_time_entries__doubled') }} as doubled
        on pieces.practice_id = doubled.practice_id and pieces.entry_id = doubled.entry_id
    left join {{ ref('int_patients__current') }} as patients
        on pieces.practice_id = patients.practice_id and pieces.patient_id = patients.patient_id
    left join {{ ref('int_members__current') }} as members
        on pieces.practice_id = members.practice_id and pieces.member_id = members.member_id
),

shared as (
    select
        pieces.* exclude (start_at, end_at),
        pieces.start_at as piece_start_at,
        pieces.end_at as piece_end_at,
        greatest(pieces.start_at, spans.start_at) as start_at,
        least(pieces.end_at, spans.end_at) as end_at
    from pieces
    inner join {{ ref('int_staff_overlaps') }} as spans
        on
            pieces.practice_id = spans.practice_id
            and pieces.member_id = spans.member_id
            and pieces.month = spans.month
            and pieces.start_at < spans.end_at
            and spans.start_at < pieces.end_at
    where pieces.can_overlap
),

-- The shared spans of a piece, and what is left of it between them: the gap before each, and the rest after the last.
cut as (
    select
        * exclude (piece_start_at, piece_end_at),
        true as is_shared
    from shared
    union all
    select
        * exclude (piece_start_at, piece_end_at, start_at, end_at),
        coalesce(lag(end_at) over (partition by practice_id, entry_id, local_day order by start_at), piece_start_at) as start_at,
        start_at as end_at,
        false as is_shared
    from shared
    union all
    select
        * exclude (piece_start_at, piece_end_at, start_at, end_at),
        end_at as start_at,
        piece_end_at as end_at,
        false as is_shared
    from shared
    qualify row_number() over (partition by practice_id, entry_id, local_day order by start_at desc) = 1
),

segments as (
    select
        {% for column in columns %}{{ column }},
        {% endfor -%}
        start_at,
        end_at,
        seconds,
        is_whole,
        false as is_shared
    from pieces
    -- Not an anti join: DuckDB would take the many for the small side. Who can overlap has a day.
    where not (can_overlap and (practice_id, entry_id, local_day) in (select (shared.practice_id, shared.entry_id, shared.local_day) from shared))
    union all
    select
        {% for column in columns %}{{ column }},
        {% endfor -%}
        start_at,
        end_at,
        {{ seconds_between('start_at', 'end_at') }} as seconds,
        false as is_whole,
        is_shared
    from cut
    where end_at > start_at
),

judged as (
    select
        segments.*,
        case when segments.program <> coalesce(months.program, 'ccm') then 'other_program' else segments.content end as step_4,
        case
            when not coalesce(segments.local_day >= months.service_starts_on, false) then 'before_consent'
            when not months.is_consent_in_force then 'consent_ended'
            when not {{ has_day('months.fee_for_service_days', 'segments.local_day') }} then 'no_coverage'
            when {{ has_day('months.facility_days', 'segments.local_day') }} then 'facility_stay'
            when not {{ has_day('months.alive_days', 'segments.local_day') }} then 'after_death'
        end as step_5
    from segments
    left join {{ ref('int_patient_months__service') }} as months
        on segments.practice_id = months.practice_id and segments.patient_id = months.patient_id and segments.month = months.month
),

disposed as (
    select
        *,
        hash(practice_id, patient_id, local_day) as day_number,
        case
            when screening is not null then screening
            when is_inactive then 'inactive_member'
            when is_shared then 'staff_overlap'
            when step_4 is not null then step_4
            else step_5
        end as disposition
    from judged
),

-- Patients' days on which a piece runs beside another, told from the pieces as they are: whatever reaches step 6 is a part of one. Two days with one
-- number cost a look too many and no more.
busy as (
    select distinct day_number
    from (
        select
            day_number,
            start_at < max(end_at) over (
                partition by day_number
                order by start_at, end_at rows between unbounded preceding and 1 preceding
            ) as runs_beside
        from (
            select
                hash(pieces.practice_id, pieces.patient_id, pieces.local_day) as day_number,
                pieces.start_at,
                pieces.end_at
            from {{ time_pieces('judged') }} as pieces
            {{ only_touched('patient_months', 'pieces') }}
            where pieces.start_at is not null and {{ step_1('pieces') }} is null
        )
    )
    where runs_beside
)

select
    disposed.practice_id,
    disposed.entry_id,
    disposed.patient_id,
    disposed.member_id,
    disposed.program,
    disposed.month,
    disposed.local_day,
    disposed.entry_start_at,
    disposed.start_at,
    disposed.end_at,
    disposed.seconds,
    disposed.is_whole,
    disposed.disposition,
    disposed.disposition is null and disposed.start_at is not null and busy.day_number is not null as is_beside,
    disposed.is_known and not disposed.is_inactive and disposed.step_4 is null and disposed.step_5 is null as would_count,
    disposed.step_5 is null as passes_days
from disposed
left join busy on disposed.day_number = busy.day_number
