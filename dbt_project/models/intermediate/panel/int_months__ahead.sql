-- The newest month of each practice (step 0) and those ahead of it, with the day whose fee schedule prices them: the month's last day or, where no release
-- reaches that far, the last day that the releases know (the first, for a practice of before them all). A January waits for no release to be worth something.
with known as (
    select
        max(first_day) as first_day,
        min(last_day) as last_day
    from (
        {%- for seed in ['rule_rvus', 'rule_gpcis', 'rule_conversion_factors'] %}
        select
            min(effective_from) as first_day,
            max(coalesce(effective_to, date '9999-12-31')) as last_day
        from {{ ref(seed) }}
        {%- if not loop.last %}
        union all
        {%- endif %}
        {%- endfor %}
    )
),

newest as (
    select
        practice_id,
        max(month) as month
    from {{ ref('int_months') }}
    group by practice_id
),

ahead as (
    select
        newest.practice_id,
        cast(newest.month + interval 1 month * cast(steps.step as integer) as date) as month,
        cast(steps.step as integer) as step
    from newest
    cross join (select unnest(range(0, cast({{ office_limit('projection_ahead') }} as bigint) + 1)) as step) as steps
)

select
    ahead.practice_id,
    ahead.month,
    ahead.step,
    least(greatest({{ month_end('ahead.month') }}, known.first_day), known.last_day) as price_day
from ahead
cross join known
