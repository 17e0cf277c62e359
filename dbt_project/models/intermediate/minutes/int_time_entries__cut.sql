{{ config(meta={'touched_by': 'entries'}) }}
-- The pieces of the few current entries that lie on more than one local day, cut at local midnights, so that a piece lies on one local day and in one
-- month. Elapsed time, so a daylight saving change is no cut. All others are one piece as they are: time_pieces (macros/time.sql) has both.
with entries as (
    select
        entries.practice_id,
        entries.entry_id,
        practices.time_zone,
        entries.local_day,
        entries.start_at,
        entries.end_at,
        true as has_interval,
        entries.elapsed_seconds as seconds,
        date_diff('day', entries.local_day, entries.last_local_day) as further_days
    from {{ ref('stg_time_entries') }} as entries
    inner join {{ ref('stg_practices') }} as practices on entries.practice_id = practices.practice_id
    where entries.is_current and entries.last_local_day > entries.local_day
),

pieces as (
    {{ cut_at_local_midnights('entries', ['practice_id', 'entry_id']) }}
)

select
    entries.practice_id,
    entries.entry_id,
    entries.patient_id,
    entries.member_id,
    entries.program,
    entries.activity,
    entries.face_to_face,
    entries.voided,
    entries.is_documented,
    entries.has_clock_times,
    entries.elapsed_seconds,
    entries.note_number,
    pieces.local_day,
    pieces.start_at,
    pieces.end_at,
    pieces.seconds,
    entries.start_at as entry_start_at
from pieces
inner join {{ ref('stg_time_entries') }} as entries on pieces.practice_id = entries.practice_id and pieces.entry_id = entries.entry_id
where entries.is_current
