{{ config(meta={'touched_by': 'patient_months', 'dagster': {'ref': {'name': 'patient_month_minutes'}}}) }}
-- Two ways to the same number: the ledger credits slice by slice, the patient-month is a union of intervals.
with ledger as (
    select
        practice_id,
        patient_id,
        month,
        sum(seconds) as seconds
    from {{ ref('minute_ledger') }}
    where disposition = 'credited'
    group by practice_id, patient_id, month
)

select
    minutes.practice_id,
    minutes.patient_id,
    minutes.month
from {{ ref('patient_month_minutes') }} as minutes
left join ledger using (practice_id, patient_id, month)
where coalesce(ledger.seconds, 0) <> minutes.credited_seconds
