{{ config(meta={'touched_by': 'patient_months'}) }}
-- How far each patient gets in each month (rules.md A2), step by step, with the date of the evidence for each step that has one. The funnel counts
-- these rows, the enrollment status names them, the revenue gap and the work lists ask what keeps a patient from the next step.
with steps as (
    select
        basis.practice_id,
        basis.patient_id,
        basis.month,
        basis.month_end,
        basis.as_of,
        basis.program,
        basis.billing_practitioner_id,
        basis.payment_share,
        case
            when not basis.has_practitioner then 'not in the care team in the month'
            when not basis.has_valid_npi then 'without a valid NPI'
            when not basis.may_bill then 'with a credential that may not bill'
        end as practitioner_fault,
        basis.consent_id,
        basis.consented_on,
        basis.consent_obtained_by,
        basis.is_consent_in_force,
        basis.is_consent_documented,
        basis.has_documented_consent,
        coalesce(basis.consent_practitioner_id <> basis.billing_practitioner_id, false) as is_consent_of_another,
        basis.has_initiating_visit,
        basis.has_care_plan,
        basis.last_revoked_on,
        programs.needs_minutes,
        eligibility.reason not in ('left_panel', 'deceased') as is_panel,
        eligibility.reason not in ('left_panel', 'deceased', 'no_part_b', 'medicare_advantage') as is_medicare_part_b,
        eligibility.is_eligible,
        basis.consent_id is not null or outreach.contacted_on is not null as is_contacted,
        basis.has_documented_consent and basis.has_initiating_visit as is_consented,
        minutes.credited_seconds > 0 or not programs.needs_minutes as is_active,
        decisions.decision in ('claimable', 'claimed') or decisions.reason = 'month_open' as is_claimable,
        coalesce(claims.status <> 'rejected', false) as is_claimed,
        coalesce(claims.status = 'paid', false) as is_paid,
        decisions.decision,
        decisions.reason,
        decisions.allowed_amount,
        minutes.credited_seconds,
        logged.logged_seconds,
        outreach.last_attempted_on,
        outreach.last_attempt_by,
        outreach.last_outcome,
        outreach.is_last_outcome_final,
        least(outreach.contacted_on, basis.first_consented_on) as contacted_on,
        basis.documented_consent_on,
        greatest(basis.documented_consent_on, basis.initiated_on) as enrolled_on,
        basis.first_care_plan_on,
        minutes.first_credited_on,
        dated.first_threshold_on,
        claims.claimed_on,
        case when claims.status = 'paid' then answered.paid_on end as paid_on
    from {{ ref('int_patient_months__basis') }} as basis
    inner join {{ ref('rule_programs') }} as programs
        on basis.program = programs.program and {{ in_force('programs', 'basis.month_end') }}
    inner join {{ ref('int_eligibility') }} as eligibility using (practice_id, patient_id, month)
    inner join {{ ref('int_decisions') }} as decisions using (practice_id, patient_id, month)
    left join {{ ref('int_patient_months__outreach') }} as outreach using (practice_id, patient_id, month)
    inner join {{ ref('patient_month_minutes') }} as logged using (practice_id, patient_id, month)
    inner join {{ ref('int_patient_months__minutes') }} as minutes
        on
            basis.practice_id = minutes.practice_id
            and basis.patient_id = minutes.patient_id
            and basis.month = minutes.month
            and minutes.scenario = 'actual'
    left join {{ ref('int_claims__current') }} as claims
        on basis.practice_id = claims.practice_id and basis.patient_id = claims.patient_id and basis.month = claims.month
    left join {{ ref('int_claims__answered') }} as answered on claims.claim_id = answered.claim_id
    left join {{ ref('int_candidates__dated') }} as dated
        on
            basis.practice_id = dated.practice_id
            and basis.patient_id = dated.patient_id
            and basis.month = dated.month
            and decisions.track = dated.track
            and dated.scenario = 'actual'
)

-- The furthest stage that is reached without a gap.
select
    *,
    case
        when not is_panel then 0
        when not is_medicare_part_b then 1
        when not is_eligible then 2
        when not is_contacted then 3
        when not is_consented then 4
        when not has_care_plan then 5
        when not is_active then 6
        when not is_claimable then 7
        when not is_claimed then 8
        when not is_paid then 9
        else 10
    end as stage_reached
from steps
