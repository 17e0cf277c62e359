-- Every version of every landed file: the last step of every "why?".
select
    practice_id,
    file_id,
    extract_date,
    table_name,
    cast(version as integer) as version,
    file_name as landed_path,
    sha256,
    outcome,
    is_in_force
from {{ ref('stg_files') }}
