with reached as (
    select
        practice_id,
        month,
        stage_reached,
        count(*) as patients
    from {{ ref('int_patient_months__stages') }}
    group by practice_id, month, stage_reached
),

counted as (
    select
        months.practice_id,
        months.month,
        stages.stage_number,
        stages.stage,
        coalesce(sum(reached.patients), 0) as patients
    from {{ ref('int_months') }} as months
    cross join {{ ref('rule_funnel_stages') }} as stages
    left join reached
        on
            months.practice_id = reached.practice_id
            and months.month = reached.month
            and stages.stage_number <= reached.stage_reached
    group by months.practice_id, months.month, stages.stage_number, stages.stage
)

select
    practice_id,
    month,
    cast(stage_number as integer) as stage_number,
    stage,
    cast(patients as bigint) as patients,
    cast(
        patients / nullif(lag(patients) over (partition by practice_id, month order by stage_number), 0) as decimal(7, 4)
    ) as share_of_previous
from counted
