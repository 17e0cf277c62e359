-- Every patient-month that a night decides again: those of touched_patient_months__own, and those that share a note with one of them in the
-- practice's month, before this night or now.
with notes as (
    select
        practice_id,
        month,
        note_number
    from {{ ref('touched_entries__before') }}
    where note_number is not null
    union
    select
        pieces.practice_id,
        pieces.month,
        pieces.note_number
    from {{ time_pieces() }} as pieces
    semi join {{ ref('touched_patient_months__own') }} as own
        on pieces.practice_id = own.practice_id and pieces.patient_id = own.patient_id and pieces.month = own.month
    where pieces.note_number is not null
)

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
from {{ time_pieces() }} as pieces
-- By the number first: a join by one number costs a fraction of one by names.
semi join notes on pieces.practice_id = notes.practice_id and pieces.month = notes.month and pieces.note_number = notes.note_number
where pieces.note_number in (select shared.note_number from notes as shared)
