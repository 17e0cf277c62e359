{{ config(meta={'touched_by': 'patient_months', 'is_of_tonight': true}) }}
-- The initiating visit of the month's consent (R-ELIG-3): the earliest that qualifies, and whether only a colleague's does.
with months as (
    select
        enrollment.practice_id,
        enrollment.patient_id,
        enrollment.month,
        enrollment.program,
        grid.month_end,
        grid.billing_practitioner_id,
        coalesce(enrollment.consented_on, grid.month_end) as consented_on,
        case
            when {{ says_something('billing.taxonomy_code') }} or not {{ has_manner('taxonomies') }} then billing.taxonomy_code
        end as taxonomy_code
    from {{ ref('int_patient_months__enrollment') }} as enrollment
    inner join {{ ref('int_patient_months') }} as grid using (practice_id, patient_id, month)
    left join {{ ref('int_members__current') }} as billing
        on grid.practice_id = billing.practice_id and grid.billing_practitioner_id = billing.member_id
),

services as (
    select
        *,
        -- Any earlier service of the practice proves an established patient.
        service_date > min(service_date) over (partition by practice_id, patient_id) as has_earlier_service
    from {{ ref('stg_services') }}
    -- What its source took back never was (orchestration/importers/fhir/extracts.py, orchestration/mapping/model.py).
    where is_current and billed_by = 'own_practice' and procedure_code <> 'WITHDRAWN'
),

visits as (
    select
        months.practice_id,
        months.patient_id,
        months.month,
        services.service_id,
        services.service_date,
        services.member_id = months.billing_practitioner_id as is_own
    from months
    inner join {{ ref('rule_programs') }} as programs
        on months.program = programs.program and {{ in_force('programs', 'months.month_end') }}
    inner join services
        on
            months.practice_id = services.practice_id
            and months.patient_id = services.patient_id
            and services.service_date >= months.consented_on - cast(programs.visit_days_before_consent as integer)
            and services.service_date <= months.month_end
    inner join {{ ref('rule_initiating_visits') }} as codes
        on services.procedure_code = codes.procedure_code and {{ in_force('codes', 'services.service_date') }}
    left join {{ ref('int_members__current') }} as members
        on services.practice_id = members.practice_id and services.member_id = members.member_id
    where
        (services.member_id = months.billing_practitioner_id or members.taxonomy_code = months.taxonomy_code)
        and (
            coalesce(services.ccm_discussed, false)
            or (services.service_date <= months.consented_on and (codes.is_established_patient or services.has_earlier_service))
        )
    union all
    -- Where the program knows a look-back for any service of the practice, that will do, at the consent's date.
    select
        months.practice_id,
        months.patient_id,
        months.month,
        services.service_id,
        months.consented_on as service_date,
        true as is_own
    from months
    inner join {{ ref('rule_programs') }} as programs
        on months.program = programs.program and {{ in_force('programs', 'months.month_end') }}
    inner join services
        on
            months.practice_id = services.practice_id
            and months.patient_id = services.patient_id
            and services.service_date between months.consented_on - cast(programs.service_days_before_consent as integer)
            and months.consented_on - 1
)

select
    practice_id,
    patient_id,
    month,
    min(service_date) as initiated_on,
    min_by(service_id, (service_date, service_id)) as service_id,
    not bool_or(is_own) as is_by_colleague
from visits
group by practice_id, patient_id, month
