-- Claims that the payer has beside another of the same patient-month: one was turned back and sent anew, and the payer says now that it had taken the first
-- in, or what was turned back was another system's file. Paid, both would be; of two that are paid, what is too much is told (int_claims__unsettled).
with live as (
    select
        *,
        row_number() over the_month as place,
        first_value(claim_id) over the_month as first_claim_id,
        first_value(claimed_on) over the_month as first_claimed_on
    from {{ ref('int_claims__history') }}
    where status in ('submitted', 'accepted', 'paid')
    window
        the_month as (
            partition by practice_id, patient_id, month
            order by case when status = 'paid' then 0 else 1 end, close_version, claim_id
        )
),

expected as (
    select
        claim_id,
        sum(expected_payment) as expected_payment
    from {{ ref('int_claim_lines__sent') }}
    group by claim_id
)

select
    live.practice_id,
    live.patient_id,
    live.month,
    live.claim_id,
    live.claimed_on as due_on,
    -- Were both paid on that day, the second would be owed back by then.
    live.claimed_on + cast({{ limit('refund', 'live.claimed_on') }} as integer) as last_day,
    'duplicate_claim' as kind,
    -expected.expected_payment as dollars,
    live.claim_id || ' of ' || strftime(live.claimed_on, '%Y-%m-%d') || ' beside '
    || live.first_claim_id || ' of ' || strftime(live.first_claimed_on, '%Y-%m-%d') as fact,
    null as cause,
    null as fix,
    null as ways
from live
inner join expected on live.claim_id = expected.claim_id
where live.place > 1 and live.status <> 'paid'
