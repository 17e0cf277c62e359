-- Patient-months that became claimable after the close of their month: no schedule asks for it again without a standing approver, so that somebody must.
-- What the scrub kept back and what the payer turned back have an item of their own, which says what to mend first.
select
    stages.practice_id,
    stages.patient_id,
    stages.month,
    stages.month_end,
    stages.billing_practitioner_id,
    stages.decision,
    stages.allowed_amount
from {{ ref('int_patient_months__stages') }} as stages
semi join {{ ref('stg_closes') }} as closes on stages.practice_id = closes.practice_id and stages.month = closes.month
anti join {{ ref('int_work_items') }} as items
    on
        stages.practice_id = items.practice_id
        and stages.patient_id = items.patient_id
        and stages.month = items.month
        and items.kind in ('claim_error', 'rejected_claim')
where stages.decision = 'claimable'
