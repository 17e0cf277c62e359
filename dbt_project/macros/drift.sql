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

{#- A floating-point number as a sentence shows it: to one digit, and without that where it is none. -#}
{% macro shown_number(number) -%}
    case
        when round(cast({{ number }} as double), 1) = round({{ number }}, 0) then cast(cast(round({{ number }}, 0) as bigint) as varchar)
        else cast(cast(round(cast({{ number }} as double), 1) as decimal(18, 1)) as varchar)
    end
{%- endmacro %}

{#- A share as a whole percentage. -#}
{% macro shown_percent(share) -%}
    (cast(cast(round_even(100 * {{ share }}, 0) as bigint) as varchar) || '%')
{%- endmacro %}
