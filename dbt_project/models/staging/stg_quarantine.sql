select
    lake.file_id,
    lake.practice_id,
    lake.extract_date,
    lake.table_name,
    lake.line_number,
    lake.column_name,
    lake.reason,
    lake.patient_id,
    files.is_in_force
from {{ from_lake('quarantine') }} as lake
inner join {{ ref('stg_files') }} as files on lake.file_id = files.file_id
where files.is_newest_version
