-- Entries judged again: all of the touched patient-months, and the touched ones themselves, also where they are gone.
select
    practice_id,
    entry_id
from {{ ref('touched_entries') }}
union all
select
    judged.practice_id,
    judged.entry_id
from {{ ref('touched_entries__judged_rows') }} as judged
anti join {{ ref('touched_entries') }} as touched on judged.practice_id = touched.practice_id and judged.entry_id = touched.entry_id
where judged.is_current
