{{ config(meta={'touched_by': 'entries'}) }}
{#- Which patient-months an entry had before is asked before it is changed. -#}
-- depends_on: {{ ref('touched_entries__before') }}
-- Each entry cut at local midnights, so that a piece lies on one local day and in one month. Elapsed time, so a daylight saving change is no cut.
-- What has no time on the clock (open, invalid, without clock times) is one piece with its seconds and no interval.
with whole as (
    select
        practice_id,
        entry_id,
        time_zone,
        local_day,
        start_at,
        end_at,
        has_clock_times and end_at > start_at as has_interval,
        case when elapsed_seconds > 0 then elapsed_seconds else 0 end as seconds,
        date_diff('day', local_day, last_local_day) as further_days
    from {{ ref('int_time_entries__timed') }}
),

pieces as (
    {{ cut_at_local_midnights('whole', 'entry_id') }}
)

select
    pieces.practice_id,
    pieces.entry_id,
    entries.patient_id,
    entries.member_id,
    entries.program,
    pieces.local_day,
    {{ month_of('pieces.local_day') }} as month,
    pieces.start_at,
    pieces.end_at,
    pieces.seconds,
    -- Who shares a note: a number is compared sooner than a text, and two notes with one number cost a look too many and no more.
    hash(entries.note_sha256) as note_number
from pieces
inner join {{ ref('int_time_entries__timed') }} as entries
    on pieces.practice_id = entries.practice_id and pieces.entry_id = entries.entry_id
