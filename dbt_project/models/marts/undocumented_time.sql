{{ config(meta={'touched_by': 'patient_months'}) }}
-- Work that nobody can bill until someone writes it down: by item, with what crediting all of the patient-month's items would bring.
-- The night of the first accepted row that was already so: an open timer is another kind of item than a missing note,
-- and what ends before it starts is none.
with items as (
    select * from {{ ref('int_time_items') }}
    where scenario = 'documented'
),

entry_rows as (
    select
        entries.practice_id,
        entries.entry_id,
        entries.extract_date,
        not entries.is_documented as is_without_note,
        entries.elapsed_seconds >= 0 as has_length
    from {{ judged_entries() }} as entries
    semi join items on entries.practice_id = items.practice_id and entries.entry_id = items.entry_id
    where not entries.voided
),

entry_nights as (
    select
        practice_id,
        entry_id,
        min(case when is_without_note and has_length then extract_date end) as without_note_on,
        min(case when has_length is null then extract_date end) as open_on
    from entry_rows
    group by practice_id, entry_id
),

visit_nights as (
    select
        appointments.practice_id,
        appointments.appointment_id,
        min(appointments.extract_date) as completed_on
    from {{ ref('stg_appointments') }} as appointments
    semi join items on appointments.practice_id = items.practice_id and appointments.appointment_id = items.appointment_id
    where {{ is_completed_contact('appointments') }}
    group by appointments.practice_id, appointments.appointment_id
),

call_nights as (
    select
        calls.practice_id,
        calls.call_id,
        min(calls.extract_date) as logged_on
    from {{ ref('stg_calls') }} as calls
    semi join items on calls.practice_id = items.practice_id and calls.call_id = items.call_id
    group by calls.practice_id, calls.call_id
)

select
    items.practice_id,
    items.item_id,
    items.month,
    items.patient_id,
    items.member_id,
    items.kind,
    items.entry_id,
    items.appointment_id,
    items.minutes,
    items.dollars_at_stake,
    case items.kind
        when 'missing_note' then entry_nights.without_note_on
        when 'open_timer' then entry_nights.open_on
        when 'call_without_time' then call_nights.logged_on
        else visit_nights.completed_on
    end as found_on,
    {{ close_opens_on('items.month', 'practices') }} - 1 as due_on
from items
inner join {{ ref('stg_practices') }} as practices on items.practice_id = practices.practice_id
left join entry_nights on items.practice_id = entry_nights.practice_id and items.entry_id = entry_nights.entry_id
left join visit_nights on items.practice_id = visit_nights.practice_id and items.appointment_id = visit_nights.appointment_id
left join call_nights on items.practice_id = call_nights.practice_id and items.call_id = call_nights.call_id
