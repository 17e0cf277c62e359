-- What Medicare had paid of each claim by each day on which it answered it.
select
    practice_id,
    claim_id,
    payment_on,
    cast(sum(sum(paid_amount)) over (partition by claim_id order by payment_on) as decimal(12, 2)) as paid_amount
from {{ ref('int_claim_postings') }}
where posting = 'posted' and kind <> 'next_payer'
group by practice_id, claim_id, payment_on
