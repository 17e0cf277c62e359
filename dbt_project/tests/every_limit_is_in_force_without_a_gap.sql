-- A number of the rules that nobody says of a day is null in every model: no timer would run away and no claim be filed too late in its months.
{{ config(meta={'dagster': {'ref': {'name': 'rule_limits'}}}) }}
with days as (
    {{ days_of_change('rule_limits') }}
),

names as (
    select
        limit_name,
        min(effective_from) as first_day
    from {{ ref('rule_limits') }}
    group by limit_name
)

select
    names.limit_name,
    days.changed_on
from names
inner join days on names.first_day <= days.changed_on
left join {{ ref('rule_limits') }} as limits on names.limit_name = limits.limit_name and {{ in_force('limits', 'days.changed_on') }}
where limits.limit_name is null
