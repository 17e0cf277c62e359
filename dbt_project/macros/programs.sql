{#- What is said of a program by its name, and of its first code. Also read by `ccm rules load-fees`, `ccm close` and the dashboard's queries, so nothing of
    dbt's but ref() may stand here. -#}

{#- Chronic care management: the near threshold, complex_below_60 and the yardstick of the revenue gap are its own (rules.md A3, A6, A7). -#}
{% macro chronic_care() -%}
    'ccm'
{%- endmacro %}

{#- What a patient without a consent is taken for (rules.md A2, A3). -#}
{% macro default_program() -%}
    {{ chronic_care() }}
{%- endmacro %}

{#- The first code of each program's staff track, the minutes that earn it, and the days on which it is that. A program without a staff track has none. -#}
{% macro first_codes() -%}
    select
        programs.program,
        bands.procedure_code,
        bands.first_unit_minutes,
        greatest(programs.effective_from, bands.effective_from) as effective_from,
        least(coalesce(programs.effective_to, date '9999-12-31'), coalesce(bands.effective_to, date '9999-12-31')) as effective_to
    from {{ ref('rule_programs') }} as programs
    inner join {{ ref('rule_bands') }} as bands on programs.program = bands.program and programs.staff_track = bands.track and bands.is_base
{%- endmacro %}

{#- The base code of the practice's care management, the yardstick of the revenue gap (rules.md A7), and the days on which it is that: CCM's first code. -#}
{% macro base_codes() -%}
    select
        first_codes.procedure_code,
        first_codes.effective_from,
        first_codes.effective_to
    from (
        {{ first_codes() }}
    ) as first_codes
    where first_codes.program = {{ chronic_care() }}
{%- endmacro %}
