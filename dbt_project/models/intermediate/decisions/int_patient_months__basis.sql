{{ config(meta={'touched_by': 'patient_months'}) }}
-- What a decision rests on besides minutes, one row per reported patient-month.
with conditions as (
    select
        practice_id,
        patient_id,
        month,
        list_sort(list(distinct condition_group)) as condition_groups
    from {{ ref('int_patient_months__conditions') }}
    where condition_group is not null
    group by practice_id, patient_id, month
),

assessments as (
    select distinct
        months.practice_id,
        months.patient_id,
        months.month
    from {{ ref('int_patient_months') }} as months
    inner join {{ ref('int_assessments__current') }} as assessments
        on
            months.practice_id = assessments.practice_id
            and months.patient_id = assessments.patient_id
            and assessments.assessed_on between months.month and months.month_end
            and assessments.member_id = months.billing_practitioner_id
    inner join {{ ref('rule_complex_mdm_levels') }} as levels
        on assessments.mdm_level = levels.mdm_level and {{ in_force('levels', 'assessments.assessed_on') }}
),

-- Nights on the panel are asked for of those alone whom it does not have any more.
presence as (
    select distinct
        nights.practice_id,
        nights.patient_id,
        nights.month
    from (
        select
            practice_id,
            patient_id,
            {{ month_of('extract_date') }} as month
        from {{ ref('int_patients__presence') }}
    ) as nights
    semi join (select practice_id, patient_id, month from {{ ref('int_patient_months') }} where not is_on_panel) as months
        on nights.practice_id = months.practice_id and nights.patient_id = months.patient_id and nights.month = months.month
),

care_plans as (
    select
        practice_id,
        patient_id,
        min(established_on) as established_on
    from {{ ref('int_care_plans__current') }}
    group by practice_id, patient_id
)

select
    months.practice_id,
    months.patient_id,
    months.month,
    months.month_end,
    months.as_of,
    months.deceased_date,
    months.billing_practitioner_id,
    enrollment.program,
    enrollment.consent_id,
    enrollment.consented_on,
    enrollment.is_consent_documented,
    enrollment.is_consent_in_force,
    enrollment.has_documented_consent,
    enrollment.consent_practitioner_id,
    enrollment.revoked_on,
    enrollment.documented_consent_on,
    enrollment.first_consented_on,
    enrollment.last_revoked_on,
    enrollment.obtained_by as consent_obtained_by,
    days.* exclude (practice_id, patient_id, month),
    (
        days.alive_days & days.fee_for_service_days & ~days.facility_days
        & {{ day_mask("coalesce(" ~ service_starts_on('enrollment', 'visits') ~ ", months.month)", 'months.month_end', 'months.month') }}
    ) as billable_days,
    days.qmb_days <> 0 as has_qmb,
    coalesce(conditions.condition_groups, cast([] as varchar[])) as condition_groups,
    coalesce(len(conditions.condition_groups), 0) as chronic_condition_count,
    visits.initiated_on,
    visits.service_id as initiating_service_id,
    visits.initiated_on is not null as has_initiating_visit,
    coalesce(visits.is_by_colleague, false) as is_initiated_by_colleague,
    coalesce(care_plans.established_on <= months.month_end, false) as has_care_plan,
    care_plans.established_on as first_care_plan_on,
    assessments.patient_id is not null as has_complex_mdm,
    months.is_on_panel or presence.patient_id is not null as is_on_panel,
    -- In a snapshot of the care team that was in force on a day of the month, or in a later one.
    members.member_id is not null and coalesce(members.gone_on > months.month, true) as has_practitioner,
    members.npi as practitioner_npi,
    coalesce(members.has_valid_npi, false) as has_valid_npi,
    coalesce(credentials.may_bill, false) as may_bill,
    credentials.payment_share
from {{ ref('int_patient_months') }} as months
inner join {{ ref('int_patient_months__enrollment') }} as enrollment using (practice_id, patient_id, month)
inner join {{ ref('int_patient_months__days') }} as days using (practice_id, patient_id, month)
left join conditions using (practice_id, patient_id, month)
left join assessments using (practice_id, patient_id, month)
left join presence using (practice_id, patient_id, month)
left join {{ ref('int_patient_months__visits') }} as visits using (practice_id, patient_id, month)
left join care_plans using (practice_id, patient_id)
left join {{ ref('int_members__current') }} as members
    on months.practice_id = members.practice_id and months.billing_practitioner_id = members.member_id
left join {{ ref('rule_credentials') }} as credentials
    on members.credential = credentials.credential and {{ in_force('credentials', 'months.month_end') }}
where months.is_reported
