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
        coalesce(start_at, ended_at, recorded_at) as anchor,
        case when end_at > start_at then end_at - interval 1 second end as last_second
    from timed
),

-- A clock differs from UTC by the same all through a minute. Asked once for each minute in use: a zone that is a column is looked up anew for every row,
-- which for two instants of each entry is more than the rest of this model.
offsets as (
    select
        time_zone,
        minute_start,
        {{ seconds_between('minute_start', local_time('minute_start', 'time_zone')) }} as seconds
    from (
        select time_zone, date_trunc('minute', anchor) as minute_start from anchored
        union
        select time_zone, date_trunc('minute', last_second) as minute_start from anchored
    )
    where minute_start is not null
)

select
    anchored.* exclude (anchor, last_second, note_length),
    cast(anchored.anchor + to_seconds(starts.seconds) as date) as local_day,
    cast(coalesce(anchored.last_second + to_seconds(ends.seconds), anchored.anchor + to_seconds(starts.seconds)) as date) as last_local_day,
    {{ month_of('anchored.anchor + to_seconds(starts.seconds)') }}
    <> {{ month_of('coalesce(anchored.last_second + to_seconds(ends.seconds), anchored.anchor + to_seconds(starts.seconds))') }} as is_split,
    (anchored.note_id is not null or anchored.note_sha256 is not null) as is_documented
from anchored
left join offsets as starts
    on anchored.time_zone = starts.time_zone and date_trunc('minute', anchored.anchor) = starts.minute_start
left join offsets as ends
    on anchored.time_zone = ends.time_zone and date_trunc('minute', anchored.last_second) = ends.minute_start
