{{ config(meta={'touched_by': 'patient_months'}) }}
select
    decisions.practice_id,
    decisions.patient_id,
    decisions.month,
    priced.procedure_code,
    decisions.decision,
    cast(priced.units as integer) as units,
    cast(priced.minutes_used as bigint) as minutes_used,
    priced.service_date,
    basis.billing_practitioner_id,
    cast(priced.allowed_amount as decimal(12, 2)) as allowed_amount,
    {{ medicare_pays('priced.allowed_amount', 'priced.service_date') }} as expected_payment,
    cast(priced.charge_amount as decimal(12, 2)) as charge_amount
from {{ ref('int_decisions') }} as decisions
inner join {{ ref('int_candidates__priced') }} as priced
    on
        decisions.practice_id = priced.practice_id
        and decisions.patient_id = priced.patient_id
        and decisions.month = priced.month
        and decisions.track = priced.track
        and priced.scenario = 'actual'
inner join {{ ref('int_patient_months__basis') }} as basis
    on
        decisions.practice_id = basis.practice_id
        and decisions.patient_id = basis.patient_id
        and decisions.month = basis.month
