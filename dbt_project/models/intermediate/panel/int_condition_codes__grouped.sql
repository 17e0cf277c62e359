-- Each code on any problem list with its chronic condition groups. Acute groups do not count; a code in no group at all that AHRQ's CCIR calls
-- chronic is a group of its own by its first three characters.
with codes as (
    select distinct icd10_code from {{ ref('int_conditions__current') }}
),

grouped as (
    select
        codes.icd10_code,
        prefixes.condition_group,
        groups.is_acute
    from codes
    inner join {{ ref('rule_condition_prefixes') }} as prefixes on starts_with(codes.icd10_code, prefixes.icd10_prefix)
    inner join {{ ref('rule_condition_groups') }} as groups on prefixes.condition_group = groups.condition_group
)

select distinct
    icd10_code,
    condition_group
from grouped
where not is_acute
union all
select
    codes.icd10_code,
    'ccir_' || lower(substr(codes.icd10_code, 1, 3)) as condition_group
from codes
inner join {{ ref('rule_ccir_chronic_codes') }} as chronic on codes.icd10_code = chronic.icd10_code
left join grouped on codes.icd10_code = grouped.icd10_code
where grouped.icd10_code is null
