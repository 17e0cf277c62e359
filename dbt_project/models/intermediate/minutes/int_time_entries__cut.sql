{{ config(meta={'touched_by': 'entries'}) }}
-- The pieces of the few current entries that lie on more than one local day, cut at local midnights, so that a piece lies on one local day and in one
-- month. Elapsed time, so a daylight saving change is no cut. All others are one piece as they are: time_pieces (macros/time.sql) has both.
{%- set columns = [
    'practice_id', 'entry_id', 'file_id', 'line_number', 'patient_id', 'member_id', 'program', 'activity', 'face_to_face', 'voided', 'is_documented',
    'has_clock_times', 'elapsed_seconds', 'note_number',
] %}
with entries as (
    select
        {% for column in columns %}entries.{{ column }},
        {% endfor -%}
        practices.time_zone,
        entries.local_day,
        entries.start_at,
        entries.start_at as entry_start_at,
        entries.local_day as entry_day,
        entries.end_at,
        true as has_interval,
        entries.elapsed_seconds as seconds,
        date_diff('day', entries.local_day, entries.last_local_day) as further_days
    from {{ ref('stg_time_entries') }} as entries
    inner join {{ ref('stg_practices') }} as practices on entries.practice_id = practices.practice_id
    where entries.is_current and entries.is_cut
),

pieces as (
    {{ cut_at_local_midnights('entries', columns + ['entry_start_at', 'entry_day']) }}
)

select * exclude (is_whole)
from pieces
