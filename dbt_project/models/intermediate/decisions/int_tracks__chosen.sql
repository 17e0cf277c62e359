{{ config(meta={'touched_by': 'patient_months'}) }}
-- The candidates of a patient-month in the order of the practice's track policy (rules.md A6): place 1 is the chosen one.
with tracks as (
    select
        scenario,
        practice_id,
        patient_id,
        month,
        program,
        track,
        service_date,
        max(minutes_used) as minutes_used,
        bool_or(is_capped) as is_capped,
        -- A unit without a price has no sum either.
        case when count(*) = count(allowed_amount) then cast(sum(allowed_amount) as decimal(18, 2)) end as allowed_amount,
        case when count(*) = count(national_amount) then cast(sum(national_amount) as decimal(18, 2)) end as national_amount,
        {{ list_sorted("{'further': not is_base, 'code': procedure_code, 'units': units}", "{'code': one.code, 'units': one.units}") }} as codes
    from {{ ref('int_candidates__priced') }}
    group by scenario, practice_id, patient_id, month, program, track, service_date
)

select
    tracks.*,
    row_number() over (
        partition by tracks.scenario, tracks.practice_id, tracks.patient_id, tracks.month
        order by
            choice.choice_group,
            case when choice.amount_basis = 'national' then tracks.national_amount else tracks.allowed_amount end desc nulls last,
            choice.tie_rank
    ) as place
from tracks
inner join {{ ref('stg_practices') }} as practices on tracks.practice_id = practices.practice_id
inner join {{ ref('rule_track_choice') }} as choice
    on
        practices.track_policy = choice.track_policy
        and tracks.program = choice.program
        and tracks.track = choice.track
        and {{ in_force('choice', month_end('tracks.month')) }}
