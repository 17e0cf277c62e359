-- Each eligible patient-month under the first cause that applies, at the base code's value, so that the causes add up to eligible x base code.
with counted as (
    select
        practice_id,
        month,
        cause,
        count(*) as patients
    from {{ ref('int_patient_months__cause') }}
    group by practice_id, month, cause
)

select
    base.practice_id,
    base.month,
    rules.cause,
    coalesce(counted.patients, 0) as patients,
    cast(coalesce(counted.patients, 0) * base.base_code_amount as decimal(12, 2)) as dollars
from {{ ref('int_base_code_amounts') }} as base
cross join {{ ref('rule_gap_causes') }} as rules
left join counted
    on base.practice_id = counted.practice_id and base.month = counted.month and rules.cause = counted.cause
