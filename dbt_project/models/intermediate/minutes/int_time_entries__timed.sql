{{ config(meta={'touched_by': 'entries'}) }}
-- Each current entry with its start, end and elapsed seconds, and the local day it lies on (rules.md A3, interface.md section 3).
-- elapsed_seconds is null for an open timer and negative for an invalid interval; both hold no time.
with zoned as (
    select
        entries.* exclude (file_id, line_number, extract_date, is_current),
        practices.time_zone,
        {{ elapsed_seconds('entries') }} as elapsed_seconds
    from {{ ref('stg_time_entries') }} as entries
    {{ only_touched('entries', 'entries') }}
    inner join {{ ref('stg_practices') }} as practices on entries.practice_id = practices.practice_id
    where entries.is_current
),

-- An interval of more than ten years is a slip of the pen: it keeps its seconds, but is not laid out on the calendar.
placed as (
    select
        *,
        elapsed_seconds between 0 and 315360000 as is_placeable
    from zoned
),

timed as (
    select
        * exclude (is_placeable),
        case
            when not coalesce(is_placeable, false) then started_at
            when started_at is not null then started_at
            else ended_at - to_seconds(elapsed_seconds)
        end as start_at,
        case
            when not coalesce(is_placeable, false) then null
            when started_at is not null and ended_at is not null then ended_at
            when started_at is not null then started_at + to_seconds(elapsed_seconds)
            else ended_at
        end as end_at
    from placed
),

anchored as (
    select
        *,
        start_at is not null and end_at is not null as has_clock_times,
        {{ local_time('coalesce(start_at, ended_at, recorded_at)', 'time_zone') }} as local_start,
        case when end_at > start_at then {{ local_time("end_at - interval 1 second", 'time_zone') }} end as local_last
    from timed
)

select
    * exclude (local_start, local_last, note_length),
    cast(local_start as date) as local_day,
    coalesce(cast(local_last as date), cast(local_start as date)) as last_local_day,
    {{ month_of('local_start') }} <> {{ month_of('coalesce(local_last, local_start)') }} as is_split,
    (note_id is not null or note_sha256 is not null) as is_documented
from anchored
