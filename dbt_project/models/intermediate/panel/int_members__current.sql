{{ config(meta={'keeps_last_night': true}) }}
-- Every member ever in a care team snapshot, with the facts of the last snapshot that had them, and what their credential may do. member_number: by which
-- this night finds the member's time; another night may give another.
with last_rows as (
    select *
    from {{ ref('stg_care_team') }}
    qualify row_number() over (partition by practice_id, member_id order by extract_date desc) = 1
)

select
    last_rows.*,
    row_number() over (order by last_rows.practice_id, last_rows.member_id) as member_number,
    coalesce(credentials.role, 'not_counted') as role,
    coalesce(credentials.may_bill, false) as may_bill,
    credentials.payment_share,
    {{ is_valid_npi('last_rows.npi') }} as has_valid_npi
from last_rows
left join {{ ref('rule_credentials') }} as credentials on last_rows.credential = credentials.credential
