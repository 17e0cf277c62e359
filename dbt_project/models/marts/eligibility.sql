{{ config(meta={'touched_by': 'patient_months'}) }}
select
    practice_id,
    patient_id,
    month,
    program,
    is_eligible,
    reason,
    chronic_condition_count,
    condition_groups,
    has_initiating_visit
from {{ ref('int_eligibility') }}
