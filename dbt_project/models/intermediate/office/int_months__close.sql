-- When each month may close, until when anything of it is held, and from which day on undocumented time in it is overdue: so many business days
-- before the close may begin.
with days as (
    select
        day,
        is_business_day,
        sum(cast(is_business_day as integer)) over (order by day rows between unbounded preceding and current row) as business_days_so_far
    from {{ from_configuration('business_days') }}
),

months as (
    select
        months.practice_id,
        months.month,
        practices.newest_night,
        {{ month_end('months.month') }} as month_end,
        {{ close_opens_on('months.month', 'practices') }} as close_opens_on,
        {{ close_ends_on('months.month', 'practices') }} as close_ends_on
    from {{ ref('int_months') }} as months
    inner join {{ ref('stg_practices') }} as practices on months.practice_id = practices.practice_id
)

select
    months.practice_id,
    months.month,
    months.newest_night,
    months.month_end,
    months.close_opens_on,
    months.close_ends_on,
    overdue.day as overdue_from,
    months.newest_night < months.close_ends_on as is_open,
    months.newest_night > months.month_end as is_complete,
    until_end.business_days_so_far - before.business_days_so_far as business_days,
    greatest(until_end.business_days_so_far - until_now.business_days_so_far, 0) as business_days_left
from months
left join days as before on months.month - 1 = before.day
left join days as until_end on months.month_end = until_end.day
left join days as until_now on months.newest_night = until_now.day
left join days as before_close on months.close_opens_on - 1 = before_close.day
left join days as overdue
    on
        overdue.is_business_day
        and before_close.business_days_so_far - {{ office_limit('undocumented_overdue') }} + 1 = overdue.business_days_so_far
