-- Members of whom the care team says something else than the night before: which row says so does not matter, nor that they left (touched_patients).
select
    practice_id,
    member_id
from (
    select
        members.practice_id,
        members.member_id,
        hash(members) as facts
    from (select * exclude (file_id, line_number, extract_date, member_number, gone_on) from {{ ref('int_members__current') }}) as members
) as now
full outer join (
    select
        members.practice_id,
        members.member_id,
        hash(members) as facts
    from (select * exclude (file_id, line_number, extract_date, member_number, gone_on) from {{ before('int_members__current') }}) as members
) as known using (practice_id, member_id)
where now.facts is distinct from known.facts
