{{ config(meta={'touched_by': 'files'}) }}
-- What a landed file in force says of time by its own rows alone.
with timed as (
    select
        entries.practice_id,
        entries.file_id,
        entries.member_id,
        not entries.is_documented as is_undocumented,
        entries.elapsed_seconds,
        entries.elapsed_seconds >= 0 and not {{ is_above_limit('entries.elapsed_seconds', 'runaway_timer', 'entries.local_day', unit=60) }} as is_plausible
    from {{ ref('stg_time_entries') }} as entries
    {{ only_touched('files', 'entries') }}
    where not entries.voided
)

select
    practice_id,
    file_id,
    count(*) as entries,
    count(*) filter (where is_undocumented) as entries_without_note,
    -- A timer that ran away says nothing about the work of a day.
    coalesce(sum(elapsed_seconds) filter (where is_plausible), 0) / 60 as minutes,
    count(distinct member_id) as staff_days
from timed
group by practice_id, file_id
