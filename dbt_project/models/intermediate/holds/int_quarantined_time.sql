-- Rows of the time log in quarantine. Those whose minutes a claim may want, of eligible patients with a consent in force to a program that asks for minutes,
-- count for nobody until they are landed right, that night again or by a later one, and no claim waits for them (rules.md A6b). A row that could not be read
-- has no day: a night brings the work of the day before. Those that may take back an entry that counts (takes_back) are of its patient and months, also where
-- the month is claimed.
with first_months as (
    select
        practice_id,
        min(month) as first_month
    from {{ ref('int_months') }}
    group by practice_id
),

named as (
    select
        quarantined.practice_id,
        quarantined.patient_id,
        quarantined.extract_date,
        quarantined.line_number,
        greatest({{ month_of('quarantined.extract_date - 1') }}, first_months.first_month) as month
    from {{ ref('stg_quarantine') }} as quarantined
    inner join first_months on quarantined.practice_id = first_months.practice_id
    anti join {{ ref('int_quarantined_rows__mended') }} as mended
        on quarantined.file_id = mended.file_id and quarantined.line_number = mended.line_number
    anti join {{ ref('int_quarantined_facts') }} as facts
        on quarantined.file_id = facts.file_id and quarantined.line_number = facts.line_number
    where quarantined.table_name = 'time_entries' and quarantined.is_in_force and quarantined.patient_id is not null
),

found as (
    select
        named.practice_id,
        named.patient_id,
        named.month,
        named.extract_date,
        named.line_number,
        false as takes_back,
        stages.month_end,
        stages.billing_practitioner_id,
        stages.decision
    from named
    inner join {{ ref('int_patient_months__stages') }} as stages
        on named.practice_id = stages.practice_id and named.patient_id = stages.patient_id and named.month = stages.month
    where stages.is_eligible and stages.is_consent_in_force and stages.needs_minutes
    union all
    select
        facts.practice_id,
        facts.patient_id,
        stages.month,
        facts.extract_date,
        facts.line_number,
        true as takes_back,
        stages.month_end,
        stages.billing_practitioner_id,
        stages.decision
    from {{ ref('int_quarantined_facts') }} as facts
    inner join {{ ref('int_patient_months__stages') }} as stages
        on
            facts.practice_id = stages.practice_id
            and facts.patient_id = stages.patient_id
            and {{ holds_month('facts', 'stages.month') }}
    where
        facts.table_name = 'time_entries'
        and not facts.is_accepted
        and (stages.decision <> 'not_claimable' or (stages.is_eligible and stages.is_consent_in_force))
)

select
    practice_id,
    patient_id,
    month,
    extract_date,
    takes_back,
    month_end,
    billing_practitioner_id,
    decision,
    count(*) as row_count,
    min(line_number) as first_line
from found
group by all
