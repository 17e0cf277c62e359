-- What so many enrolled patients bring at the base code, at the practice's own allowed amount of its newest month.
select
    base.practice_id,
    cast(sizes.amount as bigint) as patients,
    base.base_code_amount,
    cast(sizes.amount * base.base_code_amount as decimal(12, 2)) as monthly_revenue,
    cast(sizes.amount * base.base_code_amount * 12 as decimal(12, 2)) as yearly_revenue
from {{ ref('int_base_code_amounts__ahead') }} as base
cross join {{ ref('rule_benchmarks') }} as sizes
where base.step = 0 and sizes.benchmark like 'panel\_size\_%' escape '\'
