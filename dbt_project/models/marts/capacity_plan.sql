-- Who can still reach the first code this month: most dollars per minute first, until the care team's usual minutes are used up.
with short as (
    select
        short.*,
        capacity.minutes_left,
        -- What no release of the fee schedule covers yet is care that is due all the same.
        coalesce(short.unit_amount, 0) as allowed_amount,
        cast(coalesce(short.unit_amount, 0) / short.minutes_to_first_unit as decimal(12, 4)) as dollars_per_minute
    from {{ ref('int_patient_months__short') }} as short
    inner join {{ ref('int_practices__capacity') }} as capacity on short.practice_id = capacity.practice_id and short.month = capacity.month
    where short.minutes_to_first_unit > 0
),

ranked as (
    select
        *,
        row_number() over in_order as place,
        sum(minutes_to_first_unit) over in_order as minutes_so_far
    from short
    window in_order as (
        partition by practice_id order by dollars_per_minute desc, minutes_to_first_unit, patient_id rows between unbounded preceding and current row
    )
)

select
    practice_id,
    patient_id,
    month,
    cast(place as bigint) as place,
    procedure_code,
    cast(credited_minutes as bigint) as credited_minutes,
    cast(minutes_to_first_unit as bigint) as minutes_to_go,
    cast(allowed_amount as decimal(12, 2)) as allowed_amount,
    dollars_per_minute,
    cast(minutes_so_far as bigint) as minutes_so_far,
    minutes_so_far <= minutes_left as is_reachable
from ranked
