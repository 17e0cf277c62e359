-- Every patient ever accepted in a panel snapshot, with the facts of the last good row, and whether the newest snapshot still has them. patient_number: by
-- which this night finds the patient's time, at a fraction of what names cost; another night may give another.
with last_nights as (
    select
        practice_id,
        patient_id,
        max(extract_date) as extract_date
    from {{ ref('stg_patients') }}
    group by practice_id, patient_id
),

last_rows as (
    select patients.*
    from {{ ref('stg_patients') }} as patients
    inner join last_nights
        on
            patients.practice_id = last_nights.practice_id
            and patients.patient_id = last_nights.patient_id
            and patients.extract_date = last_nights.extract_date
),

seen as (
    select
        practice_id,
        patient_id,
        max(extract_date) as last_seen_on,
        row_number() over (order by practice_id, patient_id) as patient_number
    from {{ ref('int_patients__presence') }}
    group by practice_id, patient_id
)

select
    last_rows.*,
    seen.patient_number,
    seen.last_seen_on,
    seen.last_seen_on = practices.newest_panel_night as is_on_panel,
    case when seen.last_seen_on = practices.newest_panel_night then date '9999-12-31' else seen.last_seen_on end as facts_night
from last_rows
inner join seen on last_rows.practice_id = seen.practice_id and last_rows.patient_id = seen.patient_id
inner join {{ ref('stg_practices') }} as practices on last_rows.practice_id = practices.practice_id
