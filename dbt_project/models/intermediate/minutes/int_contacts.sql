-- Completed CCM contacts, and calls of the phone system, with the local day on which they start. A call on the day of such a contact is that contact.
with appointments as (
    select
        appointments.practice_id,
        'visit_without_time' as kind,
        appointments.appointment_id as contact_id,
        appointments.patient_id,
        appointments.member_id,
        practices.time_zone,
        appointments.scheduled_start as start_at,
        appointments.scheduled_end as end_at,
        greatest({{ seconds_between('appointments.scheduled_start', 'appointments.scheduled_end') }}, 0) as elapsed_seconds,
        cast({{ local_time('appointments.scheduled_start', 'practices.time_zone') }} as date) as local_day
    from {{ ref('stg_appointments') }} as appointments
    inner join {{ ref('stg_practices') }} as practices on appointments.practice_id = practices.practice_id
    where appointments.is_current and {{ is_completed_contact('appointments') }}
),

logged_calls as (
    select
        calls.practice_id,
        calls.call_id,
        calls.patient_id,
        calls.member_id,
        practices.time_zone,
        calls.started_at,
        calls.duration_seconds,
        cast({{ local_time('calls.started_at', 'practices.time_zone') }} as date) as local_day
    from {{ ref('stg_calls') }} as calls
    inner join {{ ref('stg_practices') }} as practices on calls.practice_id = practices.practice_id
    where calls.is_current
),

-- A line that was open for longer than any timer is believed says no length: the call is told, and laid out nowhere (int_visits_without_time).
believed as (
    select
        *,
        case when duration_seconds between 0 and {{ limit('runaway_timer', 'logged_calls.local_day') }} * 60 then duration_seconds else 0 end as elapsed_seconds
    from logged_calls
),

calls as (
    select
        practice_id,
        'call_without_time' as kind,
        call_id as contact_id,
        patient_id,
        member_id,
        time_zone,
        started_at as start_at,
        started_at + to_seconds(elapsed_seconds) as end_at,
        elapsed_seconds,
        local_day
    from believed
)

select *
from appointments
union all
select calls.*
from calls
anti join appointments
    on
        calls.practice_id = appointments.practice_id
        and calls.member_id = appointments.member_id
        and calls.patient_id = appointments.patient_id
        and calls.local_day = appointments.local_day
