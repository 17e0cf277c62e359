{{ config(meta={'touched_by': 'patient_months'}) }}
-- Where panel and payer say different things of a day of the month, by subject, with what each says. Before a patient's death only.
with compared as (
    select
        days.practice_id,
        days.patient_id,
        days.month,
        days.alive_days,
        answered.answered_on,
        answered.leaves_out_part_b and subjects.subject = 'part_b' as is_left_out,
        subjects.subject,
        subjects.panel_days & subjects.compared_days as panel_days,
        subjects.payer_days & subjects.compared_days as payer_days,
        -- Silence denies only where an answer told of everything.
        subjects.payer_days is not null and (answered.is_whole_now or subjects.payer_days <> 0 or subjects.subject in ('part_b', 'deceased')) as is_told
    from {{ ref('int_patient_months__days') }} as days
    inner join {{ ref('int_coverage_answers__days') }} as answered using (practice_id, patient_id, month)
    cross join lateral (
        select
            'part_b' as subject,
            days.panel_part_b_days as panel_days,
            answered.part_b_days as payer_days,
            days.alive_days as compared_days
        union all
        select 'medicare_advantage', days.panel_advantage_days, answered.advantage_days, days.alive_days
        union all
        select 'qmb', days.panel_qmb_days, answered.qmb_days, days.alive_days
        union all
        select 'other_primary', days.panel_other_primary_days, answered.other_primary_days, days.alive_days
        union all
        select 'hospice', days.panel_hospice_days, answered.hospice_days, days.alive_days
        union all
        select 'deceased', days.panel_alive_days, answered.alive_days, days.month_days
    ) as subjects
),

different as (
    select *
    from compared
    where is_told and panel_days <> payer_days
),

panel as (
    select
        practice_id,
        patient_id,
        case coverage_type when 'medicare_part_b' then 'part_b' else coverage_type end as subject,
        string_agg(
            strftime(effective_date, '%Y-%m-%d') || coalesce(' to ' || strftime(termination_date, '%Y-%m-%d'), ' on'), ', ' order by effective_date, termination_date
        ) as said
    from {{ ref('int_coverages__current') }}
    group by all
    union all
    -- As the days have it: what the rules do not name is not Medicare's own.
    select
        practice_id,
        patient_id,
        'other_primary',
        string_agg(
            strftime(effective_date, '%Y-%m-%d') || coalesce(' to ' || strftime(termination_date, '%Y-%m-%d'), ' on'), ', ' order by effective_date, termination_date
        )
    from {{ ref('int_coverages__current') }}
    where
        priority = 1
        and coverage_type not in (select types.coverage_type from {{ ref('rule_coverage_types') }} as types where not types.is_primary_to_medicare)
    group by all
    union all
    select
        practice_id,
        patient_id,
        'hospice',
        string_agg(strftime(admitted_on, '%Y-%m-%d') || coalesce(' to ' || strftime(discharged_on, '%Y-%m-%d'), ' on'), ', ' order by admitted_on, stay_id)
    from {{ ref('int_stays__current') }}
    where stay_type in (select types.stay_type from {{ ref('rule_stay_types') }} as types where types.is_hospice)
    group by all
    union all
    select
        practice_id,
        patient_id,
        'deceased',
        strftime(deceased_date, '%Y-%m-%d')
    from {{ ref('int_patients__current') }}
    where deceased_date is not null
),

payer as (
    select
        practice_id,
        patient_id,
        meaning as subject,
        string_agg(
            distinct case when is_covered then '' else 'none ' end
            || case
                when meaning = 'deceased' then strftime(starts_on, '%Y-%m-%d')
                when starts_on is null and ends_on is null then 'without dates'
                else coalesce(strftime(starts_on, '%Y-%m-%d'), '') || coalesce(' to ' || strftime(ends_on, '%Y-%m-%d'), ' on')
            end, ', '
            order by case when is_covered then '' else 'none ' end
            || case
                when meaning = 'deceased' then strftime(starts_on, '%Y-%m-%d')
                when starts_on is null and ends_on is null then 'without dates'
                else coalesce(strftime(starts_on, '%Y-%m-%d'), '') || coalesce(' to ' || strftime(ends_on, '%Y-%m-%d'), ' on')
            end
        ) as said
    from {{ ref('int_coverage_answers') }}
    group by all
)

select
    different.practice_id,
    different.patient_id,
    different.month,
    different.subject,
    case different.subject when 'other_primary' then 'another payer first' else replace(different.subject, '_', ' ') end
    || ': the panel says ' || coalesce(panel.said, 'nothing')
    || ', the payer ' || coalesce(payer.said || case when different.is_left_out then ', none in another answer' else '' end, 'none')
    || ' (271 of ' || strftime(different.answered_on, '%Y-%m-%d') || ')' as fact
from different
left join panel
    on different.practice_id = panel.practice_id and different.patient_id = panel.patient_id and different.subject = panel.subject
left join payer
    on different.practice_id = payer.practice_id and different.patient_id = payer.patient_id and different.subject = payer.subject
