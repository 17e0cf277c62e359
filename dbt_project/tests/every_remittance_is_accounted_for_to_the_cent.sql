{{ config(meta={'dagster': {'ref': {'name': 'remittances'}}}) }}
-- What a payer's 835 pays is what was posted to our claims, what belongs to strangers' claims and what it adjusted for the provider as a whole.
select
    practice_id,
    remittance_id
from {{ ref('remittances') }}
where total_amount <> posted_amount + unmatched_amount + provider_adjustment_amount + held_amount
