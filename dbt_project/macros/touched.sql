{#-
    A night that recomputes only what it touches (ADR 21). Every model is written as if it were built whole, and `ccm nightly --full`
    builds it so. A model whose `meta` says `touched_by` is, on a night of that kind, built for the keys of one of the sets in models/touched/ alone,
    and those of its rows are put in the place of the old ones.
-#}

{#- True while dbt builds a night that recomputes only what it touches (orchestration/transform/build.py sets it). -#}
{% macro is_touched_night() -%}
    {{ return(execute and env_var('CCM_NIGHT', '') == 'touched') }}
{%- endmacro %}

{#- True while such a night builds a model, and while it tests one whose test no row failed on the night before: then only rows of touched keys can
    fail it, and a test that asks for these alone says as much as one that asks for all (orchestration/transform/build.py, `_tested`). -#}
{% macro is_for_touched_rows() -%}
    {{ return(is_touched_night() and (model.resource_type != 'test' or model.unique_id in env_var('CCM_SOUND', '').split(','))) }}
{%- endmacro %}

{#- The sets of keys by name: the model that has them, and the columns that make the key. -#}
{% macro touched_sets() -%}
    {{ return({
        'files': ('touched_files', ['file_id']),
        'files_of_unknown': ('touched_files__of_unknown', ['file_id']),
        'landed_services': ('touched_services__landed', ['practice_id', 'service_id']),
        'landed_appointments': ('touched_appointments__landed', ['practice_id', 'appointment_id']),
        'entries': ('touched_entries', ['practice_id', 'entry_id']),
        'judged_entries': ('touched_entries__judged', ['practice_id', 'entry_id']),
        'member_days': ('touched_member_days', ['practice_id', 'member_id', 'local_day']),
        'patient_months': ('touched_patient_months', ['practice_id', 'patient_id', 'month']),
        'patient_months_since': ('touched_patient_months__since', ['practice_id', 'patient_id', 'month']),
    }) }}
{%- endmacro %}

{#- The set that a model is built by on a night of that kind, or nothing: then it is built whole. -#}
{% macro touched_by(node) -%}
    {{ return(((node.get('config') or {}).get('meta') or {}).get('touched_by')) }}
{%- endmacro %}

{#- Whether a model of touched keys has, behind such a night, these keys' rows and no others (`meta: is_of_tonight`): large, and only a step to what is kept.
    Every reader is built for the same keys and on such a night alone: what is built again behind a close or an answer must not stand on it. -#}
{% macro is_of_tonight(node) -%}
    {{ return(((node.get('config') or {}).get('meta') or {}).get('is_of_tonight', false)) }}
{%- endmacro %}

{#- Whether its rows are found by numbers that stand for names on this night alone (`meta: is_numbered`): the model keeps to the touched keys by itself. -#}
{% macro is_numbered(node) -%}
    {{ return(((node.get('config') or {}).get('meta') or {}).get('is_numbered', false)) }}
{%- endmacro %}

{#- Rows of what one set has, where a reader by another set finds all that it needs: the entries judged are all entries of the patient-months. -#}
{% macro is_enough_for(theirs, own) -%}
    {{ return(theirs == own or (theirs == 'judged_entries' and own == 'patient_months')) }}
{%- endmacro %}

{#- dbt's own ref, but between two models that are built for touched keys the reader is given the rows just made, and not the whole table. So is the
    test of such a model, and a test of more than one that says by what keys its rows are (`meta: touched_by`). -#}
{% macro ref() -%}
    {%- set relation = builtins.ref(*varargs, **kwargs) -%}
    {%- if model is defined and model.resource_type in ('model', 'test') and is_for_touched_rows() -%}
        {%- set own = touched_by(model) or touched_by(graph.nodes.get(model.get('attached_node'), {})) -%}
        {%- set node = graph.nodes.get('model.' ~ project_name ~ '.' ~ varargs[-1], {}) -%}
        {%- set theirs = touched_by(node) -%}
        {%- if is_of_tonight(node) -%}
            {{ return(relation) }}
        {%- endif -%}
        {%- if own and theirs and is_enough_for(theirs, own) -%}
            {{ return(relation.incorporate(path={'schema': 'touched'})) }}
        {%- endif -%}
    {%- endif -%}
    {{ return(relation) }}
{%- endmacro %}

{#- The whole table of a model that is built for touched keys, for readers that need other keys' rows too. -#}
{% macro whole(name) -%}
    {{ return(builtins.ref(name)) }}
{%- endmacro %}

{#- Time entries, for models that are built for entries judged again or for the patient-months that they lie in, and for tests of such: a night
    that recomputes only what it touches looks for these entries once, among all that were ever logged. Who asks for entries of other months too asks
    for all. -#}
{% macro judged_entries() -%}
    {%- set every = builtins.ref('stg_time_entries') -%}
    {#- Asked for on every night, so that dbt knows of the edge. A test has none to the sets: it would be left out wherever they are. -#}
    {%- set name = 'touched_entries__judged_rows' -%}
    {%- set judged = last_night('touched', name) if model.resource_type == 'test' else builtins.ref(name) -%}
    {{ return(judged if is_for_touched_rows() else every) }}
{%- endmacro %}

{#- The rows that this night made of a model that is built for touched keys: for models/touched/, which are built on such nights alone. -#}
{% macro made_tonight(name) -%}
    {{ return(builtins.ref(name).incorporate(path={'schema': 'touched'})) }}
{%- endmacro %}

{#- A table as the last night left it: for models/touched/, which run before it is changed. Not a ref: that would be a circle. -#}
{% macro last_night(schema, name) -%}
    {{ return(api.Relation.create(database=target.database or none, schema=schema, identifier=name)) }}
{%- endmacro %}

{#- What a model that keeps its last night's rows (`meta: keeps_last_night`) had before this night. -#}
{% macro before(name) -%}
    {%- do ref(name) -%}
    {{ return(api.Relation.create(database=target.database or none, schema='touched', identifier=name ~ '__before')) }}
{%- endmacro %}

{#- Behind a FROM: only rows whose key (or `by`: a part of it) is in the set. Nothing where everything is built. What is filtered early is not computed for nothing. -#}
{% macro only_touched(set_name, alias, by=none) -%}
    {%- set set_model, every_key = touched_sets()[set_name] -%}
    {%- set keys = by or every_key -%}
    {#- Asked for on every night, so that dbt knows of the edge. A test has none to the sets: it would be left out wherever they are. -#}
    {%- set set_relation = last_night('touched', set_model) if model.resource_type == 'test' else builtins.ref(set_model) -%}
    {%- if is_for_touched_rows() -%}
        semi join {{ set_relation }} as the_touched
            on {% for key in keys %}{{ alias }}.{{ key }} = the_touched.{{ key }}{% if not loop.last %} and {% endif %}{% endfor %}
    {%- endif -%}
{%- endmacro %}

{#- Whether every key of these months is in the set (touched_months): its column `moves` says which keys are of such a month. -#}
{% macro is_by_months(set_name) -%}
    {{ return(set_name in ('patient_months', 'patient_months_since')) }}
{%- endmacro %}

{#- Patient-months of a common table expression, with that column. -#}
{% macro with_moves(keys) -%}
    select
        {{ keys }}.practice_id,
        {{ keys }}.patient_id,
        {{ keys }}.month,
        months.month is not null as moves
    from {{ keys }}
    left join {{ ref('touched_months') }} as months on {{ keys }}.practice_id = months.practice_id and {{ keys }}.month = months.month
{%- endmacro %}

{#- The statements that put the rows of touched keys in the place of the old ones. Whole months are taken away by their day, which is found without reading what
    lies elsewhere, and only of the others are names looked for. Of entries those are taken away that were known (most touched ones are
    new); where a row says in which line of which file it stands (`meta: found_by`, columns of touched_entries__known that tell its rows apart), by these
    numbers, and no name of all that was ever logged is read. What a model says that every row has from its practice (`meta: follows_practice`, columns of
    stg_practices) is changed in the others, too: a column that is written anew, and not the rows. -#}
{% macro replace_touched(target_relation, sql, set_name, follows_practice, found_by=none) -%}
    {%- set set_model, every_key = touched_sets()[set_name] -%}
    {%- set keys = found_by or every_key -%}
    {%- set old_keys = last_night('touched', 'touched_entries__known' if set_name == 'entries' else set_model) -%}
    {%- set made = target_relation.incorporate(path={'schema': 'touched'}) -%}
    {{ table_of_tonight(made, rows_of_touched(sql, set_name)) }}
    {%- if is_by_months(set_name) %}
    delete from {{ target_relation }} as old
    using {{ last_night('touched', 'touched_months') }} as moving
    where old.practice_id = moving.practice_id and old.month = moving.month;
    {%- endif %}
    delete from {{ target_relation }} as old
    using {{ old_keys }} as the_touched
    where {{ 'not the_touched.moves and ' if is_by_months(set_name) }}{% for key in keys %}old.{{ key }} = the_touched.{{ key }}{% if not loop.last %} and {% endif %}{% endfor %};
    insert into {{ target_relation }} by name select * from {{ made }};
    {%- for column in follows_practice %}
    update {{ target_relation }} as old set {{ column }} = practices.{{ column }}
    from {{ last_night('staging', 'stg_practices') }} as practices
    where old.practice_id = practices.practice_id and old.{{ column }} is distinct from practices.{{ column }};
    {%- endfor %}
    insert into {{ last_night('touched', 'replaced') }} values (
        '{{ target_relation.schema }}', '{{ target_relation.identifier }}', '{{ old_keys.identifier }}', {{ text_list(keys) }}, {{ text_list(follows_practice) }},
        {{ is_by_months(set_name) | lower }}
    );
{%- endmacro %}

{#- A table that is read a few times and thrown away the next night: not worth compressing. -#}
{% macro table_of_tonight(relation, sql) -%}
    set force_compression = 'uncompressed';
    create or replace table {{ relation }} as (
        {{ sql }}
    );
    set force_compression = 'auto';
{%- endmacro %}

{#- Of a query's rows those with a key of the set. -#}
{% macro rows_of_touched(sql, set_name) -%}
    {%- set set_model, keys = touched_sets()[set_name] -%}
    select made.*
    from ({{ sql }}) as made
    semi join {{ last_night('touched', set_model) }} as the_touched
        on {% for key in keys %}made.{{ key }} = the_touched.{{ key }}{% if not loop.last %} and {% endif %}{% endfor %}
{%- endmacro %}

{#- A list of names as DuckDB writes it. -#}
{% macro text_list(names) -%}
    [{% for name in names %}'{{ name }}'{% if not loop.last %}, {% endif %}{% endfor %}]
{%- endmacro %}

{#- Keys of a change extract that have a row in a touched file, in the lake or, where the file is gone, in the rows of the last night. -#}
{% macro landed_keys(table, key) -%}
    select
        lake.practice_id,
        lake.{{ key }}
    from {{ from_lake(table) }} as lake
    semi join {{ ref('touched_files') }} as files on lake.file_id = files.file_id
    union
    select
        known.practice_id,
        known.{{ key }}
    from {{ last_night('staging', 'stg_' ~ table) }} as known
    semi join {{ ref('touched_files') }} as files on known.file_id = files.file_id
{%- endmacro %}

{#- The number of these keys; of a single one, which is a number, itself. -#}
{% macro number_of(keys, alias=none) -%}
    {%- set names = [] -%}
    {%- for key in keys %}{% do names.append((alias ~ '.' if alias else '') ~ key) %}{% endfor -%}
    {{ names[0] if names | length == 1 else 'hash(' ~ names | join(', ') ~ ')' }}
{%- endmacro %}

{#- For a model that reads rows by their places: so many DuckDB is to keep as a filter of the scan, or it reads every column from the first of them to the last. It keeps
    fifty unless told otherwise; of twenty thousand on the filter costs more than it spares. -#}
{% macro filter_by_places() -%}
    {{ return('set dynamic_or_filter_threshold = 10000') }}
{%- endmacro %}

{#- Common table expressions for a night that recomputes what it touches: `name` has the pieces of current entries whose `keys` have the number of some of
    the relation `sought`, and of the cut ones all. A number is compared with all that was ever logged at a third of what names cost; whoever asks compares the
    names of what was found. -#}
{% macro pieces_of(name, keys, sought) -%}
    {{ name }}__entries as materialized (
        select
            practice_id,
            patient_id,
            member_id,
            note_number,
            local_day,
            is_cut
        from {{ ref('stg_time_entries') }}
        where
            is_current
            {#- A note's number is one as it is. #}
            and {{ number_of(keys) }} in (select {{ number_of(keys, 'sought') }} from {{ sought }} as sought)
    ),

    {{ name }} as (
        select
            practice_id,
            patient_id,
            member_id,
            note_number,
            {{ month_of('local_day') }} as month
        from {{ name }}__entries
        where not is_cut
        union all
        select
            practice_id,
            patient_id,
            member_id,
            note_number,
            {{ month_of('local_day') }} as month
        from {{ ref('int_time_entries__cut') }}
    )
{%- endmacro %}
