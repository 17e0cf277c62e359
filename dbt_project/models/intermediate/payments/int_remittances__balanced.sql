-- Each 835 with what it says held against what it pays (BPR02). A payment is named by payer, check, date and total.
with said as (
    select
        transaction_id,
        sum(amount) as amount,
        count(*) filter (where is_claim) as claims
    from {{ ref('int_remittance_pieces') }}
    group by transaction_id
),

-- Money that an earlier 835 of the same payment said.
said_before_it as (
    select distinct transaction_id
    from (
        select
            transaction_id,
            min(transaction_id) over (partition by payment_key, piece) as first_said_by
        from {{ ref('int_remittance_pieces') }}
        where amount <> 0
    )
    where first_said_by < transaction_id
),

heads as (
    select
        remittances.transaction_id,
        transactions.content_sha256,
        named.check_key,
        named.payment_key,
        remittances.total_amount,
        coalesce(said.claims, 0) as claims,
        remittances.total_amount - coalesce(said.amount, 0) as out_of_balance_amount
    from {{ ref('stg_remittances') }} as remittances
    inner join {{ ref('stg_answer_transactions') }} as transactions on remittances.transaction_id = transactions.transaction_id
    inner join {{ ref('int_remittances__named') }} as named on remittances.transaction_id = named.transaction_id
    left join said on remittances.transaction_id = said.transaction_id
),

-- Those that add up by themselves and decide a claim that an earlier one of the check did. Where nothing is paid there is no check, and payers use one
-- number (0) for all of these: then only one of the same day is the same.
decides_again as (
    select distinct transaction_id
    from (
        select
            pieces.transaction_id,
            case
                when heads.total_amount = 0
                    then
                        least(
                            min(pieces.transaction_id) over (
                                partition by pieces.payment_key, pieces.claim_id, pieces.payer_claim_number, pieces.claim_status_code
                            ),
                            min(case when heads.total_amount <> 0 then pieces.transaction_id end) over (
                                partition by pieces.check_key, pieces.claim_id, pieces.payer_claim_number, pieces.claim_status_code
                            )
                        )
                else min(pieces.transaction_id) over (
                    partition by pieces.check_key, pieces.claim_id, pieces.payer_claim_number, pieces.claim_status_code
                )
            end as first_decided_by
        from {{ ref('int_remittance_pieces') }} as pieces
        inner join heads on pieces.transaction_id = heads.transaction_id
        where pieces.is_claim and heads.out_of_balance_amount = 0
    )
    where first_decided_by < transaction_id
)

select
    heads.*,
    heads.out_of_balance_amount = 0 as is_whole,
    decides_again.transaction_id is not null as decides_again,
    -- Whose own sum is nothing comes to nothing only if none of it was said before, and counts once.
    heads.total_amount <> 0 and heads.out_of_balance_amount = heads.total_amount and said_before_it.transaction_id is null as comes_to_nothing
from heads
left join said_before_it on heads.transaction_id = said_before_it.transaction_id
left join decides_again on heads.transaction_id = decides_again.transaction_id
