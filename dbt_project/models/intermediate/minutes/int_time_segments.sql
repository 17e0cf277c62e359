{{ config(meta={'touched_by': 'patient_months'}) }}
-- Each piece with what steps 1 to 5 of rules.md A3 say of it; disposition is null for what reaches step 6. Where the member was with someone else
-- for part of a piece, that part and the rest are segments of their own. overlap_pass and day_pass keep what steps 2, 4 and 5 would say, for the
-- time that documentation or a word of the member could still bring back (A6b). is_whole: the segment is all of its entry. is_beside: it reaches step 6
-- on a day of the patient on which such time runs beside other such time.
with pieces as (
    select
        pieces.*,
        screened.screening,
        screened.content,
        screened.is_known,
        screened.is_real and pieces.start_at is not null as can_overlap,
        coalesce(
            (screened.active_from is not null and pieces.local_day < screened.active_from)
            or (screened.active_to is not null and pieces.local_day > screened.active_to),
            false
        ) as is_inactive
    from {{ ref('int_time_pieces') }} as pieces
    {{ only_touched('patient_months', 'pieces') }}
    inner join {{ ref('int_time_entries__screened') }} as screened
        on pieces.practice_id = screened.practice_id and pieces.entry_id = screened.entry_id
),

shared as (
    select
        pieces.practice_id,
        pieces.entry_id,
        pieces.local_day,
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

-- What is left of a piece between the shared spans: the gap before each, and the rest after the last.
gaps as (
    select
        practice_id,
        entry_id,
        local_day,
        coalesce(lag(end_at) over (partition by practice_id, entry_id, local_day order by start_at), piece_start_at) as start_at,
        start_at as end_at
    from shared
    union all
    select
        practice_id,
        entry_id,
        local_day,
        max(end_at) as start_at,
        max(piece_end_at) as end_at
    from shared
    group by practice_id, entry_id, local_day
),

cut as (
    select
        practice_id,
        entry_id,
        local_day,
        start_at,
        end_at,
        true as is_shared
    from shared
    union all
    select
        practice_id,
        entry_id,
        local_day,
        start_at,
        end_at,
        false as is_shared
    from gaps
    where end_at > start_at
),

segments as (
    select
        pieces.* exclude (start_at, end_at, seconds, is_whole),
        pieces.is_whole and cut.entry_id is null as is_whole,
        coalesce(cut.start_at, pieces.start_at) as start_at,
        coalesce(cut.end_at, pieces.end_at) as end_at,
        case when cut.entry_id is null then pieces.seconds else {{ seconds_between('cut.start_at', 'cut.end_at') }} end as seconds,
        coalesce(cut.is_shared, false) as is_shared
    from pieces
    left join cut
        on pieces.practice_id = cut.practice_id and pieces.entry_id = cut.entry_id and pieces.local_day = cut.local_day
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

-- Patients' days on which time that reaches step 6 runs beside other such time. Two days with one number cost a look too many and no more.
busy as (
    select distinct day_number
    from (
        select
            day_number,
            start_at < max(end_at) over (
                partition by day_number
                order by start_at, end_at rows between unbounded preceding and 1 preceding
            ) as runs_beside
        from disposed
        where disposition is null and start_at is not null
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
