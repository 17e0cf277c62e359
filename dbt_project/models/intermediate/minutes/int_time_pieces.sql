{{ config(meta={'touched_by': 'entries'}) }}
{#- Which patient-months an entry had before is asked before it is changed. -#}
-- depends_on: {{ ref('touched_entries__before') }}
-- Each entry cut at local midnights, so that a piece lies on one local day and in one month. Elapsed time, so a daylight saving change is no cut.
-- What has no time on the clock (open, invalid, without clock times) is one piece with its seconds and no interval.
with entries as (
    select
        practice_id,
        entry_id,
        patient_id,
        member_id,
        program,
        note_number,
        start_at as entry_start_at,
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
    {{ cut_at_local_midnights(
        'entries', ['practice_id', 'entry_id', 'patient_id', 'member_id', 'program', 'note_number', 'entry_start_at']
    ) }}
)

select
    practice_id,
    entry_id,
    patient_id,
    member_id,
    program,
    local_day,
    {{ month_of('local_day') }} as month,
    start_at,
    end_at,
    seconds,
    is_whole,
    entry_start_at,
    note_number
from pieces
