{{ config(meta={'dagster': {'ref': {'name': 'int_time_slices'}}}) }}
with credited as (
    select
        member_number,
        patient_number,
        start_at,
        end_at
    from {{ ref('int_time_segments') }}
    where disposition is null and not is_beside
    union all
    select
        member_number,
        patient_number,
        start_at,
        end_at
    from {{ ref('int_time_slices') }}
    where disposition = 'credited'
),

twice as (
    select member_number
    from credited
    where start_at is not null and end_at > start_at
    qualify
        start_at < max(end_at) over (
            partition by member_number order by start_at, end_at rows between unbounded preceding and 1 preceding
        )
        and patient_number <> lag(patient_number) over (partition by member_number order by start_at, end_at)
)

select
    members.practice_id,
    members.member_id
from twice
inner join {{ ref('int_members__current') }} as members on twice.member_number = members.member_number
