with outreach as (
    select
        outreach.practice_id,
        outreach.patient_id,
        min(cast({{ local_time('outreach.attempted_at', 'practices.time_zone') }} as date)) as contacted_on
    from {{ ref('int_outreach__current') }} as outreach
    inner join {{ ref('stg_practices') }} as practices on outreach.practice_id = practices.practice_id
    inner join {{ ref('rule_outreach_outcomes') }} as outcomes on outreach.outcome = outcomes.outcome and outcomes.is_contact
    group by outreach.practice_id, outreach.patient_id
),

steps as (
    select
        basis.practice_id,
        basis.month,
        eligibility.reason not in ('left_panel', 'deceased') as is_panel,
        eligibility.reason not in ('left_panel', 'deceased', 'no_part_b', 'medicare_advantage') as is_medicare_part_b,
        eligibility.is_eligible,
        basis.consent_id is not null or coalesce(outreach.contacted_on <= basis.month_end, false) as is_contacted,
        basis.has_documented_consent and basis.has_initiating_visit as is_consented,
        basis.has_care_plan,
        minutes.credited_seconds > 0 or not programs.needs_minutes as is_active,
        decisions.decision in ('claimable', 'claimed') or decisions.reason = 'month_open' as is_claimable,
        coalesce(claims.status <> 'rejected', false) as is_claimed,
        coalesce(claims.status = 'paid', false) as is_paid
    from {{ ref('int_patient_months__basis') }} as basis
    inner join {{ ref('rule_programs') }} as programs on basis.program = programs.program
    inner join {{ ref('int_eligibility') }} as eligibility using (practice_id, patient_id, month)
    inner join {{ ref('int_decisions') }} as decisions using (practice_id, patient_id, month)
    inner join {{ ref('int_patient_months__minutes') }} as minutes
        on
            basis.practice_id = minutes.practice_id
            and basis.patient_id = minutes.patient_id
            and basis.month = minutes.month
            and minutes.scenario = 'actual'
    left join outreach on basis.practice_id = outreach.practice_id and basis.patient_id = outreach.patient_id
    left join {{ ref('int_claims__current') }} as claims
        on basis.practice_id = claims.practice_id and basis.patient_id = claims.patient_id and basis.month = claims.month
),

-- The furthest stage that a patient-month reaches without a gap.
furthest as (
    select
        practice_id,
        month,
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
),

counted as (
    select
        months.practice_id,
        months.month,
        stages.stage_number,
        stages.stage,
        (
            select count(*)
            from furthest
            where
                furthest.practice_id = months.practice_id
                and furthest.month = months.month
                and furthest.stage_reached >= stages.stage_number
        ) as patients
    from {{ ref('int_months') }} as months
    cross join {{ ref('rule_funnel_stages') }} as stages
)

select
    practice_id,
    month,
    cast(stage_number as integer) as stage_number,
    stage,
    cast(patients as bigint) as patients,
    cast(
        patients / nullif(lag(patients) over (partition by practice_id, month order by stage_number), 0) as decimal(7, 4)
    ) as share_of_previous
from counted
