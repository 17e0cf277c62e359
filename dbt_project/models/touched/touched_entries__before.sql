-- Where the touched entries lay before this night, and the note they had.
select
    known.practice_id,
    known.entry_id,
    known.patient_id,
    known.member_id,
    known.month,
    known.local_day,
    known.start_at,
    known.end_at,
    known.note_number
from {{ time_pieces('before') }} as known
inner join {{ ref('touched_entries') }} as touched on known.practice_id = touched.practice_id and known.entry_id = touched.entry_id
