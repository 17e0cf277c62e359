-- Of each 835 whether it is of what reached its payment's total (the first file that adds up to it, or else parts together), or came beside that and
-- does not come to nothing by itself (a correction beside what it takes back, in two parts): what came beside is posted once it evens out.
with paid_by_one as (
    select
        payment_key,
        transaction_id
    from {{ ref('int_remittances__whole') }}
    where is_payment and total_amount <> 0
),

reaching as (
    select
        payment_key,
        transaction_id
    from paid_by_one
    union all
    select
        parts.payment_key,
        parts.transaction_id
    from {{ ref('int_remittances__parts') }} as parts
    anti join paid_by_one on parts.payment_key = paid_by_one.payment_key
    where
        parts.completing_transaction_id = parts.reaching_transaction_id
        and not parts.was_said_before
        and not parts.comes_to_nothing
        and not parts.is_in_other_words
),

-- Parts that say what a file of the same check and another total said.
of_another_total as (
    select distinct pieces.transaction_id
    from {{ ref('int_remittance_pieces') }} as pieces
    inner join {{ ref('int_remittance_pieces') }} as posted
        on pieces.check_key = posted.check_key and pieces.piece = posted.piece and pieces.payment_key <> posted.payment_key
    inner join {{ ref('int_remittances__whole') }} as whole on posted.transaction_id = whole.transaction_id
    inner join {{ ref('int_remittances__parts') }} as parts on pieces.transaction_id = parts.transaction_id
    where whole.is_payment and pieces.is_claim
),

beside as (
    select
        remittances.transaction_id,
        remittances.payment_key
    from {{ ref('int_remittances__balanced') }} as remittances
    semi join reaching on remittances.payment_key = reaching.payment_key
    anti join reaching as itself on remittances.transaction_id = itself.transaction_id
    left join {{ ref('int_remittances__whole') }} as whole on remittances.transaction_id = whole.transaction_id
    left join {{ ref('int_remittances__parts') }} as parts on remittances.transaction_id = parts.transaction_id
    left join of_another_total on remittances.transaction_id = of_another_total.transaction_id
    where
        not remittances.comes_to_nothing
        and not coalesce(parts.is_in_other_words, false)
        and not coalesce(whole.is_conflicting or whole.is_payment, false)
        and of_another_total.transaction_id is null
),

reaching_claims as (
    select pieces.*
    from {{ ref('int_remittance_pieces') }} as pieces
    semi join reaching on pieces.transaction_id = reaching.transaction_id
    where pieces.is_claim
),

in_other_words as (
    select distinct beside.transaction_id
    from beside
    inner join {{ ref('int_remittance_pieces') }} as pieces on beside.transaction_id = pieces.transaction_id
    inner join reaching_claims as reached_by
        on
            pieces.payment_key = reached_by.payment_key
            and pieces.claim_id = reached_by.claim_id
            and pieces.payer_claim_number is not distinct from reached_by.payer_claim_number
            and pieces.is_reversal = reached_by.is_reversal
    left join reaching_claims as same on pieces.payment_key = same.payment_key and pieces.piece = same.piece
    where same.piece is null
)

select
    remittances.transaction_id,
    remittances.payment_key,
    reaching.transaction_id is not null as is_reaching,
    beside.transaction_id is not null and in_other_words.transaction_id is null as is_beside,
    of_another_total.transaction_id is not null as is_of_another_total
from {{ ref('int_remittances__balanced') }} as remittances
left join reaching on remittances.transaction_id = reaching.transaction_id
left join beside on remittances.transaction_id = beside.transaction_id
left join in_other_words on remittances.transaction_id = in_other_words.transaction_id
left join of_another_total on remittances.transaction_id = of_another_total.transaction_id
