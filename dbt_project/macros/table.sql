{#-
    A table in DuckDB, in one statement and one transaction: readers see the old table or the new one. The adapter's own way (build beside it, rename
    the old one, rename the new one, drop the old one: four statements and two commits more) takes longer than most of these models.
    For this project's models only: no grants, no indexes, no foreign keys, no Python.
-#}
{% materialization table, adapter='duckdb' %}
    {%- set existing_relation = load_cached_relation(this) -%}
    {%- set target_relation = this.incorporate(type='table') -%}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}

    {#- Only a table may be replaced by a table. -#}
    {% if existing_relation is not none and not existing_relation.is_table %}
        {{ drop_relation_if_exists(existing_relation) }}
    {% endif %}

    {%- set touched_set = touched_by(model) -%}
    {%- set keeps_last_night = (config.get('meta') or {}).get('keeps_last_night') -%}
    {% call statement('main') -%}
        {% if is_touched_night() and keeps_last_night %}
            create or replace table {{ target_relation.incorporate(path={'schema': 'touched', 'identifier': this.identifier ~ '__before'}) }} as (
                select * from {{ target_relation }}
            );
        {% endif %}
        {% if is_touched_night() and is_of_tonight(model) %}
            {{ table_of_tonight(target_relation, compiled_code if is_numbered(model) else rows_of_touched(compiled_code, touched_set)) }}
        {% elif is_touched_night() and target_relation.schema == 'touched' %}
            {{ table_of_tonight(target_relation, compiled_code) }}
        {% elif is_touched_night() and touched_set %}
            {%- set meta = config.get('meta') or {} -%}
            {{ replace_touched(target_relation, compiled_code, touched_set, meta.get('follows_practice', []), meta.get('found_by')) }}
        {% elif config.get('contract').enforced %}
            {{ get_assert_columns_equivalent(compiled_code) }}
            create or replace table {{ target_relation }} {{ get_table_columns_and_constraints() }};
            insert into {{ target_relation }} {{ get_column_names() }} (
                {{ get_select_subquery(compiled_code) }}
            );
        {% else %}
            create or replace table {{ target_relation }} as (
                {{ compiled_code }}
            );
        {% endif %}
    {%- endcall %}

    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}

    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}
