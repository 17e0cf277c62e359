-- 835s that do not add up by themselves may be parts of one payment, where a clearinghouse split it: each with what it brings that no other part
-- before it did, and the part with which it and those before it reach the total.
with pieces as (
    select
        pieces.*,
        remittances.comes_to_nothing,
        min(pieces.transaction_id) over (partition by pieces.payment_key, pieces.piece) as first_said_by
    from {{ ref('int_remittance_pieces') }} as pieces
    inner join {{ ref('int_remittances__balanced') }} as remittances on pieces.transaction_id = remittances.transaction_id
    where not remittances.is_whole
),

-- Who says of a claim of another part what that part did not say is no part beside it. (A decision and what takes it back are two claims.)
in_other_words as (
    select distinct later.transaction_id
    from pieces as later
    inner join pieces as earlier
        on
            later.payment_key = earlier.payment_key
            and later.claim_id = earlier.claim_id
            and later.payer_claim_number is not distinct from earlier.payer_claim_number
            and later.is_reversal = earlier.is_reversal
            and later.transaction_id > earlier.transaction_id
    where not later.comes_to_nothing and not earlier.comes_to_nothing and later.first_said_by = later.transaction_id
),

told as (
    select
        transaction_id,
        count(*) filter (where is_claim) as new_claims,
        count(*) as new_pieces,
        sum(amount) as amount
    from (
        select
            pieces.transaction_id,
            pieces.is_claim,
            pieces.amount,
            row_number() over (partition by pieces.payment_key, pieces.piece order by pieces.comes_to_nothing, pieces.transaction_id) = 1 as is_new
        from pieces
        left join in_other_words on pieces.transaction_id = in_other_words.transaction_id
        where in_other_words.transaction_id is null
    )
    where is_new
    group by transaction_id
),

parts as (
    select
        remittances.*,
        in_other_words.transaction_id is not null as is_in_other_words,
        coalesce(told.new_claims, 0) as new_claims,
        coalesce(told.new_pieces, 0) as new_pieces,
        remittances.total_amount - sum(coalesce(told.amount, 0)) over (
            partition by remittances.payment_key
            order by remittances.transaction_id
            rows unbounded preceding
        ) as still_missing_amount
    from {{ ref('int_remittances__balanced') }} as remittances
    left join told on remittances.transaction_id = told.transaction_id
    left join in_other_words on remittances.transaction_id = in_other_words.transaction_id
    where not remittances.is_whole
),

completed as (
    select
        *,
        -- The first that makes it and those before it add up, and the first that does so for the payment.
        min(case when still_missing_amount = 0 then transaction_id end) over (
            partition by payment_key
            order by transaction_id
            rows between current row and unbounded following
        ) as completing_transaction_id,
        min(case when still_missing_amount = 0 then transaction_id end) over (partition by payment_key) as reaching_transaction_id,
        last_value(still_missing_amount) over (
            partition by payment_key
            order by transaction_id
            rows between unbounded preceding and unbounded following
        ) as missing_amount
    from parts
),

-- Parts of which a file that adds up had said something before they were complete: then it is what was posted, unless it waits itself.
said_before as (
    select distinct completed.payment_key
    from completed
    inner join {{ ref('int_remittance_pieces') }} as pieces on completed.transaction_id = pieces.transaction_id
    inner join {{ ref('int_remittance_pieces') }} as earlier
        on
            pieces.check_key = earlier.check_key
            and pieces.piece = earlier.piece
            and earlier.transaction_id < completed.reaching_transaction_id
    inner join {{ ref('int_remittances__balanced') }} as remittances on earlier.transaction_id = remittances.transaction_id
    where
        completed.completing_transaction_id = completed.reaching_transaction_id
        and not completed.comes_to_nothing
        and not completed.is_in_other_words
        and pieces.is_claim
        and remittances.is_whole
        and not remittances.decides_again
)

select
    completed.*,
    said_before.payment_key is not null as was_said_before
from completed
left join said_before on completed.payment_key = said_before.payment_key
