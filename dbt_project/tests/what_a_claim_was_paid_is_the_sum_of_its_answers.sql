{{ config(meta={'dagster': {'ref': {'name': 'claim_answers'}}}) }}
-- Every cent of a claim stands in an answer whose file is named.
with answered as (
    select
        claim_id,
        coalesce(sum(paid_amount) filter (where posting = 'posted' and said <> 'next_payer'), 0) as paid_amount
    from {{ ref('claim_answers') }}
    group by claim_id
)

select
    history.practice_id,
    history.claim_id
from {{ ref('claim_history') }} as history
left join answered on history.claim_id = answered.claim_id
where history.paid_amount <> coalesce(answered.paid_amount, 0)
