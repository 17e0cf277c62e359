-- Files that came, went away, were replaced by a later version, or count again.
select
    coalesce(files.file_id, known.file_id) as file_id,
    coalesce(files.practice_id, known.practice_id) as practice_id,
    coalesce(files.table_name, known.table_name) as table_name,
    coalesce(files.extract_date, known.extract_date) as extract_date
from {{ ref('stg_files') }} as files
full outer join {{ before('stg_files') }} as known on files.file_id = known.file_id
where
    files.is_in_force is distinct from known.is_in_force
    or files.is_newest_version is distinct from known.is_newest_version
