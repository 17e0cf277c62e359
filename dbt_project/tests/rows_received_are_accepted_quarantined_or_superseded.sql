{{ config(meta={'dagster': {'ref': {'name': 'row_accounting'}}}) }}
select
    practice_id,
    extract_date,
    table_name
from {{ ref('row_accounting') }}
where rows_received <> rows_accepted + rows_quarantined + rows_superseded
