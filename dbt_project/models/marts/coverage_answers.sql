-- Every statement of the payers' 271s, with the patient it is about and whether it still stands.
select
    matched.practice_id,
    matched.transaction_id,
    cast(matched.position as bigint) as position,
    cast(matched.subscriber_position as bigint) as subscriber_position,
    coalesce(matched.patient_id, 'unknown') as answer_patient,
    matched.patient_id,
    matched.meaning,
    matched.is_covered,
    matched.starts_on,
    matched.ends_on,
    matched.plan_id,
    matched.reject_code,
    matched.answered_on,
    standing.patient_id is not null as is_in_force
from {{ ref('int_coverage_answers__matched') }} as matched
left join {{ ref('int_coverage_answers') }} as standing
    on
        matched.practice_id = standing.practice_id
        and matched.patient_id = standing.patient_id
        and matched.transaction_id = standing.transaction_id
        and matched.position = standing.position
