-- Time entries with a row in a touched file, whatever the row says, and all of touched practices.
select
    practice_id,
    entry_id
from {{ ref('touched_time_entries__landed') }}
union
select
    entries.practice_id,
    entries.entry_id
from {{ ref('stg_time_entries') }} as entries
semi join {{ ref('touched_practices') }} as practices on entries.practice_id = practices.practice_id
union
select
    known.practice_id,
    known.entry_id
from {{ last_night('intermediate', 'int_time_entries__timed') }} as known
semi join {{ ref('touched_practices') }} as practices on known.practice_id = practices.practice_id
