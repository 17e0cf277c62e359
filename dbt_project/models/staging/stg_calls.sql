-- Calls of the phone system; a call sent again is current once: by its newest start, then the later night, then the later line.
select
    lake.practice_id,
    lake.extract_date,
    lake.file_id,
    lake.line_number,
    lake.call_id,
    lake.patient_id,
    lake.member_id,
    lake.started_at,
    lake.duration_seconds,
    row_number() over (
        partition by lake.practice_id, lake.call_id order by lake.started_at desc, lake.extract_date desc, lake.line_number desc
    ) = 1 as is_current
from {{ from_lake('calls') }} as lake
inner join {{ ref('stg_files') }} as files on lake.file_id = files.file_id
where files.is_in_force
