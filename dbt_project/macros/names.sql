{#- Schemas are named as they are, without the target's name before them. -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ custom_schema_name if custom_schema_name else target.schema }}
{%- endmacro %}


{#- BHT03 as the writer makes it: the interchange's control number in nine digits, the number of the ST in four or as many as it has. -#}
{% macro batch_reference(control_number, transaction_number) -%}
    lpad(cast({{ control_number }} as varchar), 9, '0')
    || case
        when {{ transaction_number }} > 9999 then cast({{ transaction_number }} as varchar)
        else lpad(cast({{ transaction_number }} as varchar), 4, '0')
    end
{%- endmacro %}
