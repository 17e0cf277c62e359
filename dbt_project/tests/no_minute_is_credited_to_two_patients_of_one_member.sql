{{ config(meta={'dagster': {'ref': {'name': 'int_time_slices'}}}) }}
select
    practice_id,
    member_id
from (
    select
        practice_id,
        member_id,
        patient_id,
        month,
        start_at,
        end_at
    from {{ ref('int_time_segments') }}
    where disposition is null and not is_beside
    union all
    select
        practice_id,
        member_id,
        patient_id,
        month,
        start_at,
        end_at
    from {{ ref('int_time_slices') }}
    where disposition = 'credited'
) as credited
{{ only_beside_made('int_time_segments', 'credited', ['practice_id', 'member_id', 'month']) }}
where start_at is not null and end_at > start_at
qualify
    start_at < max(end_at) over (
        partition by practice_id, member_id order by start_at, end_at rows between unbounded preceding and 1 preceding
    )
    and patient_id <> lag(patient_id) over (partition by practice_id, member_id order by start_at, end_at)
