-- Files of which other rows may be of somebody unknown than the night before: touched ones, and those with time of a patient or a member who is known since
-- or is not any more. These are few on most nights; a number of two names is a file too many.
with patients as (
    select
        practice_id,
        patient_id
    from {{ ref('int_patients__panel') }} as now
    full outer join {{ before('int_patients__panel') }} as known using (practice_id, patient_id)
    where coalesce(now.is_known, false) <> coalesce(known.is_known, false)
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
