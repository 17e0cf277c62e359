{{ config(meta={'keeps_last_night': true}) }}
-- Every member ever in a care team snapshot, with the facts of the last snapshot that had them. member_number: by which this night finds the member's
-- time; another night may give another. What their credential may do is asked on a day (rule_credentials). gone_on: the first later snapshot without them,
-- and without a row in quarantine that may be theirs (docs/adr/0040).
with last_rows as (
    select *
    from {{ ref('stg_care_team') }}
    qualify row_number() over (partition by practice_id, member_id order by extract_date desc) = 1
),

gone as (
    select
        last_rows.practice_id,
        last_rows.member_id,
        min(snapshots.extract_date) as gone_on
    from last_rows
    inner join (select distinct practice_id, extract_date from {{ ref('stg_care_team') }}) as snapshots
        on last_rows.practice_id = snapshots.practice_id and last_rows.extract_date < snapshots.extract_date
    left join {{ ref('int_members__unread') }} as unread
        on
            snapshots.practice_id = unread.practice_id
            and snapshots.extract_date = unread.extract_date
            and coalesce(unread.member_id = last_rows.member_id, true)
    where unread.practice_id is null
    group by last_rows.practice_id, last_rows.member_id
)

select
    last_rows.*,
    row_number() over (order by last_rows.practice_id, last_rows.member_id) as member_number,
    {{ is_valid_npi('last_rows.npi') }} as has_valid_npi,
    gone.gone_on
from last_rows
left join gone on last_rows.practice_id = gone.practice_id and last_rows.member_id = gone.member_id
