{{ config(meta={'touched_by': 'patient_months'}) }}
-- Patient-months with a note that stands for two patients of the practice's month, or for too many entries of the one patient (rules.md A3).
with own as (
    select * from {{ ref('int_notes__credited') }}
),

-- Notes whose number stands too often. Other patients' notes count, whether this night touches them or not.
alike as (
    select
        every_note.practice_id,
        every_note.month,
        every_note.note_number
    from {{ whole('int_notes__credited') }} as every_note
    {%- if is_touched_night() %}
    semi join own
        on every_note.practice_id = own.practice_id and every_note.month = own.month and every_note.note_number = own.note_number
    {%- endif %}
    group by every_note.practice_id, every_note.month, every_note.note_number
    having count(*) > 1 or max(every_note.entries) > {{ limit('cloned_note_per_patient') }}
),

-- The number only found them: what is one note is said by its hash.
suspects as materialized (
    select
        entries.practice_id,
        entries.entry_id,
        entries.note_sha256
    from {{ whole('stg_time_entries') }} as entries
    semi join alike on entries.practice_id = alike.practice_id and entries.note_number = alike.note_number
    where entries.is_current
),

credited as materialized (
    select
        ledger.practice_id,
        ledger.entry_id,
        ledger.patient_id,
        ledger.month,
        suspects.note_sha256
    from {{ whole('minute_ledger') }} as ledger
    inner join suspects on ledger.practice_id = suspects.practice_id and ledger.entry_id = suspects.entry_id
    where ledger.disposition = 'credited' and ledger.seconds > 0
),

notes as (
    select
        credited.practice_id,
        credited.patient_id,
        credited.month,
        credited.note_sha256,
        count(*) as entries
    from credited
    group by credited.practice_id, credited.patient_id, credited.month, credited.note_sha256
),

counted as (
    select
        *,
        count(*) over (partition by practice_id, month, note_sha256) as patients
    from notes
)

select distinct
    counted.practice_id,
    counted.patient_id,
    counted.month
from counted
{{ only_touched('patient_months', 'counted') }}
where counted.patients > 1 or counted.entries > {{ limit('cloned_note_per_patient') }}
