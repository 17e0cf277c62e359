-- When the payer said of each line what stands of it: by the first decision that still does, or by what took back of it what none says again.
with told as (
    select
        decisions.practice_id,
        decisions.claim_id,
        decisions.line_id,
        coalesce(min(case when decisions.stands then decisions.paid_on end), min(case when decisions.is_told then decisions.paid_on end)) as noticed_on
    from {{ ref('int_line_decisions') }} as decisions
    group by decisions.practice_id, decisions.claim_id, decisions.line_id
),

-- What the decision that the line is told by paid of it.
told_amounts as (
    select
        decisions.claim_id,
        decisions.line_id,
        sum(entries.amount) as amount
    from {{ ref('int_line_decisions') }} as decisions
    inner join {{ ref('int_line_postings') }} as entries
        on
            decisions.transaction_id = entries.transaction_id
            and decisions.claim_position = entries.claim_position
            and decisions.line_id = entries.line_id
            and entries.entry = 'paid'
    where decisions.is_told
    group by decisions.claim_id, decisions.line_id
),

paid as (
    select
        entries.claim_id,
        entries.line_id,
        sum(entries.amount) as amount,
        max(case when postings.kind = 'reversal' then postings.payment_on end) as taken_back_on
    from {{ ref('int_line_postings') }} as entries
    inner join {{ ref('int_claim_postings') }} as postings
        on entries.transaction_id = postings.transaction_id and entries.claim_position = postings.claim_position
    where entries.entry = 'paid'
    group by entries.claim_id, entries.line_id
)

select
    told.practice_id,
    told.claim_id,
    told.line_id,
    case when paid.amount < told_amounts.amount then greatest(told.noticed_on, paid.taken_back_on) else told.noticed_on end as noticed_on
from told
left join told_amounts on told.claim_id = told_amounts.claim_id and told.line_id = told_amounts.line_id
left join paid on told.claim_id = paid.claim_id and told.line_id = paid.line_id
