{{ config(meta={'touched_by': 'patient_months'}) }}
-- The first reason of rules.md A1 that bars a patient-month, or 'eligible', by the program of the month; and what it is but for the panel.
with reasons as (
    select
        basis.*,
        case
            when basis.alive_days = 0 then 'deceased'
            when basis.part_b_days = 0 then 'no_part_b'
            when basis.fee_for_service_days = 0 then 'medicare_advantage'
            when basis.alive_days & ~basis.inpatient_days = 0 then 'facility_whole_month'
            when basis.alive_days & ~basis.facility_days = 0 and basis.alive_days & basis.hospice_days <> 0 then 'hospice'
            when basis.chronic_condition_count < programs.min_condition_groups then 'fewer_than_two_conditions'
            else 'eligible'
        end as reason_but_for_panel,
        case when basis.is_on_panel then reason_but_for_panel else 'left_panel' end as reason
    from {{ ref('int_patient_months__basis') }} as basis
    inner join {{ ref('rule_programs') }} as programs
        on basis.program = programs.program and {{ in_force('programs', 'basis.month_end') }}
)

select
    practice_id,
    patient_id,
    month,
    program,
    reason = 'eligible' as is_eligible,
    reason,
    chronic_condition_count,
    condition_groups,
    has_initiating_visit,
    reason_but_for_panel
from reasons
