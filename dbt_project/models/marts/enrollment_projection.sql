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
        qualify row_number() over (partition by practice_id order by month desc) <= {{ office_limit('projection_history') }}
    )
    group by practice_id
),

newest as (
    select *
    from {{ ref('int_months__enrolled') }}
    where months_back = 1
),

ahead as (
    select *
    from {{ ref('int_base_code_amounts__ahead') }}
    where step > 0
),

projected as (
    select
        ahead.practice_id,
        ahead.month,
        'history' as basis,
        ahead.base_code_amount,
        -- Halves are rounded up, once, at the end.
        greatest(newest.enrolled + coalesce(history.net_enrolled * ahead.step / nullif(history.months, 0), 0), 0) as enrolled
    from ahead
    inner join newest on ahead.practice_id = newest.practice_id
    left join history on ahead.practice_id = history.practice_id
    union all
    select
        ahead.practice_id,
        ahead.month,
        'pace' as basis,
        ahead.base_code_amount,
        newest.enrolled + {{ office_limit('projection_pace') }} * ahead.step as enrolled
    from ahead
    inner join newest on ahead.practice_id = newest.practice_id
)

select
    practice_id,
    month,
    basis,
    cast(floor(enrolled + 0.5) as bigint) as enrolled,
    cast(cast(floor(enrolled + 0.5) as bigint) * base_code_amount as decimal(12, 2)) as monthly_revenue
from projected
