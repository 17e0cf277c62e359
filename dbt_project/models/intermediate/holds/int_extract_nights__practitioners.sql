-- On each night with a panel or a care team file in force: the patients of the panel that stands by then, and those whose billing practitioner may bill by the
-- care team that does: is in it with a credential that bills and a valid NPI (is known to), or is not in it, but may be a row of it that is in quarantine.
-- table_name: the file that came, the care team's where both did; content: of both that stand.
with landed as (
    select
        practice_id,
        extract_date,
        max(case when table_name = 'patients' then extract_date end) as patients_night,
        max(case when table_name = 'care_team' then extract_date end) as team_night
    from {{ ref('int_extract_nights') }}
    where table_name in ('patients', 'care_team')
    group by practice_id, extract_date
),

standing as (
    select
        practice_id,
        extract_date,
        case when team_night is null then 'patients' else 'care_team' end as table_name,
        max(extract_date) over (partition by practice_id) as newest_file_night,
        max(patients_night) over by_then as patients_night,
        max(team_night) over by_then as team_night
    from landed
    window by_then as (partition by practice_id order by extract_date rows between unbounded preceding and current row)
),

files as (
    select
        standing.practice_id,
        standing.table_name,
        standing.extract_date,
        standing.newest_file_night,
        panels.file_id as panel_file_id,
        teams.file_id as team_file_id,
        sha256(concat_ws(chr(31), panels.sha256, teams.sha256)) as content
    from standing
    inner join {{ ref('int_extract_nights') }} as panels
        on standing.practice_id = panels.practice_id and standing.patients_night = panels.extract_date and panels.table_name = 'patients'
    inner join {{ ref('int_extract_nights') }} as teams
        on standing.practice_id = teams.practice_id and standing.team_night = teams.extract_date and teams.table_name = 'care_team'
),

-- Who stands in a care team of which a row is in quarantine: nothing of that row is said of them.
read_members as (
    select
        team.file_id,
        team.member_id
    from {{ ref('stg_care_team') }} as team
    semi join {{ ref('int_members__unread') }} as unread on team.file_id = unread.file_id
),

unread_members as (
    select distinct
        file_id,
        member_id
    from {{ ref('int_members__unread') }}
    where member_id is not null
),

unread_files as (
    select distinct file_id
    from {{ ref('int_members__unread') }}
    where member_id is null
)

select
    files.practice_id,
    files.table_name,
    files.extract_date,
    true as is_snapshot,
    files.newest_file_night,
    files.content,
    sum(practitioners.patients) as patients,
    coalesce(sum(practitioners.patients) filter (where billers.has_valid_npi), 0) as patients_known_to_be_billed,
    coalesce(sum(practitioners.patients) filter (
        where case
            when billers.member_id is not null then billers.has_valid_npi
            else read_members.member_id is null and (unread_members.member_id is not null or unread_files.file_id is not null)
        end
    ), 0) as patients_who_may_be_billed
from files
inner join {{ ref('int_files__practitioners') }} as practitioners on files.panel_file_id = practitioners.file_id
left join {{ ref('int_files__billers') }} as billers
    on files.team_file_id = billers.file_id and practitioners.billing_practitioner_id = billers.member_id
left join read_members
    on files.team_file_id = read_members.file_id and practitioners.billing_practitioner_id = read_members.member_id
left join unread_members
    on files.team_file_id = unread_members.file_id and practitioners.billing_practitioner_id = unread_members.member_id
left join unread_files on files.team_file_id = unread_files.file_id
group by all
