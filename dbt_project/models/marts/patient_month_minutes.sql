{{ config(meta={'touched_by': 'patient_months'}) }}
-- Every minute at which the program's staff track reaches a further unit.
with unit_minutes as (
    select
        bands.program,
        bands.first_unit_minutes + unit.number * coalesce(bands.minutes_per_further_unit, 0) as minutes,
        greatest(bands.effective_from, caps.effective_from, programs.effective_from) as effective_from,
        least(
            coalesce(bands.effective_to, date '9999-12-31'),
            coalesce(caps.effective_to, date '9999-12-31'),
            coalesce(programs.effective_to, date '9999-12-31')
        ) as effective_to
    from {{ ref('rule_bands') }} as bands
    inner join {{ ref('rule_programs') }} as programs
        on bands.program = programs.program and bands.track = programs.staff_track
    inner join {{ ref('rule_caps') }} as caps on bands.procedure_code = caps.procedure_code
    cross join (select unnest(range(0, 10)) as number) as unit
    where unit.number < caps.max_units and (unit.number = 0 or bands.minutes_per_further_unit is not null)
),

minutes as (
    select
        minutes.*,
        basis.program,
        basis.month_end,
        minutes.credited_seconds // 60 as credited_minutes
    from {{ ref('int_patient_months__minutes') }} as minutes
    inner join {{ ref('int_patient_months__basis') }} as basis using (practice_id, patient_id, month)
    where minutes.scenario = 'actual'
),

-- What is next is the same for all that have come as far.
next_units as (
    select
        so_far.program,
        so_far.month_end,
        so_far.credited_minutes,
        min(units.minutes) as next_unit_minutes
    from (select distinct program, month_end, credited_minutes from minutes) as so_far
    inner join unit_minutes as units
        on
            so_far.program = units.program
            and {{ in_force('units', 'so_far.month_end') }}
            and units.minutes > so_far.credited_minutes
    group by so_far.program, so_far.month_end, so_far.credited_minutes
)

select
    minutes.practice_id,
    minutes.patient_id,
    minutes.month,
    minutes.logged_seconds,
    minutes.credited_seconds,
    minutes.staff_seconds,
    minutes.practitioner_seconds,
    minutes.credited_minutes,
    cast(next_units.next_unit_minutes - minutes.credited_minutes as bigint) as minutes_to_next_unit
from minutes
left join next_units using (program, month_end, credited_minutes)
