-- Claims of a beneficiary whose month another chart's claim has too, as long as both wait for the payer or are paid: what is paid for one of the two is owed
-- back from the night on by which both charts had one number.
with expected as (
    select
        claim_id,
        sum(expected_payment) as expected_payment
    from {{ ref('int_claim_lines__sent') }}
    group by claim_id
),

-- What the payer left to the patient's deductible counts there for nothing, and is given back as well.
received as (
    select
        claim_id,
        sum(paid_amount) as paid_amount,
        sum(deductible_amount) as deductible_amount
    from {{ ref('claim_line_payments') }}
    group by claim_id
)

select
    merged.practice_id,
    merged.patient_id,
    merged.month,
    merged.claim_id,
    merged.found_on + cast({{ limit('refund', 'merged.found_on') }} as integer) as due_on,
    merged.found_on + cast({{ limit('refund', 'merged.found_on') }} as integer) as last_day,
    'merged_beneficiary' as kind,
    -case when history.status = 'paid' then received.paid_amount + received.deductible_amount else expected.expected_payment end as dollars,
    merged.claim_id || ' of ' || strftime(history.claimed_on, '%Y-%m-%d')
    || case when received.deductible_amount > 0 then ', $' || cast(received.deductible_amount as varchar) || ' of it left to the deductible,' else '' end
    || ' and ' || merged.earlier_claim as fact,
    null as cause,
    null as fix,
    null as ways
from {{ ref('int_claims__merged') }} as merged
inner join {{ ref('int_claims__history') }} as history on merged.practice_id = history.practice_id and merged.claim_id = history.claim_id
inner join expected on merged.claim_id = expected.claim_id
left join received on merged.claim_id = received.claim_id
where merged.is_unsettled
