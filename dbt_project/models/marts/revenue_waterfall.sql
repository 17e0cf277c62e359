-- From what could be earned to what was paid, step by step, in allowed dollars (the last step: in dollars paid).
with claimed as (
    select
        lines.practice_id,
        lines.month,
        count(distinct lines.patient_id) as patients,
        sum(lines.allowed_amount) as dollars
    from {{ from_configuration('claim_lines') }} as lines
    inner join {{ ref('int_claims__current') }} as claims
        on
            lines.practice_id = claims.practice_id
            and lines.claim_id = claims.claim_id
            and lines.close_version = claims.close_version
            and claims.status <> 'rejected'
    group by lines.practice_id, lines.month
),

steps as (
    select practice_id, month, 'potential' as step, sum(patients) as patients, sum(dollars) as dollars
    from {{ ref('revenue_gap') }}
    group by practice_id, month
    union all
    select practice_id, month, 'enrolled', enrolled, enrolled * base_code_amount
    from {{ ref('int_months__enrolled') }}
    union all
    select practice_id, month, 'earned', count(*) filter (where track is not null), sum(allowed_amount)
    from {{ ref('int_decisions') }}
    where decision <> 'not_claimable'
    group by practice_id, month
    union all
    select practice_id, month, 'billed', patients, dollars
    from claimed
    union all
    select practice_id, month, 'paid', count(*) filter (where paid_amount > 0), sum(paid_amount)
    from {{ ref('claims') }}
    group by practice_id, month
)

select
    months.practice_id,
    months.month,
    cast(rules.step_number as integer) as step_number,
    rules.step,
    cast(coalesce(steps.patients, 0) as bigint) as patients,
    cast(coalesce(steps.dollars, 0) as decimal(12, 2)) as dollars
from {{ ref('int_months') }} as months
cross join {{ ref('rule_waterfall_steps') }} as rules
left join steps
    on months.practice_id = steps.practice_id and months.month = steps.month and rules.step = steps.step
