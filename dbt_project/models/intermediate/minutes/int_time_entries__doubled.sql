{{ config(meta={'touched_by': 'judged_entries'}) }}
-- Entries that repeat another: same member, patient, program, start and end, both past step 1 of rules.md A3. The smallest entry_id stays.
-- All entries are read once for their number and once for the few that share one: to keep them in between, names and all, costs more.
with entries as not materialized (
    select
        entries.practice_id,
        entries.entry_id,
        entries.file_id,
        entries.line_number,
        entries.member_id,
        entries.patient_id,
        entries.program,
        entries.start_at,
        entries.end_at,
        hash(entries.practice_id, entries.member_id, entries.patient_id, entries.program, entries.start_at, entries.end_at) as entry_number
    from {{ judged_entries() }} as entries
    {{ only_touched('judged_entries', 'entries') }}
    where entries.is_current and entries.has_clock_times and {{ step_1('entries') }} is null
),

-- What may have been entered twice has one number: the few that share it are looked at, and nothing is decided by it.
alike as (
    select entry_number
    from entries
    group by entry_number
    having count(*) > 1
),

placed as (
    select
        entries.practice_id,
        entries.entry_id,
        entries.file_id,
        entries.line_number,
        row_number() over (
            partition by entries.practice_id, entries.member_id, entries.start_at, entries.end_at, entries.patient_id, entries.program
            order by entries.entry_id
        ) as place
    from entries
    inner join alike on entries.entry_number = alike.entry_number
)

select
    practice_id,
    entry_id,
    file_id,
    line_number
from placed
where place > 1
