{{ config(meta={'touched_by': 'patient_months', 'is_of_tonight': true}) }}
-- Every track that a patient-month's minutes reach, with its codes, units and the second at which the last unit's threshold is reached; per scenario.
with minutes as (
    select
        minutes.*,
        basis.program,
        basis.month_end,
        basis.has_complex_mdm,
        basis.has_qmb,
        basis.chronic_condition_count
    from {{ ref('int_patient_months__minutes') }} as minutes
    inner join {{ ref('int_patient_months__basis') }} as basis using (practice_id, patient_id, month)
),

by_minutes as (
    select
        minutes.scenario,
        minutes.practice_id,
        minutes.patient_id,
        minutes.month,
        bands.program,
        bands.track,
        bands.seconds_basis,
        case when bands.seconds_basis = 'practitioner' then minutes.practitioner_seconds else minutes.credited_seconds end // 60 as minutes_used,
        bands.procedure_code,
        bands.is_base,
        bands.first_unit_minutes,
        bands.minutes_per_further_unit,
        case
            when bands.minutes_per_further_unit is null then 1
            else
                1 + (
                    case when bands.seconds_basis = 'practitioner' then minutes.practitioner_seconds else minutes.credited_seconds end // 60
                    - bands.first_unit_minutes
                ) // bands.minutes_per_further_unit
        end as units_reached,
        caps.max_units
    from minutes
    inner join {{ ref('rule_bands') }} as bands
        on minutes.program = bands.program and {{ in_force('bands', 'minutes.month_end') }}
    inner join {{ ref('rule_caps') }} as caps
        on bands.procedure_code = caps.procedure_code and {{ in_force('caps', 'minutes.month_end') }}
    where
        case when bands.seconds_basis = 'practitioner' then minutes.practitioner_seconds else minutes.credited_seconds end // 60
        >= bands.first_unit_minutes
        and (minutes.has_complex_mdm or not bands.requires_complex_mdm)
),

by_level as (
    select
        minutes.scenario,
        minutes.practice_id,
        minutes.patient_id,
        minutes.month,
        minutes.program,
        'apcm' as track,
        'none' as seconds_basis,
        0 as minutes_used,
        levels.procedure_code,
        true as is_base,
        0 as first_unit_minutes,
        cast(null as bigint) as minutes_per_further_unit,
        1 as units_reached,
        caps.max_units
    from minutes
    inner join {{ ref('rule_programs') }} as programs
        on minutes.program = programs.program and not programs.needs_minutes and {{ in_force('programs', 'minutes.month_end') }}
    inner join {{ ref('rule_apcm_levels') }} as levels
        on
            minutes.chronic_condition_count >= levels.min_condition_groups
            and minutes.chronic_condition_count <= coalesce(levels.max_condition_groups, minutes.chronic_condition_count)
            and (minutes.has_qmb or not levels.requires_qmb)
            and {{ in_force('levels', 'minutes.month_end') }}
    inner join {{ ref('rule_caps') }} as caps
        on levels.procedure_code = caps.procedure_code and {{ in_force('caps', 'minutes.month_end') }}
    qualify row_number() over (
        partition by minutes.scenario, minutes.practice_id, minutes.patient_id, minutes.month order by levels.level desc
    ) = 1
)

select
    *,
    least(units_reached, max_units) as units,
    units_reached > max_units as is_capped,
    (first_unit_minutes + (least(units_reached, max_units) - 1) * coalesce(minutes_per_further_unit, 0)) * 60 as threshold_seconds
from (
    select * from by_minutes
    union all
    select * from by_level
)
