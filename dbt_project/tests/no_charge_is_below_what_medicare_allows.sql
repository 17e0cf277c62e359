{{ config(severity='warn', meta={'dagster': {'ref': {'name': 'claimable_codes'}}}) }}
-- Medicare pays the lesser of the charge and the fee schedule's amount (42 CFR 414.21): a fee of the practice below it is given away with each claim.
select practice_id
from {{ ref('claimable_codes') }}
where decision <> 'claimed' and charge_amount < allowed_amount
