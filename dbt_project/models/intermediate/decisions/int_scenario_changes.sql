{{ config(meta={'touched_by': 'patient_months'}) }}
-- Would the claim change if undocumented, or undocumented and unresolved, time were credited? Decided again in full, not estimated (A6b).
with chosen as (
    select
        scenario,
        practice_id,
        patient_id,
        month,
        codes,
        service_date,
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
    coalesce(cast(scenario_tracks.codes as varchar), '') <> coalesce(cast(actual.codes as varchar), '') as changes_claim,
    scenario_tracks.service_date,
    cast(coalesce(scenario_tracks.allowed_amount, 0) as decimal(18, 2)) as allowed_amount,
    cast(coalesce(scenario_tracks.allowed_amount, 0) - coalesce(actual.allowed_amount, 0) as decimal(18, 2)) as allowed_difference
from scenarios
left join chosen as scenario_tracks
    on
        scenarios.practice_id = scenario_tracks.practice_id
        and scenarios.patient_id = scenario_tracks.patient_id
        and scenarios.month = scenario_tracks.month
        and scenarios.scenario = scenario_tracks.scenario
left join chosen as actual
    on
        scenarios.practice_id = actual.practice_id
        and scenarios.patient_id = actual.patient_id
        and scenarios.month = actual.month
        and actual.scenario = 'actual'
