-- Flags and the work list say how far a patient is from the first unit of a code (rule_limits); the band of the code says where that is. They must agree on
-- every day, or the one speaks of minutes that the other does not ask for.
{{ config(meta={'dagster': {'ref': {'name': 'rule_limits'}}}) }}
with days as (
    {{ days_of_change('rule_bands') }}
    union
    {{ days_of_change('rule_programs') }}
    union
    {{ days_of_change('rule_limits') }}
),

first_codes as (
    {{ first_codes() }}
),

said as (
    select
        days.changed_on,
        first_codes.procedure_code,
        first_codes.first_unit_minutes,
        'near_threshold_to' as limit_name
    from days
    inner join first_codes on first_codes.program = {{ chronic_care() }} and {{ in_force('first_codes', 'days.changed_on') }}
    union all
    select
        days.changed_on,
        bands.procedure_code,
        bands.first_unit_minutes,
        'complex_first_unit' as limit_name
    from days
    inner join {{ ref('rule_bands') }} as bands
        on
            bands.program = {{ chronic_care() }}
            and bands.is_base
            and bands.requires_complex_mdm
            and {{ in_force('bands', 'days.changed_on') }}
)

select
    said.limit_name,
    said.procedure_code,
    said.changed_on
from said
left join {{ ref('rule_limits') }} as limits
    on said.limit_name = limits.limit_name and {{ in_force('limits', 'said.changed_on') }}
where limits.amount is distinct from said.first_unit_minutes
union
select 'near_threshold_from', said.procedure_code, said.changed_on
from said
left join {{ ref('rule_limits') }} as limits
    on limits.limit_name = 'near_threshold_from' and {{ in_force('limits', 'said.changed_on') }}
where said.limit_name = 'near_threshold_to' and coalesce(limits.amount, said.first_unit_minutes) >= said.first_unit_minutes
