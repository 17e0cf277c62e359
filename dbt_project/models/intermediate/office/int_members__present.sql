-- Members of the care team on the practice's newest night: who can still be asked to do something.
select
    members.practice_id,
    members.member_id
from {{ ref('int_members__current') }} as members
inner join {{ ref('stg_practices') }} as practices on members.practice_id = practices.practice_id
where
    members.gone_on is null
    and practices.newest_night between coalesce(members.active_from, date '0001-01-01') and coalesce(members.active_to, date '9999-12-31')
