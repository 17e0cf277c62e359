-- Entries judged again: all of the touched patient-months and member-months, and the touched ones themselves, also where they are gone.
select
    practice_id,
    entry_id
from {{ ref('touched_entries') }}
union
select
    pieces.practice_id,
    pieces.entry_id
from {{ time_pieces() }} as pieces
semi join {{ ref('touched_patient_months') }} as touched
    on pieces.practice_id = touched.practice_id and pieces.patient_id = touched.patient_id and pieces.month = touched.month
union
select
    pieces.practice_id,
    pieces.entry_id
from {{ time_pieces() }} as pieces
semi join {{ ref('touched_member_months') }} as touched
    on pieces.practice_id = touched.practice_id and pieces.member_id = touched.member_id and pieces.month = touched.month
