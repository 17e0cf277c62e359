with counted as (
    select
        practice_id,
        month,
        state,
        count(*) as patients
    from {{ ref('enrollment_status') }}
    group by practice_id, month, state
)

select
    months.practice_id,
    months.month,
    states.state,
    coalesce(counted.patients, 0) as patients
from {{ ref('int_months') }} as months
cross join {{ ref('rule_enrollment_states') }} as states
left join counted
    on months.practice_id = counted.practice_id and months.month = counted.month and states.state = counted.state
