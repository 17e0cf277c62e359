-- Enrollment and revenue ahead, from the newest month's enrolled patients: at the practice's own mean net enrollment, and at a set pace.
with history as (
    select
        practice_id,
        coalesce(sum(net_enrolled), 0) as net_enrolled,
        count(net_enrolled) as months
    from (
        select *
        from {{ ref('int_months__enrolled') }}
        where is_complete
        qualify row_number() over (partition by practice_id order by month desc) <= {{ limit('projection_history') }}
    )
    group by practice_id
),

newest as (
    select *
    from {{ ref('int_months__enrolled') }}
    where months_back = 1
),

steps as (
    select unnest(range(1, cast({{ limit('projection_ahead') }} as bigint) + 1)) as step
),

projected as (
    select
        newest.practice_id,
        cast(newest.month + interval 1 month * cast(steps.step as integer) as date) as month,
        'history' as basis,
        newest.base_code_amount,
        -- Halves are rounded up, once, at the end.
        greatest(newest.enrolled + coalesce(history.net_enrolled * steps.step / nullif(history.months, 0), 0), 0) as enrolled
    from newest
    cross join steps
    left join history on newest.practice_id = history.practice_id
    union all
    select
        newest.practice_id,
        cast(newest.month + interval 1 month * cast(steps.step as integer) as date) as month,
        'pace' as basis,
        newest.base_code_amount,
        newest.enrolled + {{ limit('projection_pace') }} * steps.step as enrolled
    from newest
    cross join steps
)

select
    practice_id,
    month,
    basis,
    cast(floor(enrolled + 0.5) as bigint) as enrolled,
    cast(cast(floor(enrolled + 0.5) as bigint) * base_code_amount as decimal(12, 2)) as monthly_revenue
from projected
