{{ config(meta={'touched_by': 'patient_months'}) }}
-- Every reason that applies to a patient-month, not only the first: the decision takes the first by rule_decision_reasons, explain shows them all.
with basis as (
    select
        basis.*,
        practices.newest_night,
        practices.close_final_day
    from {{ ref('int_patient_months__basis') }} as basis
    inner join {{ ref('stg_practices') }} as practices on basis.practice_id = practices.practice_id
),

chosen as (
    select *
    from {{ ref('int_tracks__chosen') }}
    where scenario = 'actual' and place = 1
),

tracks as (
    select
        basis.practice_id,
        basis.patient_id,
        basis.month,
        basis.month_end,
        basis.newest_night,
        chosen.practice_id is not null as has_track,
        chosen.service_date
    from basis
    left join chosen using (practice_id, patient_id, month)
),

-- Who has claimed already, who has billed otherwise: the claim of a month that nobody reports any more finds no decision, and two services may say the same.
billed as (
    select claims.practice_id, claims.patient_id, claims.month, 'already_claimed' as reason
    from {{ ref('int_claims__current') }} as claims
    semi join basis using (practice_id, patient_id, month)
    where claims.status <> 'rejected'
    union
    select practice_id, patient_id, month, finding as reason
    from {{ ref('int_service_findings') }}
    where kind = 'reason'
),

-- Months that the undocumented time alone brings to the codes that overlaps and runaway timers would bring them to: nothing of those is to be resolved.
documented_alone as (
    select
        documented.practice_id,
        documented.patient_id,
        documented.month,
        'resolved' as scenario
    from {{ ref('int_tracks__chosen') }} as documented
    inner join {{ ref('int_tracks__chosen') }} as resolved
        on
            documented.practice_id = resolved.practice_id
            and documented.patient_id = resolved.patient_id
            and documented.month = resolved.month
    where
        documented.scenario = 'documented'
        and documented.place = 1
        and resolved.scenario = 'resolved'
        and resolved.place = 1
        and cast(documented.codes as varchar) = cast(resolved.codes as varchar)
),

-- Each branch has each patient-month once.
findings as (
    select practice_id, patient_id, month, reason
    from {{ ref('int_eligibility') }}
    where not is_eligible
    union all
    select practice_id, patient_id, month, 'no_initiating_visit'
    from basis
    where not has_initiating_visit
    union all
    select practice_id, patient_id, month, 'no_consent'
    from basis
    where consent_id is null
    union all
    select practice_id, patient_id, month, 'consent_undocumented'
    from basis
    where not is_consent_documented
    union all
    select practice_id, patient_id, month, 'consent_revoked'
    from basis
    where consent_id is not null and not is_consent_in_force
    union all
    select practice_id, patient_id, month, 'no_care_plan'
    from basis
    where not has_care_plan
    union all
    select practice_id, patient_id, month, 'practitioner_not_eligible'
    from basis
    where not has_practitioner or not may_bill or not has_valid_npi
    union all
    select practice_id, patient_id, month, 'medicare_secondary'
    from basis
    where other_primary_days <> 0
    union all
    select practice_id, patient_id, month, reason
    from billed
    union all
    select practice_id, patient_id, month, 'timely_filing'
    from tracks
    where {{ is_filed_late('coalesce(service_date, month_end)', 'newest_night') }}
    union all
    select
        changes.practice_id,
        changes.patient_id,
        changes.month,
        case changes.scenario when 'documented' then 'undocumented_time' else 'unresolved_time' end
    from {{ ref('int_scenario_changes') }} as changes
    inner join basis using (practice_id, patient_id, month)
    anti join documented_alone
        on
            changes.practice_id = documented_alone.practice_id
            and changes.patient_id = documented_alone.patient_id
            and changes.month = documented_alone.month
            and changes.scenario = documented_alone.scenario
    where
        changes.changes_claim
        and basis.newest_night
        < cast(changes.month + interval 1 month as date) + cast(basis.close_final_day - 1 as integer)
    union all
    select practice_id, patient_id, month, 'below_threshold'
    from tracks
    where not has_track
    union all
    select practice_id, patient_id, month, 'month_open'
    from basis
    where newest_night <= month_end
    union all
    select practice_id, patient_id, month, 'ok'
    from basis
)

select
    findings.practice_id,
    findings.patient_id,
    findings.month,
    findings.reason,
    reasons.precedence,
    reasons.decision
from findings
-- A reason that no rule speaks of stays, so that a test says so (every_reason_in_use_is_in_the_rules): else the claim that it bars would go out.
left join {{ ref('rule_decision_reasons') }} as reasons on findings.reason = reasons.reason
