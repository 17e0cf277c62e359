{#- The home's path inside a quoted pattern of DuckDB: what its name has of pattern signs and quotes stands for itself. -#}
{% macro home() -%}
    {{ env_var("CCM_HOME", "data") | replace("[", "[[]") | replace("*", "[*]") | replace("?", "[?]") | replace("'", "''") }}
{%- endmacro %}

{#- What read_parquet says more where the lake is encrypted. The ledger never is: it has no row of a patient. -#}
{% macro reading(table) -%}
    {%- if table != 'files' %}{{ env_var("CCM_READING", "") }}{% endif -%}
{%- endmacro %}

{#- The files of one table of the lake: of all batches on disk, or of those in object storage that have a ledger (orchestration/lake_batches.py). -#}
{% macro batches_of(table) -%}
    {%- set prefix = env_var("CCM_LAKE_PREFIX", "") -%}
    {%- if not prefix -%}
        '{{ home() }}/lake/batches/*/{{ table }}.parquet'
    {%- else -%}
        [
        {%- for range_of in env_var("CCM_LAKE_BATCHES").split(",") if range_of -%}
            {%- set ends = range_of.split("-") -%}
            {%- for number in range(ends[0] | int, ends[1] | int + 1) -%}
                '{{ prefix }}/{{ "%06d" | format(number) }}/{{ table }}.parquet',
            {%- endfor -%}
        {%- endfor -%}
        ]
    {%- endif -%}
{%- endmacro %}

{#- One table of the lake, over all batches. Registers the lineage through source(). -#}
{% macro from_lake(table, options='') -%}
    {%- do source('lake', table) -%}
    read_parquet({{ batches_of(table) }}{{ reading(table) }}{{ ', ' ~ options if options }})
{%- endmacro %}

{#- What Python wrote for the models: the practice configuration, the rules' version, the claims of earlier closes. -#}
{% macro from_configuration(table) -%}
    {%- do source('configuration', table) -%}
    read_parquet('{{ home() }}/lake/configuration/{{ table }}.parquet')
{%- endmacro %}

{#- Whether closes have this manner, named as in a manifest (orchestration/close/manners.py): all do, but those of before that are made again. -#}
{% macro has_manner(name) -%}
    (select count(*) > 0 from {{ from_configuration('manners') }} as manners where manners.manner = '{{ name }}')
{%- endmacro %}

{#- Why a file of stg_files says nothing: as its ledger has it, or as a patients file without a good row, which was accepted. -#}
{% macro why_not_usable(files) -%}
    case when {{ files }}.outcome = 'accepted' then 'it has not one good row, and the panel of before stands' else {{ files }}.reason end
{%- endmacro %}

{#- Behind a FROM: only rows of files in force. A semi join, because an inner one lets DuckDB think that a file has one row, and that what follows is small. -#}
{% macro of_files_in_force(alias) -%}
    semi join (select file_id from {{ ref('stg_files') }} where is_in_force) as files on {{ alias }}.file_id = files.file_id
{%- endmacro %}

{#- One of the extracts' tables. DuckDB guesses its rows by the first batch, which is empty, and would take all that ever landed for the small side of a join. -#}
{% macro from_extracts(table) -%}
    {{ from_lake(table, 'explicit_cardinality = 10000000') }}
{%- endmacro %}

{#- Rows of a snapshot extract, of files in force. -#}
{% macro snapshot_rows(table, columns) -%}
    select
        lake.practice_id,
        lake.extract_date,
        lake.file_id,
        lake.line_number{% for column in columns %},
        lake.{{ column }}{% endfor %}
    from {{ from_extracts(table) }} as lake
    {{ only_touched('files', 'lake') }}
    {{ of_files_in_force('lake') }}
{%- endmacro %}

{#- Rows of a change extract: the newest of each key is current (newest updated_at, then the later night, then the later line); is_only: no other row
    has its key. Most keys have one row: only rows whose keys have the same number as another row's are put in an order. On a night that recomputes
    what it touches: of the keys in touched files the rows that these bring, and those that are known from other files. The rows are looked up by their
    place: reading the keys alone is a fraction of reading everything; `known` is a relation that has them already. `taken_back`: what a row says that only
    takes back what its key said before (a mapping's `withdraw`). Where all rows of a key do, there was nothing to take back, and none is current. -#}
{% macro change_rows(table, key, columns, touched=none, known=none, taken_back=none) -%}
    {%- set touched = touched or 'landed_' ~ table -%}
    {#- Asked for on every night, so that dbt knows of the edge. -#}
    {%- set of_touched_keys = only_touched(touched, 'the_known') -%}
    with landed as not materialized (
        select
            lake.practice_id,
            lake.extract_date,
            lake.file_id,
            lake.line_number{% for column in columns %},
            lake.{{ column }}{% endfor %}
        from {{ from_extracts(table) }} as lake
        {{ only_touched('files', 'lake') }}
        {{ of_files_in_force('lake') }}
        {%- if is_touched_night() %}
        union all
        select
            known.practice_id,
            known.extract_date,
            known.file_id,
            known.line_number{% for column in columns %},
            known.{{ column }}{% endfor %}
        from {{ known or this }} as known
        where
            {% if not known -%}
            known.rowid in (select the_known.rowid from {{ this }} as the_known {{ of_touched_keys }})
            and {% endif -%}
            known.file_id not in (select files.file_id from {{ ref('touched_files') }} as files)
        {%- endif %}
    ),

    alike as (
        select hash(practice_id, {{ key }}) as key_number
        from landed
        group by key_number
        having count(*) > 1
    ),

    versions as (
        select
            landed.practice_id,
            landed.{{ key }},
            landed.file_id,
            landed.line_number,
            row_number() over newest_first as place,
            {%- if taken_back %}
            bool_and({{ taken_back }}) over (partition by landed.practice_id, landed.{{ key }}) as is_nothing,
            {%- endif %}
            count(*) over (partition by landed.practice_id, landed.{{ key }}) as rows_of_key
        from landed
        inner join alike on hash(landed.practice_id, landed.{{ key }}) = alike.key_number
        window newest_first as (
            partition by landed.practice_id, landed.{{ key }}
            order by landed.updated_at desc, landed.extract_date desc, landed.line_number desc
        )
    )

    select
        landed.*,
        coalesce(versions.place = 1, true){% if taken_back %} and not coalesce(versions.is_nothing, {{ taken_back }}){% endif %} as is_current,
        coalesce(versions.rows_of_key = 1, true) as is_only
    from landed
    left join versions
        on
            landed.practice_id = versions.practice_id
            and landed.{{ key }} = versions.{{ key }}
            and landed.file_id = versions.file_id
            and landed.line_number = versions.line_number
{%- endmacro %}

{#- The facts of a patient as of the practice's newest night: the newest snapshot of the table for who is on the panel, and for who has left
    the one that stood when the last patients snapshot had them. -#}
{% macro facts_as_of(table) -%}
    select facts.* exclude (extract_date)
    from {{ ref('stg_' ~ table) }} as facts
    inner join {{ ref('int_patients__current') }} as patients
        on facts.practice_id = patients.practice_id and facts.patient_id = patients.patient_id
    inner join {{ ref('int_panel__as_of') }} as as_of
        on
            patients.practice_id = as_of.practice_id
            and as_of.table_name = '{{ table }}'
            and patients.facts_night = as_of.facts_night
            and facts.extract_date = as_of.extract_date
{%- endmacro %}

{#- What the payers answered: one table of the facts taken in from inbox/, over all batches. -#}
{% macro from_answers(table) -%}
    {%- do source('answers', table) -%}
    read_parquet('{{ home() }}/lake/answers/batches/*/{{ table }}.parquet')
{%- endmacro %}

{#- What they answered of coverage (271). A source of its own: decisions rest on it, and are made again only where such an answer is new. -#}
{% macro from_coverage_answers() -%}
    {%- do source('eligibility', 'coverage_answers') -%}
    read_parquet('{{ home() }}/lake/answers/batches/*/coverage_answers.parquet')
{%- endmacro %}

{#- The details of a transaction's kind, of transactions that say something for the first time. -#}
{% macro answer_rows(table) -%}
    select lake.*
    from {{ from_answers(table) }} as lake
    inner join {{ ref('stg_answer_transactions') }} as transactions on lake.transaction_id = transactions.transaction_id
    where transactions.is_first
{%- endmacro %}

{#- What names a hold by its content, so that an acceptance (`ccm accept`) holds for this content and for no other. -#}
{% macro hold_id(practice, kind, table, measure, column, line, content) -%}
    sha256(concat_ws(
        chr(31), {{ practice }}, {{ kind }}, {{ table }}, {{ measure }}, {{ column }}, cast({{ line }} as varchar), {{ content }}
    ))
{%- endmacro %}

{#- Whether a row in quarantine (int_quarantined_facts) holds the claims of this month; the close asks with the same words (orchestration/close/held_months.py). -#}
{% macro holds_month(facts, month) -%}
    coalesce({{ facts }}.first_month_held <= {{ month }}, true) and coalesce({{ facts }}.last_month_held >= {{ month }}, true)
{%- endmacro %}

{#- Whether a row in quarantine (int_quarantined_facts) may be to blame for a reason (a row of rule_decision_reasons) of this month. Another practice's claim is of the
    night's month or one before; a visit begins care management of every month behind it. -#}
{% macro may_be_to_blame(facts, reasons, month) -%}
    {{ reasons }}.evidence = {{ facts }}.table_name
    and ({{ reasons }}.is_of_later_months or ({{ holds_month(facts, month) }}))
{%- endmacro %}

{#- Of a group of rows in quarantine (int_quarantined_facts) the first, and how many more there are; no values. -#}
{% macro rows_told(facts) -%}
    min({{ facts }}.row_told) || {{ and_more('count(*)') }}
{%- endmacro %}

{#- Of so many rows, of which one is named, the others. -#}
{% macro and_more(count) -%}
    case when {{ count }} > 1 then ' and ' || ({{ count }} - 1) || ' more' else '' end
{%- endmacro %}

{#- Panel tables whose rows can be a reason not to bill. -#}
{% macro deciding_panel_tables() -%}
    ('coverages', 'consents', 'conditions', 'care_plans', 'stays')
{%- endmacro %}

{#- What of the quarantine may hide a reason not to bill. A patient keeps the last good row, and that one says living of who may be dead: where the day
    of death cannot be read, by its own name or (of a mapped file) as what a column of the export becomes, or nothing of the row can; where the row has such
    a day and is at fault elsewhere, or has a status that its mapping neither keeps nor drops. The reason says so: `(it becomes deceased_date)`, `(the row
    says deceased_date)`, `(it may say deceased_date)` (orchestration/mapping/sql.py, orchestration/take_in/typed.py). Of a packet, what was frozen as such. -#}
{% macro may_forbid(quarantine) -%}
    (
        {{ quarantine }}.table_name in {{ deciding_panel_tables() }}
        or (
            {{ quarantine }}.table_name = 'patients'
            and (
                {{ quarantine }}.column_name is null
                or {{ quarantine }}.column_name = 'deceased_date'
                or {{ quarantine }}.reason like '% deceased_date)%'
                or {{ quarantine }}.reason = 'in quarantine'
            )
        )
    )
{%- endmacro %}

{#- Tables whose nights bring only what changed: what a lost night had is in no later file. -#}
{% macro log_tables() -%}
    ('appointments', 'services', 'time_entries', 'calls')
{%- endmacro %}
