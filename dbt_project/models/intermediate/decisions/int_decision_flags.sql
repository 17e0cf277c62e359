{{ config(meta={'touched_by': 'patient_months'}) }}
-- The flags of a patient-month (interface.md section 5; rules.md A2, A3, A5, A6, A7).
with ledger as (
    select
        ledger.practice_id,
        ledger.patient_id,
        ledger.month,
        ledger.disposition,
        dispositions.flag,
        sum(ledger.seconds) as seconds
    from {{ ref('minute_ledger') }} as ledger
    inner join {{ ref('rule_dispositions') }} as dispositions on ledger.disposition = dispositions.disposition
    where dispositions.flag is not null
    group by ledger.practice_id, ledger.patient_id, ledger.month, ledger.disposition, dispositions.flag
),

basis as (
    select * from {{ ref('int_patient_months__basis') }}
),

minutes as (
    select * from {{ ref('int_patient_months__minutes') }}
    where scenario = 'actual'
),

-- Entries that may say something of a month in which they are credited: those without a clock, on two days, or written down when the first of their
-- months may have been over. No clock is more than 14 hours ahead of UTC: the zone is looked up only for these.
noted as (
    select
        practice_id,
        entry_id,
        recorded_at,
        has_clock_times,
        {{ month_of('last_local_day') }} <> {{ month_of('local_day') }} as is_split
    from {{ judged_entries() }}
    where
        case
            when not is_current then false
            when not has_clock_times or is_cut then true
            else coalesce(recorded_at >= {{ month_of('local_day') }} + interval 1 month - interval 14 hour, false)
        end
),

-- Those with credited seconds in the month.
credited as (
    select
        ledger.practice_id,
        ledger.patient_id,
        ledger.month,
        noted.has_clock_times,
        case
            when noted.recorded_at >= ledger.month + interval 1 month - interval 14 hour
                then {{ month_of(local_time('noted.recorded_at', 'practices.time_zone')) }} > ledger.month
            else false
        end as is_late,
        noted.is_split
    from {{ ref('minute_ledger') }} as ledger
    inner join noted on ledger.practice_id = noted.practice_id and ledger.entry_id = noted.entry_id
    inner join {{ ref('stg_practices') }} as practices on ledger.practice_id = practices.practice_id
    where ledger.disposition = 'credited' and ledger.seconds > 0
),

flags as (
    select practice_id, patient_id, month, flag
    from ledger
    where seconds > 0 or disposition = 'open_timer'
    union all
    select basis.practice_id, basis.patient_id, basis.month, 'near_threshold'
    from basis
    inner join minutes using (practice_id, patient_id, month)
    where
        basis.program = {{ chronic_care() }}
        and minutes.credited_seconds >= {{ limit('near_threshold_from', 'basis.month_end') }} * 60
        and minutes.credited_seconds < {{ limit('near_threshold_to', 'basis.month_end') }} * 60
    union all
    select practice_id, patient_id, month, 'units_capped'
    from {{ ref('int_decisions') }}
    where track is not null and is_capped
    union all
    select basis.practice_id, basis.patient_id, basis.month, 'complex_below_60'
    from basis
    inner join minutes using (practice_id, patient_id, month)
    where
        basis.program = {{ chronic_care() }}
        and basis.has_complex_mdm
        and minutes.credited_seconds < {{ limit('complex_first_unit', 'basis.month_end') }} * 60
    union all
    select practice_id, patient_id, month, 'late_entry'
    from credited
    where is_late
    union all
    select practice_id, patient_id, month, 'month_split'
    from credited
    where is_split
    union all
    select practice_id, patient_id, month, 'no_clock_times'
    from credited
    where not has_clock_times
    union all
    select practice_id, patient_id, month, 'cloned_note'
    from {{ ref('int_notes__cloned') }}
    union all
    select practice_id, patient_id, month, 'revoked_this_month'
    from basis
    where revoked_on between month and month_end
    union all
    select practice_id, patient_id, month, 'facility_review'
    from basis
    where review_days <> 0
    union all
    select practice_id, patient_id, month, 'qmb_no_cost_share'
    from basis
    where has_qmb
    union all
    select practice_id, patient_id, month, finding
    from {{ ref('int_service_findings') }}
    where kind = 'flag'
    union all
    select practice_id, patient_id, month, 'initiating_visit_by_colleague'
    from basis
    where is_initiated_by_colleague
    union all
    select practice_id, patient_id, month, 'consent_other_practitioner'
    from basis
    where consent_practitioner_id <> billing_practitioner_id
)

select
    practice_id,
    patient_id,
    month,
    list_sort(list(distinct flag)) as flags
from flags
group by practice_id, patient_id, month
