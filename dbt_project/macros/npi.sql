{#- The check digit of an NPI: Luhn over the digits behind the constant prefix 80840, which contributes 24 (45 CFR 162.406). -#}
{% macro is_valid_npi(npi) -%}
    coalesce(
        regexp_matches({{ npi }}, '^[12][0-9]{9}$')
        and (
            24
            {%- for place in range(10) %}
            + {% if place % 2 == 0 -%}
                (try_cast(substr({{ npi }}, {{ place + 1 }}, 1) as integer) * 2) // 10 + (try_cast(substr({{ npi }}, {{ place + 1 }}, 1) as integer) * 2) % 10
            {%- else -%}
                try_cast(substr({{ npi }}, {{ place + 1 }}, 1) as integer)
            {%- endif %}
            {%- endfor %}
        ) % 10 = 0,
        false
    )
{%- endmacro %}
