{{ config(meta={'keeps_last_night': true}) }}
-- A practice's months: from that of its first night, or of its earliest time entry (at most 24 months earlier), to that of its newest night.
with earliest as (
    select
        practice_id,
        min(local_day) as first_entry_day
    from {{ ref('stg_time_entries') }}
    where is_current
    group by practice_id
),

bounds as (
    select
        practices.practice_id,
        {{ month_of('practices.newest_night') }} as newest_month,
        greatest(
            least({{ month_of('practices.first_night') }}, {{ month_of('coalesce(earliest.first_entry_day, practices.first_night)') }}),
            cast({{ month_of('practices.first_night') }} - interval 1 month * cast({{ limit('months_before_first_night', 'practices.first_night') }} as integer) as date)
        ) as first_month
    from {{ ref('stg_practices') }} as practices
    left join earliest on practices.practice_id = earliest.practice_id
)

select
    practice_id,
    cast(first_day as date) as month
from (
    select
        practice_id,
        unnest(generate_series(first_month, newest_month, interval 1 month)) as first_day
    from bounds
)
