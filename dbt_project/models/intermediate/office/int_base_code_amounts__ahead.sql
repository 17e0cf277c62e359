-- What the base code is allowed at the practice in its newest month (step 0) and in those ahead of it; 0 where its locality has no prices at all.
with base_codes as (
    {{ base_codes() }}
)

select
    months.practice_id,
    months.month,
    months.step,
    coalesce(prices.unit_amount, cast(0 as decimal(12, 2))) as base_code_amount
from {{ ref('int_months__ahead') }} as months
left join base_codes as base on {{ in_force('base', 'months.price_day') }}
left join {{ ref('int_prices') }} as prices
    on
        months.practice_id = prices.practice_id
        and base.procedure_code = prices.procedure_code
        and months.price_day = prices.service_date
        and prices.payment_share = 1
