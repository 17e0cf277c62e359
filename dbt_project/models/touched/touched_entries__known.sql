{{ config(pre_hook=filter_by_places(), post_hook='reset dynamic_or_filter_threshold') }}
-- The rows of touched entries as the last night left them, every version of each: looked for here once. They are found by their number, read by their place,
-- and compared by name.
with found as materialized (
    select *
    from {{ last_night('staging', 'stg_time_entries') }}
    where
        rowid in (
            select entries.rowid
            from {{ last_night('staging', 'stg_time_entries') }} as entries
            where entries.entry_number in (select hash(touched.practice_id, touched.entry_id) from {{ ref('touched_entries') }} as touched)
        )
)

select found.*
from found
semi join {{ ref('touched_entries') }} as touched on found.practice_id = touched.practice_id and found.entry_id = touched.entry_id
