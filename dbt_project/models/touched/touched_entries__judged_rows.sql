{{ config(pre_hook=filter_by_places(), post_hook='reset dynamic_or_filter_threshold') }}
-- The rows of the entries judged again, every version of each: looked for here once for all that judges them. What lies in a month that the calendar moves
-- is found by its day. What lies elsewhere is found by keys, a number before names, and read by its place: reading the keys alone is a fraction of reading
-- everything. Without what only time_entry_facts tells of them, and the number by which they are looked for: what lies scattered over all that was ever logged is
-- read column by column.
{%- set left_out = [
    'started_at', 'ended_at', 'duration_seconds', 'entry_method', 'note_id', 'note_length', 'note_sha256', 'updated_at',
    'entry_number',
] %}
with patient_months as (
    select
        touched.practice_id,
        touched.patient_id,
        touched.month
    from {{ ref('touched_patient_months') }} as touched
    anti join {{ ref('touched_months') }} as months on touched.practice_id = months.practice_id and touched.month = months.month
),

days as (
    {{ days_of('touched_months') }}
),

-- By a number first: it is compared with all that was ever logged at a third of what names cost.
of_patients as materialized (
    select
        rowid as place,
        practice_id,
        patient_id,
        local_day,
        last_local_day
    from {{ ref('stg_time_entries') }}
    where is_current and hash(practice_id, patient_id) in (select hash(sought.practice_id, sought.patient_id) from patient_months as sought)
),

-- The few that were cut (int_time_entries__cut), with a piece in a month that the calendar moves: by their start, which lies there as a rule.
cut as (
    select
        pieces.practice_id,
        pieces.entry_id,
        pieces.entry_start_at
    from {{ ref('int_time_entries__cut') }} as pieces
    semi join {{ ref('touched_months') }} as months
        on pieces.practice_id = months.practice_id and {{ month_of('pieces.local_day') }} = months.month
),

places as (
    select entries.place
    from of_patients as entries
    semi join patient_months
        on
            entries.practice_id = patient_months.practice_id
            and entries.patient_id = patient_months.patient_id
            and patient_months.month between {{ month_of('entries.local_day') }} and {{ month_of('greatest(entries.local_day, entries.last_local_day)') }}
    union all
    select entries.rowid as place
    from {{ ref('stg_time_entries') }} as entries
    semi join cut
        on entries.start_at = cut.entry_start_at and entries.practice_id = cut.practice_id and entries.entry_id = cut.entry_id
    where entries.is_current and entries.is_cut
),

current_rows as materialized (
    select entries.* exclude ({{ left_out | join(', ') }})
    from {{ ref('stg_time_entries') }} as entries
    semi join days on entries.local_day = days.day
    semi join {{ ref('touched_months') }} as months
        on entries.practice_id = months.practice_id and {{ month_of('entries.local_day') }} = months.month
    where entries.is_current and not entries.is_cut
    union all
    select * exclude ({{ left_out | join(', ') }})
    from {{ ref('stg_time_entries') }}
    where rowid in (select places.place from places)
)

select * exclude (is_only)
from current_rows
union all
-- Their other versions.
select entries.* exclude (is_only, {{ left_out | join(', ') }})
from {{ ref('stg_time_entries') }} as entries
semi join (
    select
        practice_id,
        entry_id
    from current_rows
    where not is_only
) as amended on entries.practice_id = amended.practice_id and entries.entry_id = amended.entry_id
where not entries.is_current and not entries.is_only
