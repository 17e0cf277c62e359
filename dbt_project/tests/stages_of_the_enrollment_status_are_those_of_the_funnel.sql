{{ config(meta={'dagster': {'ref': {'name': 'enrollment_status'}}}) }}
-- Two ways to the same number: the funnel counts who reached a stage, the status names the furthest.
with named as (
    select
        status.practice_id,
        status.month,
        stages.stage_number,
        count(*) as patients
    from {{ ref('enrollment_status') }} as status
    inner join {{ ref('rule_funnel_stages') }} as furthest on status.stage = furthest.stage
    inner join {{ ref('rule_funnel_stages') }} as stages on stages.stage_number <= furthest.stage_number
    group by status.practice_id, status.month, stages.stage_number
)

select
    funnel.practice_id,
    funnel.month
from {{ ref('enrollment_funnel') }} as funnel
left join named using (practice_id, month, stage_number)
where funnel.patients <> coalesce(named.patients, 0)
