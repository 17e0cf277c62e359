{{ config(pre_hook='set dynamic_or_filter_threshold = 2000', post_hook='reset dynamic_or_filter_threshold') }}
-- The rows of touched entries as the last night left them, every version of each: looked for here once. They are found by their keys, and read by their
-- place. Where they are few, DuckDB is to keep their places as a filter of the scan (it does so up to fifty unless told otherwise): otherwise it reads
-- every column of all that was ever logged between the first and the last of them.
select *
from {{ last_night('staging', 'stg_time_entries') }}
where
    rowid in (
        select entries.rowid
        from {{ last_night('staging', 'stg_time_entries') }} as entries
        semi join {{ ref('touched_entries') }} as touched on entries.practice_id = touched.practice_id and entries.entry_id = touched.entry_id
    )
