{{ config(severity='warn', meta={'dagster': {'ref': {'name': 'claim_audit'}}}) }}
-- A claim goes out again because it was turned back. That the payer has both by now is no fault of the close, and no reason to keep other claims waiting.
select practice_id
from {{ ref('claim_audit') }}
where finding = 'resent_duplicate'
