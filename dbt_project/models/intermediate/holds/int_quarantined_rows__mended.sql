-- Rows in quarantine of services and of the time log that a later night brought without the fault: what stands of that key is what it brought.
with keys as (
    select
        lake.practice_id,
        lake.row_key,
        lake.file_id,
        lake.line_number,
        files.extract_date
    from {{ from_lake('quarantine_keys') }} as lake
    inner join {{ ref('stg_files') }} as files on lake.file_id = files.file_id
    where files.is_in_force and files.table_name = 'services'
)

select
    keys.file_id,
    keys.line_number
from keys
inner join {{ ref('stg_services') }} as services
    on
        keys.practice_id = services.practice_id
        and keys.row_key = services.service_id
        and services.is_current
        and keys.extract_date < services.extract_date
union all
select
    file_id,
    line_number
from {{ ref('int_quarantined_rows__entries') }}
where is_mended
