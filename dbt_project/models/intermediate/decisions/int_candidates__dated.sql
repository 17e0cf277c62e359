{{ config(meta={'touched_by': 'patient_months'}) }}
-- The service date of each candidate track (rules.md A7): the month's last day, or the day on which the last unit's threshold was reached; and the
-- day on which the first was. Days are put in their order only where one of them is asked for: of what-ifs where the month's last day is not the service date.
with candidates as (
    select
        scenario,
        practice_id,
        patient_id,
        month,
        program,
        track,
        seconds_basis,
        min(threshold_seconds) as first_threshold_seconds,
        max(threshold_seconds) as threshold_seconds
    from {{ ref('int_candidates') }}
    group by scenario, practice_id, patient_id, month, program, track, seconds_basis
),

-- A track as one number, for this statement alone: days are put in their order by it at a quarter of what its names cost.
tracks as (
    select
        candidates.*,
        patients.patient_number,
        basis.month_end,
        basis.billable_days,
        practices.service_date_policy = 'month_end' and {{ has_day('basis.billable_days', 'basis.month_end') }} as is_at_month_end,
        row_number() over (order by candidates.scenario, patients.patient_number, candidates.month, candidates.track) as number
    from candidates
    inner join {{ ref('int_patient_months__basis') }} as basis using (practice_id, patient_id, month)
    inner join {{ ref('int_patients__current') }} as patients
        on candidates.practice_id = patients.practice_id and candidates.patient_id = patients.patient_id
    inner join {{ ref('stg_practices') }} as practices on candidates.practice_id = practices.practice_id
),

-- Of a scenario its actual days, and what it adds to them.
running as (
    select
        tracks.number,
        days.local_day,
        sum(case when tracks.seconds_basis = 'practitioner' then days.practitioner_seconds else days.credited_seconds end) over sofar as seconds
    from {{ seconds_by_day() }} as days
    inner join tracks
        on
            days.patient_number = tracks.patient_number
            and days.month = tracks.month
            and days.scenario in ('actual', tracks.scenario)
            and (days.credited_seconds <> 0 or days.practitioner_seconds <> 0)
    where tracks.seconds_basis <> 'none' and (tracks.scenario = 'actual' or not tracks.is_at_month_end)
    window sofar as (partition by tracks.number order by days.local_day rows between unbounded preceding and current row)
),

reached as (
    select
        tracks.number,
        min(running.local_day) as first_threshold_on,
        min(case when running.seconds >= tracks.threshold_seconds then running.local_day end) as threshold_on
    from tracks
    inner join running on tracks.number = running.number and running.seconds >= tracks.first_threshold_seconds
    group by tracks.number
)

select
    tracks.scenario,
    tracks.practice_id,
    tracks.patient_id,
    tracks.month,
    tracks.program,
    tracks.track,
    reached.first_threshold_on,
    reached.threshold_on,
    case
        when tracks.seconds_basis = 'none'
            then case
                when tracks.billable_days > 0
                    then cast(tracks.month + cast(floor(log2(tracks.billable_days)) as integer) as date)
            end
        when tracks.is_at_month_end then tracks.month_end
        else reached.threshold_on
    end as service_date
from tracks
left join reached on tracks.number = reached.number
