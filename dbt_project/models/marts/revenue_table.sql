-- What so many enrolled patients bring at the base code, at the practice's own allowed amount of its newest month.
select
    enrolled.practice_id,
    cast(sizes.amount as bigint) as patients,
    enrolled.base_code_amount,
    cast(sizes.amount * enrolled.base_code_amount as decimal(12, 2)) as monthly_revenue,
    cast(sizes.amount * enrolled.base_code_amount * 12 as decimal(12, 2)) as yearly_revenue
from {{ ref('int_months__enrolled') }} as enrolled
cross join {{ ref('rule_benchmarks') }} as sizes
where enrolled.months_back = 1 and sizes.benchmark like 'panel\_size\_%' escape '\'
