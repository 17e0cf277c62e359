{{ config(meta={'touched_by': 'patient_months'}) }}
with logged as (
    select
        patients.practice_id,
        patients.patient_id,
        sums.month,
        sums.logged_seconds
    from (
        select
            patient_number,
            month,
            cast(sum(seconds) as bigint) as logged_seconds
        from {{ ref('int_time_segments') }}
        where coalesce(disposition, '') <> 'voided'
        group by patient_number, month
    ) as sums
    inner join {{ ref('int_patients__current') }} as patients on sums.patient_number = patients.patient_number
),

-- Every minute at which the program's staff track reaches a further unit.
unit_minutes as (
    select
        bands.program,
        bands.first_unit_minutes + unit.number * coalesce(bands.minutes_per_further_unit, 0) as minutes,
        bands.effective_from,
        bands.effective_to
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

next_units as (
    select
        minutes.practice_id,
        minutes.patient_id,
        minutes.month,
        min(units.minutes) as next_unit_minutes
    from minutes
    inner join unit_minutes as units
        on
            minutes.program = units.program
            and {{ in_force('units', 'minutes.month_end') }}
            and units.minutes > minutes.credited_minutes
    group by minutes.practice_id, minutes.patient_id, minutes.month
)

select
    minutes.practice_id,
    minutes.patient_id,
    minutes.month,
    coalesce(logged.logged_seconds, 0) as logged_seconds,
    minutes.credited_seconds,
    minutes.staff_seconds,
    minutes.practitioner_seconds,
    minutes.credited_minutes,
    cast(next_units.next_unit_minutes - minutes.credited_minutes as bigint) as minutes_to_next_unit
from minutes
left join logged using (practice_id, patient_id, month)
left join next_units using (practice_id, patient_id, month)
