-- Rows in quarantine of services and of the time log that a later night brought without the fault: what stands of that key is what it brought.
with keys as (
    select
        lake.practice_id,
        lake.row_key,
        lake.file_id,
        lake.line_number,
        files.table_name,
        files.extract_date
    from {{ from_lake('quarantine_keys') }} as lake
    inner join {{ ref('stg_files') }} as files on lake.file_id = files.file_id
    where files.is_in_force and files.table_name in ('services', 'time_entries')
),

-- A number is looked for among all that was ever logged, names among the few that have it (ADR 31).
by_number as materialized (
    select
        keys.*,
        entries.file_id as entry_file_id,
        entries.line_number as entry_line_number
    from keys
    inner join {{ ref('stg_time_entries') }} as entries
        on
            hash(keys.practice_id, keys.row_key) = entries.entry_number
            and entries.is_current
            and keys.extract_date < entries.extract_date
    where keys.table_name = 'time_entries'
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
where keys.table_name = 'services'
union all
select
    by_number.file_id,
    by_number.line_number
from by_number
inner join {{ ref('stg_time_entries') }} as entries
    on
        by_number.entry_file_id = entries.file_id
        and by_number.entry_line_number = entries.line_number
where by_number.practice_id = entries.practice_id and by_number.row_key = entries.entry_id
