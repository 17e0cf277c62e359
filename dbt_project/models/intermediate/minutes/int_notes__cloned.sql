{{ config(meta={'touched_by': 'patient_months'}) }}
-- Patient-months with a note that stands for two patients of the practice's month, or for too many entries of the one patient (rules.md A3).
with own as (
    select * from {{ ref('int_notes__credited') }}
),

-- Other patients' notes count, whether this night touches them or not.
patients as (
    select
        every_note.practice_id,
        every_note.month,
        every_note.note_sha256,
        count(*) as patients
    from {{ whole('int_notes__credited') }} as every_note
    where (every_note.practice_id, every_note.month, every_note.note_sha256) in (
        select (own.practice_id, own.month, own.note_sha256) from own
    )
    group by every_note.practice_id, every_note.month, every_note.note_sha256
)

select distinct
    own.practice_id,
    own.patient_id,
    own.month
from own
inner join patients on own.practice_id = patients.practice_id and own.month = patients.month and own.note_sha256 = patients.note_sha256
where patients.patients > 1 or own.entries > {{ limit('cloned_note_per_patient') }}
