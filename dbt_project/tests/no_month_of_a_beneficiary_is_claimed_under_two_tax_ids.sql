{{ config(severity='warn', meta={'dagster': {'ref': {'name': 'claim_audit'}}}) }}
-- One of the two is to be paid back, or never was paid. Which may bill the month the practices must settle: no close of either waits for it.
select practice_id
from {{ ref('claim_audit') }}
where finding = 'other_tax_id_duplicate' and is_unsettled
