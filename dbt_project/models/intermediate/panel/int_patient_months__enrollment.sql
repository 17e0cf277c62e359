{{ config(meta={'touched_by': 'patient_months', 'is_of_tonight': true}) }}
-- The program of the month and its consent (rules.md A2). Consents are put in their order by the patient's number, at a quarter of what names cost.
with months as (
    select
        patients.patient_number,
        months.practice_id,
        months.patient_id,
        months.month,
        months.month_end
    from {{ ref('int_patient_months') }} as months
    inner join {{ ref('int_patients__current') }} as patients
        on months.practice_id = patients.practice_id and months.patient_id = patients.patient_id
),

dated as (
    select
        months.patient_number,
        months.month,
        months.month_end,
        consents.consent_id,
        consents.program,
        consents.consented_on,
        consents.documented,
        consents.billing_practitioner_id,
        -- A revocation to come is none yet: no month before it depends on it (int_patients__panel).
        case when consents.revoked_on <= months.month_end then consents.revoked_on end as revoked_on,
        consents.obtained_by,
        consents.revoked_on is null or consents.revoked_on >= months.month as is_in_force,
        -- Whatever its program: the funnel asks for a documented consent, the claim for one of the month's program.
        bool_or((consents.revoked_on is null or consents.revoked_on >= months.month) and consents.documented) over patient_month
            as has_documented_consent,
        min(
            case when (consents.revoked_on is null or consents.revoked_on >= months.month) and consents.documented then consents.consented_on end
        ) over patient_month as documented_consent_on,
        min(consents.consented_on) over patient_month as first_consented_on,
        max(case when consents.revoked_on <= months.month_end then consents.revoked_on end) over patient_month as last_revoked_on
    from months
    inner join {{ ref('int_consents__current') }} as consents
        on
            months.practice_id = consents.practice_id
            and months.patient_id = consents.patient_id
            and consents.consented_on <= months.month_end
    window patient_month as (partition by months.patient_number, months.month)
),

-- The program is that of the newest consent in force; with none in force, of the newest one.
programs as (
    select
        patient_number,
        month,
        program,
        consent_id as newest_consent_id
    from dated
    qualify row_number() over (
        partition by patient_number, month order by is_in_force desc, consented_on desc, consent_id desc
    ) = 1
),

-- The consent is the oldest documented one in force of that program, else the oldest in force of it, else that newest one.
chosen as (
    select dated.*
    from dated
    inner join programs
        on
            dated.patient_number = programs.patient_number
            and dated.month = programs.month
            and dated.program = programs.program
            and (dated.is_in_force or dated.consent_id = programs.newest_consent_id)
    qualify row_number() over (
        partition by dated.patient_number, dated.month
        order by dated.is_in_force desc, dated.documented desc, dated.consented_on, dated.consent_id desc
    ) = 1
)

select
    months.practice_id,
    months.patient_id,
    months.month,
    coalesce(chosen.program, {{ default_program() }}) as program,
    chosen.consent_id,
    chosen.consented_on,
    chosen.documented as is_consent_documented,
    chosen.billing_practitioner_id as consent_practitioner_id,
    chosen.revoked_on,
    coalesce(chosen.is_in_force, false) as is_consent_in_force,
    coalesce(chosen.has_documented_consent, false) as has_documented_consent,
    chosen.documented_consent_on,
    chosen.first_consented_on,
    chosen.last_revoked_on,
    chosen.obtained_by
from months
left join chosen on months.patient_number = chosen.patient_number and months.month = chosen.month
