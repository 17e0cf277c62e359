-- The minutes that the care team usually gives on a business day of its last complete months, and the business days left in the newest month.
with complete as (
    select *
    from {{ ref('int_months__close') }}
    where is_complete
    qualify row_number() over (partition by practice_id order by month desc) <= {{ office_limit('capacity_history') }}
),

credited as (
    select
        practice_id,
        month,
        sum(credited_seconds) as seconds
    from {{ ref('int_patient_months__minutes') }}
    where scenario = 'actual'
    group by practice_id, month
),

usual as (
    select
        complete.practice_id,
        coalesce(sum(credited.seconds), 0) / nullif(60 * sum(complete.business_days), 0) as daily_minutes
    from complete
    left join credited on complete.practice_id = credited.practice_id and complete.month = credited.month
    group by complete.practice_id
)

select
    months.practice_id,
    months.month,
    cast(round(cast(coalesce(usual.daily_minutes, 0) as double), 1) as decimal(9, 1)) as usual_daily_minutes,
    cast(coalesce(months.business_days_left, 0) as bigint) as business_days_left,
    cast(floor(coalesce(usual.daily_minutes, 0) * coalesce(months.business_days_left, 0)) as bigint) as minutes_left
from {{ ref('int_months__close') }} as months
left join usual on months.practice_id = usual.practice_id
where not months.is_complete
