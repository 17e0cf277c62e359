{{ config(meta={'touched_by': 'patient_months'}) }}
-- Notes of entries with credited seconds in the month, each by its number, and how many of the patient-month's entries share it.
select
    ledger.practice_id,
    ledger.patient_id,
    ledger.month,
    screened.note_number,
    count(*) as entries
from {{ ref('minute_ledger') }} as ledger
inner join {{ ref('int_time_entries__screened') }} as screened
    on ledger.practice_id = screened.practice_id and ledger.entry_id = screened.entry_id
where ledger.disposition = 'credited' and ledger.seconds > 0 and screened.note_number is not null
group by ledger.practice_id, ledger.patient_id, ledger.month, screened.note_number
