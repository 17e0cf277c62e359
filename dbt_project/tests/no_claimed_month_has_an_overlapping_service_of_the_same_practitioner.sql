{{ config(severity='warn', meta={'dagster': {'ref': {'name': 'claim_audit'}}}) }}
-- No claim goes out beside such a service. One that the extracts tell of only later is a refund to make, and no reason to keep other claims waiting.
select practice_id
from {{ ref('claim_audit') }}
where finding = 'overlapping_service'
