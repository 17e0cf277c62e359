-- Time entries with a row in a touched file, whatever the row says, and all of touched practices.
select distinct
    lake.practice_id,
    lake.entry_id
from {{ from_lake('time_entries') }} as lake
inner join {{ ref('touched_files') }} as files on lake.file_id = files.file_id
union
select
    entries.practice_id,
    entries.entry_id
from {{ ref('stg_time_entries') }} as entries
inner join {{ ref('touched_practices') }} as practices on entries.practice_id = practices.practice_id
union
select
    known.practice_id,
    known.entry_id
from {{ last_night('intermediate', 'int_time_entries__timed') }} as known
inner join {{ ref('touched_practices') }} as practices on known.practice_id = practices.practice_id
