{{ config(meta={'touched_by': 'patient_months'}) }}
-- Every second of every entry under exactly one disposition per month. What reaches step 6 and runs beside no other time is credited as it is.
with disposed as (
    select
        practice_id,
        entry_id,
        month,
        coalesce(disposition, 'credited') as disposition,
        patient_id,
        member_id,
        program,
        seconds,
        is_whole
    from {{ ref('int_time_segments') }}
    where not is_beside
    union all
    select
        practice_id,
        entry_id,
        month,
        disposition,
        patient_id,
        member_id,
        program,
        seconds,
        false as is_whole
    from {{ ref('int_time_slices') }}
)

-- Most entries are in one piece; only of the others there is anything to add up.
select
    practice_id,
    entry_id,
    month,
    disposition,
    patient_id,
    member_id,
    program,
    cast(seconds as bigint) as seconds
from disposed
where is_whole
union all
select
    practice_id,
    entry_id,
    month,
    disposition,
    patient_id,
    member_id,
    program,
    cast(sum(seconds) as bigint) as seconds
from disposed
where not is_whole
group by practice_id, entry_id, month, disposition, patient_id, member_id, program
