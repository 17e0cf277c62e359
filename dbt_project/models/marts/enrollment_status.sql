{{ config(meta={'touched_by': 'patient_months_since'}) }}
-- Where each patient stands in each month: the state of enrollment, the furthest funnel stage, since when, and what bars the next.
select
    practice_id,
    patient_id,
    month,
    state,
    stage,
    case when stage is not null then coalesce(stage_evidence_on, stage_began_on) end as stage_since,
    stalled_reason,
    coalesce(state_evidence_on, state_began_on) as state_since
from {{ ref('int_patient_months__runs') }}
