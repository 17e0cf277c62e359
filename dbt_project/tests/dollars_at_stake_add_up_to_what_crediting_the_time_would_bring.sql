{{ config(meta={'touched_by': 'patient_months', 'dagster': {'ref': {'name': 'undocumented_time'}}}) }}
with items as (
    select
        practice_id,
        patient_id,
        month,
        sum(dollars_at_stake) as dollars
    from {{ ref('undocumented_time') }}
    group by practice_id, patient_id, month
)

select
    items.practice_id,
    items.patient_id,
    items.month
from items
left join {{ ref('int_scenario_stakes') }} as stakes
    on
        items.practice_id = stakes.practice_id
        and items.patient_id = stakes.patient_id
        and items.month = stakes.month
        and stakes.scenario = 'documented'
where items.dollars <> coalesce(stakes.allowed_difference, 0)
