-- Patients of whom months are looked at again, from the month `since` on: the panel says something else of them that matters to these months, or something
-- else of a member on whom all their months rest.
with panel as (
    select
        practice_id,
        patient_id,
        min(matters_from) as since
    from {{ ref('int_patients__panel') }} as now
    full outer join {{ before('int_patients__panel') }} as known using (practice_id, patient_id, matters_from)
    where
        now.facts is distinct from known.facts
        or now.odd_number is distinct from known.odd_number
        or now.number is distinct from known.number
    group by practice_id, patient_id
),

-- A billing practitioner who left the care team, or had not left, or was last in it on another day: the months behind that day.
left_team as (
    select
        patients.practice_id,
        patients.patient_id,
        {{ month_of("least(coalesce(now.gone_on, known.gone_on), coalesce(known.gone_on, now.gone_on))") }} as since
    from {{ ref('int_members__current') }} as now
    inner join {{ before('int_members__current') }} as known using (practice_id, member_id)
    inner join {{ ref('int_patients__current') }} as patients
        on now.practice_id = patients.practice_id and now.member_id = patients.billing_practitioner_id
    where now.gone_on is distinct from known.gone_on or (now.gone_on is not null and now.extract_date <> known.extract_date)
),

every as (
    -- Where the panel differs from what a payer said, the coverage of all months is told (int_coverage_conflicts).
    select
        panel.practice_id,
        panel.patient_id
    from panel
    semi join {{ ref('int_coverage_answers') }} as answered
        on panel.practice_id = answered.practice_id and panel.patient_id = answered.patient_id
    union
    -- The billing practitioner's credential, and the specialty of who made the initiating visit.
    select
        patients.practice_id,
        patients.patient_id
    from {{ ref('int_patients__current') }} as patients
    inner join {{ ref('touched_members') }} as members
        on patients.practice_id = members.practice_id and patients.billing_practitioner_id = members.member_id
    union
    select
        services.practice_id,
        services.patient_id
    from {{ ref('stg_services') }} as services
    inner join {{ ref('touched_members') }} as members on services.practice_id = members.practice_id and services.member_id = members.member_id
    union
    select
        patients.practice_id,
        patients.patient_id
    from {{ ref('int_patients__current') }} as patients
    inner join {{ ref('touched_practices') }} as practices on patients.practice_id = practices.practice_id
    union
    select
        known.practice_id,
        known.patient_id
    from {{ last_night('intermediate', 'int_patient_months') }} as known
    inner join {{ ref('touched_practices') }} as practices on known.practice_id = practices.practice_id
)

select
    practice_id,
    patient_id,
    min(since) as since
from (
    select practice_id, patient_id, since from panel
    union all
    select practice_id, patient_id, since from left_team
    union all
    select practice_id, patient_id, {{ always() }} as since from every
)
group by practice_id, patient_id
