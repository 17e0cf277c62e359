{#-
    Where Apache Spark needs other statements than DuckDB (docs/spark.md). Of expressions one does: the models are written in DuckDB's words, and
    orchestration/transform/spark/dialect.py says them in Spark's.
-#}

{#- The ledger of landed files. Batches of before there was the first of these columns do not have it; the others are of batches with a file that a
    mapping read. -#}
{% macro ledger_rows() -%}
    {%- do source('lake', 'files') -%}
    {{ adapter.dispatch('ledger_rows', 'ccm')() }}
{%- endmacro %}

{% macro default__ledger_rows() -%}
    select
        cast(null as varchar []) as missing_columns,
        cast(null as varchar) as mapping,
        cast(null as varchar) as mapping_sha256,
        cast(null as bigint) as lines_read,
        cast(null as bigint) as rows_filtered
    where false
    union all by name
    select * from {{ from_lake('files', 'union_by_name = true') }}
{%- endmacro %}

{#- Spark knows no union by name: the session has put the batches together (orchestration/transform/spark/session.py). -#}
{% macro spark__ledger_rows() -%}
    select * from ledger
{%- endmacro %}

{#- Whether a number is above so many units of a limit on a day. A row at a time, and only of those above the least that was ever in force: a subquery for
    each day would keep all rows of the query to find them again, half of what judging 14 million entries took. -#}
{% macro is_above_limit(number, name, day, unit=1) -%}
    {{ adapter.dispatch('is_above_limit', 'ccm')(number, name, day, unit) }}
{%- endmacro %}

{% macro default__is_above_limit(number, name, day, unit) -%}
    case
        when {{ number }} > (select min(limits.amount) from {{ ref('rule_limits') }} as limits where limits.limit_name = '{{ name }}') * {{ unit }}
            then len(list_filter(
                (
                    select list({'amount': limits.amount, 'effective_from': limits.effective_from, 'effective_to': limits.effective_to})
                    from {{ ref('rule_limits') }} as limits
                    where limits.limit_name = '{{ name }}'
                ),
                lambda one: {{ in_force('one', day) }} and {{ number }} > one.amount * {{ unit }}
            )) > 0
        else false
    end
{%- endmacro %}

{#- Spark takes no subquery within a higher-order function, and joins a subquery by day without keeping the rows around it. -#}
{% macro spark__is_above_limit(number, name, day, unit) -%}
    coalesce({{ number }} > {{ limit(name, day) }} * {{ unit }}, false)
{%- endmacro %}

{#- A table in Spark, always whole. A contract is kept by casting to what it says; a column that it does not have is an error of the statement. -#}
{% materialization table, adapter='spark' %}
    {%- set target_relation = this.incorporate(type='table') -%}
    {{ run_hooks(pre_hooks) }}
    {% call statement('drop') -%}
        drop table if exists {{ target_relation }}
    {%- endcall %}
    {% call statement('main') -%}
        create table {{ target_relation }} using {{ config.get('file_format', 'parquet') }} as
        {% if config.get('contract').enforced %}
            select
                {% for name, column in model.columns.items() -%}
                    cast({{ name }} as {{ column.data_type }}) as {{ name }}{{ ',' if not loop.last }}
                {% endfor %}
            from (
                {{ compiled_code }}
            ) as made
        {% else %}
            {{ compiled_code }}
        {% endif %}
    {%- endcall %}
    {{ run_hooks(post_hooks) }}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}

{#- A type of a seed's column. -#}
{% macro spark_type(name) -%}
    {{ 'string' if name | upper == 'VARCHAR' else name }}
{%- endmacro %}

{% macro spark__create_csv_table(model, agate_table) %}
    {%- set types = model['config'].get('column_types', {}) -%}
    {%- set sql -%}
        create table {{ this.render() }} (
            {% for column in agate_table.column_names -%}
                {{ column }} {{ spark_type(types.get(column, adapter.convert_type(agate_table, loop.index0))) }}{{ ',' if not loop.last }}
            {% endfor %}
        ) using {{ config.get('file_format', 'parquet') }}
    {%- endset -%}
    {% call statement('_') -%}{{ sql }}{%- endcall %}
    {{ return(sql) }}
{% endmacro %}

{#- The adapter's own sends values without quoting what is in them, and an empty one as the word None. -#}
{% macro spark__load_csv_rows(model, agate_table) %}
    {%- set types = model['config'].get('column_types', {}) -%}
    {% for chunk in agate_table.rows | batch(5000) %}
        {%- set sql -%}
            insert into {{ this.render() }}
            select
                {% for column in agate_table.column_names -%}
                    cast({{ column }} as {{ spark_type(types.get(column, adapter.convert_type(agate_table, loop.index0))) }}){{ ',' if not loop.last }}
                {% endfor %}
            from values
            {% for row in chunk -%}
                ({% for value in row -%}
                    {% if value is none %}null{% else %}'{{ value | string | replace('\\', '\\\\') | replace("'", "\\'") }}'{% endif %}{{ ', ' if not loop.last }}
                {%- endfor %}){{ ',' if not loop.last }}
            {% endfor %} as given ({{ agate_table.column_names | join(', ') }})
        {%- endset -%}
        {% do adapter.add_query(sql, abridge_sql_log=True) %}
    {% endfor %}
    {{ return('') }}
{% endmacro %}
