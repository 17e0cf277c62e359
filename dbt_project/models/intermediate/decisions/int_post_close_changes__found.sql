-- Since when each post-close change could be seen: the first night after the close on which a table that tells of it says something else of the patient's
-- month than the close knew (int_post_close_changes__said). What is not compared there: services by the night since which they say what is against the claim,
-- practitioners by the one on which they had left the team.
with changes as (
    select
        practice_id,
        patient_id,
        month,
        claim_id,
        closed_as_of,
        reasons
    from {{ ref('int_post_close_changes') }}
),

said as (
    select *
    from {{ ref('int_post_close_changes__said') }}
),

known as (
    select
        practice_id,
        patient_id,
        month,
        table_name,
        said_of,
        max_by(content, extract_date) as content
    from said
    where extract_date <= closed_as_of
    group by practice_id, patient_id, month, table_name, said_of
),

-- A month that was paid twice: the day by which both were, whatever the payer has said of either since.
paid_twice as (
    select
        changes.practice_id,
        changes.patient_id,
        changes.month,
        greatest(answered.held_since, standing.held_since) as extract_date
    from changes
    inner join {{ ref('int_claims__answered') }} as standing on changes.claim_id = standing.claim_id
    inner join {{ ref('int_claims__history') }} as others
        on
            changes.practice_id = others.practice_id
            and changes.patient_id = others.patient_id
            and changes.month = others.month
            and changes.claim_id <> others.claim_id
            and others.status = 'paid'
    inner join {{ ref('int_claims__answered') }} as answered on others.claim_id = answered.claim_id
),

news as (
    select
        said.practice_id,
        said.patient_id,
        said.month,
        said.extract_date
    from said
    left join known
        on
            said.practice_id = known.practice_id
            and said.patient_id = known.patient_id
            and said.month = known.month
            and said.table_name = known.table_name
            and said.said_of = known.said_of
    where
        said.extract_date > said.closed_as_of
        and said.content <> coalesce(known.content, 0)
        and (said.may_come or coalesce(known.content, 0) <> 0)
    union all
    -- Of services of the month those that undo the claim, and no other: what its own system lists of the claim itself tells of nothing.
    select
        changes.practice_id,
        changes.patient_id,
        changes.month,
        services.listed_on as extract_date
    from changes
    inner join {{ ref('int_services__beside_claims') }} as services
        on
            changes.practice_id = services.practice_id
            and changes.patient_id = services.patient_id
            and changes.month = services.month
            and services.listed_on > changes.closed_as_of
            and list_contains(changes.reasons, services.finding)
    union all
    select
        changes.practice_id,
        changes.patient_id,
        changes.month,
        members.gone_on as extract_date
    from changes
    inner join said
        on
            changes.practice_id = said.practice_id
            and changes.patient_id = said.patient_id
            and changes.month = said.month
            and said.table_name = 'care_team'
    inner join {{ ref('int_members__current') }} as members
        on
            said.practice_id = members.practice_id
            and said.said_of = members.member_id
            and members.gone_on > changes.closed_as_of
    union all
    select
        practice_id,
        patient_id,
        month,
        extract_date
    from paid_twice
),

-- What no row explains (a rule, a setting) could be seen from the first night after the close.
later_nights as (
    select
        changes.practice_id,
        changes.patient_id,
        changes.month,
        min(files.extract_date) as extract_date
    from changes
    inner join {{ ref('stg_files') }} as files
        on changes.practice_id = files.practice_id and files.outcome = 'accepted' and files.extract_date > changes.closed_as_of
    group by changes.practice_id, changes.patient_id, changes.month
)

select
    changes.practice_id,
    changes.patient_id,
    changes.month,
    coalesce(min(news.extract_date), any_value(later_nights.extract_date), any_value(practices.newest_night)) as found_on
from changes
inner join {{ ref('stg_practices') }} as practices on changes.practice_id = practices.practice_id
left join news
    on changes.practice_id = news.practice_id and changes.patient_id = news.patient_id and changes.month = news.month
left join later_nights
    on
        changes.practice_id = later_nights.practice_id
        and changes.patient_id = later_nights.patient_id
        and changes.month = later_nights.month
group by changes.practice_id, changes.patient_id, changes.month
