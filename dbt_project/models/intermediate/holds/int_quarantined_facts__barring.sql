-- Patient-months of which nothing is claimed for a reason that a row in quarantine may be to blame for: the row that would make the month billable may be the
-- very one that could not be read. Such a row is of the table that the reason is found in (rule_decision_reasons.evidence). Months without time are there where
-- the program needs none, or may be such a one: its consent is what could not be read.
select
    stages.practice_id,
    stages.patient_id,
    stages.month,
    stages.month_end,
    stages.billing_practitioner_id,
    stages.decision,
    {{ rows_told('facts') }} as fact
from {{ ref('int_patient_months__stages') }} as stages
inner join {{ ref('rule_decision_reasons') }} as reasons on stages.reason = reasons.reason
inner join {{ ref('int_quarantined_facts') }} as facts
    on
        stages.practice_id = facts.practice_id
        and stages.patient_id = facts.patient_id
        and {{ may_be_to_blame('facts', 'reasons', 'stages.month') }}
where
    stages.decision = 'not_claimable'
    and (stages.logged_seconds > 0 or not stages.needs_minutes or facts.table_name = 'consents')
    and facts.table_name <> 'time_entries'
    and not facts.is_accepted
group by stages.practice_id, stages.patient_id, stages.month, stages.month_end, stages.billing_practitioner_id, stages.decision
