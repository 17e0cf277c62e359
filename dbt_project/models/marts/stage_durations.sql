-- How many patients ever reached each dated stage, of those who reached the one before since the practice's first month, and how long it took them:
-- who was on the way before that has no log of it.
with first_months as (
    select
        practice_id,
        min(month) as first_month
    from {{ ref('int_months') }}
    group by practice_id
),

first_days as (
    select
        practice_id,
        patient_id,
        min(contacted_on) as contacted,
        min(case when is_consented then enrolled_on end) as consented,
        min(case when has_care_plan then first_care_plan_on end) as care_plan,
        min(first_credited_on) as active,
        min(case when is_claimable then first_threshold_on end) as claimable,
        min(case when is_claimed then claimed_on end) as claimed,
        min(paid_on) as paid
    from {{ ref('int_patient_months__stages') }}
    group by practice_id, patient_id
),

steps as (
    select practice_id, 'contacted' as stage, cast(null as date) as reached_before_on, contacted as reached_on
    from first_days
    union all
    select practice_id, 'consented', contacted, consented
    from first_days
    union all
    select practice_id, 'care_plan', consented, care_plan
    from first_days
    union all
    select practice_id, 'active', care_plan, active
    from first_days
    union all
    select practice_id, 'claimable', active, claimable
    from first_days
    union all
    select practice_id, 'claimed', claimable, claimed
    from first_days
    union all
    select practice_id, 'paid', claimed, paid
    from first_days
),

dated as (
    select
        steps.practice_id,
        steps.stage,
        steps.reached_on,
        case when steps.reached_before_on >= first_months.first_month then steps.reached_before_on end as reached_before_on
    from steps
    inner join first_months on steps.practice_id = first_months.practice_id
)

select
    dated.practice_id,
    cast(stages.stage_number as integer) as stage_number,
    dated.stage,
    count(dated.reached_on) as patients,
    cast(
        count(dated.reached_on) filter (where dated.reached_before_on is not null)
        / nullif(count(dated.reached_before_on), 0) as decimal(7, 4)
    ) as share_of_previous,
    cast(
        median(greatest(date_diff('day', dated.reached_before_on, dated.reached_on), 0))
        filter (where dated.reached_on is not null and dated.reached_before_on is not null) as decimal(7, 1)
    ) as median_days
from dated
left join {{ ref('rule_funnel_stages') }} as stages on dated.stage = stages.stage
group by dated.practice_id, stages.stage_number, dated.stage
