{{ config(meta={'touched_by': 'patient_months'}) }}
-- The grid of every judgement: each patient ever on the panel x each month of the practice (is_reported), and the further months in which
-- a patient has time, so that the ledger can judge that time too.
with reported as (
    select
        patients.practice_id,
        patients.patient_id,
        months.month,
        true as is_reported
    from {{ ref('int_patients__current') }} as patients
    inner join {{ ref('int_months') }} as months on patients.practice_id = months.practice_id
),

further as (
    select distinct
        pieces.practice_id,
        pieces.patient_id,
        pieces.month,
        false as is_reported
    from {{ time_pieces('judged') }} as pieces
    inner join {{ ref('int_patients__current') }} as patients
        on pieces.practice_id = patients.practice_id and pieces.patient_id = patients.patient_id
    left join {{ ref('int_months') }} as months on pieces.practice_id = months.practice_id and pieces.month = months.month
    where months.month is null
),

grid as (
    select * from reported
    union all
    select * from further
)

select
    grid.*,
    {{ month_end('grid.month') }} as month_end,
    -- Up to which day the month is known: a month that is over stays as it is while nights go by.
    least({{ month_end('grid.month') }}, practices.newest_night) as as_of,
    patients.billing_practitioner_id,
    -- No month before it depends on it (int_patients__panel).
    case when patients.deceased_date <= {{ month_end('grid.month') }} then patients.deceased_date end as deceased_date,
    patients.is_on_panel
from grid
{{ only_touched('patient_months', 'grid') }}
inner join {{ ref('stg_practices') }} as practices on grid.practice_id = practices.practice_id
inner join {{ ref('int_patients__current') }} as patients
    on grid.practice_id = patients.practice_id and grid.patient_id = patients.patient_id
