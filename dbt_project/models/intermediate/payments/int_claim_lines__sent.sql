-- Every line of every claim that ever left the house, with what the payer owes for it and the line's place in the sum of its claim's charges.
select
    *,
    {{ medicare_pays('allowed_amount', 'service_date') }} as expected_payment,
    sum(charge_amount) over (partition by claim_id order by line_id rows unbounded preceding) as charged_so_far,
    sum(charge_amount) over (partition by claim_id) as claim_charge
from {{ from_configuration('claim_lines') }}
