{{ config(meta={'touched_by': 'entries', 'found_by': ['file_id', 'line_number']}) }}
{#- Where the touched entries lay is asked before it is changed. -#}
-- depends_on: {{ ref('touched_entries__before') }}
-- Every version of each entry, with its start, end and elapsed seconds and the local day it lies on (rules.md A3, interface.md section 3).
-- elapsed_seconds is null for an open timer and negative for an invalid interval; both hold no time.
with landed_entries as (
    {{ change_rows(
        'time_entries', 'entry_id', [
            'entry_id', 'patient_id', 'member_id', 'program', 'activity', 'started_at', 'ended_at',
            'duration_seconds', 'entry_method', 'face_to_face', 'note_id', 'note_length', 'note_sha256',
            'recorded_at', 'updated_at', 'voided'
        ], touched='entries', known=ref('touched_entries__known'), taken_back="landed.voided and landed.activity = 'WITHDRAWN'"
    ) }}
),

zoned as (
    select
        landed_entries.*,
        practices.time_zone,
        {{ elapsed_seconds('landed_entries') }} as elapsed_seconds
    from landed_entries
    -- Every file is a practice's; a left join, because an inner one lets DuckDB think that a practice has one row.
    left join {{ ref('stg_practices') }} as practices on landed_entries.practice_id = practices.practice_id
),

-- An interval of more than ten years is a slip of the pen: it keeps its seconds, but is not laid out on the calendar.
placed as (
    select
        *,
        coalesce(elapsed_seconds between 0 and {{ longest_laid_out() }}, false) as is_placeable
    from zoned
),

timed as (
    select
        *,
        case
            when not is_placeable then started_at
            when started_at is not null then started_at
            else ended_at - to_seconds(elapsed_seconds)
        end as start_at,
        case
            when not is_placeable then null
            when started_at is not null and ended_at is not null then ended_at
            when started_at is not null then started_at + to_seconds(elapsed_seconds)
            else ended_at
        end as end_at
    from placed
),

anchored as (
    select
        *,
        coalesce(start_at, ended_at, recorded_at) as anchor,
        case when end_at > start_at then end_at - interval 1 second end as last_second
    from timed
),

clocked as (
    select
        anchored.*,
        case
            when starts.seconds is not null then anchored.anchor + to_seconds(starts.seconds)
            else {{ local_time('anchored.anchor', 'anchored.time_zone') }}
        end as first_local,
        case
            when ends.seconds is not null then anchored.last_second + to_seconds(ends.seconds)
            when anchored.last_second is not null then {{ local_time('anchored.last_second', 'anchored.time_zone') }}
        end as last_local
    from anchored
    left join {{ ref('stg_clock_days') }} as starts
        on anchored.time_zone = starts.time_zone and date_trunc('day', anchored.anchor) = starts.day_start
    left join {{ ref('stg_clock_days') }} as ends
        on anchored.time_zone = ends.time_zone and date_trunc('day', anchored.last_second) = ends.day_start
)

select
    * exclude (time_zone, is_placeable, anchor, last_second, first_local, last_local),
    -- A blank is no note, as in note_text.
    {{ says_something('note_id') }} or note_sha256 is not null as is_documented,
    start_at is not null and end_at is not null as has_clock_times,
    cast(first_local as date) as local_day,
    cast(coalesce(last_local, first_local) as date) as last_local_day,
    -- The few that lie on more than one local day are cut at its midnights (int_time_entries__cut).
    coalesce(cast(last_local as date) > cast(first_local as date), false) as is_cut,
    -- Who shares a note: a number is compared sooner than a text, and two notes with one number cost a look too many and no more.
    case when note_sha256 is not null then hash(note_sha256) end as note_number,
    -- By which an entry is looked for among all that were ever logged: of names that are all different, reading them is what costs.
    hash(practice_id, entry_id) as entry_number
from clocked
