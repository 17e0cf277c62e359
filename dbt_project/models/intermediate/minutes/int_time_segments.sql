{{ config(meta={'touched_by': 'patient_months', 'is_of_tonight': true, 'is_numbered': true}) }}
-- Each piece with what steps 1 to 5 of rules.md A3 say of it; disposition is null for what reaches step 6. Where the member was with someone else
-- for part of a piece, that part and the rest are segments of their own. would_count and passes_days keep what steps 2, 4 and 5 would say, for the time
-- that documentation or a word of the member could still bring back (A6b). is_whole: the segment is all of its entry. is_beside: it reaches step 6 on a day
-- of the patient on which time runs beside other time.
-- No names: an entry is found by its file and line, a patient and a member by their numbers of this night (null: the panel, the care team never had them).
{%- set columns = [
    'file_id', 'line_number', 'patient_number', 'member_number', 'day_number', 'local_day', 'month', 'is_practitioner', 'would_count', 'passes_days',
] %}
with activities as (
    select
        activity as spelling,
        month,
        trim(regexp_replace(lower(activity), '[{{ blank() }}_-]+', ' ', 'g')) as activity
    from (
        select distinct
            pieces.activity,
            pieces.month
        from {{ time_pieces('judged') }} as pieces
        {{ only_touched('patient_months', 'pieces') }}
    )
),

-- Spellings of activities that do not count, and on which days of a month they do not: a day is looked for in a number, not in a row of its own.
excluded as (
    select
        activities.spelling,
        activities.month,
        bit_or({{ day_mask('excluded.effective_from', 'excluded.effective_to', 'activities.month') }}) as days
    from activities
    inner join {{ ref('rule_non_countable_activities') }} as excluded on activities.activity = excluded.activity
    group by activities.spelling, activities.month
),

months as (
    select
        patients.patient_number,
        months.*
    from {{ ref('int_patient_months__service') }} as months
    inner join {{ ref('int_patients__current') }} as patients
        on months.practice_id = patients.practice_id and months.patient_id = patients.patient_id
),

-- Steps 1 to 5 ask of a piece as a whole; only whether the member was with someone else is asked of its parts.
judged as (
    select
        pieces.file_id,
        pieces.line_number,
        patients.patient_number,
        members.member_number,
        pieces.local_day,
        pieces.month,
        pieces.start_at,
        pieces.end_at,
        pieces.seconds,
        pieces.is_whole,
        coalesce(pieces.member_id = patients.billing_practitioner_id, false) as is_practitioner,
        {{ step_1('pieces', 'entry_day') }} as step_1,
        doubled.line_number is not null as is_doubled,
        coalesce(
            (members.active_from is not null and pieces.local_day < members.active_from)
            or (members.active_to is not null and pieces.local_day > members.active_to),
            false
        ) as is_inactive,
        case
            when pieces.program <> coalesce(months.program, {{ default_program() }}) then 'other_program'
            when coalesce(credentials.role, 'not_counted') = 'not_counted' then 'nonclinical_staff'
            when coalesce({{ has_day('excluded.days', 'pieces.local_day') }}, false) then 'non_countable_activity'
            when pieces.face_to_face then 'face_to_face'
            when not pieces.is_documented then 'undocumented'
        end as step_4,
        case
            when not coalesce(pieces.local_day >= months.service_starts_on, false) then 'before_consent'
            when not months.is_consent_in_force then 'consent_ended'
            when not {{ has_day('months.fee_for_service_days', 'pieces.local_day') }} then 'no_coverage'
            when {{ has_day('months.facility_days', 'pieces.local_day') }} then 'facility_stay'
            when not {{ has_day('months.alive_days', 'pieces.local_day') }} then 'after_death'
        end as step_5
    from {{ time_pieces('judged') }} as pieces
    {{ only_touched('patient_months', 'pieces') }}
    left join {{ ref('int_time_entries__doubled') }} as doubled
        on pieces.file_id = doubled.file_id and pieces.line_number = doubled.line_number
    left join {{ ref('int_patients__current') }} as patients
        on pieces.practice_id = patients.practice_id and pieces.patient_id = patients.patient_id
    left join {{ ref('int_members__current') }} as members
        on pieces.practice_id = members.practice_id and pieces.member_id = members.member_id
    left join {{ ref('rule_credentials') }} as credentials
        on members.credential = credentials.credential and {{ in_force('credentials', 'pieces.local_day') }}
    left join excluded on pieces.activity = excluded.spelling and pieces.month = excluded.month
    left join months on patients.patient_number = months.patient_number and pieces.month = months.month
),

pieces as (
    select
        file_id,
        line_number,
        patient_number,
        member_number,
        local_day,
        month,
        hash(patient_number, local_day) as day_number,
        start_at,
        end_at,
        seconds,
        is_whole,
        is_practitioner,
        start_at is not null and step_1 is null and not is_doubled as can_overlap,
        -- What comes before the overlap, and what comes behind it.
        case
            when step_1 is not null then step_1
            when is_doubled then 'duplicate_entry'
            when patient_number is null then 'unknown_patient'
            when member_number is null then 'unknown_member'
            when is_inactive then 'inactive_member'
        end as earlier_disposition,
        coalesce(step_4, step_5) as later_disposition,
        patient_number is not null and member_number is not null and not is_inactive and step_4 is null and step_5 is null as would_count,
        step_5 is null as passes_days
    from judged
),

spans as (
    select
        members.member_number,
        spans.local_day,
        spans.start_at,
        spans.end_at
    from {{ ref('int_staff_overlaps') }} as spans
    inner join {{ ref('int_members__current') }} as members
        on spans.practice_id = members.practice_id and spans.member_id = members.member_id
),

shared as (
    select
        {% for column in columns %}pieces.{{ column }},
        {% endfor -%}
        pieces.earlier_disposition,
        pieces.later_disposition,
        pieces.start_at as piece_start_at,
        pieces.end_at as piece_end_at,
        greatest(pieces.start_at, spans.start_at) as start_at,
        least(pieces.end_at, spans.end_at) as end_at
    from pieces
    inner join spans
        on
            pieces.member_number = spans.member_number
            and pieces.local_day = spans.local_day
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
        coalesce(lag(end_at) over (partition by file_id, line_number, local_day order by start_at), piece_start_at) as start_at,
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
    qualify row_number() over (partition by file_id, line_number, local_day order by start_at desc) = 1
),

segments as (
    select
        {% for column in columns %}{{ column }},
        {% endfor -%}
        start_at,
        end_at,
        seconds,
        is_whole,
        coalesce(earlier_disposition, later_disposition) as disposition
    from pieces
    -- Not an anti join: DuckDB would take the many for the small side. Who can overlap has a day.
    where not (can_overlap and (file_id, line_number, local_day) in (select (shared.file_id, shared.line_number, shared.local_day) from shared))
    union all
    select
        {% for column in columns %}{{ column }},
        {% endfor -%}
        start_at,
        end_at,
        {{ seconds_between('start_at', 'end_at') }} as seconds,
        false as is_whole,
        coalesce(earlier_disposition, case when is_shared then 'staff_overlap' end, later_disposition) as disposition
    from cut
    where end_at > start_at
),

-- Patients' days on which a piece runs beside another, told from the pieces as they are: whatever reaches step 6 is a part of one. Where any two do, two
-- that follow one another do. Two days with one number cost a look too many and no more.
busy as (
    select distinct day_number
    from (
        select
            day_number,
            start_at < lag(end_at) over (partition by day_number order by start_at) as runs_beside
        from pieces
        where can_overlap and patient_number is not null
    )
    where runs_beside
)

select
    segments.file_id,
    segments.line_number,
    segments.patient_number,
    segments.member_number,
    segments.month,
    segments.local_day,
    segments.start_at,
    segments.end_at,
    segments.seconds,
    segments.is_whole,
    segments.disposition,
    segments.disposition is null and segments.start_at is not null and busy.day_number is not null as is_beside,
    segments.is_practitioner,
    segments.would_count,
    segments.passes_days
from segments
left join busy on segments.day_number = busy.day_number
