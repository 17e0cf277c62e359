{{ config(meta={'touched_by': 'patient_months', 'dagster': {'ref': {'name': 'patient_month_decisions'}}}) }}
with codes as (
    select
        practice_id,
        patient_id,
        month,
        case when count(*) = count(allowed_amount) then sum(allowed_amount) end as allowed_amount
    from {{ ref('claimable_codes') }}
    group by practice_id, patient_id, month
)

select
    decisions.practice_id,
    decisions.patient_id,
    decisions.month
from {{ ref('patient_month_decisions') }} as decisions
left join codes using (practice_id, patient_id, month)
where
    case when codes.practice_id is null then 0 else codes.allowed_amount end is distinct from decisions.allowed_amount
    or (codes.practice_id is not null and decisions.decision = 'not_claimable')
