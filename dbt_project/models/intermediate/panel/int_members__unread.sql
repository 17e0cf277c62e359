-- Rows of care team snapshots in force that are in quarantine, each with its member where that can be read (member_id).
select
    files.practice_id,
    files.extract_date,
    lake.file_id,
    lake.line_number,
    lake.column_name,
    keys.row_key as member_id
from {{ from_lake('quarantine') }} as lake
inner join {{ ref('stg_files') }} as files on lake.file_id = files.file_id
left join {{ from_lake('quarantine_keys') }} as keys on lake.file_id = keys.file_id and lake.line_number = keys.line_number
where files.is_in_force and files.table_name = 'care_team'
