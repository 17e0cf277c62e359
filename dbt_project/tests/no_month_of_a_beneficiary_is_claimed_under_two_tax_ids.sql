{{ config(severity='warn', meta={'dagster': {'ref': {'name': 'claim_audit'}}}) }}
-- One of the two is to be paid back, or never was paid. Which may bill the month the practices must settle: no close of either waits for it.
select audit.practice_id
from {{ ref('claim_audit') }} as audit
inner join {{ ref('claims') }} as claims on audit.practice_id = claims.practice_id and audit.claim_id = claims.claim_id
inner join {{ ref('claims') }} as others on audit.detail = others.practice_id || ' ' || others.claim_id
where
    audit.finding = 'other_tax_id_duplicate'
    and (claims.status in ('submitted', 'accepted') or claims.paid_amount > 0)
    and (others.status in ('submitted', 'accepted') or others.paid_amount > 0)
