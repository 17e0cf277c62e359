{{ config(meta={'touched_by': 'patient_months'}) }}
-- Outreach as it stood in each month: the last attempt dated in or before it, and the first contact ever. One row per patient-month with an attempt.
with attempts as (
    select
        outreach.practice_id,
        outreach.patient_id,
        outreach.outreach_id,
        outreach.attempted_at,
        cast({{ local_time('outreach.attempted_at', 'practices.time_zone') }} as date) as attempted_on,
        outreach.member_id,
        outreach.outcome,
        outcomes.is_contact,
        outcomes.is_final
    from {{ ref('int_outreach__current') }} as outreach
    inner join {{ ref('stg_practices') }} as practices on outreach.practice_id = practices.practice_id
    inner join {{ ref('rule_outreach_outcomes') }} as outcomes on outreach.outcome = outcomes.outcome
)

select
    months.practice_id,
    months.patient_id,
    months.month,
    attempts.attempted_on as last_attempted_on,
    attempts.member_id as last_attempt_by,
    attempts.outcome as last_outcome,
    attempts.is_final as is_last_outcome_final,
    min(case when attempts.is_contact then attempts.attempted_on end) over (
        partition by months.practice_id, months.patient_id, months.month
    ) as contacted_on
from {{ ref('int_patient_months') }} as months
inner join attempts
    on
        months.practice_id = attempts.practice_id
        and months.patient_id = attempts.patient_id
        and attempts.attempted_on <= months.month_end
where months.is_reported
qualify row_number() over (
    partition by months.practice_id, months.patient_id, months.month order by attempts.attempted_at desc, attempts.outreach_id desc
) = 1
