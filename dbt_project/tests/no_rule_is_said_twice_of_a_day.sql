-- A row whose successor began before it ended is in force beside it: of two limits one model takes the larger, another the smaller, of two places of a track the better,
-- and two caps, bands or credentials make two lines of one. Nothing else would say which row was meant. (The last seed is the one that the check stands under.)
{%- set keys = {
    'rule_apcm_levels': ['procedure_code'],
    'rule_bands': ['program', 'track', 'procedure_code'],
    'rule_caps': ['procedure_code'],
    'rule_coverage_types': ['coverage_type'],
    'rule_credentials': ['credential'],
    'rule_initiating_visits': ['procedure_code'],
    'rule_programs': ['program'],
    'rule_stay_types': ['stay_type'],
    'rule_track_choice': ['track_policy', 'program', 'track'],
    'rule_limits': ['limit_name'],
} %}
{{ config(meta={'dagster': {'ref': {'name': 'rule_limits'}}}) }}
with rules as (
    {% for seed, key in keys.items() %}
    select
        '{{ seed }}' as rule_name,
        concat_ws(', ', {{ key | join(', ') }}) as said_of,
        effective_from,
        coalesce(effective_to, date '9999-12-31') as effective_to
    from {{ ref(seed) }}
    {% if not loop.last %}
    union all
    {% endif %}
    {% endfor %}
)

select distinct
    rule_name,
    said_of,
    effective_from as changed_on
from (
    select
        *,
        max(effective_to) over (
            partition by rule_name, said_of order by effective_from, effective_to rows between unbounded preceding and 1 preceding
        ) as ended_on
    from rules
)
where effective_from <= ended_on
