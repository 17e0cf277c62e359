{{ config(meta={'touched_by': 'patient_months'}) }}
-- Entries whose time does not count and could: for want of a note or an end ('documented'), or of a word of the member ('resolved') (rules.md A6b).
-- A timer that ran too long is of the day on which it was started, in each month that it has seconds of.
with segments as (
    select
        entries.practice_id,
        entries.entry_id,
        entries.patient_id,
        entries.member_id,
        entries.local_day as started_on,
        entries.elapsed_seconds,
        segments.month,
        segments.local_day,
        segments.seconds,
        segments.disposition,
        segments.would_count,
        segments.passes_days
    from {{ ref('int_time_segments') }} as segments
    inner join {{ judged_entries() }} as entries on segments.file_id = entries.file_id and segments.line_number = entries.line_number
    where segments.disposition in ('undocumented', 'open_timer', 'staff_overlap', 'runaway_timer')
)

select
    practice_id,
    'missing_note' as kind,
    'documented' as scenario,
    month,
    patient_id,
    member_id,
    entry_id,
    min(local_day) as worked_on,
    cast(sum(seconds) as bigint) as seconds,
    any_value(elapsed_seconds) as elapsed_seconds
from segments
where {{ is_undocumented() }}
group by practice_id, month, patient_id, member_id, entry_id
union all
select
    practice_id,
    'open_timer' as kind,
    'documented' as scenario,
    month,
    patient_id,
    member_id,
    entry_id,
    local_day as worked_on,
    0 as seconds,
    elapsed_seconds
from segments
where disposition = 'open_timer'
union all
select
    practice_id,
    disposition as kind,
    'resolved' as scenario,
    month,
    patient_id,
    member_id,
    entry_id,
    case disposition when 'runaway_timer' then any_value(started_on) else min(local_day) end as worked_on,
    cast(sum(seconds) as bigint) as seconds,
    any_value(elapsed_seconds) as elapsed_seconds
from segments
where {{ is_unresolved() }}
group by practice_id, disposition, month, patient_id, member_id, entry_id
