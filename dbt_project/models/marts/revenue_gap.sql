-- Each eligible patient-month under the first cause that applies, at the base code's value, so that the causes add up to eligible x base code.
with stages as (
    select *
    from {{ ref('int_patient_months__stages') }}
    where is_eligible
),

applying as (
    select practice_id, patient_id, month, 'captured' as cause
    from stages
    where is_claimable
    union all
    select practice_id, patient_id, month, 'declined'
    from stages
    where last_outcome = 'declined' and consent_id is null
    union all
    select practice_id, patient_id, month, 'not_contacted'
    from stages
    where not is_contacted
    union all
    select practice_id, patient_id, month, 'contacted_not_consented'
    from stages
    where not is_consented
    union all
    select practice_id, patient_id, month, 'no_care_plan'
    from stages
    where not has_care_plan
    union all
    select practice_id, patient_id, month, 'no_time'
    from stages
    where logged_seconds = 0
    union all
    select findings.practice_id, findings.patient_id, findings.month, reasons.cause
    from {{ ref('int_decision_findings') }} as findings
    inner join {{ ref('rule_gap_reasons') }} as reasons on findings.reason = reasons.reason
    inner join stages
        on
            findings.practice_id = stages.practice_id
            and findings.patient_id = stages.patient_id
            and findings.month = stages.month
    union all
    select practice_id, patient_id, month, 'other'
    from stages
),

causes as (
    select
        applying.practice_id,
        applying.patient_id,
        applying.month,
        arg_min(applying.cause, rules.precedence) as cause
    from applying
    inner join {{ ref('rule_gap_causes') }} as rules on applying.cause = rules.cause
    group by applying.practice_id, applying.patient_id, applying.month
),

counted as (
    select
        practice_id,
        month,
        cause,
        count(*) as patients
    from causes
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
