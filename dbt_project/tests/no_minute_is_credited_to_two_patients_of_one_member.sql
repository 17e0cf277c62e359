{{ config(meta={'dagster': {'ref': {'name': 'int_time_slices'}}}) }}
with credited as (
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
)

select
    credited.practice_id,
    credited.member_id
from credited
where credited.start_at is not null and credited.end_at > credited.start_at
qualify
    credited.start_at < max(credited.end_at) over (
        partition by credited.practice_id, credited.member_id
        order by credited.start_at, credited.end_at rows between unbounded preceding and 1 preceding
    )
    and credited.patient_id <> lag(credited.patient_id) over (
        partition by credited.practice_id, credited.member_id order by credited.start_at, credited.end_at
    )
