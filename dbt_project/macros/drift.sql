{#- One measure of each night's file, in the columns of int_extract_measures. -#}
{% macro drift_measure(rows, measure, value, compared, basis, usual='null', column_name="''", names="''", content='sha256') -%}
    select
        practice_id,
        table_name,
        extract_date,
        is_snapshot,
        newest_file_night,
        {{ measure }} as measure,
        {{ column_name }} as column_name,
        cast({{ value }} as double) as value,
        cast({{ usual }} as double) as usual,
        {{ compared }} as compared,
        cast({{ basis }} as double) as basis,
        {{ names }} as names,
        {{ content }} as content
    from {{ rows }}
{%- endmacro %}
