-- Every decision of a payer that stands, by claim: a reversal undoes the decision of the same amount, else the oldest that still stands. Of what stands, one
-- with money comes first (place 1), then the newest; a claim that the payer split into several has the others behind it. Nothing here depends on the order
-- in which the files came.
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
)

select
    practice_id,
    claim_id,
    row_number() over (
        partition by claim_id
        order by paid_amount > 0 desc, payment_on desc, check_number desc, claim_position desc, content_sha256
    ) as place,
    transaction_id,
    claim_position,
    check_number,
    payment_on,
    is_denial,
    paid_amount
from undone
where kind = 'decision' and not is_paired and place_among_rest > further_reversals
