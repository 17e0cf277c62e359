-- The phone system's log beside the time log, by local day of member and patient.
with calls as (
    select
        calls.practice_id,
        calls.member_id,
        calls.patient_id,
        cast({{ local_time('calls.started_at', 'practices.time_zone') }} as date) as local_day,
        greatest({{ written_seconds('calls.duration_seconds') }}, 0) as seconds
    from {{ ref('stg_calls') }} as calls
    inner join {{ ref('stg_practices') }} as practices on calls.practice_id = practices.practice_id
    where calls.is_current
),

months as (
    select distinct
        practice_id,
        {{ month_of('local_day') }} as month
    from calls
),

entries as (
    select
        entries.practice_id,
        entries.member_id,
        entries.patient_id,
        entries.local_day,
        entries.face_to_face
    from {{ ref('stg_time_entries') }} as entries
    inner join months on entries.practice_id = months.practice_id and {{ month_of('entries.local_day') }} = months.month
    where entries.is_current and not entries.voided
),

compared as (
    select
        calls.practice_id,
        {{ month_of('calls.local_day') }} as month,
        calls.member_id,
        1 as calls,
        calls.seconds,
        case when logged.practice_id is null then 1 else 0 end as without_entry,
        0 as without_call
    from calls
    left join (select distinct practice_id, member_id, patient_id, local_day from entries) as logged using (practice_id, member_id, patient_id, local_day)
    union all
    select
        entries.practice_id,
        {{ month_of('entries.local_day') }} as month,
        entries.member_id,
        0 as calls,
        0 as seconds,
        0 as without_entry,
        1 as without_call
    from entries
    anti join calls
        on
            entries.practice_id = calls.practice_id
            and entries.member_id = calls.member_id
            and entries.patient_id = calls.patient_id
            and entries.local_day = calls.local_day
    where not entries.face_to_face
)

select
    practice_id,
    month,
    member_id,
    cast(sum(calls) as bigint) as calls,
    cast(sum(seconds) as bigint) as call_seconds,
    cast(sum(without_entry) as bigint) as calls_without_entry,
    cast(sum(without_call) as bigint) as entries_without_call
from compared
group by practice_id, month, member_id
