{{ config(meta={'touched_by': 'patient_months'}) }}
-- What services billed in the month mean for it (rules.md A5): reasons that bar the claim, and flags.
with services as (
    select
        basis.practice_id,
        basis.patient_id,
        basis.month,
        basis.program,
        services.service_id,
        services.service_date,
        services.procedure_code,
        services.units,
        case
            when services.billed_by = 'other_practice' then 'other_practice'
            when services.member_id = basis.billing_practitioner_id then 'billing_practitioner'
            else 'colleague'
        end as billed_by
    from {{ ref('int_patient_months__basis') }} as basis
    inner join {{ ref('stg_services') }} as services
        on
            basis.practice_id = services.practice_id
            and basis.patient_id = services.patient_id
            and services.service_date between basis.month and basis.month_end
            and services.is_current
)

select distinct
    services.practice_id,
    services.patient_id,
    services.month,
    services.service_id,
    services.procedure_code,
    services.units,
    conflicts.kind,
    conflicts.finding
from services
inner join {{ ref('rule_conflicts') }} as conflicts
    on
        services.program = conflicts.program
        and services.procedure_code = conflicts.procedure_code
        and {{ in_force('conflicts', 'services.service_date') }}
        and case conflicts.billed_by
            when 'billing_practitioner' then services.billed_by = 'billing_practitioner'
            when 'own_practice' then services.billed_by <> 'other_practice'
            when 'other_practice' then services.billed_by = 'other_practice'
            when 'anyone_else' then services.billed_by <> 'billing_practitioner'
        end
