-- One row per landed file in force, with the counts that drift is judged by. Of each night's own rows, so that a row sent again later takes nothing away
-- from the night that first had it.
with quarantined as (
    -- Of nobody is also who is no patient of the practice: with its columns shifted by one, a row says another one's id, or none. A row of patients may be
    -- its patient's first, and nobody is billed who never had a good one.
    select
        lake.file_id,
        count(*) filter (where lake.patient_id is null or (patients.patient_id is null and lake.table_name <> 'patients')) as rows_of_nobody
    from {{ from_lake('quarantine') }} as lake
    left join {{ ref('int_patients__current') }} as patients on lake.practice_id = patients.practice_id and lake.patient_id = patients.patient_id
    where lake.line_number > 0
    group by lake.file_id
),

present as (
    select
        practice_id,
        extract_date,
        'patients' as table_name,
        count(*) as patients
    from {{ ref('int_patients__presence') }}
    group by practice_id, extract_date
)

select
    files.practice_id,
    files.table_name,
    files.extract_date,
    files.file_id,
    files.sha256,
    files.version,
    files.table_name not in {{ log_tables() }} as is_snapshot,
    files.rows_received,
    files.rows_accepted,
    files.rows_quarantined,
    coalesce(quarantined.rows_of_nobody, 0) as rows_of_nobody,
    coalesce(present.patients, files.rows_accepted) as rows_present,
    coalesce(logged.entries, 0) as entries,
    coalesce(logged.entries_without_note, 0) as entries_without_note,
    coalesce(unknown.entries_of_unknown_patients, 0) as entries_of_unknown_patients,
    coalesce(unknown.entries_of_unknown_members, 0) as entries_of_unknown_members,
    coalesce(logged.minutes, 0) as minutes,
    coalesce(logged.staff_days, 0) as staff_days,
    files.extra_columns,
    files.missing_columns,
    min(files.extract_date) over (partition by files.practice_id, files.table_name) as first_night,
    max(files.extract_date) over (partition by files.practice_id, files.table_name) as newest_file_night,
    practices.newest_night
from {{ ref('stg_files') }} as files
inner join {{ ref('stg_practices') }} as practices on files.practice_id = practices.practice_id
left join quarantined on files.file_id = quarantined.file_id
left join present
    on files.practice_id = present.practice_id and files.table_name = present.table_name and files.extract_date = present.extract_date
left join {{ ref('int_files__logged') }} as logged on files.file_id = logged.file_id
left join {{ ref('int_files__of_unknown') }} as unknown on files.file_id = unknown.file_id
where files.is_in_force
