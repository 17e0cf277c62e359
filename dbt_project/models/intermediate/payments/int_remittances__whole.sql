-- 835s that add up by themselves. One that decides a claim of the same check again in other words is not a second payment, and one for other claims
-- is not what pays a check that is paid.
with decisions as (
    select pieces.*
    from {{ ref('int_remittance_pieces') }} as pieces
    inner join {{ ref('int_remittances__balanced') }} as remittances on pieces.transaction_id = remittances.transaction_id
    where pieces.is_claim and remittances.is_whole
),

part_claims as (
    select
        pieces.*,
        parts.comes_to_nothing,
        parts.completing_transaction_id,
        parts.reaching_transaction_id
    from {{ ref('int_remittance_pieces') }} as pieces
    inner join {{ ref('int_remittances__parts') }} as parts on pieces.transaction_id = parts.transaction_id
    where pieces.is_claim and not parts.is_in_other_words and not (parts.was_said_before and not parts.comes_to_nothing)
),

whole_at as (
    select
        payment_key,
        min(transaction_id) as whole_transaction_id
    from {{ ref('int_remittances__balanced') }}
    where is_whole
    group by payment_key
),

-- What the parts said: those that were complete together, and each that comes to nothing for itself, once the total of its payment is reached by parts
-- or by one file.
said_by_parts as (
    select
        check_key,
        claim_id,
        piece,
        completing_transaction_id as said_by,
        completing_transaction_id as said_at
    from part_claims
    where completing_transaction_id is not null and not comes_to_nothing
    union all
    select
        part_claims.check_key,
        part_claims.claim_id,
        part_claims.piece,
        part_claims.transaction_id as said_by,
        greatest(
            part_claims.transaction_id,
            least(
                coalesce(part_claims.reaching_transaction_id, whole_at.whole_transaction_id),
                coalesce(whole_at.whole_transaction_id, part_claims.reaching_transaction_id)
            )
        ) as said_at
    from part_claims
    left join whole_at on part_claims.payment_key = whole_at.payment_key
    where
        part_claims.comes_to_nothing
        and coalesce(part_claims.reaching_transaction_id, whole_at.whole_transaction_id) is not null
),

-- A later one that speaks of a claim of theirs must say all that they said, or it would take back what was posted.
shared as (
    select distinct
        decisions.transaction_id,
        said_by_parts.said_by
    from decisions
    inner join said_by_parts
        on
            decisions.check_key = said_by_parts.check_key
            and decisions.claim_id = said_by_parts.claim_id
            and decisions.transaction_id > said_by_parts.said_at
),

taking_back as (
    select distinct shared.transaction_id
    from shared
    inner join said_by_parts using (said_by)
    left join decisions on shared.transaction_id = decisions.transaction_id and said_by_parts.piece = decisions.piece
    where decisions.transaction_id is null
),

-- One that says what the parts said is the same payment in one file; one that comes behind them and says nothing of theirs is not what paid it.
behind_parts as (
    select remittances.transaction_id
    from {{ ref('int_remittances__balanced') }} as remittances
    inner join part_claims on remittances.payment_key = part_claims.payment_key
    left join decisions on remittances.transaction_id = decisions.transaction_id and part_claims.piece = decisions.piece
    where
        remittances.is_whole
        and not part_claims.comes_to_nothing
        and part_claims.completing_transaction_id is not null
        and remittances.transaction_id > part_claims.reaching_transaction_id
    group by remittances.transaction_id
    having count(decisions.piece) = 0
),

judged as (
    select
        remittances.*,
        remittances.decides_again or taking_back.transaction_id is not null as is_conflicting,
        behind_parts.transaction_id is not null as is_behind_parts
    from {{ ref('int_remittances__balanced') }} as remittances
    left join taking_back on remittances.transaction_id = taking_back.transaction_id
    left join behind_parts on remittances.transaction_id = behind_parts.transaction_id
    where remittances.is_whole
)

select
    *,
    -- Several that pay nothing under one number (there is no check) are each for itself; of money only the first is the payment.
    not is_conflicting and (
        total_amount = 0
        or not is_behind_parts and row_number() over (partition by payment_key order by is_conflicting or is_behind_parts, transaction_id) = 1
    ) as is_payment
from judged
