-- Since when each post-close change could be seen: the first night after the close that brought another row of the patient in a table that tells of it
-- (int_post_close_changes__evidence). Time and services count by the night they landed, or what took their place; of a snapshot, the first one that says
-- something else than the one the close knew.
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

-- Snapshots that tell of a reason beside its own table; of a claim that nothing stands against, the team of whoever logged its time.
told_too as (
    select
        changes.practice_id,
        changes.patient_id,
        changes.month,
        rules.table_name
    from changes
    inner join {{ ref('rule_reason_snapshots') }} as rules on list_contains(changes.reasons, rules.reason)
    union
    select
        practice_id,
        patient_id,
        month,
        'time_team' as table_name
    from changes
    where len(reasons) = 0
),

evidence_of_snapshots as (
    select practice_id, patient_id, month, table_name, table_name as file_of
    from {{ ref('int_post_close_changes__evidence') }}
    union
    select
        practice_id,
        patient_id,
        month,
        table_name,
        case when table_name in ('time_team', 'visit_team') then 'care_team' else table_name end as file_of
    from told_too
),

-- Entries and services that were the patient's, with the first night that said so: a later row may give them to somebody else, or to another month.
logged as (
    select
        changes.practice_id,
        changes.patient_id,
        changes.month,
        changes.closed_as_of,
        entries.entry_number,
        entries.entry_id,
        entries.member_id,
        entries.local_day,
        entries.start_at,
        entries.end_at,
        entries.extract_date
    from changes
    inner join {{ ref('stg_time_entries') }} as entries
        on
            changes.practice_id = entries.practice_id
            and changes.patient_id = entries.patient_id
            and coalesce(entries.started_at, entries.ended_at, entries.recorded_at) >= changes.month - interval 1 day
            and coalesce(entries.started_at, entries.ended_at, entries.recorded_at) < changes.month + interval 1 month + interval 2 day
),

entries as (
    select
        practice_id,
        patient_id,
        month,
        closed_as_of,
        entry_number,
        entry_id,
        min(extract_date) as told_on
    from logged
    group by practice_id, patient_id, month, closed_as_of, entry_number, entry_id
),

-- Who was with somebody else while they were with the patient was with neither, and no row of the patient says so; nor that they were not, after all.
-- Time that lasts for more than a day counts for nothing, so that what runs at once lies on one day, or on two that follow each other.
beside as (
    select
        logged.practice_id,
        logged.patient_id,
        logged.month,
        logged.closed_as_of,
        others.entry_number,
        others.entry_id,
        min(others.extract_date) as told_on
    from logged
    cross join (values (-1), (0), (1)) as days (days_later)
    inner join {{ ref('stg_time_entries') }} as others
        on
            logged.practice_id = others.practice_id
            and logged.member_id = others.member_id
            and logged.local_day + cast(days.days_later as integer) = others.local_day
            and logged.start_at < others.end_at
            and logged.end_at > others.start_at
            and logged.patient_id <> others.patient_id
            and logged.entry_id <> others.entry_id
    where not others.voided
    group by logged.practice_id, logged.patient_id, logged.month, logged.closed_as_of, others.entry_number, others.entry_id
),

-- Of the initiating visit. Of other minutes, codes or days what the close took for one, from which on time counts, or by which one counts; and what may be
-- an earlier one, which makes no time too little.
services as (
    select
        changes.practice_id,
        changes.patient_id,
        changes.month,
        changes.closed_as_of,
        case when list_contains(changes.reasons, 'no_initiating_visit') then 'services' else 'time_entries' end as table_name,
        services.service_id,
        min(services.extract_date) as told_on
    from changes
    inner join {{ ref('stg_services') }} as services
        on
            changes.practice_id = services.practice_id
            and changes.patient_id = services.patient_id
            and services.service_date < changes.month + interval 1 month
    left join (select distinct procedure_code from {{ ref('rule_initiating_visits') }}) as visits
        on services.procedure_code = visits.procedure_code
    where
        list_contains(changes.reasons, 'no_initiating_visit')
        or (
            (len(changes.reasons) = 0 or list_contains(changes.reasons, 'below_threshold'))
            and (services.service_date < changes.month or visits.procedure_code is not null)
        )
    group by changes.practice_id, changes.patient_id, changes.month, changes.closed_as_of, changes.reasons, services.service_id
    having
        list_contains(changes.reasons, 'no_initiating_visit')
        or min(services.extract_date) <= changes.closed_as_of
        or (len(changes.reasons) = 0 and bool_or(visits.procedure_code is not null))
),

landed as (
    select
        entries.practice_id,
        entries.patient_id,
        entries.month,
        'time_entries' as table_name,
        versions.extract_date
    from entries
    inner join {{ ref('stg_time_entries') }} as versions
        on
            entries.entry_number = versions.entry_number
            and entries.practice_id = versions.practice_id
            and entries.entry_id = versions.entry_id
            and entries.told_on <= versions.extract_date
            and entries.closed_as_of < versions.extract_date
    union all
    select
        beside.practice_id,
        beside.patient_id,
        beside.month,
        'time_entries' as table_name,
        versions.extract_date
    from beside
    inner join {{ ref('stg_time_entries') }} as versions
        on
            beside.entry_number = versions.entry_number
            and beside.practice_id = versions.practice_id
            and beside.entry_id = versions.entry_id
            and beside.told_on <= versions.extract_date
            and beside.closed_as_of < versions.extract_date
    union all
    select
        services.practice_id,
        services.patient_id,
        services.month,
        services.table_name,
        versions.extract_date
    from services
    inner join {{ ref('stg_services') }} as versions
        on
            services.practice_id = versions.practice_id
            and services.service_id = versions.service_id
            and services.told_on <= versions.extract_date
            and services.closed_as_of < versions.extract_date
    union all
    -- Of services of the month those that undo the claim, and no other: what its own system lists of the claim itself tells of nothing.
    select
        changes.practice_id,
        changes.patient_id,
        changes.month,
        'services' as table_name,
        services.listed_on
    from changes
    inner join {{ ref('int_services__beside_claims') }} as services
        on
            changes.practice_id = services.practice_id
            and changes.patient_id = services.patient_id
            and changes.month = services.month
            and services.listed_on > changes.closed_as_of
            and list_contains(changes.reasons, services.finding)
    union all
    -- A payer speaks of deaths and hospice days, too.
    select
        changes.practice_id,
        changes.patient_id,
        changes.month,
        tables.table_name,
        answers.answered_on
    from changes
    inner join {{ ref('int_coverage_answers') }} as answers
        on
            changes.practice_id = answers.practice_id
            and changes.patient_id = answers.patient_id
            and answers.answered_on > changes.closed_as_of
    cross join (values ('coverages'), ('patients'), ('stays')) as tables (table_name)
),

-- A month that was paid twice: the day by which both were.
paid_twice as (
    select
        changes.practice_id,
        changes.patient_id,
        changes.month,
        greatest(others.answered_on, standing.answered_on) as extract_date
    from changes
    inner join {{ ref('int_claims__history') }} as standing on changes.claim_id = standing.claim_id
    inner join {{ ref('int_claims__history') }} as others
        on
            changes.practice_id = others.practice_id
            and changes.patient_id = others.patient_id
            and changes.month = others.month
            and changes.claim_id <> others.claim_id
            and others.status = 'paid'
),

-- Of whom the care team's rows tell: of the billing practitioner; of whoever logged time of the month; and of whoever saw the patient, as whose visits count
-- goes by their taxonomy and the practitioner's.
members as (
    select distinct
        patients.practice_id,
        patients.patient_id,
        cast(null as date) as month,
        tables.table_name,
        patients.billing_practitioner_id as member_id
    from {{ ref('stg_patients') }} as patients
    semi join changes on patients.practice_id = changes.practice_id and patients.patient_id = changes.patient_id
    cross join (values ('care_team'), ('visit_team')) as tables (table_name)
    union
    select
        services.practice_id,
        services.patient_id,
        cast(null as date) as month,
        'visit_team' as table_name,
        services.member_id
    from {{ ref('stg_services') }} as services
    semi join changes on services.practice_id = changes.practice_id and services.patient_id = changes.patient_id
    union
    select
        practice_id,
        patient_id,
        month,
        'time_team' as table_name,
        member_id
    from logged
),

{% set snapshots = {
    'patients': 'facts.billing_practitioner_id, facts.deceased_date',
    'coverages': 'facts.coverage_type, facts.priority, facts.effective_date, facts.termination_date',
    'conditions': 'facts.condition_id, facts.icd10_code, facts.clinical_status, facts.onset_date, facts.recorded_date, facts.resolved_date',
    'consents': 'facts.consent_id, facts.program, facts.consented_on, facts.documented, facts.billing_practitioner_id, facts.revoked_on',
    'care_plans': 'facts.care_plan_id, facts.established_on',
    'assessments': 'facts.assessment_id, facts.assessed_on, facts.mdm_level, facts.member_id',
    'stays': 'facts.stay_id, facts.stay_type, facts.admitted_on, facts.discharged_on'
} %}
said as (
    {% for table, columns in snapshots.items() %}
    select
        facts.practice_id,
        facts.patient_id,
        cast(null as date) as month,
        '{{ table }}' as table_name,
        facts.extract_date,
        sum(hash({{ columns }})) as content
    from {{ ref('stg_' ~ table) }} as facts
    inner join (select distinct practice_id, patient_id from changes) as patients
        on facts.practice_id = patients.practice_id and facts.patient_id = patients.patient_id
    group by facts.practice_id, facts.patient_id, facts.extract_date
    union all
    {% endfor %}
    select
        team.practice_id,
        members.patient_id,
        members.month,
        members.table_name,
        team.extract_date,
        sum(
            case members.table_name
                when 'visit_team' then hash(team.member_id, team.taxonomy_code)
                else hash(team.member_id, team.credential, team.npi, team.taxonomy_code, team.active_from, team.active_to)
            end
        ) as content
    from {{ ref('stg_care_team') }} as team
    inner join members on team.practice_id = members.practice_id and team.member_id = members.member_id
    group by team.practice_id, members.patient_id, members.month, members.table_name, team.extract_date
),

-- Every snapshot of those tables, also the ones that say nothing of the patient.
snapshots as (
    select
        changes.practice_id,
        changes.patient_id,
        changes.month,
        changes.closed_as_of,
        evidence.table_name,
        files.extract_date,
        coalesce(said.content, 0) as content
    from changes
    inner join evidence_of_snapshots as evidence using (practice_id, patient_id, month)
    inner join {{ ref('stg_files') }} as files
        on
            changes.practice_id = files.practice_id
            and files.is_in_force
            and files.table_name in ('patients', 'coverages', 'conditions', 'consents', 'care_plans', 'assessments', 'stays', 'care_team')
            and files.table_name = evidence.file_of
    left join said
        on
            changes.practice_id = said.practice_id
            and changes.patient_id = said.patient_id
            and changes.month = coalesce(said.month, changes.month)
            and evidence.table_name = said.table_name
            and files.extract_date = said.extract_date
),

known as (
    select
        practice_id,
        patient_id,
        month,
        table_name,
        max_by(content, extract_date) as content
    from snapshots
    where extract_date <= closed_as_of
    group by practice_id, patient_id, month, table_name
),

news as (
    select
        practice_id,
        patient_id,
        month,
        extract_date
    from landed
    semi join {{ ref('int_post_close_changes__evidence') }} using (practice_id, patient_id, month, table_name)
    union all
    select
        practice_id,
        patient_id,
        month,
        extract_date
    from paid_twice
    union all
    select
        snapshots.practice_id,
        snapshots.patient_id,
        snapshots.month,
        snapshots.extract_date
    from snapshots
    left join known
        on
            snapshots.practice_id = known.practice_id
            and snapshots.patient_id = known.patient_id
            and snapshots.month = known.month
            and snapshots.table_name = known.table_name
    where snapshots.extract_date > snapshots.closed_as_of and snapshots.content <> coalesce(known.content, 0)
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
