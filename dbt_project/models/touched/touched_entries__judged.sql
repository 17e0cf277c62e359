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
left join {{ ref('touched_patient_months') }} as patient_months
    on pieces.practice_id = patient_months.practice_id and pieces.patient_id = patient_months.patient_id and pieces.month = patient_months.month
left join {{ ref('touched_member_months') }} as member_months
    on pieces.practice_id = member_months.practice_id and pieces.member_id = member_months.member_id and pieces.month = member_months.month
where patient_months.practice_id is not null or member_months.practice_id is not null
