-- Every flag has its rule row, with its meaning and citation: what an office reads beside a patient-month can be asked "why?".
{{ config(meta={'touched_by': 'patient_months', 'dagster': {'ref': {'name': 'patient_month_decisions'}}}) }}
select distinct decisions.practice_id
from {{ ref('patient_month_decisions') }} as decisions
cross join unnest(decisions.flags) as flags (flag)
left join {{ ref('rule_flags') }} as rules on flags.flag = rules.flag
where rules.flag is null
