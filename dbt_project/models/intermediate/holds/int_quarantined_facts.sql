-- Rows in quarantine that may hide a reason not to bill a patient: of the snapshot that the patient's facts are taken from, of every night's services,
-- among which may be another practice's claim of the month, and of the time log where the entry of that key stands, counts, and the row may take its time back:
-- then of the patient of that entry and the months in which it counts (of a packet: what was frozen as such). The close holds the claim until the row is
-- mended (a later snapshot, or that night landed again, without the fault; of services and time a later night that brings the same one) or accepted. A night's
-- services are of its month and of those before.
with standing as (
    select *
    from {{ ref('int_quarantined_rows__entries') }}
    where holds_time and not is_mended
),

quarantined as (
    select
        lake.practice_id,
        coalesce(standing.patient_id, lake.patient_id) as patient_id,
        lake.table_name,
        lake.extract_date,
        lake.line_number,
        lake.column_name,
        files.sha256,
        lake.file_id,
        case when lake.reason = 'in quarantine' then standing.first_month else standing.counted_from end as first_month,
        case when lake.reason = 'in quarantine' then standing.last_month else standing.counted_to end as last_month
    from {{ from_lake('quarantine') }} as lake
    inner join {{ ref('stg_files') }} as files on lake.file_id = files.file_id
    left join standing on lake.file_id = standing.file_id and lake.line_number = standing.line_number
    anti join {{ ref('int_quarantined_rows__mended') }} as mended on lake.file_id = mended.file_id and lake.line_number = mended.line_number
    where
        files.is_in_force
        and (
            (({{ may_forbid('lake') }} or lake.table_name = 'services') and lake.patient_id is not null)
            or standing.counted_from is not null
            or (standing.file_id is not null and lake.reason = 'in quarantine')
        )
),

named as (
    select
        quarantined.*,
        quarantined.first_month as first_month_held,
        case when quarantined.table_name = 'services' then {{ month_of('quarantined.extract_date') }} else quarantined.last_month end as last_month_held,
        -- A snapshot stands for itself, whichever night brought it; of changes the night is part of what they are.
        {{ hold_id(
            'quarantined.practice_id', "'quarantined_row'", 'quarantined.table_name', "''",
            "case when quarantined.table_name in " ~ log_tables() ~ " then cast(quarantined.extract_date as varchar) else '' end",
            'quarantined.line_number', 'quarantined.sha256'
        ) }} as hold_id
    from quarantined
    inner join {{ ref('int_patients__current') }} as patients
        on quarantined.practice_id = patients.practice_id and quarantined.patient_id = patients.patient_id
    left join {{ ref('int_panel__as_of') }} as as_of
        on
            patients.practice_id = as_of.practice_id
            and patients.facts_night = as_of.facts_night
            and quarantined.table_name = as_of.table_name
            and quarantined.extract_date = as_of.extract_date
    where quarantined.table_name in {{ log_tables() }} or as_of.extract_date is not null
)

select
    named.practice_id,
    named.patient_id,
    named.table_name,
    named.extract_date,
    named.line_number,
    named.column_name,
    -- What somebody is told of it; no values.
    named.table_name || ' of ' || strftime(named.extract_date, '%Y-%m-%d') || ' line ' || named.line_number
    || coalesce(' (' || nullif(named.column_name, '') || ')', '') as row_told,
    named.sha256,
    named.file_id,
    named.first_month_held,
    named.last_month_held,
    named.hold_id,
    acceptances.hold_id is not null as is_accepted,
    acceptances.accepted_by,
    acceptances.accepted_why
from named
left join {{ from_configuration('acceptances') }} as acceptances
    on named.practice_id = acceptances.practice_id and named.hold_id = acceptances.hold_id
