select
    slices.practice_id,
    slices.member_id
from {{ ref('int_time_slices') }} as slices
{{ only_beside_made('int_time_slices', 'slices', ['practice_id', 'member_id', 'month']) }}
where slices.start_at is not null and slices.disposition = 'credited' and slices.end_at > slices.start_at
qualify
    slices.start_at < max(slices.end_at) over (
        partition by slices.practice_id, slices.member_id
        order by slices.start_at, slices.end_at rows between unbounded preceding and 1 preceding
    )
    and slices.patient_id <> lag(slices.patient_id) over (
        partition by slices.practice_id, slices.member_id order by slices.start_at, slices.end_at
    )
