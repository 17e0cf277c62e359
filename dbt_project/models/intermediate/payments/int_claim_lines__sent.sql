-- Every line of every claim that ever left the house, with what the payer owes for it and the line's place in the sum of its claim's charges.
select
    *,
    cast({{ round_half_up('allowed_amount * ' ~ limit('medicare_share') ~ ' * ' ~ limit('after_sequestration')) }} as decimal(12, 2)) as expected_payment,
    sum(charge_amount) over (partition by claim_id order by line_id rows unbounded preceding) as charged_so_far,
    sum(charge_amount) over (partition by claim_id) as claim_charge
from {{ from_configuration('claim_lines') }}
