{#- An aggregate: the values of a group as a list, in the order of what stands beside each (unique within the group, never null; several columns as a
    struct). DuckDB's own `list(value order by place)` sorts each small group by itself, at six times the cost. -#}
{% macro list_in_order(value, place) -%}
    list_transform(list_sort(list({'place': {{ place }}, 'value': {{ value }}})), lambda one: one.value)
{%- endmacro %}

{#- A member id where it must not stand: as the claims and the payers' answers name it (orchestration/payers/eligibility.py, member_key). -#}
{% macro beneficiary_key(member_id) -%}
    sha256(regexp_replace(upper({{ member_id }}), '[^0-9A-Z]', '', 'g'))
{%- endmacro %}
