-- Where each patient stands in each month: the state of enrollment, the furthest funnel stage, since when, and what bars the next.
-- A patient as one number, for this statement alone: months are put in their order by it at half of what names cost.
with patients as (
    select
        practice_id,
        patient_id,
        row_number() over (order by practice_id, patient_id) as number
    from {{ ref('int_patients__current') }}
),

joined as (
    select
        standing.*,
        patients.number,
        coalesce(standing.stage_reached <> lag(standing.stage_reached) over patient_months, true) as begins_stage,
        coalesce(standing.state <> lag(standing.state) over patient_months, true) as begins_state
    from {{ ref('int_patient_months__standing') }} as standing
    inner join patients on standing.practice_id = patients.practice_id and standing.patient_id = patients.patient_id
    window patient_months as (partition by patients.number order by standing.month)
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
window until_now as (partition by number order by month rows between unbounded preceding and current row)
