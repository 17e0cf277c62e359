-- The practice's own enrollment beside the nation's, and what each month of waiting costs.
with waiting as (
    select
        practice_id,
        month,
        count(*) filter (where state = 'not_enrolled' or state = 'unenrolled') as patients
    from {{ ref('enrollment_status') }}
    group by practice_id, month
),

eligible as (
    select
        practice_id,
        month,
        count(*) filter (where is_eligible) as patients
    from {{ ref('eligibility') }}
    group by practice_id, month
)

select
    enrolled.practice_id,
    enrolled.month,
    coalesce(eligible.patients, 0) as eligible_patients,
    enrolled.enrolled as enrolled_patients,
    cast(enrolled.enrolled / nullif(eligible.patients, 0) as decimal(7, 4)) as enrolled_share,
    cast(national.amount as decimal(7, 4)) as national_share,
    enrolled.net_enrolled,
    enrolled.base_code_amount,
    coalesce(waiting.patients, 0) as waiting_patients,
    cast(coalesce(waiting.patients, 0) * enrolled.base_code_amount as decimal(12, 2)) as cost_of_delay_amount
from {{ ref('int_months__enrolled') }} as enrolled
cross join {{ ref('rule_benchmarks') }} as national
left join eligible on enrolled.practice_id = eligible.practice_id and enrolled.month = eligible.month
left join waiting on enrolled.practice_id = waiting.practice_id and enrolled.month = waiting.month
where national.benchmark = 'national_enrollment_share'
