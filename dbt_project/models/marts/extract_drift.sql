-- What was out of the ordinary in a night's file, with its numbers; the harmful ones hold the practice's close until mended or accepted (close_holds).
select
    practice_id,
    extract_date,
    table_name,
    measure,
    column_name,
    value,
    usual,
    share,
    is_harmful,
    explanation
from {{ ref('int_extract_findings') }}
union all
select
    practice_id,
    extract_date,
    table_name,
    'rejected_file' as measure,
    '' as column_name,
    cast(rows_received as double) as value,
    null as usual,
    null as share,
    true as is_harmful,
    {{ why_not_usable('files') }} as explanation
from {{ ref('stg_files') }} as files
where is_newest_version and not is_usable
