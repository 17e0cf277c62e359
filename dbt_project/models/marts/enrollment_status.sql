-- Where each patient stands in each month: the state of enrollment, the furthest funnel stage, since when, and what bars the next.
with joined as (
    select
        *,
        coalesce(stage_reached <> lag(stage_reached) over patient_months, true) as begins_stage,
        coalesce(state <> lag(state) over patient_months, true) as begins_state
    from {{ ref('int_patient_months__standing') }}
    window patient_months as (partition by practice_id, patient_id order by month)
)

select
    practice_id,
    patient_id,
    month,
    state,
    stage,
    case
        when stage is not null
            then coalesce(stage_evidence_on, max(case when begins_stage then month end) over until_now)
    end as stage_since,
    stalled_reason,
    coalesce(state_evidence_on, max(case when begins_state then month end) over until_now) as state_since
from joined
window until_now as (partition by practice_id, patient_id order by month rows between unbounded preceding and current row)
