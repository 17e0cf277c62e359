-- Completed CCM contacts with the local day on which they start.
select
    appointments.practice_id,
    appointments.appointment_id,
    appointments.patient_id,
    appointments.member_id,
    practices.time_zone,
    appointments.scheduled_start as start_at,
    appointments.scheduled_end as end_at,
    greatest({{ seconds_between('appointments.scheduled_start', 'appointments.scheduled_end') }}, 0) as elapsed_seconds,
    cast({{ local_time('appointments.scheduled_start', 'practices.time_zone') }} as date) as local_day
from {{ ref('stg_appointments') }} as appointments
inner join {{ ref('stg_practices') }} as practices on appointments.practice_id = practices.practice_id
where appointments.is_current and appointments.status = 'completed' and appointments.visit_type = 'ccm_call'
