{{ config(meta={'touched_by': 'patient_months'}) }}
-- What crediting a patient-month's undocumented, or undocumented and unresolved, time would bring, decided again in full (rules.md A6b, A7): the claim that it
-- would make is filed in time, or not, by the service date that it would have. Where something else than minutes or that stands in the way: no row.
select
    changes.scenario,
    practice_id,
    patient_id,
    month,
    cast(
        case
            when decisions.decision <> 'claimed' and {{ is_filed_late('changes.service_date', 'practices.newest_night') }} then 0
            else changes.allowed_amount
        end
        - decisions.allowed_amount as decimal(18, 2)
    ) as allowed_difference
from {{ ref('int_scenario_changes') }} as changes
inner join {{ ref('int_decisions') }} as decisions using (practice_id, patient_id, month)
inner join {{ ref('stg_practices') }} as practices using (practice_id)
where decisions.decision <> 'not_claimable' or decisions.reason in ('below_threshold', 'timely_filing')
