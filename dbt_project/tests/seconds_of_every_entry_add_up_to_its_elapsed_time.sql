{{ config(meta={'dagster': {'ref': {'name': 'minute_ledger'}}}) }}
-- Nothing is lost and nothing is counted twice: over its months and dispositions an entry has exactly its elapsed seconds.
select
    entries.practice_id,
    entries.entry_id
from {{ judged_entries() }} as entries
{{ only_touched('judged_entries', 'entries') }}
left join (
    select
        counted.practice_id,
        counted.entry_id,
        sum(counted.seconds) as seconds
    from {{ ref('minute_ledger') }} as counted
    {{ only_touched('judged_entries', 'counted') }}
    group by counted.practice_id, counted.entry_id
) as ledger
    on entries.practice_id = ledger.practice_id and entries.entry_id = ledger.entry_id
where entries.is_current and ledger.seconds is distinct from greatest(coalesce(entries.elapsed_seconds, 0), 0)
