-- Each code on any problem list with its chronic condition groups, by the days for which the rules say so. Acute groups do not count; a code in no group at
-- all that AHRQ's CCIR calls chronic is a group of its own by its first three characters.
with codes as (
    select distinct icd10_code from {{ ref('int_conditions__current') }}
),

-- Days from which on another rule holds, or none.
changes as (
    {%- for seed in ['rule_condition_prefixes', 'rule_condition_groups', 'rule_ccir_chronic_codes'] %}
    select effective_from as day
    from {{ ref(seed) }}
    union
    select effective_to + 1
    from {{ ref(seed) }}
    where effective_to is not null
    {%- if not loop.last %}
    union
    {%- endif %}
    {%- endfor %}
),

periods as (
    select
        day as effective_from,
        lead(day) over (order by day) - 1 as effective_to
    from changes
),

rules as (
    select
        prefixes.icd10_prefix,
        prefixes.condition_group,
        groups.is_acute,
        periods.effective_from,
        periods.effective_to
    from {{ ref('rule_condition_prefixes') }} as prefixes
    inner join {{ ref('rule_condition_groups') }} as groups on prefixes.condition_group = groups.condition_group
    inner join periods
        on {{ in_force('prefixes', 'periods.effective_from') }} and {{ in_force('groups', 'periods.effective_from') }}
),

grouped as (
    select
        codes.icd10_code,
        rules.condition_group,
        rules.is_acute,
        rules.effective_from,
        rules.effective_to
    from codes
    inner join rules on starts_with(codes.icd10_code, rules.icd10_prefix)
)

select distinct
    icd10_code,
    condition_group,
    effective_from,
    effective_to
from grouped
where not is_acute
union all
select
    codes.icd10_code,
    'ccir_' || lower(substr(codes.icd10_code, 1, 3)) as condition_group,
    periods.effective_from,
    periods.effective_to
from codes
inner join {{ ref('rule_ccir_chronic_codes') }} as chronic on codes.icd10_code = chronic.icd10_code
inner join periods on {{ in_force('chronic', 'periods.effective_from') }}
left join grouped on codes.icd10_code = grouped.icd10_code and periods.effective_from = grouped.effective_from
where grouped.icd10_code is null
