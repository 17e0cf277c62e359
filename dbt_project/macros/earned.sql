{#- Every code that minutes or a level earn: its program, its track and the days on which it is earned. For the tests that hold the rule seeds against
    each other: on which of these days another seed must speak of it as well. -#}
{% macro earned_codes() -%}
    select
        bands.program,
        bands.track,
        bands.procedure_code,
        bands.effective_from,
        coalesce(bands.effective_to, date '9999-12-31') as effective_to
    from {{ ref('rule_bands') }} as bands
    union all
    select
        programs.program,
        'apcm' as track,
        levels.procedure_code,
        levels.effective_from,
        coalesce(levels.effective_to, date '9999-12-31') as effective_to
    from {{ ref('rule_apcm_levels') }} as levels
    cross join (select distinct program from {{ ref('rule_programs') }} where not needs_minutes) as programs
{%- endmacro %}

{#- The days on which what a dated seed says can change: those on which a row begins, and those after one ended. -#}
{% macro days_of_change(seed) -%}
    select effective_from as changed_on from {{ ref(seed) }}
    union
    select effective_to + 1 from {{ ref(seed) }} where effective_to is not null
{%- endmacro %}
