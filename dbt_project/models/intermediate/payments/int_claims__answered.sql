{{ config(meta={'keeps_last_night': true}) }}
-- What the payer's remittances leave standing of each claim. A reversal undoes the decision of the same amount, else the oldest that still
-- stands; of what stands, one with money comes first, then the newest. Nothing here depends on the order in which the files came.
with postings as (
    select
        *,
        row_number() over (
            partition by claim_id, kind, abs(paid_amount)
            order by payment_on, check_number, content_sha256, claim_position
        ) as place_among_equals
    from {{ ref('int_claim_postings') }}
    where posting = 'posted'
),

-- Reversals with their decision of the same amount.
paired as (
    select
        postings.*,
        others.claim_id is not null as is_paired
    from postings
    left join postings as others
        on
            postings.claim_id = others.claim_id
            and abs(postings.paid_amount) = abs(others.paid_amount)
            and postings.place_among_equals = others.place_among_equals
            -- A decision's other is a reversal and the other way round; as an "or" it would have DuckDB compare every row with every other.
            and case postings.kind when 'decision' then 'reversal' when 'reversal' then 'decision' end = others.kind
),

-- The other reversals undo what is left, the oldest first.
undone as (
    select
        *,
        row_number() over (partition by claim_id, kind, is_paired order by payment_on, check_number, content_sha256, claim_position) as place_among_rest,
        count(*) filter (where kind = 'reversal' and not is_paired) over (partition by claim_id) as further_reversals
    from paired
),

standing as (
    select *
    from undone
    where kind = 'decision' and not is_paired and place_among_rest > further_reversals
    qualify
        row_number() over (
            partition by claim_id
            order by paid_amount > 0 desc, payment_on desc, check_number desc, claim_position desc, content_sha256
        ) = 1
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
    from postings
    group by practice_id, claim_id
)

select
    totals.*,
    standing.transaction_id as standing_transaction_id,
    standing.claim_position as standing_claim_position,
    standing.check_number,
    standing.payment_on as paid_on,
    coalesce(standing.is_denial, false) as is_denial,
    coalesce(standing.paid_amount, 0) as standing_paid_amount,
    standing.claim_id is not null as has_standing_decision
from totals
left join standing on totals.claim_id = standing.claim_id
where totals.decisions + totals.reversals > 0
