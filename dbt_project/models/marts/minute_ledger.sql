{{ config(meta={'touched_by': 'patient_months'}) }}
-- Every second of every entry under exactly one disposition per month.
select
    practice_id,
    entry_id,
    month,
    disposition,
    patient_id,
    member_id,
    program,
    cast(sum(seconds) as bigint) as seconds
from (
    select practice_id, entry_id, month, disposition, patient_id, member_id, program, seconds
    from {{ ref('int_time_segments') }}
    where disposition is not null
    union all
    select practice_id, entry_id, month, disposition, patient_id, member_id, program, seconds
    from {{ ref('int_time_slices') }}
)
group by practice_id, entry_id, month, disposition, patient_id, member_id, program
