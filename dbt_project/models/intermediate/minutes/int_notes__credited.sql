{{ config(meta={'touched_by': 'patient_months'}) }}
-- Notes of entries with credited seconds in the month, each by its number, and how many of the patient-month's entries share it.
-- What is the whole of its entry and beside no other time is credited as it stands; of the rest the ledger knows.
with segments as (
    select
        practice_id,
        entry_id,
        patient_id,
        month,
        note_number,
        is_whole and not is_beside as is_plain,
        disposition is null and seconds > 0 as is_credited
    from {{ ref('int_time_segments') }}
    where note_number is not null
),

others as (
    select distinct
        practice_id,
        entry_id,
        patient_id,
        month,
        note_number
    from segments
    where not is_plain
),

notes as (
    select
        practice_id,
        patient_id,
        month,
        note_number
    from segments
    where is_plain and is_credited
    union all
    select
        others.practice_id,
        others.patient_id,
        others.month,
        others.note_number
    from others
    inner join {{ ref('minute_ledger') }} as ledger
        on others.practice_id = ledger.practice_id and others.entry_id = ledger.entry_id and others.month = ledger.month
    where ledger.disposition = 'credited' and ledger.seconds > 0
)

select
    practice_id,
    patient_id,
    month,
    note_number,
    count(*) as entries
from notes
group by practice_id, patient_id, month, note_number
