{{ config(pre_hook=filter_by_places(), post_hook='reset dynamic_or_filter_threshold') }}
-- All time of the touched members' days, whichever patient's it is, except in months that the calendar moves (of those everything is judged again): looked for
-- by a number, read by its place (as in touched_entries__known), and compared by name.
with days as (
    select
        touched.practice_id,
        touched.member_id,
        touched.local_day
    from {{ ref('touched_member_days') }} as touched
    anti join {{ ref('touched_months') }} as months
        on touched.practice_id = months.practice_id and {{ month_of('touched.local_day') }} = months.month
),

places as materialized (
    select rowid as place
    from {{ ref('stg_time_entries') }}
    where
        is_current
        and hash(practice_id, member_id, local_day) in (select hash(sought.practice_id, sought.member_id, sought.local_day) from days as sought)
),

pieces as materialized (
    select *
    from {{ time_pieces(places='places') }}
)

select pieces.*
from pieces
semi join days on pieces.practice_id = days.practice_id and pieces.member_id = days.member_id and pieces.local_day = days.local_day
