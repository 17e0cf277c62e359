{{ config(severity='warn', meta={'dagster': {'ref': {'name': 'int_coverages__current'}}}) }}
-- Extracts that came to two practices have all of their time claimed twice: a close holds only what is claimed under its own tax id. A few people whom
-- practices share are nothing to tell of before both have claimed their month (claim_audit); more than half of a panel is. A practice that gets no nights any
-- more is not compared: its patients may have moved with it.
with listed as (
    select distinct
        coverages.practice_id,
        practices.tax_id,
        {{ beneficiary_key('coverages.member_id') }} as beneficiary
    from {{ ref('int_coverages__current') }} as coverages
    inner join {{ ref('int_patients__current') }} as patients
        on coverages.practice_id = patients.practice_id and coverages.patient_id = patients.patient_id and patients.is_on_panel
    inner join {{ ref('stg_practices') }} as practices on coverages.practice_id = practices.practice_id
    where
        coverages.coverage_type like 'medicare\_%' escape '\'
        and {{ is_mbi('coverages.member_id') }}
        and practices.newest_night >= (select max(newest_night) from {{ ref('stg_practices') }}) - 31
),

shared as (
    select beneficiary
    from listed
    group by beneficiary
    having min(tax_id) <> max(tax_id)
)

select listed.practice_id
from listed
left join shared on listed.beneficiary = shared.beneficiary
group by listed.practice_id
having 2 * count(shared.beneficiary) > count(*)
