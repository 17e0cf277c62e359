-- Where the touched entries lay before this night and where they lie now.
select
    practice_id,
    patient_id,
    member_id,
    month,
    note_number
from {{ ref('touched_entries__before') }}
union
select
    pieces.practice_id,
    pieces.patient_id,
    pieces.member_id,
    pieces.month,
    pieces.note_number
from {{ time_pieces('made') }} as pieces
