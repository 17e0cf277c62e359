{{ config(meta={'touched_by': 'patient_months'}) }}
-- Everything that someone could mend in a patient-month, in every month: the work list shows those that can still be mended, the enrollment status
-- the first that keeps the patient from the next stage. One row per practice, patient, month, kind and subject (a time entry, an appointment, a
-- claim, or the patient).
with stages as (
    select
        stages.*,
        practices.newest_night <= stages.month_end as is_newest_month
    from {{ ref('int_patient_months__stages') }} as stages
    inner join {{ ref('stg_practices') }} as practices on stages.practice_id = practices.practice_id
),

-- The care plan in force on the newest night, and when the patient's plans were last looked at.
care_plans as (
    select
        plans.practice_id,
        plans.patient_id,
        plans.established_on,
        plans.copy_given_on,
        max(
            greatest(
                plans.established_on,
                coalesce(case when plans.last_reviewed_on <= practices.newest_night then plans.last_reviewed_on end, plans.established_on)
            )
        ) over (partition by plans.practice_id, plans.patient_id) as reviewed_on
    from {{ ref('int_care_plans__current') }} as plans
    inner join {{ ref('stg_practices') }} as practices on plans.practice_id = practices.practice_id
    where plans.established_on <= practices.newest_night
    qualify row_number() over (
        partition by plans.practice_id, plans.patient_id order by plans.established_on desc, plans.care_plan_id desc
    ) = 1
),

-- Diagnoses that a claim would carry and no payer takes, as there are codes below them.
categories as (
    select
        diagnoses.practice_id,
        diagnoses.patient_id,
        diagnoses.month,
        string_agg(diagnoses.icd10_code, ', ' order by diagnoses.icd10_code) as icd10_codes
    from (
        select
            practice_id,
            patient_id,
            month,
            unnest(icd10_codes) as icd10_code
        from {{ ref('int_claim_diagnoses') }}
    ) as diagnoses
    inner join {{ ref('rule_icd10_categories') }} as categories
        on diagnoses.icd10_code = categories.icd10_code and {{ in_force('categories', month_end('diagnoses.month')) }}
    group by diagnoses.practice_id, diagnoses.patient_id, diagnoses.month
),

-- Months held for rows in quarantine that nobody has accepted.
hidden as (
    select distinct
        held.practice_id,
        held.patient_id,
        held.month
    from {{ from_configuration('held') }} as held
    inner join {{ ref('int_quarantined_facts') }} as facts
        on
            held.practice_id = facts.practice_id
            and held.patient_id = facts.patient_id
            and {{ holds_month('facts', 'held.month') }}
    where held.reason = 'quarantined_facts' and not facts.is_accepted
),

found as (
    select
        practice_id,
        patient_id,
        month,
        kind,
        coalesce(entry_id, appointment_id, call_id) as subject_id,
        member_id,
        minutes,
        dollars_at_stake as dollars,
        strftime(worked_on, '%Y-%m-%d')
        || case
            when kind <> 'runaway_timer' then ''
            else
                ' ran ' || elapsed_minutes || ' min'
                || case when minutes < elapsed_minutes then ', of which ' || minutes || ' could count in ' || strftime(month, '%Y-%m') else '' end
        end as fact
    from {{ ref('int_time_items') }}
    union all
    select practice_id, patient_id, month, 'near_threshold', patient_id as subject_id, null, minutes_to_first_unit, unit_amount, null
    from {{ ref('int_patient_months__short') }}
    where
        program = {{ chronic_care() }}
        and credited_seconds >= {{ limit('near_threshold_from', month_end('month')) }} * 60
        and credited_seconds < {{ limit('near_threshold_to', month_end('month')) }} * 60
    union all
    select practice_id, patient_id, month, 'no_time_yet', patient_id as subject_id, null, minutes_to_first_unit, unit_amount, null
    from {{ ref('int_patient_months__short') }}
    where logged_seconds = 0
    union all
    select practice_id, patient_id, month, 'undocumented_consent', patient_id as subject_id, consent_obtained_by, null, null, strftime(consented_on, '%Y-%m-%d')
    from stages
    where is_eligible and is_consent_in_force and not is_consent_documented
    union all
    select
        stages.practice_id,
        stages.patient_id,
        stages.month,
        'consent_renewal' as kind,
        stages.patient_id as subject_id,
        null as member_id,
        null as minutes,
        null as dollars,
        strftime(stages.consented_on, '%Y-%m-%d') as fact
    from stages
    -- Once a new one is documented nothing is to be done, though the older one is the month's as long as it is in force (rules.md A2).
    anti join {{ ref('int_consents__current') }} as renewed
        on
            stages.practice_id = renewed.practice_id
            and stages.patient_id = renewed.patient_id
            and stages.program = renewed.program
            and stages.billing_practitioner_id = renewed.billing_practitioner_id
            and renewed.documented
            and renewed.consented_on <= stages.as_of
            and coalesce(renewed.revoked_on >= stages.month, true)
    where stages.is_newest_month and stages.is_eligible and stages.has_documented_consent and stages.is_consent_of_another
    union all
    select practice_id, patient_id, month, 'missing_initiating_visit', patient_id as subject_id, null, null, null, strftime(consented_on, '%Y-%m-%d')
    from stages
    where is_eligible and is_consent_in_force and not has_initiating_visit
    union all
    select practice_id, patient_id, month, 'missing_care_plan', patient_id as subject_id, null, null, null, null
    from stages
    where is_eligible and is_consent_in_force and not has_care_plan
    union all
    select practice_id, patient_id, month, 'eligible_not_contacted', patient_id as subject_id, null, null, null, null
    from stages
    where is_eligible and not is_contacted and last_attempted_on is null
    union all
    select practice_id, patient_id, month, 'stalled_outreach', patient_id as subject_id, last_attempt_by, null, null, strftime(last_attempted_on, '%Y-%m-%d')
    from stages
    where
        is_eligible
        and consent_id is null
        and not is_last_outcome_final
        and last_attempted_on + cast({{ limit('stalled_outreach', 'as_of') }} as integer) < as_of
    union all
    select
        stages.practice_id,
        stages.patient_id,
        stages.month,
        'care_plan_review_due' as kind,
        stages.patient_id as subject_id,
        null as member_id,
        null as minutes,
        null as dollars,
        strftime(care_plans.reviewed_on, '%Y-%m-%d') as fact
    from stages
    inner join care_plans using (practice_id, patient_id)
    where
        stages.is_newest_month
        and stages.is_eligible
        and stages.has_documented_consent
        and care_plans.reviewed_on + interval 1 month * cast({{ limit('care_plan_review', 'stages.as_of') }} as integer) <= stages.as_of
    union all
    select
        stages.practice_id,
        stages.patient_id,
        stages.month,
        'care_plan_copy_missing' as kind,
        stages.patient_id as subject_id,
        null as member_id,
        null as minutes,
        null as dollars,
        strftime(care_plans.established_on, '%Y-%m-%d') as fact
    from stages
    inner join care_plans using (practice_id, patient_id)
    where stages.is_newest_month and stages.is_eligible and stages.has_documented_consent and care_plans.copy_given_on is null
    union all
    select
        stages.practice_id,
        stages.patient_id,
        stages.month,
        'diagnosis_category' as kind,
        stages.patient_id as subject_id,
        null as member_id,
        null as minutes,
        stages.allowed_amount as dollars,
        categories.icd10_codes as fact
    from stages
    inner join categories using (practice_id, patient_id, month)
    -- Why the payer turned a claim back is said by that item.
    anti join (select practice_id, patient_id, month from {{ ref('claims') }} where status = 'rejected') as rejected
        on stages.practice_id = rejected.practice_id and stages.patient_id = rejected.patient_id and stages.month = rejected.month
    where stages.decision = 'claimable' or stages.reason = 'month_open'
    union all
    select
        stages.practice_id,
        stages.patient_id,
        stages.month,
        'practitioner_cannot_bill' as kind,
        stages.patient_id as subject_id,
        null as member_id,
        null as minutes,
        chosen.allowed_amount as dollars,
        coalesce(stages.billing_practitioner_id || ', ' || stages.practitioner_fault, 'nobody is named') as fact
    from stages
    inner join {{ ref('int_tracks__chosen') }} as chosen
        on
            stages.practice_id = chosen.practice_id
            and stages.patient_id = chosen.patient_id
            and stages.month = chosen.month
            and chosen.scenario = 'actual'
            and chosen.place = 1
    -- Of a claim that was turned back that item says it.
    anti join (select practice_id, patient_id, month from {{ ref('claims') }}) as claimed
        on stages.practice_id = claimed.practice_id and stages.patient_id = claimed.patient_id and stages.month = claimed.month
    where stages.decision = 'not_claimable' and stages.reason = 'practitioner_not_eligible'
    union all
    select practice_id, patient_id, month, 'coverage_conflict', subject || ':' || patient_id as subject_id, null, null, null, fact
    from {{ ref('int_coverage_conflicts') }}
    union all
    select
        claims.practice_id,
        claims.patient_id,
        claims.month,
        'denied_claim' as kind,
        claims.claim_id as subject_id,
        null as member_id,
        null as minutes,
        -- What a whole denial is worth the claim says (int_claims__unsettled): prices and settings of today are nothing to it.
        case when claims.status = 'paid' then lines.denied_amount end as dollars,
        coalesce(nullif(array_to_string(claims.denial_codes, ', '), ''), 'without a reason code') as fact
    from {{ ref('claims') }} as claims
    inner join stages using (practice_id, patient_id, month)
    left join {{ ref('int_claims__lines_denied') }} as lines on claims.practice_id = lines.practice_id and claims.claim_id = lines.claim_id
    where claims.status = 'denied' or (claims.status = 'paid' and lines.denied_amount > 0)
    union all
    select
        claims.practice_id,
        claims.patient_id,
        claims.month,
        'rejected_claim' as kind,
        claims.claim_id as subject_id,
        null as member_id,
        null as minutes,
        chosen.allowed_amount as dollars,
        coalesce(nullif(array_to_string(claims.rejection_codes || claims.denial_codes, ', '), ''), 'without a reason code') as fact
    from {{ ref('claims') }} as claims
    inner join stages using (practice_id, patient_id, month)
    left join {{ ref('int_tracks__chosen') }} as chosen
        on
            claims.practice_id = chosen.practice_id
            and claims.patient_id = chosen.patient_id
            and claims.month = chosen.month
            and chosen.scenario = 'actual'
            and chosen.place = 1
    -- What is held has its own item. What bars another claim now somebody must look at: a service may be the claim itself, as the practice's own system lists it,
    -- and a fact of the panel may be what the payer turned it back for.
    where claims.status = 'rejected' and stages.decision in ('claimable', 'not_claimable')
    union all
    select
        held.practice_id,
        held.patient_id,
        held.month,
        'claim_error' as kind,
        held.patient_id as subject_id,
        null as member_id,
        null as minutes,
        stages.allowed_amount as dollars,
        held.detail as fact
    from {{ from_configuration('held') }} as held
    inner join stages using (practice_id, patient_id, month)
    left join hidden
        on held.practice_id = hidden.practice_id and held.patient_id = hidden.patient_id and held.month = hidden.month
    where
        stages.decision = 'claimable'
        and (
            held.reason = 'claim_error'
            -- As long as a row in quarantine hides something and nobody has accepted it.
            or (held.reason = 'quarantined_facts' and hidden.practice_id is not null)
        )
),

-- What keeps the patient-month from its next stage comes first.
barring as (
    select
        found.*,
        stages.month_end,
        stages.billing_practitioner_id,
        stages.decision,
        stages.reason,
        bars.precedence is not null and row_number() over (
            partition by found.practice_id, found.patient_id, found.month order by bars.precedence nulls last, found.subject_id
        ) = 1 as is_first_bar
    from found
    inner join stages using (practice_id, patient_id, month)
    left join {{ ref('rule_funnel_stages') }} as next_stages on stages.stage_reached + 1 = next_stages.stage_number
    left join {{ ref('rule_stage_bars') }} as bars
        on next_stages.stage = bars.stage and found.kind = bars.kind and (found.dollars > 0 or not bars.only_if_worth)
)

select
    barring.practice_id,
    barring.patient_id,
    barring.month,
    barring.kind,
    barring.kind || ':' || barring.subject_id || case when kinds.is_monthly then strftime(barring.month, ':%Y-%m') else '' end as item_id,
    barring.subject_id,
    barring.member_id,
    barring.minutes,
    cast(
        case kinds.worth
            when 'own' then coalesce(barring.dollars, 0)
            when 'base_code' then case when barring.is_first_bar then base.base_code_amount else 0 end
            else 0
        end as decimal(12, 2)
    ) as dollars_at_stake,
    barring.fact,
    barring.is_first_bar,
    barring.month_end,
    barring.billing_practitioner_id,
    barring.decision,
    barring.reason
from barring
-- A kind that no rule speaks of stays, so that a test says so (every_kind_in_use_is_in_the_rules).
left join {{ ref('rule_worklist_kinds') }} as kinds on barring.kind = kinds.kind
inner join {{ ref('int_base_code_amounts') }} as base using (practice_id, month)
