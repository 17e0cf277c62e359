-- Claims that the payer has beside another of the same patient-month: one was turned back and sent anew, and the payer says now that it had taken the first
-- in, or what was turned back was another system's file. Paid, both would be; of two that are paid, what is too much is told (int_claims__unsettled).
with answers as (
    select claim_id, coalesce(status_on, interchange_on) as answered_on
    from {{ ref('int_claims__statuses') }}
    where outcome = 'accepted'
    union all
    select claim_id, interchange_on
    from {{ ref('int_claims__acknowledged') }}
    where is_taken_in and not is_rejected
    union all
    select claim_id, payment_on
    from {{ ref('int_claims__standing') }}
),

-- The first answer by which what was turned back was taken in after all: later ones say nothing new of it.
taken_in as (
    select
        turned_back.claim_id,
        min(answers.answered_on) as taken_in_on
    from {{ ref('int_claims__turned_back') }} as turned_back
    left join answers
        on turned_back.claim_id = answers.claim_id and (turned_back.turned_back_on is null or answers.answered_on > turned_back.turned_back_on)
    group by turned_back.claim_id
),

claims as (
    select
        history.*,
        greatest(
            history.claimed_on, case when taken_in.claim_id is not null then coalesce(taken_in.taken_in_on, history.answered_on, history.claimed_on) end
        ) as live_from
    from {{ ref('int_claims__history') }} as history
    left join taken_in on history.claim_id = taken_in.claim_id
    where {{ waits_or_is_paid('history') }}
),

live as (
    select
        *,
        row_number() over the_month as place,
        first_value(claim_id) over the_month as first_claim_id,
        first_value(claimed_on) over the_month as first_claimed_on,
        greatest(live_from, first_value(live_from) over the_month) as both_from
    from claims
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
    -- So long the payer lets a claim lie at the least.
    cast(live.both_from + cast(buckets.days_to as integer) as date) as due_on,
    -- Were both paid on that day, the second would be owed back by then.
    live.both_from + cast({{ limit('refund', 'live.both_from') }} as integer) as last_day,
    'duplicate_claim' as kind,
    -expected.expected_payment as dollars,
    live.claim_id || ' of ' || strftime(live.claimed_on, '%Y-%m-%d') || ' beside '
    || live.first_claim_id || ' of ' || strftime(live.first_claimed_on, '%Y-%m-%d') as fact,
    null as cause,
    null as fix,
    null as ways
from live
inner join expected on live.claim_id = expected.claim_id
inner join {{ ref('rule_aging_buckets') }} as buckets on buckets.days_from = 0 and {{ in_force('buckets', 'live.both_from') }}
where live.place > 1 and live.status <> 'paid'
