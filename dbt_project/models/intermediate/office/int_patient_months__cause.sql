{{ config(meta={'touched_by': 'patient_months'}) }}
-- Of each eligible patient-month the first cause that applies of the revenue gap.
with eligible as (
    select * from {{ ref('int_patient_months__stages') }}
    where is_eligible
),

applying as (
    select practice_id, patient_id, month, 'captured' as cause
    from eligible
    where is_claimable
    union all
    select practice_id, patient_id, month, 'declined'
    from eligible
    where last_outcome = 'declined' and consent_id is null
    union all
    select practice_id, patient_id, month, 'not_contacted'
    from eligible
    where not is_contacted
    union all
    select practice_id, patient_id, month, 'contacted_not_consented'
    from eligible
    where not is_consented
    union all
    select practice_id, patient_id, month, 'no_care_plan'
    from eligible
    where not has_care_plan
    union all
    select practice_id, patient_id, month, 'no_time'
    from eligible
    where logged_seconds = 0
    union all
    select findings.practice_id, findings.patient_id, findings.month, reasons.cause
    from {{ ref('int_decision_findings') }} as findings
    inner join {{ ref('rule_gap_reasons') }} as reasons on findings.reason = reasons.reason
    inner join eligible
        on
            findings.practice_id = eligible.practice_id
            and findings.patient_id = eligible.patient_id
            and findings.month = eligible.month
    union all
    select practice_id, patient_id, month, 'other'
    from eligible
)

select
    applying.practice_id,
    applying.patient_id,
    applying.month,
    -- A cause that no rule speaks of comes first: then the causes of the revenue gap do not add up, which a test says.
    arg_min(applying.cause, coalesce(rules.precedence, 0)) as cause
from applying
left join {{ ref('rule_gap_causes') }} as rules on applying.cause = rules.cause
group by applying.practice_id, applying.patient_id, applying.month
