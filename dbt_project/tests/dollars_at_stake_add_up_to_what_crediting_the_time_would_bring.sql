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
left join {{ ref('int_decisions') }} as decisions using (practice_id, patient_id, month)
left join {{ ref('int_scenario_changes') }} as changes
    on
        items.practice_id = changes.practice_id
        and items.patient_id = changes.patient_id
        and items.month = changes.month
        and changes.scenario = 'documented'
where
    items.dollars <> case
        when decisions.decision <> 'not_claimable' or decisions.reason = 'below_threshold' then coalesce(changes.allowed_difference, 0)
        else 0
    end
