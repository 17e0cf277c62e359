{{ config(meta={'dagster': {'ref': {'name': 'minute_ledger'}}}) }}
-- Nothing is lost and nothing is counted twice: over its months and dispositions an entry has exactly its elapsed seconds.
with entries as (
    select
        entries.practice_id,
        entries.entry_id,
        entries.elapsed_seconds,
        {{ month_of('entries.local_day') }} <> {{ month_of('coalesce(entries.last_local_day, entries.local_day)') }} as has_months
    from {{ judged_entries() }} as entries
    {{ only_touched('judged_entries', 'entries') }}
    where entries.is_current
),

{% if is_for_touched_rows() -%}
-- Of entries that lie in two months the other one's rows may be of an earlier night.
spread as (
    select
        practice_id,
        entry_id
    from entries
    where has_months
),

counted as (
    select
        made.practice_id,
        made.entry_id,
        made.seconds
    from {{ made_tonight('minute_ledger') }} as made
    anti join spread on made.practice_id = spread.practice_id and made.entry_id = spread.entry_id
    union all
    select
        every_row.practice_id,
        every_row.entry_id,
        every_row.seconds
    from {{ whole('minute_ledger') }} as every_row
    semi join spread on every_row.practice_id = spread.practice_id and every_row.entry_id = spread.entry_id
),

{% else -%}
counted as (
    select
        practice_id,
        entry_id,
        seconds
    from {{ ref('minute_ledger') }}
),

{% endif -%}
ledger as (
    select
        practice_id,
        entry_id,
        sum(seconds) as seconds
    from counted
    group by practice_id, entry_id
)

select
    entries.practice_id,
    entries.entry_id
from entries
left join ledger on entries.practice_id = ledger.practice_id and entries.entry_id = ledger.entry_id
where ledger.seconds is distinct from greatest(coalesce(entries.elapsed_seconds, 0), 0)
