{{ config(meta={'keeps_last_night': true}) }}
-- A practice's facts are as of its newest night: the newest with an accepted file. It is the only "today" there is.
with nights as (
    select
        practice_id,
        min(extract_date) as first_night,
        max(extract_date) as newest_night,
        max(case when table_name = 'patients' and is_in_force then extract_date end) as newest_panel_night
    from {{ ref('stg_files') }}
    where outcome = 'accepted'
    group by practice_id
),

-- The fees as a number, to see that they changed.
charges as (
    select
        practice_id,
        sum(hash(procedure_code, charge_amount)) as charges_number
    from {{ from_configuration('charges') }}
    group by practice_id
)

select
    practices.*,
    charges.charges_number,
    nights.first_night,
    nights.newest_night,
    nights.newest_panel_night
from {{ from_configuration('practices') }} as practices
inner join nights on practices.practice_id = nights.practice_id
left join charges on practices.practice_id = charges.practice_id
