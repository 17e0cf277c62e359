{{ config(meta={'keeps_last_night': true}) }}
-- The claim of each patient-month that stands: one that was paid, else the newest that was not turned back, else the newest.
select *
from {{ ref('int_claims__history') }}
qualify
    row_number() over (
        partition by practice_id, patient_id, month
        order by case status when 'paid' then 0 when 'rejected' then 2 else 1 end, close_version desc, claim_id
    ) = 1
