{#- Generic tests. Each gives the failing rows with their practice_id, so that the gate can stop the practice concerned and no other. -#}

{% test is_unique_by(model, columns, also=[]) %}
    select {{ columns | join(', ') }}{% for column in also %}, min({{ column }}) as {{ column }}{% endfor %}

    from {{ rows_beside_made(model, columns) }}
    group by {{ columns | join(', ') }}
    having count(*) > 1
{% endtest %}

{#- Where a night's rows alone are tested (macros/touched.sql), a row made then may repeat one that stands, unless the columns have the whole key of the
    night: then every row is looked at that has the columns of one made then. Of patient-months, where the month is among the columns: every row of a month
    that the calendar moves, and in the other months those that share the number of their first two columns with one made then. -#}
{% macro rows_beside_made(relation, columns) -%}
    {%- if 'touched' not in (relation | string).split('"') -%}{{ return(relation) }}{%- endif -%}
    {%- set tested = graph.nodes[model.attached_node] -%}
    {%- set keys = touched_sets()[touched_by(tested)][1] -%}
    {%- if keys | reject('in', columns) | list and touched_by(tested) == 'patient_months' and 'month' in columns -%}
        {%- set months = last_night('touched', 'touched_months') -%}
        {%- set whole -%}
            (
                select every.*
                from {{ builtins.ref(tested.name) }} as every
                semi join {{ months }} as months on every.practice_id = months.practice_id and every.month = months.month
                union all
                select every.*
                from {{ builtins.ref(tested.name) }} as every
                anti join {{ months }} as months on every.practice_id = months.practice_id and every.month = months.month
                where
                    {{ number_of(columns[:2], 'every') }} in (
                        select {{ number_of(columns[:2], 'made') }}
                        from {{ relation }} as made
                        anti join {{ months }} as months on made.practice_id = months.practice_id and made.month = months.month
                    )
            )
        {%- endset -%}
        {{ return(whole) }}
    {%- elif keys | reject('in', columns) | list -%}
        {%- set whole -%}
            (select every.* from {{ builtins.ref(tested.name) }} as every semi join {{ relation }} as made using ({{ columns | join(', ') }}))
        {%- endset -%}
        {{ return(whole) }}
    {%- endif -%}
    {{ return(relation) }}
{%- endmacro %}

{% test has_no_nulls(model, columns, by=['practice_id']) %}
    select distinct {{ by | join(', ') }}
    from {{ model }}
    where {% for column in columns %}{{ column }} is null{% if not loop.last %} or {% endif %}{% endfor %}
{% endtest %}

{% test is_one_of(model, column_name, values, by=['practice_id']) %}
    select distinct {{ by | join(', ') }}
    from {{ model }}
    where {{ column_name }} is not null
        and {{ column_name }} not in ({% for value in values %}'{{ value }}'{% if not loop.last %}, {% endif %}{% endfor %})
{% endtest %}

{% test is_within(model, column_name, at_least, at_most=none, by=['practice_id']) %}
    select distinct {{ by | join(', ') }}
    from {{ model }}
    where {{ column_name }} < {{ at_least }}{% if at_most is not none %} or {{ column_name }} > {{ at_most }}{% endif %}
{% endtest %}

{#- Of a small mart that is derived from others: one row per grain, and a value wherever one is promised. -#}
{% test is_whole(model, grain, columns) %}
    select {{ grain | join(', ') }}
    from {{ model }}
    group by {{ grain | join(', ') }}
    having count(*) > 1{% for column in columns %} or count({{ column }}) < count(*){% endfor %}
{% endtest %}

{#- Every word in use has its rule row: what no row speaks of, nobody has decided. -#}
{% test is_in_the_rules(model, column_name, rule, by=['practice_id']) %}
    select distinct {% for column in by %}facts.{{ column }}{% if not loop.last %}, {% endif %}{% endfor %}
    from {{ model }} as facts
    left join {{ ref(rule) }} as rules on facts.{{ column_name }} = rules.{{ column_name }}
    where facts.{{ column_name }} is not null and rules.{{ column_name }} is null
{% endtest %}
