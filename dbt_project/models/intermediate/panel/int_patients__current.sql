-- Every patient ever accepted in a panel snapshot, with the facts of the last good row, and whether the newest snapshot still has them.
with last_rows as (
    select *
    from {{ ref('stg_patients') }}
    qualify row_number() over (partition by practice_id, patient_id order by extract_date desc) = 1
),

seen as (
    select
        practice_id,
        patient_id,
        max(extract_date) as last_seen_on
    from {{ ref('int_patients__presence') }}
    group by practice_id, patient_id
)

select
    last_rows.*,
    seen.last_seen_on,
    seen.last_seen_on = practices.newest_panel_night as is_on_panel,
    case when seen.last_seen_on = practices.newest_panel_night then date '9999-12-31' else seen.last_seen_on end as facts_night
from last_rows
inner join seen on last_rows.practice_id = seen.practice_id and last_rows.patient_id = seen.patient_id
inner join {{ ref('stg_practices') }} as practices on last_rows.practice_id = practices.practice_id
