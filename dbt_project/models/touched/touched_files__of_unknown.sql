-- Files of which other rows may be of somebody unknown than the night before: touched ones, and those with time of a patient or a member who is known since
-- or is not any more. These are few on most nights; a number of two names is a file too many.
with patients as (
    select
        practice_id,
        patient_id
    from (select practice_id, patient_id, is_known from {{ ref('int_patients__panel') }} where is_known) as now
    full outer join (select practice_id, patient_id, is_known from {{ before('int_patients__panel') }} where is_known) as known
        using (practice_id, patient_id)
    where now.is_known is null or known.is_known is null
),

members as (
    select
        practice_id,
        member_id
    from (select practice_id, member_id, true as is_there from {{ ref('int_members__current') }}) as now
    full outer join (select practice_id, member_id, true as is_there from {{ before('int_members__current') }}) as known using (practice_id, member_id)
    where now.is_there is null or known.is_there is null
)

select file_id
from {{ ref('touched_files') }}
union
select file_id
from {{ ref('stg_time_entries') }}
where hash(practice_id, patient_id) in (select hash(sought.practice_id, sought.patient_id) from patients as sought)
union
select file_id
from {{ ref('stg_time_entries') }}
where hash(practice_id, member_id) in (select hash(sought.practice_id, sought.member_id) from members as sought)
