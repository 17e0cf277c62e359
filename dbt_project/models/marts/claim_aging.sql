-- Claims that wait for the payer, and for how long, as of the practice's newest night: since they went out, or since the payer took its decision back.
with waiting as (
    select
        *,
        case status when 'reopened' then answered_on else claimed_on end as waiting_since
    from {{ ref('int_claims__current') }}
    where status in ('submitted', 'accepted', 'reopened')
)

select
    claims.practice_id,
    claims.claim_id,
    claims.patient_id,
    claims.month,
    claims.status,
    claims.claimed_on as submitted_on,
    practices.newest_night as as_of,
    cast(greatest(date_diff('day', claims.waiting_since, practices.newest_night), 0) as integer) as days_waiting,
    buckets.bucket,
    cast(claims.billed_amount as decimal(12, 2)) as billed_amount,
    cast(expected.expected_payment as decimal(12, 2)) as expected_payment
from waiting as claims
inner join {{ ref('stg_practices') }} as practices on claims.practice_id = practices.practice_id
inner join (
    select
        claim_id,
        sum(expected_payment) as expected_payment
    from {{ ref('int_claim_lines__sent') }}
    group by claim_id
) as expected on claims.claim_id = expected.claim_id
left join {{ ref('rule_aging_buckets') }} as buckets
    on
        greatest(date_diff('day', claims.waiting_since, practices.newest_night), 0) between buckets.days_from and coalesce(buckets.days_to, 100000)
        and {{ in_force('buckets', 'claims.waiting_since') }}
