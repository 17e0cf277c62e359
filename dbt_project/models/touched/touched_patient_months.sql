-- Every patient-month that a night decides again: those of touched_patient_months__own, and those that share a note with one of them in the
-- practice's month, before this night or now. In a month that the calendar moves every patient-month is of the first kind.
with own as (
    select
        touched.practice_id,
        touched.patient_id,
        touched.month
    from {{ ref('touched_patient_months__own') }} as touched
    anti join {{ ref('touched_months') }} as months on touched.practice_id = months.practice_id and touched.month = months.month
),

{{ pieces_of('pieces_of_own', ['practice_id', 'patient_id'], 'own') }},

notes as (
    select
        touched.practice_id,
        touched.month,
        touched.note_number
    from {{ ref('touched_entries__before') }} as touched
    anti join {{ ref('touched_months') }} as months on touched.practice_id = months.practice_id and touched.month = months.month
    where touched.note_number is not null
    union
    select
        pieces.practice_id,
        pieces.month,
        pieces.note_number
    from pieces_of_own as pieces
    semi join own on pieces.practice_id = own.practice_id and pieces.patient_id = own.patient_id and pieces.month = own.month
    where pieces.note_number is not null
),

{{ pieces_of('pieces_of_notes', ['note_number'], 'notes') }},

every as (
    select
        practice_id,
        patient_id,
        month
    from {{ ref('touched_patient_months__own') }}
    union
    select
        pieces.practice_id,
        pieces.patient_id,
        pieces.month
    from pieces_of_notes as pieces
    semi join notes on pieces.practice_id = notes.practice_id and pieces.month = notes.month and pieces.note_number = notes.note_number
)

{{ with_moves('every') }}
