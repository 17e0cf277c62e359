-- Minutes and levels earn a code together with its cap: a code without one is never billed, and nothing else would say so.
{{ config(meta={'dagster': {'ref': {'name': 'rule_caps'}}}) }}
with codes as (
    {{ earned_codes() }}
),

days as (
    {{ days_of_change('rule_caps') }}
    union
    select effective_from from codes
)

select distinct
    codes.procedure_code,
    days.changed_on
from codes
inner join days on days.changed_on between codes.effective_from and codes.effective_to
left join {{ ref('rule_caps') }} as caps on codes.procedure_code = caps.procedure_code and {{ in_force('caps', 'days.changed_on') }}
where
    caps.procedure_code is null
    -- Before the first cap of all no month is decided.
    and days.changed_on >= (select min(effective_from) from {{ ref('rule_caps') }})
