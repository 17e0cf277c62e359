{{ config(meta={'touched_by': 'files_of_unknown'}) }}
-- Time in a landed file in force of patients and members whom nobody knows. The panel says who is known, and may say something else tomorrow.
with entries as not materialized (
    select
        entries.practice_id,
        entries.file_id,
        entries.patient_id,
        entries.member_id
    from {{ ref('stg_time_entries') }} as entries
    {{ only_touched('files_of_unknown', 'entries') }}
    where not entries.voided
),

of_unknown as (
    select
        entries.file_id,
        entries.patient_id,
        cast(null as varchar) as member_id
    from entries
    anti join {{ ref('int_patients__current') }} as patients
        on entries.practice_id = patients.practice_id and entries.patient_id = patients.patient_id
    union all
    select
        entries.file_id,
        cast(null as varchar) as patient_id,
        entries.member_id
    from entries
    anti join {{ ref('int_members__current') }} as members
        on entries.practice_id = members.practice_id and entries.member_id = members.member_id
)

select
    file_id,
    count(patient_id) as entries_of_unknown_patients,
    count(member_id) as entries_of_unknown_members
from of_unknown
group by file_id
