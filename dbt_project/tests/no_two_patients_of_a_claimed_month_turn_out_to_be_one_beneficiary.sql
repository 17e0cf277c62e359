{{ config(severity='warn', meta={'dagster': {'ref': {'name': 'claim_audit'}}}) }}
-- By their member ids at the time they were two. One of the claims is to be paid back; nothing that a close could do makes it right, so no other claim waits for it.
select practice_id
from {{ ref('claim_audit') }}
where finding = 'merged_beneficiary'
