{{ config(meta={'touched_by': 'patient_months'}) }}
-- The service date of each candidate track (rules.md A7): the month's last day, or the day on which the last unit's threshold was reached; and the
-- day on which the first was.
with tracks as (
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

-- A patient-month of a scenario as one number, for this statement alone: days are put in their order by it at a quarter of what its names cost.
numbered as (
    select
        wanted.*,
        patients.patient_number,
        row_number() over (order by wanted.scenario, patients.patient_number, wanted.month) as number
    from (
        select distinct
            scenario,
            practice_id,
            patient_id,
            month
        from tracks
        where seconds_basis <> 'none'
    ) as wanted
    inner join {{ ref('int_patients__current') }} as patients
        on wanted.practice_id = patients.practice_id and wanted.patient_id = patients.patient_id
),

-- Of a scenario its actual days, and what it adds to them.
running as (
    select
        numbered.number,
        days.local_day,
        sum(days.credited_seconds) over sofar as credited_seconds,
        sum(days.practitioner_seconds) over sofar as practitioner_seconds
    from {{ ref('int_patient_days') }} as days
    inner join numbered
        on
            days.patient_number = numbered.patient_number
            and days.month = numbered.month
            and days.scenario in ('actual', numbered.scenario)
    window sofar as (partition by numbered.number order by days.local_day rows between unbounded preceding and current row)
),

timed as (
    select
        numbered.number,
        tracks.*
    from tracks
    inner join numbered
        on
            tracks.scenario = numbered.scenario
            and tracks.practice_id = numbered.practice_id
            and tracks.patient_id = numbered.patient_id
            and tracks.month = numbered.month
    where tracks.seconds_basis <> 'none'
),

reached as (
    select
        timed.scenario,
        timed.practice_id,
        timed.patient_id,
        timed.month,
        timed.track,
        found.first_threshold_on,
        found.threshold_on
    from timed
    inner join (
        select
            numbered_tracks.number,
            numbered_tracks.track,
            min(running.local_day) as first_threshold_on,
            min(
                case
                    when
                        case when numbered_tracks.seconds_basis = 'practitioner' then running.practitioner_seconds else running.credited_seconds end
                        >= numbered_tracks.threshold_seconds
                        then running.local_day
                end
            ) as threshold_on
        from timed as numbered_tracks
        inner join running
            on
                numbered_tracks.number = running.number
                and case when numbered_tracks.seconds_basis = 'practitioner' then running.practitioner_seconds else running.credited_seconds end
                >= numbered_tracks.first_threshold_seconds
        group by numbered_tracks.number, numbered_tracks.track
    ) as found on timed.number = found.number and timed.track = found.track
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
                when basis.billable_days > 0
                    then cast(tracks.month + cast(floor(log2(basis.billable_days)) as integer) as date)
            end
        when practices.service_date_policy = 'month_end' and {{ has_day('basis.billable_days', 'basis.month_end') }} then basis.month_end
        else reached.threshold_on
    end as service_date
from tracks
inner join {{ ref('int_patient_months__basis') }} as basis using (practice_id, patient_id, month)
inner join {{ ref('stg_practices') }} as practices on tracks.practice_id = practices.practice_id
left join reached using (scenario, practice_id, patient_id, month, track)
