-- One row per landed file in force, with the counts that drift is judged by. Of each night's own rows, so that a row sent again later takes nothing away
-- from the night that first had it.
with quarantined as (
    select
        lake.file_id,
        count(*) filter (where lake.patient_id is null) as rows_of_nobody
    from {{ from_lake('quarantine') }} as lake
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
),

timed as (
    select
        entries.practice_id,
        entries.file_id,
        entries.member_id,
        not entries.is_documented as is_undocumented,
        patients.patient_id is null as is_unknown_patient,
        members.member_id is null as is_unknown_member,
        entries.elapsed_seconds
    from {{ ref('stg_time_entries') }} as entries
    left join {{ ref('int_patients__current') }} as patients
        on entries.practice_id = patients.practice_id and entries.patient_id = patients.patient_id
    left join {{ ref('int_members__current') }} as members
        on entries.practice_id = members.practice_id and entries.member_id = members.member_id
    where not entries.voided
),

logged as (
    select
        practice_id,
        file_id,
        count(*) as entries,
        count(*) filter (where is_undocumented) as entries_without_note,
        count(*) filter (where is_unknown_patient) as entries_of_unknown_patients,
        count(*) filter (where is_unknown_member) as entries_of_unknown_members,
        -- A timer that ran away says nothing about the work of a day.
        coalesce(sum(elapsed_seconds) filter (where elapsed_seconds between 0 and {{ limit('runaway_timer') }} * 60), 0) / 60 as minutes,
        count(distinct member_id) as staff_days
    from timed
    group by practice_id, file_id
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
    coalesce(logged.entries_of_unknown_patients, 0) as entries_of_unknown_patients,
    coalesce(logged.entries_of_unknown_members, 0) as entries_of_unknown_members,
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
left join logged on files.file_id = logged.file_id
where files.is_in_force
