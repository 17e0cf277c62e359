-- What the payers' answers say of each patient's coverage and still stands: everything since the newest day on which an answer told of Medicare itself
-- (Part A or Part B), which replaces all before it. Of one day all stand: nothing says which of them knew more. A close freezes these rows.
with told as (
    select
        *,
        bool_or(meaning in ('part_a', 'part_b')) over (
            partition by practice_id, patient_id, transaction_id, subscriber_position
        ) as is_whole
    from {{ ref('int_coverage_answers__matched') }}
    where patient_id is not null and meaning is not null
),

ordered as (
    select
        *,
        max(case when is_whole then answered_on end) over (partition by practice_id, patient_id) as newest_whole
    from told
)

select
    practice_id,
    patient_id,
    meaning,
    is_covered,
    starts_on,
    ends_on,
    plan_id,
    answered_on,
    is_whole,
    content_sha256,
    file_sha256,
    transaction_id,
    position
from ordered
where newest_whole is null or answered_on >= newest_whole
