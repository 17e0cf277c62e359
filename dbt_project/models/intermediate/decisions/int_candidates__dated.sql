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

running as (
    select
        scenario,
        practice_id,
        patient_id,
        month,
        local_day,
        sum(credited_seconds) over sofar as credited_seconds,
        sum(practitioner_seconds) over sofar as practitioner_seconds
    from {{ ref('int_patient_days') }}
    window sofar as (partition by scenario, practice_id, patient_id, month order by local_day)
),

reached as (
    select
        tracks.scenario,
        tracks.practice_id,
        tracks.patient_id,
        tracks.month,
        tracks.track,
        min(running.local_day) as first_threshold_on,
        min(
            case
                when
                    case when tracks.seconds_basis = 'practitioner' then running.practitioner_seconds else running.credited_seconds end
                    >= tracks.threshold_seconds
                    then running.local_day
            end
        ) as threshold_on
    from tracks
    inner join running
        on
            tracks.scenario = running.scenario
            and tracks.practice_id = running.practice_id
            and tracks.patient_id = running.patient_id
            and tracks.month = running.month
            and case when tracks.seconds_basis = 'practitioner' then running.practitioner_seconds else running.credited_seconds end
            >= tracks.first_threshold_seconds
    where tracks.seconds_basis <> 'none'
    group by tracks.scenario, tracks.practice_id, tracks.patient_id, tracks.month, tracks.track
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
