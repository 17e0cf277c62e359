{{ config(meta={'dagster': {'ref': {'name': 'revenue_gap'}}}) }}
with eligible as (
    select
        practice_id,
        month,
        count(*) filter (where is_eligible) as patients
    from {{ ref('eligibility') }}
    group by practice_id, month
)

select
    base.practice_id,
    base.month
from {{ ref('int_base_code_amounts') }} as base
left join {{ ref('revenue_gap') }} as gap on base.practice_id = gap.practice_id and base.month = gap.month
left join eligible on base.practice_id = eligible.practice_id and base.month = eligible.month
group by base.practice_id, base.month
having
    coalesce(sum(gap.patients), 0) <> coalesce(max(eligible.patients), 0)
    or coalesce(sum(gap.dollars), -1) <> coalesce(max(eligible.patients), 0) * max(base.base_code_amount)
    or count(gap.cause) <> 10
