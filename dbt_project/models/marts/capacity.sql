-- The care team's usual minutes against what the month still needs.
with planned as (
    select
        practice_id,
        count(*) as patients,
        sum(minutes_to_go) as minutes_needed,
        sum(allowed_amount) as needed_amount,
        count(*) filter (where is_reachable) as patients_reachable,
        coalesce(sum(minutes_to_go) filter (where is_reachable), 0) as minutes_reachable,
        coalesce(sum(allowed_amount) filter (where is_reachable), 0) as reachable_amount
    from {{ ref('capacity_plan') }}
    group by practice_id
)

select
    capacity.practice_id,
    capacity.month,
    capacity.usual_daily_minutes,
    capacity.business_days_left,
    capacity.minutes_left,
    coalesce(planned.patients, 0) as patients,
    cast(coalesce(planned.minutes_needed, 0) as bigint) as minutes_needed,
    cast(coalesce(planned.needed_amount, 0) as decimal(12, 2)) as needed_amount,
    coalesce(planned.patients_reachable, 0) as patients_reachable,
    cast(coalesce(planned.minutes_reachable, 0) as bigint) as minutes_reachable,
    cast(coalesce(planned.reachable_amount, 0) as decimal(12, 2)) as reachable_amount
from {{ ref('int_practices__capacity') }} as capacity
left join planned on capacity.practice_id = planned.practice_id
