-- Would the claim change if undocumented, or undocumented and unresolved, time were credited? Decided again in full, not estimated (A6b).
with chosen as (
    select
        scenario,
        practice_id,
        patient_id,
        month,
        codes,
        allowed_amount
    from {{ ref('int_tracks__chosen') }}
    where place = 1
),

scenarios as (
    select distinct
        scenario,
        practice_id,
        patient_id,
        month
    from {{ ref('int_patient_months__minutes') }}
    where scenario <> 'actual'
)

select
    scenarios.scenario,
    scenarios.practice_id,
    scenarios.patient_id,
    scenarios.month,
    coalesce(changed.codes, []) is distinct from coalesce(actual.codes, []) as changes_claim,
    coalesce(changed.allowed_amount, 0) as allowed_amount,
    coalesce(changed.allowed_amount, 0) - coalesce(actual.allowed_amount, 0) as allowed_difference
from scenarios
left join chosen as changed
    on
        scenarios.practice_id = changed.practice_id
        and scenarios.patient_id = changed.patient_id
        and scenarios.month = changed.month
        and scenarios.scenario = changed.scenario
left join chosen as actual
    on
        scenarios.practice_id = actual.practice_id
        and scenarios.patient_id = actual.patient_id
        and scenarios.month = actual.month
        and actual.scenario = 'actual'
