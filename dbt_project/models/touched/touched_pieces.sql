-- Where the touched entries lay before this night and where they lie now.
select
    practice_id,
    patient_id,
    member_id,
    month,
    local_day,
    start_at,
    end_at,
    note_number
from {{ ref('touched_entries__before') }}
union all
select
    pieces.practice_id,
    pieces.patient_id,
    pieces.member_id,
    pieces.month,
    pieces.local_day,
    pieces.start_at,
    pieces.end_at,
    pieces.note_number
from {{ time_pieces('made') }} as pieces
