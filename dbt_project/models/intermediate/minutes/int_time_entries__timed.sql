{{ config(meta={'touched_by': 'entries'}) }}
-- Each current entry with its start, end and elapsed seconds, and the local day it lies on (rules.md A3, interface.md section 3).
-- elapsed_seconds is null for an open timer and negative for an invalid interval; both hold no time. What the minutes do not ask stays in staging.
with zoned as (
    select
        entries.practice_id,
        entries.entry_id,
        entries.patient_id,
        entries.member_id,
        entries.program,
        entries.activity,
        entries.face_to_face,
        entries.voided,
        entries.started_at,
        entries.ended_at,
        entries.recorded_at,
        entries.note_sha256,
        entries.note_id is not null or entries.note_sha256 is not null as is_documented,
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

-- What a clock differs from UTC by. A zone that is a column is looked up anew for every row, which for two instants of each entry is more than the
-- rest of this model: it is asked once for each day in use, and for each minute of a day on which the clock is changed (never twice in a day).
moments as (
    select
        time_zone,
        anchor as moment
    from anchored
    union all
    select
        time_zone,
        last_second as moment
    from anchored
),

-- min(): what is asked of an aggregate is asked once for each group, where DuckDB would ask a group's key for every row before it groups them.
days as (
    select
        time_zone,
        day_start,
        {{ seconds_between('day_start', local_time('min(day_start)', 'time_zone')) }} as seconds,
        {{ seconds_between("day_start + interval 1439 minute", local_time("min(day_start) + interval 1439 minute", 'time_zone')) }} as last_seconds
    from (
        select
            time_zone,
            date_trunc('day', moment) as day_start
        from moments
    )
    where day_start is not null
    group by time_zone, day_start
),

minutes as (
    select
        time_zone,
        minute_start,
        {{ seconds_between('minute_start', local_time('minute_start', 'time_zone')) }} as seconds
    from (
        select distinct
            moments.time_zone,
            date_trunc('minute', moments.moment) as minute_start
        from moments
        inner join days on moments.time_zone = days.time_zone and date_trunc('day', moments.moment) = days.day_start
        where days.seconds <> days.last_seconds
    )
),

steady_days as (
    select
        time_zone,
        day_start,
        seconds
    from days
    where seconds = last_seconds
),

local_times as (
    select
        anchored.* exclude (anchor, last_second, note_sha256, started_at, ended_at),
        anchored.anchor + to_seconds(coalesce(starts.seconds, starting_minutes.seconds)) as first_local,
        anchored.last_second + to_seconds(coalesce(ends.seconds, ending_minutes.seconds)) as last_second_local,
        -- Who shares a note: a number is compared sooner than a text, and two notes with one number cost a look too many and no more.
        case when anchored.note_sha256 is not null then hash(anchored.note_sha256) end as note_number
    from anchored
    left join steady_days as starts
        on anchored.time_zone = starts.time_zone and date_trunc('day', anchored.anchor) = starts.day_start
    left join steady_days as ends
        on anchored.time_zone = ends.time_zone and date_trunc('day', anchored.last_second) = ends.day_start
    left join minutes as starting_minutes
        on anchored.time_zone = starting_minutes.time_zone and date_trunc('minute', anchored.anchor) = starting_minutes.minute_start
    left join minutes as ending_minutes
        on anchored.time_zone = ending_minutes.time_zone and date_trunc('minute', anchored.last_second) = ending_minutes.minute_start
)

select
    * exclude (first_local, last_second_local),
    cast(first_local as date) as local_day,
    cast(coalesce(last_second_local, first_local) as date) as last_local_day,
    {{ month_of('first_local') }} <> {{ month_of('coalesce(last_second_local, first_local)') }} as is_split
from local_times
