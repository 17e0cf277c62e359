{{ config(meta={'keeps_last_night': true}) }}
-- What Medicare's remittances leave standing of each claim: the first of the decisions that stand (int_claims__standing), and what was paid in all.
with standing as (
    select *
    from {{ ref('int_claims__standing') }}
    where place = 1
),

totals as (
    select
        practice_id,
        claim_id,
        sum(paid_amount) as paid_amount,
        max(payment_on) as answered_on,
        min(case when kind = 'decision' then payment_on end) as determined_on,
        count(*) filter (where kind = 'decision') as decisions,
        count(*) filter (where kind = 'reversal') as reversals
    from {{ ref('int_claim_postings') }}
    where posting = 'posted' and kind <> 'next_payer'
    group by practice_id, claim_id
),

-- Since when money of it has been held, without a day between on which it was all taken back: what is said of the claim later holds no more of it.
held as (
    select
        claim_id,
        min(case when coalesce(payment_on > last_without_on, true) then payment_on end) as held_since
    from (
        select
            claim_id,
            payment_on,
            max(case when paid_amount < {{ office_limit('underpaid') }} then payment_on end) over (partition by claim_id) as last_without_on
        from {{ ref('int_claims__paid_by_day') }}
    )
    group by claim_id
)

select
    totals.*,
    coalesce(held.held_since, standing.payment_on) as held_since,
    standing.check_number,
    standing.payment_on as paid_on,
    coalesce(standing.is_denial, false) as is_denial,
    coalesce(standing.paid_amount, 0) as standing_paid_amount,
    standing.claim_id is not null as has_standing_decision
from totals
left join standing on totals.claim_id = standing.claim_id
left join held on totals.claim_id = held.claim_id
where totals.decisions + totals.reversals > 0
