-- What each night says of what may lie behind a post-close change, by table (int_post_close_changes__evidence, rule_reason_snapshots) and by what it is said of:
-- `content` is what a rule reads of it, as far as it is about the claimed month, 0 where it says nothing of that. A row that is sent again says the same.
-- may_come: tells of the change also where the close knew nothing of it.
-- What has a key (time, services, patients, members, a payer's answers) holds until another row says otherwise; who is in no snapshot any more is who they were.
-- Of the others the snapshot is compared as a whole (said_of: snapshot), on the first night on which the panel had the patient.
{%- set keys = ['practice_id', 'patient_id', 'month', 'closed_as_of'] %}
{%- set newest = '(versions.updated_at, versions.extract_date, versions.line_number)' %}
{%- set month_days = day_mask('changes.month', 'changes.month_end', 'changes.month') %}
with changes as (
    select
        changes.practice_id,
        changes.patient_id,
        changes.month,
        {{ month_end('changes.month') }} as month_end,
        changes.closed_as_of,
        len(changes.reasons) = 0 as has_no_reason,
        list_contains(changes.reasons, 'no_initiating_visit') as is_of_visit,
        len(changes.reasons) = 0 or list_contains(changes.reasons, 'below_threshold') as is_of_time,
        -- A level of APCM: by the conditions, and by QMB.
        len(changes.reasons) = 0 and levels.table_name is not null as is_of_level,
        changes.reasons
    from {{ ref('int_post_close_changes') }} as changes
    left join {{ ref('int_post_close_changes__evidence') }} as levels
        on
            changes.practice_id = levels.practice_id
            and changes.patient_id = levels.patient_id
            and changes.month = levels.month
            and levels.table_name = 'conditions'
),

-- Of a claim that nothing stands against, also the team of whoever logged its time, and who bills for the patient.
evidence as (
    select
        practice_id,
        patient_id,
        month,
        table_name
    from {{ ref('int_post_close_changes__evidence') }}
    union
    select
        changes.practice_id,
        changes.patient_id,
        changes.month,
        rules.table_name
    from changes
    inner join {{ ref('rule_reason_snapshots') }} as rules on list_contains(changes.reasons, rules.reason)
    union
    select
        changes.practice_id,
        changes.patient_id,
        changes.month,
        tables.table_name
    from changes
    cross join (values ('time_team'), ('practitioners')) as tables (table_name)
    where changes.has_no_reason
),

-- Rows by which an entry was the patient's and of the month: a later row may give it to somebody else, or to another month.
logged as (
    select
        {% for key in keys %}changes.{{ key }},
        {% endfor -%}
        entries.file_id,
        entries.line_number,
        entries.entry_number,
        entries.entry_id,
        entries.member_id,
        entries.local_day,
        entries.start_at,
        entries.end_at
    from changes
    inner join {{ ref('stg_time_entries') }} as entries
        on
            changes.practice_id = entries.practice_id
            and changes.patient_id = entries.patient_id
            and entries.local_day <= changes.month_end
            and entries.last_local_day >= changes.month
    where changes.is_of_time and not entries.voided
),

-- Who was with somebody else while they were with the patient was with neither, and no row of the patient says so; nor that they were not, after all.
-- Time that lasts for more than a day counts for nothing, so that what runs at once lies on one day, or on two that follow each other.
beside as (
    select distinct
        {% for key in keys %}logged.{{ key }},
        {% endfor -%}
        others.file_id,
        others.line_number,
        others.entry_number,
        others.entry_id
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
),

services as (
    select distinct
        {% for key in keys %}changes.{{ key }},
        {% endfor -%}
        changes.month_end,
        changes.is_of_visit,
        changes.has_no_reason,
        services.service_id
    from changes
    inner join {{ ref('stg_services') }} as services
        on changes.practice_id = services.practice_id and changes.patient_id = services.patient_id
    where changes.is_of_time or changes.is_of_visit
),

-- Whom the panel has named as billing practitioner since the close, or last before it.
named as (
    select distinct
        {% for key in keys %}{{ key }},
        {% endfor -%}
        month_end,
        member_id
    from (
        select
            {% for key in keys %}changes.{{ key }},
            {% endfor -%}
            changes.month_end,
            patients.billing_practitioner_id as member_id,
            lead(patients.extract_date) over (
                partition by changes.practice_id, changes.patient_id, changes.month order by patients.extract_date
            ) as named_until
        from changes
        inner join {{ ref('stg_patients') }} as patients
            on changes.practice_id = patients.practice_id and changes.patient_id = patients.patient_id
    )
    where coalesce(named_until > closed_as_of, true)
),

-- Visits that the close knew, by who saw the patient, and others who have billed for them: as a colleague's they count by the taxonomies of both.
colleagues as (
    select
        {% for key in keys %}named.{{ key }},
        {% endfor -%}
        services.member_id,
        named.member_id as practitioner_id
    from named
    inner join {{ ref('stg_services') }} as services
        on
            named.practice_id = services.practice_id
            and named.patient_id = services.patient_id
            and named.member_id <> services.member_id
            and named.month_end >= services.service_date
            and named.closed_as_of >= services.extract_date
    inner join {{ ref('rule_initiating_visits') }} as visits on services.procedure_code = visits.procedure_code
    where services.billed_by = 'own_practice'
),

members as (
    select
        * exclude (month_end),
        'care_team' as table_name
    from named
    union
    select
        {% for key in keys %}{{ key }},
        {% endfor -%}
        member_id,
        'time_team' as table_name
    from logged
    union
    select
        * exclude (practitioner_id),
        'visit_team' as table_name
    from colleagues
    union
    select
        * exclude (member_id),
        'visit_team' as table_name
    from colleagues
),

-- What payers' answers say against days of the month, and the newest answer so far that was whole: it replaces all before it (int_coverage_answers,
-- int_coverage_answers__days).
statements as (
    select
        *,
        case
            when meaning = 'deceased' then case when days_until <> month_days then hash(meaning, days_until) end
            when meaning = 'part_b' and is_covered then case when is_dated and days <> month_days then hash(meaning, is_covered, days) end
            when meaning = 'part_b' or (is_covered and (meaning in ('medicare_advantage', 'hospice', 'other_primary') or (meaning = 'qmb' and is_of_level)))
                then case when days <> 0 then hash(meaning, is_covered, days) end
        end as content,
        case meaning when 'deceased' then 'patients' when 'hospice' then 'stays' else 'coverages' end as table_name,
        max(case when is_whole then answered_on end) over (
            partition by practice_id, patient_id, month order by answered_on
        ) as whole_on
    from (
        select
            {% for key in keys %}changes.{{ key }},
            {% endfor -%}
            answers.answered_on,
            changes.is_of_level,
            answers.meaning,
            answers.is_covered,
            answers.starts_on is not null or answers.ends_on is not null as is_dated,
            {{ day_mask(
                'coalesce(answers.starts_on, case when answers.is_covered then changes.month else answers.answered_on end)', 'answers.ends_on', 'changes.month'
            ) }} as days,
            {{ day_mask('changes.month', 'answers.starts_on', 'changes.month') }} as days_until,
            {{ month_days }} as month_days,
            bool_or(answers.meaning in ('part_a', 'part_b')) over (
                partition by changes.practice_id, changes.patient_id, changes.month, answers.transaction_id, answers.subscriber_position
            ) as is_whole
        from changes
        inner join {{ ref('int_coverage_answers__matched') }} as answers
            on changes.practice_id = answers.practice_id and changes.patient_id = answers.patient_id
        where answers.meaning is not null
    )
),

answered as (
    select distinct
        {% for key in keys %}{{ key }},
        {% endfor -%}
        answered_on,
        whole_on
    from statements
),

said_of_keys as (
    {%- for rows in ('logged', 'beside') %}
    select
        {% for key in keys %}entries.{{ key }},
        {% endfor -%}
        'time_entries' as table_name,
        '{{ rows }} ' || entries.entry_id as said_of,
        versions.extract_date,
        max_by(
            case
                when {{ rows }}.entry_id is null then 0
                {%- if rows == 'beside' %}
                else hash(versions.member_id, versions.start_at, versions.end_at)
                {%- else %}
                else
                    hash(
                        versions.member_id, versions.start_at, versions.end_at, versions.elapsed_seconds, versions.local_day, versions.program,
                        versions.activity, versions.face_to_face, versions.is_documented
                    )
                {%- endif %}
            end,
            {{ newest }}
        ) over (
            partition by entries.practice_id, entries.patient_id, entries.month, entries.entry_id order by versions.extract_date
        ) as content,
        true as may_come
    from (
        select distinct
            {% for key in keys %}{{ key }},
            {% endfor -%}
            entry_number,
            entry_id
        from {{ rows }}
    ) as entries
    inner join {{ ref('stg_time_entries') }} as versions
        on
            entries.entry_number = versions.entry_number
            and entries.practice_id = versions.practice_id
            and entries.entry_id = versions.entry_id
    left join {{ rows }}
        on
            entries.practice_id = {{ rows }}.practice_id
            and entries.patient_id = {{ rows }}.patient_id
            and entries.month = {{ rows }}.month
            and versions.file_id = {{ rows }}.file_id
            and versions.line_number = {{ rows }}.line_number
    union all
    {%- endfor %}
    -- Of the initiating visit: which a service that comes takes from nobody. Of other minutes, codes or days what the close took for one, from which on time
    -- counts, or by which one counts; and what may be an earlier one, which makes no time too little.
    select
        {% for key in keys %}services.{{ key }},
        {% endfor -%}
        case when services.is_of_visit then 'services' else 'time_entries' end as table_name,
        services.service_id as said_of,
        versions.extract_date,
        max_by(
            case
                when
                    versions.patient_id <> services.patient_id
                    or versions.service_date > services.month_end
                    or versions.billed_by <> 'own_practice'
                    or versions.procedure_code = 'WITHDRAWN'
                    then 0
                when visits.procedure_code is not null
                    then hash(versions.service_date, versions.procedure_code, versions.member_id, coalesce(versions.ccm_discussed, false))
                when services.is_of_visit or versions.service_date < services.month then hash(versions.service_date)
                else 0
            end,
            {{ newest }}
        ) over (
            partition by services.practice_id, services.patient_id, services.month, services.service_id order by versions.extract_date
        ) as content,
        services.has_no_reason and visits.procedure_code is not null as may_come
    from services
    inner join {{ ref('stg_services') }} as versions
        on services.practice_id = versions.practice_id and services.service_id = versions.service_id
    left join (select distinct procedure_code from {{ ref('rule_initiating_visits') }}) as visits
        on versions.procedure_code = visits.procedure_code
    union all
    select
        {% for key in keys %}changes.{{ key }},
        {% endfor -%}
        tables.table_name,
        patients.patient_id as said_of,
        patients.extract_date,
        case
            when tables.table_name = 'practitioners' then hash(patients.billing_practitioner_id)
            when patients.deceased_date < changes.month_end then hash(greatest(patients.deceased_date, cast(changes.month - interval 1 day as date)))
            else 0
        end as content,
        true as may_come
    from changes
    inner join {{ ref('stg_patients') }} as patients
        on changes.practice_id = patients.practice_id and changes.patient_id = patients.patient_id
    cross join (values ('patients'), ('practitioners')) as tables (table_name)
    union all
    select
        {% for key in keys %}members.{{ key }},
        {% endfor -%}
        members.table_name,
        members.member_id as said_of,
        team.extract_date,
        case members.table_name
            when 'care_team' then hash(team.credential, team.npi)
            when 'visit_team' then hash(team.taxonomy_code)
            else hash(team.credential, team.active_from, team.active_to)
        end as content,
        true as may_come
    from members
    inner join {{ ref('stg_care_team') }} as team on members.practice_id = team.practice_id and members.member_id = team.member_id
    union all
    select
        {% for key in keys %}answered.{{ key }},
        {% endfor -%}
        tables.table_name,
        'payer' as said_of,
        answered.answered_on as extract_date,
        coalesce(sum(distinct case when statements.table_name = tables.table_name then statements.content end), 0) as content,
        true as may_come
    from answered
    cross join (values ('coverages'), ('patients'), ('stays')) as tables (table_name)
    inner join statements
        on
            answered.practice_id = statements.practice_id
            and answered.patient_id = statements.patient_id
            and answered.month = statements.month
            and answered.answered_on >= statements.answered_on
            and coalesce(answered.whole_on <= statements.answered_on, true)
    group by answered.practice_id, answered.patient_id, answered.month, answered.closed_as_of, answered.answered_on, tables.table_name
),

-- Nights since which the panel had the patient, and until which: of who is not on it the facts of before hold (int_panel__as_of).
panels as (
    select
        practice_id,
        extract_date,
        row_number() over (partition by practice_id order by extract_date) as place,
        lead(extract_date, 1, date '9999-12-31') over (partition by practice_id order by extract_date) as until
    from {{ ref('stg_files') }}
    where table_name = 'patients' and is_in_force
),

present as (
    select
        practice_id,
        patient_id,
        min(extract_date) as since,
        max(until) as until
    from (
        select
            nights.practice_id,
            nights.patient_id,
            nights.extract_date,
            panels.until,
            panels.place - row_number() over (partition by nights.practice_id, nights.patient_id order by nights.extract_date) as run
        from (select distinct practice_id, patient_id, extract_date from {{ ref('int_patients__presence') }}) as nights
        inner join panels on nights.practice_id = panels.practice_id and nights.extract_date = panels.extract_date
        semi join changes on nights.practice_id = changes.practice_id and nights.patient_id = changes.patient_id
    )
    group by practice_id, patient_id, run
),

{% set snapshots = {
    'coverages': (
        "case when types.meaning in ('part_b', 'advantage', 'qmb') then types.meaning end, "
        ~ "coalesce(types.is_primary_to_medicare, true) and coalesce(facts.priority = 1, false), "
        ~ day_mask('facts.effective_date', 'facts.termination_date', 'changes.month'),
        "(types.meaning in ('part_b', 'advantage') or (types.meaning = 'qmb' and changes.is_of_level) "
        ~ "or (coalesce(types.is_primary_to_medicare, true) and facts.priority = 1)) and "
        ~ day_mask('facts.effective_date', 'facts.termination_date', 'changes.month') ~ " <> 0"
    ),
    'conditions': (
        "replace(" ~ as_code('facts.icd10_code') ~ ", '.', '')",
        "coalesce(facts.recorded_date, facts.onset_date, date '0001-01-01') <= changes.month_end "
        ~ "and case when facts.resolved_date is null then facts.clinical_status = 'active' else facts.resolved_date > changes.month_end end"
    ),
    'consents': (
        "facts.consent_id, facts.program, facts.consented_on, facts.documented, "
        ~ "case when facts.revoked_on <= changes.month_end then facts.revoked_on end",
        "facts.consented_on <= changes.month_end"
    ),
    'care_plans': ("true", "facts.established_on <= changes.month_end"),
    'assessments': (
        "facts.assessed_on, facts.mdm_level, facts.member_id", "facts.assessed_on between changes.month and changes.month_end"
    ),
    'stays': (
        "types.is_hospice, types.is_inpatient, " ~ day_mask('facts.admitted_on', 'facts.discharged_on', 'changes.month'),
        "(types.is_hospice or types.is_inpatient) and " ~ day_mask('facts.admitted_on', 'facts.discharged_on', 'changes.month') ~ " <> 0"
    )
} %}
facts as (
    {%- for table, (content, condition) in snapshots.items() %}
    select
        changes.practice_id,
        changes.patient_id,
        changes.month,
        '{{ table }}' as table_name,
        facts.extract_date,
        sum(distinct hash({{ content }})) as content
    from changes
    inner join {{ ref('stg_' ~ table) }} as facts
        on changes.practice_id = facts.practice_id and changes.patient_id = facts.patient_id
    {%- if table in ('coverages', 'stays') %}
    left join {{ ref('rule_' ~ table[:-1] ~ '_types') }} as types
        on facts.{{ table[:-1] }}_type = types.{{ table[:-1] }}_type and {{ in_force('types', 'changes.month_end') }}
    {%- endif %}
    where {{ condition }}
    group by changes.practice_id, changes.patient_id, changes.month, facts.extract_date
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
),

-- Every snapshot of those tables, also the ones that say nothing of the patient.
snapshots as (
    select
        {% for key in keys %}changes.{{ key }},
        {% endfor -%}
        files.table_name,
        files.extract_date,
        greatest(files.extract_date, min(present.since)) as seen_on
    from changes
    inner join {{ ref('stg_files') }} as files
        on
            changes.practice_id = files.practice_id
            and files.is_in_force
            and files.table_name in ('coverages', 'conditions', 'consents', 'care_plans', 'assessments', 'stays')
    inner join present
        on changes.practice_id = present.practice_id and changes.patient_id = present.patient_id and files.extract_date < present.until
    group by changes.practice_id, changes.patient_id, changes.month, changes.closed_as_of, files.table_name, files.extract_date
),

said as (
    select *
    from said_of_keys
    union all
    select
        {% for key in keys %}snapshots.{{ key }},
        {% endfor -%}
        snapshots.table_name,
        'snapshot' as said_of,
        snapshots.seen_on as extract_date,
        max_by(coalesce(facts.content, 0), snapshots.extract_date) as content,
        true as may_come
    from snapshots
    left join facts
        on
            snapshots.practice_id = facts.practice_id
            and snapshots.patient_id = facts.patient_id
            and snapshots.month = facts.month
            and snapshots.table_name = facts.table_name
            and snapshots.extract_date = facts.extract_date
    group by
        snapshots.practice_id, snapshots.patient_id, snapshots.month, snapshots.closed_as_of, snapshots.table_name, snapshots.seen_on
)

select said.*
from said
semi join evidence
    on
        said.practice_id = evidence.practice_id
        and said.patient_id = evidence.patient_id
        and said.month = evidence.month
        and said.table_name = evidence.table_name
