{{ config(meta={'dagster': {'ref': {'name': 'enrollment_funnel'}}}) }}
select
    practice_id,
    month
from {{ ref('enrollment_funnel') }}
qualify
    patients > lag(patients) over (partition by practice_id, month order by stage_number)
    or count(*) over (partition by practice_id, month) <> 10
