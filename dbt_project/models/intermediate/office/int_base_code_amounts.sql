-- The yardstick of the revenue gap (rules.md A7): what the base code is allowed at the practice on the month's last day, without the 85%.
-- 0 where no fee schedule release covers that day.
with base_codes as (
    {{ base_codes() }}
)

select
    months.practice_id,
    months.month,
    coalesce(prices.unit_amount, cast(0 as decimal(12, 2))) as base_code_amount
from {{ ref('int_months') }} as months
left join base_codes as base on {{ in_force('base', month_end('months.month')) }}
left join {{ ref('int_prices') }} as prices
    on
        months.practice_id = prices.practice_id
        and base.procedure_code = prices.procedure_code
        and {{ month_end('months.month') }} = prices.service_date
        and prices.payment_share = 1
