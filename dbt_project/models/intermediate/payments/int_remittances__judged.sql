-- Which 835s may be posted. A payment is paid by the first that adds up to its total (BPR02): a file by itself or, where a clearinghouse split it,
-- parts together. Whatever else comes for it must even out: parts that come to nothing by themselves (the denials) or together. What was posted stays
-- posted: a later file with the same check and other contents waits.
with paid_by_one as (
    select
        payment_key,
        transaction_id,
        content_sha256
    from {{ ref('int_remittances__whole') }}
    where is_payment and total_amount <> 0
),

posted_contents as (
    select pieces.*
    from {{ ref('int_remittance_pieces') }} as pieces
    inner join {{ ref('int_remittances__whole') }} as whole on pieces.transaction_id = whole.transaction_id
    where pieces.is_claim and whole.is_payment
),

elsewhere as (
    select
        pieces.transaction_id,
        count(distinct pieces.piece) as claims_elsewhere
    from {{ ref('int_remittance_pieces') }} as pieces
    inner join posted_contents as posted on pieces.check_key = posted.check_key and pieces.piece = posted.piece
    where pieces.is_claim
    group by pieces.transaction_id
),

nothing_claims as (
    select pieces.*
    from {{ ref('int_remittance_pieces') }} as pieces
    inner join {{ ref('int_remittances__parts') }} as parts on pieces.transaction_id = parts.transaction_id
    where pieces.is_claim and parts.comes_to_nothing
),

-- What else the check says, and of what comes to nothing from when on.
said_of_check as (
    select
        *,
        cast(null as bigint) as said_at
    from posted_contents
    union all
    select
        pieces.*,
        case when parts.comes_to_nothing then parts.transaction_id end as said_at
    from {{ ref('int_remittance_pieces') }} as pieces
    inner join {{ ref('int_remittances__parts') }} as parts on pieces.transaction_id = parts.transaction_id
    where
        pieces.is_claim
        and (parts.comes_to_nothing or parts.completing_transaction_id is not null and not parts.is_in_other_words)
),

-- What comes to nothing and decides a claim otherwise than its check does: the same check with other contents. What takes a decision back under the
-- payer's number and the new one are no two words for one.
otherwise as (
    select distinct nothing_claims.transaction_id
    from nothing_claims
    inner join said_of_check
        on
            nothing_claims.check_key = said_of_check.check_key
            and nothing_claims.claim_id = said_of_check.claim_id
            and nothing_claims.payer_claim_number is not distinct from said_of_check.payer_claim_number
            and nothing_claims.is_reversal = said_of_check.is_reversal
            and nothing_claims.piece <> said_of_check.piece
            and (said_of_check.said_at is null or said_of_check.said_at < nothing_claims.transaction_id)
),

-- Pieces that are posted without what came beside.
paid_pieces as (
    select distinct
        pieces.payment_key,
        pieces.piece
    from {{ ref('int_remittance_pieces') }} as pieces
    left join {{ ref('int_remittances__beside') }} as reaching on pieces.transaction_id = reaching.transaction_id and reaching.is_reaching
    left join {{ ref('int_remittances__parts') }} as parts on pieces.transaction_id = parts.transaction_id
    left join otherwise on pieces.transaction_id = otherwise.transaction_id
    where reaching.transaction_id is not null or (parts.comes_to_nothing and otherwise.transaction_id is null)
),

evening as (
    select
        transaction_id,
        payment_key
    from {{ ref('int_remittances__beside') }}
    where is_beside
),

evening_pieces as (
    select
        evening.transaction_id,
        pieces.amount,
        row_number() over (partition by evening.payment_key, pieces.piece order by evening.transaction_id) = 1 as is_new
    from evening
    inner join {{ ref('int_remittance_pieces') }} as pieces on evening.transaction_id = pieces.transaction_id
    anti join paid_pieces on evening.payment_key = paid_pieces.payment_key and pieces.piece = paid_pieces.piece
),

-- They are posted together, once they even out.
evened as (
    select
        transaction_id,
        min(case when uneven_amount = 0 then transaction_id end) over (
            partition by payment_key
            order by transaction_id
            rows between current row and unbounded following
        ) is not null as is_even
    from (
        select
            evening.payment_key,
            evening.transaction_id,
            sum(coalesce(told.amount, 0)) over (
                partition by evening.payment_key
                order by evening.transaction_id
                rows unbounded preceding
            ) as uneven_amount
        from evening
        left join (
            select
                transaction_id,
                sum(amount) as amount
            from evening_pieces
            where is_new
            group by transaction_id
        ) as told on evening.transaction_id = told.transaction_id
    )
),

-- Payments of which a part says what another payment of the check said.
of_another_total as (
    select distinct beside.payment_key
    from {{ ref('int_remittances__beside') }} as beside
    inner join {{ ref('int_remittances__parts') }} as parts on beside.transaction_id = parts.transaction_id
    where beside.is_of_another_total and not parts.comes_to_nothing
),

judged as (
    select
        remittances.transaction_id,
        remittances.check_key,
        remittances.payment_key,
        remittances.total_amount,
        remittances.content_sha256,
        remittances.is_whole,
        paid_by_one.content_sha256 as whole_sha256,
        coalesce(evened.is_even, false) as is_even,
        case
            when whole.is_payment or whole.transaction_id is not null and evened.is_even then 'posted'
            when whole.transaction_id is not null then 'conflicting'
            when parts.claims > 0 and elsewhere.claims_elsewhere = parts.claims then 'repeated'
            when parts.comes_to_nothing and (elsewhere.claims_elsewhere > 0 or otherwise.transaction_id is not null) then 'conflicting'
            when
                parts.comes_to_nothing
                and (paid_by_one.transaction_id is not null or parts.reaching_transaction_id is not null and of_another_total.payment_key is null)
                then 'posted'
            when parts.comes_to_nothing and parts.reaching_transaction_id is not null then 'conflicting'
            when parts.comes_to_nothing then 'waiting'
            when parts.is_in_other_words or of_another_total.payment_key is not null then 'conflicting'
            when reaching.transaction_id is not null then 'posted'
            when parts.new_pieces = 0 and parts.claims > 0 then 'repeated'
            when evened.is_even then 'posted'
            when parts.new_claims = 0 and parts.claims > 0 then 'repeated'
            when parts.reaching_transaction_id is not null or paid_by_one.transaction_id is not null then 'conflicting'
            else 'waiting'
        end as outcome,
        case when parts.reaching_transaction_id is null and paid_by_one.transaction_id is null then parts.missing_amount end as missing_amount
    from {{ ref('int_remittances__balanced') }} as remittances
    left join {{ ref('int_remittances__whole') }} as whole on remittances.transaction_id = whole.transaction_id
    left join {{ ref('int_remittances__parts') }} as parts on remittances.transaction_id = parts.transaction_id
    left join {{ ref('int_remittances__beside') }} as reaching on remittances.transaction_id = reaching.transaction_id and reaching.is_reaching
    left join evened on remittances.transaction_id = evened.transaction_id
    left join paid_by_one on remittances.payment_key = paid_by_one.payment_key
    left join elsewhere on remittances.transaction_id = elsewhere.transaction_id
    left join otherwise on remittances.transaction_id = otherwise.transaction_id
    left join of_another_total on remittances.payment_key = of_another_total.payment_key
),

-- The same payment once more, in other words around its claims (a date of production, a telephone number, another order): it says nothing new.
said_again as (
    select conflicts.transaction_id
    from {{ ref('int_remittance_pieces') }} as conflicts
    semi join {{ ref('int_remittances__whole') }} as whole on conflicts.transaction_id = whole.transaction_id and whole.is_conflicting
    left join (
        select distinct
            pieces.payment_key,
            pieces.piece
        from {{ ref('int_remittance_pieces') }} as pieces
        inner join judged on pieces.transaction_id = judged.transaction_id
        where judged.outcome = 'posted'
    ) as posted on conflicts.payment_key = posted.payment_key and conflicts.piece = posted.piece
    where conflicts.is_claim
    group by conflicts.transaction_id
    having bool_and(posted.piece is not null)
)

select
    judged.transaction_id,
    -- What evens out, or comes to nothing, is of the payment that it came beside.
    'R' || upper(left(case
        when judged.is_whole and not judged.is_even then judged.content_sha256
        when judged.outcome = 'posted' then coalesce(judged.whole_sha256, judged.payment_key)
        else judged.payment_key
    end, 15)) as remittance_id,
    judged.check_key,
    judged.total_amount,
    case when said_again.transaction_id is not null then 'repeated' else judged.outcome end as outcome,
    not judged.is_whole or judged.is_even as is_part,
    cast(coalesce(judged.missing_amount, 0) as decimal(12, 2)) as out_of_balance_amount
from judged
left join said_again on judged.transaction_id = said_again.transaction_id
