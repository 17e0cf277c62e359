{{ config(meta={'touched_by': 'patient_months', 'dagster': {'ref': {'name': 'int_work_items'}}}) }}
-- Documenting and resolving together bring what the patient-month is worth with all of it credited, decided again.
with items as (
    select
        practice_id,
        patient_id,
        month,
        sum(dollars_at_stake) as dollars
    from {{ ref('int_work_items') }}
    where kind in ('missing_note', 'open_timer', 'visit_without_time', 'call_without_time', 'staff_overlap', 'runaway_timer')
    group by practice_id, patient_id, month
)

select
    practice_id,
    patient_id,
    month
from {{ ref('int_scenario_changes') }} as changes
left join {{ ref('int_scenario_stakes') }} as stakes using (scenario, practice_id, patient_id, month)
left join items using (practice_id, patient_id, month)
where changes.scenario = 'resolved' and coalesce(items.dollars, 0) <> coalesce(stakes.allowed_difference, 0)
