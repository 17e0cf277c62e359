{#- What names a check of a payer. -#}
{% macro check_key(remittance) -%}
    coalesce({{ remittance }}.payer_id, '') || '|' || {{ remittance }}.check_number
{%- endmacro %}

{#- What names a payment: its check with its date and total. -#}
{% macro payment_key(remittance) -%}
    sha256({{ check_key(remittance) }} || '|' || {{ remittance }}.payment_on || '|' || {{ remittance }}.total_amount)
{%- endmacro %}
