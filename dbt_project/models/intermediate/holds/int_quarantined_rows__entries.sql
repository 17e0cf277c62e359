-- Rows of the time log in quarantine, each beside the entry of its key that stands: a later night brought it without the fault, or it says what stood before,
-- and the row may take back or shorten it. holds_time: by its own words it may count, in the months first_month to last_month. counted_from to counted_to: those
-- in which it does, for a program that asks for minutes; what counts for nothing is taken back by nothing. (Time beside other time is credited to one of the
-- two, and to a practitioner all the same.)
with keys as (
    select
        lake.practice_id,
        lake.row_key,
        lake.file_id,
        lake.line_number,
        files.extract_date
    from {{ from_lake('quarantine_keys') }} as lake
    inner join {{ ref('stg_files') }} as files on lake.file_id = files.file_id
    where files.is_in_force and files.table_name = 'time_entries'
),

-- A number is looked for among all that was ever logged, names among the few that have it (ADR 31).
by_number as materialized (
    select
        keys.*,
        entries.file_id as entry_file_id,
        entries.line_number as entry_line_number
    from keys
    inner join {{ ref('stg_time_entries') }} as entries
        on hash(keys.practice_id, keys.row_key) = entries.entry_number and entries.is_current
),

counted as (
    select
        ledger.practice_id,
        ledger.entry_id,
        min(ledger.month) as counted_from,
        max(ledger.month) as counted_to
    from {{ ref('minute_ledger') }} as ledger
    semi join by_number on ledger.practice_id = by_number.practice_id and ledger.entry_id = by_number.row_key
    inner join {{ ref('int_patient_months__basis') }} as months
        on ledger.practice_id = months.practice_id and ledger.patient_id = months.patient_id and ledger.month = months.month
    inner join {{ ref('rule_programs') }} as programs
        on months.program = programs.program and {{ in_force('programs', 'months.month_end') }}
    where ledger.disposition in ('credited', 'concurrent') and ledger.seconds > 0 and programs.needs_minutes
    group by ledger.practice_id, ledger.entry_id
)

select
    by_number.file_id,
    by_number.line_number,
    by_number.practice_id,
    by_number.row_key,
    entries.patient_id,
    by_number.extract_date < entries.extract_date as is_mended,
    entries.is_documented and not entries.voided and coalesce(entries.elapsed_seconds > 0, false) as holds_time,
    {{ month_of('entries.local_day') }} as first_month,
    {{ month_of('greatest(entries.local_day, entries.last_local_day)') }} as last_month,
    counted.counted_from,
    counted.counted_to
from by_number
inner join {{ ref('stg_time_entries') }} as entries
    on
        by_number.entry_file_id = entries.file_id
        and by_number.entry_line_number = entries.line_number
left join counted on by_number.practice_id = counted.practice_id and by_number.row_key = counted.entry_id
where by_number.practice_id = entries.practice_id and by_number.row_key = entries.entry_id
