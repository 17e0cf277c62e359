{#- The first local day on which a month may close (close.first_day of the following month). -#}
{% macro close_opens_on(month, practices) -%}
    cast({{ month }} + interval 1 month as date) + cast({{ practices }}.close_first_day - 1 as integer)
{%- endmacro %}

{#- The local day from which on nothing of a month is held any more (close.final_day of the following month). -#}
{% macro close_ends_on(month, practices) -%}
    cast({{ month }} + interval 1 month as date) + cast({{ practices }}.close_final_day - 1 as integer)
{%- endmacro %}
