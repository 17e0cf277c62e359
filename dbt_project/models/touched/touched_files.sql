-- Files that came, were replaced by a later version, or count again.
select
    files.file_id,
    files.practice_id,
    files.table_name,
    files.extract_date
from {{ ref('stg_files') }} as files
left join {{ before('stg_files') }} as known on files.file_id = known.file_id
where
    files.is_in_force is distinct from known.is_in_force
    or files.is_newest_version is distinct from known.is_newest_version
