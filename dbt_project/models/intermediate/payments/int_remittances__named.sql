-- What names the check of each 835 (payer and number) and its payment (check, date and total). A payment of the same number, date and total with a claim
-- word for word, the payer's own number of it among them, is the same one, whatever payer id (TRN03) it comes under: the first says who the payer is.
with said as (
    select
        claims.transaction_id,
        first_value(claims.transaction_id) over same_claim as first_transaction_id,
        first_value(coalesce(remittances.payer_id, '')) over same_claim as first_payer_id
    from {{ ref('stg_claim_payments') }} as claims
    inner join {{ ref('stg_remittances') }} as remittances on claims.transaction_id = remittances.transaction_id
    where claims.payer_claim_number is not null
    window
        same_claim as (
            partition by
                remittances.check_number, remittances.payment_on, remittances.total_amount, claims.content_sha256, claims.occurrence
            order by claims.transaction_id
        )
),

payers as (
    select
        transaction_id,
        first_payer_id
    from said
    qualify row_number() over (partition by transaction_id order by first_transaction_id, first_payer_id) = 1
),

checks as (
    select
        remittances.transaction_id,
        remittances.payment_on,
        remittances.total_amount,
        coalesce(payers.first_payer_id, remittances.payer_id, '') || '|' || remittances.check_number as check_key
    from {{ ref('stg_remittances') }} as remittances
    left join payers on remittances.transaction_id = payers.transaction_id
)

select
    transaction_id,
    payment_on,
    check_key,
    sha256(check_key || '|' || payment_on || '|' || total_amount) as payment_key
from checks
