{{ config(severity='warn', meta={'dagster': {'ref': {'name': 'int_coverages__current'}}}) }}
-- Extracts that came to two practices have all of their time claimed twice: a close holds only what is claimed under its own tax id. A few people whom
-- practices share are nothing to tell of before both have claimed their month (claim_audit); a large part of a panel is (shared_panel). A practice that gets no
-- nights any more (shared_panel_nights) is not compared: its patients may have moved with it.
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
        {{ is_medicare('coverages.coverage_type') }}
        and {{ is_mbi('coverages.member_id') }}
        and practices.newest_night >= (select max(newest_night) from {{ ref('stg_practices') }}) - cast({{ office_limit('shared_panel_nights') }} as integer)
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
having 100 * count(shared.beneficiary) > {{ office_limit('shared_panel') }} * count(*)
