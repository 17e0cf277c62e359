-- Every decision of a payer that stands, by claim: a reversal undoes the decision of the same amount, that of the payer's number which it names before
-- any other, else the oldest that still stands. Of what stands, one with money comes first (place 1), then the newest; that the claim is a duplicate
-- comes behind all else that was said of it, and a claim that the payer split into several has the others behind the first. Nothing here depends on the
-- order in which the files came.
with duplicates as (
    select
        adjustments.transaction_id,
        adjustments.claim_position
    from {{ ref('stg_payment_adjustments') }} as adjustments
    inner join {{ ref('stg_remittances') }} as remittances on adjustments.transaction_id = remittances.transaction_id
    left join {{ ref('rule_denials') }} as rules
        on
            adjustments.reason_code = rules.reason_code
            and rules.kind = 'duplicate'
            and {{ in_force('rules', 'remittances.payment_on') }}
    where adjustments.adjustment_amount > 0
    group by adjustments.transaction_id, adjustments.claim_position
    having bool_and(rules.reason_code is not null)
),

postings as (
    select
        postings.*,
        duplicates.transaction_id is not null as is_duplicate,
        row_number() over (
            partition by postings.claim_id, postings.kind, abs(postings.paid_amount), postings.payer_claim_number
            order by postings.payment_on, postings.check_number, postings.content_sha256, postings.claim_position
        ) as place_among_equals
    from {{ ref('int_claim_postings') }} as postings
    left join duplicates on postings.transaction_id = duplicates.transaction_id and postings.claim_position = duplicates.claim_position
    where postings.posting = 'posted'
),

-- Reversals with the decision of the same amount that has the payer's number they name (CLP07).
named as (
    select
        postings.* exclude (place_among_equals),
        others.claim_id is not null as is_named,
        row_number() over (
            partition by postings.claim_id, postings.kind, abs(postings.paid_amount), others.claim_id is not null
            order by postings.payment_on, postings.check_number, postings.content_sha256, postings.claim_position
        ) as place_among_equals
    from postings
    left join postings as others
        on
            postings.claim_id = others.claim_id
            and abs(postings.paid_amount) = abs(others.paid_amount)
            and postings.payer_claim_number = others.payer_claim_number
            and postings.place_among_equals = others.place_among_equals
            -- A decision's other is a reversal and the other way round; as an "or" it would have DuckDB compare every row with every other.
            and case postings.kind when 'decision' then 'reversal' when 'reversal' then 'decision' end = others.kind
),

-- Of those that name no such decision each with one of the same amount.
paired as (
    select
        named.*,
        named.is_named or others.claim_id is not null as is_paired
    from named
    left join named as others
        on
            named.claim_id = others.claim_id
            and not named.is_named
            and not others.is_named
            and abs(named.paid_amount) = abs(others.paid_amount)
            and named.place_among_equals = others.place_among_equals
            and case named.kind when 'decision' then 'reversal' when 'reversal' then 'decision' end = others.kind
),

-- The other reversals undo what is left, the oldest first, as far as their amount reaches: one may take back what several payments brought, and one of a
-- line alone leaves the decision of the others. What is left of one is no payer's rounding; one that paid nothing had nothing to take back.
undone as (
    select
        *,
        sum(paid_amount) over (
            partition by claim_id, kind, is_paired order by payment_on, check_number, content_sha256, claim_position rows unbounded preceding
        ) as paid_so_far,
        sum(case when kind = 'reversal' and not is_paired then -paid_amount else 0 end) over (partition by claim_id) as taken_back
    from paired
)

select
    practice_id,
    claim_id,
    row_number() over (
        partition by claim_id
        order by paid_amount > 0 desc, is_duplicate, payment_on desc, check_number desc, claim_position desc, content_sha256
    ) as place,
    transaction_id,
    claim_position,
    check_number,
    payment_on,
    is_denial,
    paid_amount
from undone
where
    kind = 'decision' and not is_paired
    and (paid_amount = 0 or paid_so_far - taken_back >= least(paid_amount, {{ office_limit('underpaid') }}))
