select
    practice_id,
    extract_date,
    table_name,
    rows_received,
    rows_accepted,
    rows_quarantined,
    rows_superseded,
    coalesce(rows_filtered, 0) as rows_filtered
from {{ ref('stg_files') }}
where is_newest_version
