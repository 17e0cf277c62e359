{{ config(meta={'dagster': {'ref': {'name': 'claim_audit'}}}) }}
select practice_id
from {{ ref('claim_audit') }}
where finding not in ('overlapping_service', 'resent_duplicate', 'merged_beneficiary', 'other_tax_id_duplicate')
