{{ config(meta={'touched_by': 'patient_months'}) }}
-- Every second of every entry under exactly one disposition per month. What reaches step 6 and runs beside no other time is credited as it is.
-- The names are the entry's: what it is judged by has none (int_time_segments).
with parts as (
    select
        file_id,
        line_number,
        month,
        coalesce(disposition, 'credited') as disposition,
        seconds
    from {{ ref('int_time_segments') }}
    where not is_beside and not is_whole
    union all
    select
        file_id,
        line_number,
        month,
        disposition,
        seconds
    from {{ ref('int_time_slices') }}
),

-- Most entries are in one piece; only of the others there is anything to add up.
summed as (
    select
        file_id,
        line_number,
        month,
        coalesce(disposition, 'credited') as disposition,
        seconds
    from {{ ref('int_time_segments') }}
    where not is_beside and is_whole
    union all
    select
        file_id,
        line_number,
        month,
        disposition,
        sum(seconds) as seconds
    from parts
    group by file_id, line_number, month, disposition
)

select
    entries.practice_id,
    entries.entry_id,
    summed.month,
    summed.disposition,
    entries.patient_id,
    entries.member_id,
    entries.program,
    cast(summed.seconds as bigint) as seconds
from {{ judged_entries() }} as entries
inner join summed on entries.file_id = summed.file_id and entries.line_number = summed.line_number
