{{ config(meta={'touched_by': 'patient_months'}) }}
-- Completed CCM contacts, and calls of the phone system, on whose local day the member starts no time entry for the patient: work that nobody wrote
-- down. Cut at local midnights; only what steps 2, 4 (staff) and 5 of rules.md A3 would pass.
with visits as (
    select visits.*
    from {{ ref('int_contacts') }} as visits
    {{ only_touched('patient_months', 'visits', by=['practice_id', 'patient_id']) }}
),

logged as (
    select distinct
        entries.practice_id,
        entries.member_id,
        entries.patient_id,
        entries.local_day
    from {{ ref('stg_time_entries') }} as entries
    inner join visits
        on
            entries.practice_id = visits.practice_id
            and entries.member_id = visits.member_id
            and entries.patient_id = visits.patient_id
            and entries.local_day = visits.local_day
    where entries.is_current and not entries.voided
),

unlogged as (
    select
        visits.practice_id,
        visits.kind || ':' || visits.contact_id as contact_key,
        visits.time_zone,
        visits.local_day,
        visits.start_at,
        visits.end_at,
        visits.elapsed_seconds between 1 and {{ longest_laid_out() }} as has_interval,
        case when visits.elapsed_seconds <= {{ longest_laid_out() }} then visits.elapsed_seconds else 0 end as seconds,
        case
            when visits.elapsed_seconds between 1 and {{ longest_laid_out() }}
                then date_diff('day', visits.local_day, cast({{ local_time("visits.end_at - interval 1 second", 'visits.time_zone') }} as date))
            else 0
        end as further_days
    from visits
    left join logged
        on
            visits.practice_id = logged.practice_id
            and visits.member_id = logged.member_id
            and visits.patient_id = logged.patient_id
            and visits.local_day = logged.local_day
    where logged.practice_id is null
),

pieces as (
    {{ cut_at_local_midnights('unlogged', ['practice_id', 'contact_key']) }}
)

select
    pieces.practice_id,
    visits.kind,
    case when visits.kind = 'visit_without_time' then visits.contact_id end as appointment_id,
    case when visits.kind = 'call_without_time' then visits.contact_id end as call_id,
    visits.patient_id,
    visits.member_id,
    {{ month_of('pieces.local_day') }} as month,
    pieces.local_day,
    pieces.start_at,
    pieces.end_at,
    pieces.seconds
from pieces
inner join visits on pieces.practice_id = visits.practice_id and pieces.contact_key = visits.kind || ':' || visits.contact_id
inner join {{ ref('int_members__current') }} as members
    on visits.practice_id = members.practice_id and visits.member_id = members.member_id
inner join {{ ref('rule_credentials') }} as credentials
    on members.credential = credentials.credential and {{ in_force('credentials', 'pieces.local_day') }}
inner join {{ ref('int_patient_months__service') }} as months
    on
        visits.practice_id = months.practice_id
        and visits.patient_id = months.patient_id
        and {{ month_of('pieces.local_day') }} = months.month
where
    credentials.role <> 'not_counted'
    and (members.active_from is null or pieces.local_day >= members.active_from)
    and (members.active_to is null or pieces.local_day <= members.active_to)
    and pieces.local_day >= months.service_starts_on
    and months.is_consent_in_force
    and {{ has_day('months.fee_for_service_days', 'pieces.local_day') }}
    and not {{ has_day('months.facility_days', 'pieces.local_day') }}
    and {{ has_day('months.alive_days', 'pieces.local_day') }}
