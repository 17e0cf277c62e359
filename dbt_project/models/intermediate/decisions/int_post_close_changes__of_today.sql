-- Post-close changes that rest on facts of the panel and the care team that have no day (ADR 40): whose every reason the panel says as of now, or goes by
-- who bills and who logged the time (without a reason: other minutes, codes or days), where one of these is another than when the claim went out.
-- said: who, as of the close's night and now, null where nobody is another.
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

against as (
    select
        changes.practice_id,
        changes.claim_id,
        bool_and(rules.is_of_today) as are_of_today,
        bool_and(rules.is_of_today or conflicts.finding is not null or changes.reason = 'below_threshold') as are_by_members,
        bool_or(conflicts.finding is not null) as has_conflict
    from (
        select
            practice_id,
            claim_id,
            unnest(reasons) as reason
        from changes
    ) as changes
    inner join {{ ref('rule_decision_reasons') }} as rules on changes.reason = rules.reason
    left join (
        select distinct finding from {{ ref('rule_conflicts') }} where kind = 'reason' and billed_by = 'billing_practitioner'
    ) as conflicts on changes.reason = conflicts.finding
    group by changes.practice_id, changes.claim_id
),

panel_then as (
    select
        changes.practice_id,
        changes.patient_id,
        changes.claim_id,
        patients.billing_practitioner_id
    from changes
    inner join {{ ref('stg_patients') }} as patients
        on
            changes.practice_id = patients.practice_id
            and changes.patient_id = patients.patient_id
            and patients.extract_date <= changes.closed_as_of
    qualify row_number() over (partition by changes.practice_id, changes.claim_id order by patients.extract_date desc) = 1
),

team as (
    select
        practice_id,
        member_id,
        extract_date,
        credential,
        active_from,
        active_to,
        concat_ws(
            ' ', credential, 'from ' || strftime(active_from, '%Y-%m-%d'), 'to ' || strftime(active_to, '%Y-%m-%d')
        ) as said
    from {{ ref('stg_care_team') }}
    where practice_id in (select changes.practice_id from changes)
),

team_now as (
    select *
    from team
    qualify row_number() over (partition by practice_id, member_id order by extract_date desc) = 1
),

team_then as (
    select
        nights.closed_as_of,
        team.*
    from (select distinct practice_id, closed_as_of from changes) as nights
    inner join team on nights.practice_id = team.practice_id and team.extract_date <= nights.closed_as_of
    qualify row_number() over (partition by nights.practice_id, nights.closed_as_of, team.member_id order by team.extract_date desc) = 1
),

-- Who logged time of the month, on the first of its days that an entry lies on.
logged as (
    select distinct
        changes.practice_id,
        changes.claim_id,
        changes.closed_as_of,
        entries.member_id,
        greatest(entries.local_day, changes.month) as local_day
    from changes
    inner join {{ ref('stg_time_entries') }} as entries
        on
            changes.practice_id = entries.practice_id
            and changes.patient_id = entries.patient_id
            and entries.is_current
            and entries.local_day <= last_day(changes.month)
            and entries.last_local_day >= changes.month
),

others as (
    select
        panel_then.practice_id,
        panel_then.claim_id,
        true as is_practitioner,
        'billing practitioner ' || coalesce(panel_then.billing_practitioner_id, 'nobody') || ' -> ' || coalesce(patients.billing_practitioner_id, 'nobody') as said
    from panel_then
    inner join {{ ref('int_patients__current') }} as patients
        on panel_then.practice_id = patients.practice_id and panel_then.patient_id = patients.patient_id
    where panel_then.billing_practitioner_id is distinct from patients.billing_practitioner_id
    union
    select
        logged.practice_id,
        logged.claim_id,
        false as is_practitioner,
        logged.member_id || ' ' || coalesce(team_then.said, 'not in the care team') || ' -> ' || team_now.said as said
    from logged
    inner join team_now on logged.practice_id = team_now.practice_id and logged.member_id = team_now.member_id
    left join team_then
        on
            logged.practice_id = team_then.practice_id
            and logged.closed_as_of = team_then.closed_as_of
            and logged.member_id = team_then.member_id
    left join {{ ref('rule_credentials') }} as credentials_now
        on team_now.credential = credentials_now.credential and {{ in_force('credentials_now', 'logged.local_day') }}
    left join {{ ref('rule_credentials') }} as credentials_then
        on team_then.credential = credentials_then.credential and {{ in_force('credentials_then', 'logged.local_day') }}
    -- Another credential of the same role, or dates that leave the day in, changes nothing.
    where
        team_then.member_id is null
        or coalesce(credentials_then.role, 'not_counted') <> coalesce(credentials_now.role, 'not_counted')
        or (logged.local_day between coalesce(team_then.active_from, logged.local_day) and coalesce(team_then.active_to, logged.local_day))
        <> (logged.local_day between coalesce(team_now.active_from, logged.local_day) and coalesce(team_now.active_to, logged.local_day))
),

told as (
    select
        practice_id,
        claim_id,
        bool_or(is_practitioner) as has_other_practitioner,
        array_to_string(list_sort(list(said)), ', ') as said
    from others
    group by practice_id, claim_id
)

select
    changes.practice_id,
    changes.claim_id,
    told.said
from changes
left join against on changes.practice_id = against.practice_id and changes.claim_id = against.claim_id
left join told on changes.practice_id = told.practice_id and changes.claim_id = told.claim_id
where
    coalesce(against.are_of_today, false)
    -- A colleague's bill is against the claim only where the panel names the colleague now.
    or (told.said is not null and coalesce(against.are_by_members, true) and (told.has_other_practitioner or not coalesce(against.has_conflict, false)))
