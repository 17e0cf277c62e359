-- The rows of the entries judged again, every version of each: looked for here once for all that judges them. They are found by their keys, and read by
-- their place: reading the keys alone is a fraction of reading everything. Without what only time_entry_facts tells of them.
select
    * exclude (
        file_id, line_number, started_at, ended_at, duration_seconds, entry_method, note_id, note_length, note_sha256, updated_at, is_only
    )
from {{ ref('stg_time_entries') }}
where
    rowid in (
        select entries.rowid
        from {{ ref('stg_time_entries') }} as entries
        semi join {{ ref('touched_entries__judged') }} as judged on entries.practice_id = judged.practice_id and entries.entry_id = judged.entry_id
    )
