select
    practice_id,
    member_id
from {{ ref('int_time_slices') }} as slices
{{ only_beside_made('int_time_slices', 'slices', ['practice_id', 'member_id', 'month']) }}
where start_at is not null and disposition = 'credited' and end_at > start_at
qualify
    start_at < max(end_at) over (
        partition by practice_id, member_id order by start_at, end_at rows between unbounded preceding and 1 preceding
    )
    and patient_id <> lag(patient_id) over (partition by practice_id, member_id order by start_at, end_at)
