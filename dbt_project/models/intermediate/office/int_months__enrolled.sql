-- Enrolled patients of each practice and month, and the change against the month before (churn included). A month is complete once a later night came.
with counted as (
    select
        practice_id,
        month,
        count(*) filter (where state = 'enrolled') as enrolled
    from {{ ref('enrollment_status') }}
    group by practice_id, month
)

select
    months.practice_id,
    months.month,
    base.base_code_amount,
    coalesce(counted.enrolled, 0) as enrolled,
    coalesce(counted.enrolled, 0)
    - lag(coalesce(counted.enrolled, 0)) over (partition by months.practice_id order by months.month) as net_enrolled,
    months.is_complete,
    row_number() over (partition by months.practice_id order by months.month desc) as months_back
from {{ ref('int_months__close') }} as months
inner join {{ ref('int_base_code_amounts') }} as base on months.practice_id = base.practice_id and months.month = base.month
left join counted on months.practice_id = counted.practice_id and months.month = counted.month
