{{ config(meta={'touched_by': 'patient_months'}) }}
-- Where a patient stands in a month by that month alone: the state of enrollment and the furthest funnel stage, each with the date of its evidence where
-- there is one, and what bars the next. Since when, other months say (int_patient_months__runs).
with elsewhere as (
    select distinct
        basis.practice_id,
        basis.patient_id,
        basis.month
    from {{ ref('int_patient_months__basis') }} as basis
    inner join {{ ref('stg_services') }} as services
        on
            basis.practice_id = services.practice_id
            and basis.patient_id = services.patient_id
            and services.service_date between basis.month and basis.month_end
            and services.is_current
            and services.billed_by = 'other_practice'
    -- The codes of CCM are those that another practice's billing of bars ours for.
    inner join {{ ref('rule_conflicts') }} as conflicts
        on
            conflicts.program = {{ chronic_care() }}
            and conflicts.finding = 'other_practitioner_billed'
            and services.procedure_code = conflicts.procedure_code
            and {{ in_force('conflicts', 'services.service_date') }}
),

stages as (
    select
        stages.*,
        elsewhere.practice_id is not null as is_enrolled_elsewhere
    from {{ ref('int_patient_months__stages') }} as stages
    left join elsewhere using (practice_id, patient_id, month)
),

states_that_apply as (
    select practice_id, patient_id, month, 'ineligible' as state
    from stages
    where not is_eligible
    union all
    select practice_id, patient_id, month, 'enrolled_elsewhere'
    from stages
    where is_enrolled_elsewhere
    union all
    select practice_id, patient_id, month, 'enrolled'
    from stages
    where has_documented_consent
    union all
    select practice_id, patient_id, month, 'unenrolled'
    from stages
    where consent_id is not null and not is_consent_in_force
    union all
    select practice_id, patient_id, month, 'declined'
    from stages
    where last_outcome = 'declined'
    union all
    select practice_id, patient_id, month, 'not_enrolled'
    from stages
),

states as (
    select
        applying.practice_id,
        applying.patient_id,
        applying.month,
        -- A state that no rule speaks of comes first, so that a test says so (every_state_in_use_is_in_the_rules).
        arg_min(applying.state, coalesce(rules.precedence, 0)) as state
    from states_that_apply as applying
    left join {{ ref('rule_enrollment_states') }} as rules on applying.state = rules.state
    group by applying.practice_id, applying.patient_id, applying.month
),

bars as (
    select
        practice_id,
        patient_id,
        month,
        kind
    from {{ ref('int_work_items') }}
    where is_first_bar
)

select
    stages.practice_id,
    stages.patient_id,
    stages.month,
    states.state,
    stages.stage_reached,
    reached.stage,
    bars.kind as stalled_reason,
    case reached.stage
        when 'contacted' then stages.contacted_on
        when 'consented' then stages.enrolled_on
        when 'care_plan' then stages.first_care_plan_on
        when 'active' then stages.first_credited_on
        when 'claimable' then stages.first_threshold_on
        when 'claimed' then stages.claimed_on
        when 'paid' then stages.paid_on
    end as stage_evidence_on,
    case states.state
        when 'enrolled' then stages.documented_consent_on
        when 'unenrolled' then stages.last_revoked_on
        when 'declined' then stages.last_attempted_on
    end as state_evidence_on
from stages
inner join states using (practice_id, patient_id, month)
left join bars using (practice_id, patient_id, month)
left join {{ ref('rule_funnel_stages') }} as reached on stages.stage_reached = reached.stage_number
