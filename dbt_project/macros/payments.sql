{#- Whether a claim (a row of its history) waits for its payer or was processed as paid, if only to the patient's deductible: where it should not have gone out,
    something is to be settled. -#}
{% macro waits_or_is_paid(claims) -%}
    {{ claims }}.status in ('submitted', 'accepted', 'paid')
{%- endmacro %}

{#- Whether an acknowledgment (with its envelope) may be of this claim file: others of the submitter's systems count from 1, too, and so does a copy of
    the home for a test. It is dated no earlier than the file (a day's grace for clocks and time zones), names its guide and is no test where that was none.
    What it does not say, or a batch of before these were kept does not, speaks for it. -#}
{% macro may_answer(answer, claims) -%}
    coalesce({{ answer }}.interchange_on >= {{ claims }}.claimed_on - 1, true)
    and coalesce({{ answer }}.answered_guide = '005010X222A1', true)
    and not coalesce({{ answer }}.usage_indicator = 'T' and {{ claims }}.usage_indicator = 'P', false)
{%- endmacro %}
