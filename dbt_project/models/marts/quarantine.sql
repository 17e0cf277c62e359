select
    practice_id,
    extract_date,
    table_name,
    line_number,
    column_name,
    reason
from {{ ref('stg_quarantine') }}
