{{ config(meta={'dagster': {'ref': {'name': 'claim_line_payments'}}}) }}
-- Every cent that Medicare posted lies on one line of one claim, and every claim has the sum of its lines; what the next payer paid stands beside it.
with posted as (
    select
        practice_id,
        claim_id,
        coalesce(sum(paid_amount) filter (where kind <> 'next_payer'), 0) as paid_amount,
        coalesce(sum(paid_amount) filter (where kind = 'next_payer'), 0) as other_payers_amount
    from {{ ref('int_claim_postings') }}
    where posting = 'posted'
    group by practice_id, claim_id
),

lines as (
    select
        practice_id,
        claim_id,
        sum(paid_amount) as paid_amount
    from {{ ref('claim_line_payments') }}
    group by practice_id, claim_id
)

select
    lines.practice_id,
    lines.claim_id
from lines
left join posted on lines.claim_id = posted.claim_id
left join {{ ref('claims') }} as claims on lines.claim_id = claims.claim_id
where
    lines.paid_amount <> coalesce(posted.paid_amount, 0)
    or claims.paid_amount <> lines.paid_amount
    or claims.other_payers_amount <> coalesce(posted.other_payers_amount, 0)
