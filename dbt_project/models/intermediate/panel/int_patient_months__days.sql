{{ config(meta={'touched_by': 'patient_months', 'is_of_tonight': true}) }}
-- Which days of the month a patient was alive, covered by Medicare Part B, by Medicare Advantage, in a facility, in hospice: one bit per day
-- (bit 0 = the first), so that a union of ranges is a bit_or and "every day" is a comparison of two numbers.
with months as (
    select
        practice_id,
        patient_id,
        month,
        month_end,
        {{ day_mask('month', 'month_end', 'month') }} as month_days,
        {{ day_mask('month', 'deceased_date', 'month') }} as alive_days
    from {{ ref('int_patient_months') }}
),

coverages as (
    select
        months.practice_id,
        months.patient_id,
        months.month,
        bit_or(case when types.meaning = 'part_b' then {{ day_mask('facts.effective_date', 'facts.termination_date', 'months.month') }} else 0 end)
            as part_b_days,
        bit_or(case when types.meaning = 'advantage' then {{ day_mask('facts.effective_date', 'facts.termination_date', 'months.month') }} else 0 end)
            as advantage_days,
        bit_or(case when types.meaning = 'qmb' then {{ day_mask('facts.effective_date', 'facts.termination_date', 'months.month') }} else 0 end)
            as qmb_days,
        bit_or(
            case
                -- A type that the rules do not name is not Medicare's own: it pays first where it says so.
                when coalesce(types.is_primary_to_medicare, true) and facts.priority = 1
                    then {{ day_mask('facts.effective_date', 'facts.termination_date', 'months.month') }}
                else 0
            end
        ) as other_primary_days
    from months
    inner join {{ ref('int_coverages__current') }} as facts
        on months.practice_id = facts.practice_id and months.patient_id = facts.patient_id and facts.effective_date <= months.month_end
    left join {{ ref('rule_coverage_types') }} as types
        on facts.coverage_type = types.coverage_type and {{ in_force('types', 'months.month_end') }}
    group by months.practice_id, months.patient_id, months.month
),

stays as (
    select
        months.practice_id,
        months.patient_id,
        months.month,
        bit_or(case when types.is_inpatient then {{ day_mask('facts.admitted_on', 'facts.discharged_on', 'months.month') }} else 0 end)
            as inpatient_days,
        bit_or(case when types.is_hospice then {{ day_mask('facts.admitted_on', 'facts.discharged_on', 'months.month') }} else 0 end)
            as hospice_days,
        bit_or(case when types.is_review then {{ day_mask('facts.admitted_on', 'facts.discharged_on', 'months.month') }} else 0 end)
            as review_days
    from months
    inner join {{ ref('int_stays__current') }} as facts
        on months.practice_id = facts.practice_id and months.patient_id = facts.patient_id and facts.admitted_on <= months.month_end
    inner join {{ ref('rule_stay_types') }} as types
        on facts.stay_type = types.stay_type and {{ in_force('types', 'months.month_end') }}
    group by months.practice_id, months.patient_id, months.month
)

-- Panel and payer side by side: a day may be billed only where neither says that it may not.
select
    months.practice_id,
    months.patient_id,
    months.month,
    months.month_days,
    months.alive_days & coalesce(answered.alive_days, ~cast(0 as bigint)) as alive_days,
    coalesce(coverages.part_b_days, 0) & coalesce(answered.part_b_days, ~cast(0 as bigint)) as part_b_days,
    coalesce(coverages.part_b_days, 0)
    & coalesce(answered.part_b_days, ~cast(0 as bigint))
    & ~(coalesce(coverages.advantage_days, 0) | coalesce(answered.advantage_days, 0)) as fee_for_service_days,
    coalesce(coverages.qmb_days, 0) | coalesce(answered.qmb_days, 0) as qmb_days,
    coalesce(coverages.other_primary_days, 0) | coalesce(answered.other_primary_days, 0) as other_primary_days,
    coalesce(stays.inpatient_days, 0) as inpatient_days,
    coalesce(stays.hospice_days, 0) | coalesce(answered.hospice_days, 0) as hospice_days,
    coalesce(stays.inpatient_days, 0) | coalesce(stays.hospice_days, 0) | coalesce(answered.hospice_days, 0) as facility_days,
    coalesce(stays.review_days, 0) as review_days,
    -- As the panel alone has them, for the comparison with the payer.
    months.alive_days as panel_alive_days,
    coalesce(coverages.part_b_days, 0) as panel_part_b_days,
    coalesce(coverages.advantage_days, 0) as panel_advantage_days,
    coalesce(coverages.qmb_days, 0) as panel_qmb_days,
    coalesce(coverages.other_primary_days, 0) as panel_other_primary_days,
    coalesce(stays.hospice_days, 0) as panel_hospice_days
from months
left join coverages using (practice_id, patient_id, month)
left join stays using (practice_id, patient_id, month)
left join {{ ref('int_coverage_answers__days') }} as answered using (practice_id, patient_id, month)
