{#- An aggregate: the rows of a group as a list, in the order of the struct's fields from the first on (never null; what they order is unique within the
    group), each as `said` has it of `one`. DuckDB's own `list(value order by place)` sorts each small group by itself, at six times the cost.
    DuckDB keeps room for four rows of a group in each field of the struct: few fields are half the time and half the memory of many. -#}
{% macro list_sorted(row, said) -%}
    list_transform(list_sort(list({{ row }})), lambda one: {{ said }})
{%- endmacro %}

{#- The same of a value and what stands beside it as its place (several columns as a struct). -#}
{% macro list_in_order(value, place) -%}
    {{ list_sorted("{'place': " ~ place ~ ", 'value': " ~ value ~ "}", "one.value") }}
{%- endmacro %}

{#- A member id without what people write between its letters. -#}
{% macro bare_number(member_id) -%}
    regexp_replace(upper({{ member_id }}), '[^0-9A-Z]', '', 'g')
{%- endmacro %}

{#- A member id where it must not stand: as the claims and the payers' answers name it (orchestration/payers/eligibility.py, member_key). -#}
{% macro beneficiary_key(member_id) -%}
    sha256({{ bare_number(member_id) }})
{%- endmacro %}

{#- A coverage of Medicare, whose member id is the beneficiary's Medicare number. -#}
{% macro is_medicare(coverage_type) -%}
    {{ coverage_type }} like 'medicare\_%' escape '\'
{%- endmacro %}

{#- A Medicare number, and not what stands in the place of one ("unknown", a plan's own): that would make one person of many. As
    orchestration/close/x12/codes.py has it; a test compares. -#}
{% macro is_mbi(member_id) -%}
    {%- set letter = '[AC-HJKMNP-RT-Y]' -%}
    {%- set either = '[AC-HJKMNP-RT-Y0-9]' -%}
    regexp_matches({{ bare_number(member_id) }}, '^[1-9]{{ letter }}{{ either }}[0-9]{{ letter }}{{ either }}[0-9]{{ letter }}{{ letter }}[0-9][0-9]$')
{%- endmacro %}
