-- What a zone's clock differs from UTC by, on each day (of UTC) on which it is not changed. No zone was ever changed twice within 95 hours, so equal
-- distances at both ends of a day hold all through it. A zone that is a column is looked up anew for every instant, at several times the cost of all else
-- that staging does with it; the days that are not here (changed clocks, slips of the pen) are looked up so.
with days as (
    select
        zones.time_zone,
        cast(calendar.day as timestamp) as day_start
    from (select distinct time_zone from {{ ref('stg_practices') }}) as zones
    cross join (select unnest(generate_series(date '2015-01-01', date '2039-12-31', interval 1 day)) as day) as calendar
),

asked as (
    select
        time_zone,
        day_start,
        {{ seconds_between('day_start', local_time('day_start', 'time_zone')) }} as seconds,
        {{ seconds_between("day_start + interval 1439 minute", local_time("day_start + interval 1439 minute", 'time_zone')) }} as last_seconds
    from days
)

select
    time_zone,
    day_start,
    seconds
from asked
where seconds = last_seconds
