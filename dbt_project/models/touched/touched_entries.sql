-- Time entries with a row in a touched file, whatever the row says, and all of touched members and practices.
{{ landed_keys('time_entries', 'entry_id') }}
union
select
    known.practice_id,
    known.entry_id
from {{ last_night('staging', 'stg_time_entries') }} as known
semi join {{ ref('touched_practices') }} as practices on known.practice_id = practices.practice_id
union
select
    known.practice_id,
    known.entry_id
from {{ last_night('staging', 'stg_time_entries') }} as known
semi join {{ ref('touched_members') }} as members on known.practice_id = members.practice_id and known.member_id = members.member_id
