-- Months that the calendar moves: held, open or unknown the last time, or still. Every patient-month of them is decided again, and all time in them judged again:
-- it is found by its day, and not by keys.
with
-- Of each practice, when it was last looked at and when it is now.
nights as (
    select
        now.practice_id,
        now.newest_night,
        now.close_final_day,
        known.newest_night as known_night
    from {{ ref('stg_practices') }} as now
    inner join {{ before('stg_practices') }} as known on now.practice_id = known.practice_id
)

select
    months.practice_id,
    months.month
from (
    select practice_id, month from {{ ref('int_months') }}
    union
    select practice_id, month from {{ before('int_months') }}
) as months
inner join nights on months.practice_id = nights.practice_id
where {{ close_ends_on('months.month', 'nights') }} > nights.known_night
union
-- Months that began or ceased to be the practice's.
select practice_id, month
from {{ ref('int_months') }} as now
full outer join {{ before('int_months') }} as known using (practice_id, month)
where now.practice_id is null or known.practice_id is null
