-- Patient-months of which something of their own differs from what was last used: time, visits, services, panel facts, claims; or that the calendar
-- moves; or whose time a member has beside such. What only shares a note is added by touched_patient_months. A key too many costs time and changes
-- nothing; one too few would be a wrong row, which the comparison with `ccm nightly --full` finds.
with grid as not materialized (
    -- Every patient-month there was or is, most of them twice.
    select
        practice_id,
        patient_id,
        month
    from {{ last_night('intermediate', 'int_patient_months') }}
    union all
    select
        patients.practice_id,
        patients.patient_id,
        months.month
    from {{ ref('int_patients__current') }} as patients
    inner join {{ ref('int_months') }} as months on patients.practice_id = months.practice_id
),

-- Of each practice, when it was last looked at and when it is now.
nights as (
    select
        now.practice_id,
        now.newest_night,
        known.newest_night as known_night
    from {{ ref('stg_practices') }} as now
    inner join {{ before('stg_practices') }} as known on now.practice_id = known.practice_id
),

-- Timely filing ends for a claim of this date between the two nights. A service date lies in its month: in most months it ends for none.
filing_months as (
    select
        months.practice_id,
        months.month,
        nights.newest_night,
        nights.known_night
    from {{ before('int_months') }} as months
    inner join nights on months.practice_id = nights.practice_id
    where
        not {{ is_filed_late(month_end('months.month'), 'nights.known_night') }}
        and {{ is_filed_late('months.month', 'nights.newest_night') }}
),

filing as (
    -- Without codes, a claim would be of the month's last day.
    select
        known.practice_id,
        known.patient_id,
        known.month
    from {{ last_night('intermediate', 'int_patient_months') }} as known
    inner join filing_months as nights on known.practice_id = nights.practice_id and known.month = nights.month
    where not {{ is_filed_late('known.month_end', 'nights.known_night') }} and {{ is_filed_late('known.month_end', 'nights.newest_night') }}
    union
    -- What-ifs have service dates of their own.
    select
        tracks.practice_id,
        tracks.patient_id,
        tracks.month
    from {{ last_night('intermediate', 'int_tracks__chosen') }} as tracks
    inner join filing_months as nights on tracks.practice_id = nights.practice_id and tracks.month = nights.month
    where tracks.place = 1 and not {{ is_filed_late('tracks.service_date', 'nights.known_night') }} and {{ is_filed_late('tracks.service_date', 'nights.newest_night') }}
),

-- Every version of a touched service: what it says now and what it said. A visit counts in its month and in later ones.
services as (
    select
        versions.practice_id,
        versions.patient_id,
        min(versions.service_date) as service_date
    from (
        select lake.practice_id, lake.service_id, lake.patient_id, lake.service_date
        from {{ from_lake('services') }} as lake
        inner join {{ ref('touched_files') }} as files on lake.file_id = files.file_id
        union all
        select practice_id, service_id, patient_id, service_date
        from {{ ref('stg_services') }}
    ) as versions
    semi join {{ ref('touched_services__landed') }} as touched
        on versions.practice_id = touched.practice_id and versions.service_id = touched.service_id
    group by versions.practice_id, versions.patient_id
),

-- Every version of every appointment and call, and whether a touched file has its key or a touched member had it.
contacts as (
    select
        versions.practice_id,
        versions.patient_id,
        versions.scheduled_start as start_at,
        versions.scheduled_end as end_at,
        touched.appointment_id is not null or members.member_id is not null as is_touched
    from (
        select lake.practice_id, lake.appointment_id, lake.patient_id, lake.member_id, lake.scheduled_start, lake.scheduled_end
        from {{ from_lake('appointments') }} as lake
        inner join {{ ref('touched_files') }} as files on lake.file_id = files.file_id
        union all
        select practice_id, appointment_id, patient_id, member_id, scheduled_start, scheduled_end
        from {{ ref('stg_appointments') }}
    ) as versions
    left join {{ ref('touched_appointments__landed') }} as touched
        on versions.practice_id = touched.practice_id and versions.appointment_id = touched.appointment_id
    left join {{ ref('touched_members') }} as members on versions.practice_id = members.practice_id and versions.member_id = members.member_id
    union all
    select
        versions.practice_id,
        versions.patient_id,
        versions.started_at,
        versions.started_at + to_seconds(least(greatest(versions.duration_seconds, 0), {{ longest_laid_out() }})),
        touched.call_id is not null or members.member_id is not null
    from (
        select lake.practice_id, lake.call_id, lake.patient_id, lake.member_id, lake.started_at, lake.duration_seconds
        from {{ from_lake('calls') }} as lake
        inner join {{ ref('touched_files') }} as files on lake.file_id = files.file_id
        union all
        select practice_id, call_id, patient_id, member_id, started_at, duration_seconds
        from {{ ref('stg_calls') }}
    ) as versions
    left join (
        select distinct lake.practice_id, lake.call_id
        from {{ from_lake('calls') }} as lake
        inner join {{ ref('touched_files') }} as files on lake.file_id = files.file_id
    ) as touched on versions.practice_id = touched.practice_id and versions.call_id = touched.call_id
    left join {{ ref('touched_members') }} as members on versions.practice_id = members.practice_id and versions.member_id = members.member_id
),

-- A day on either side, because these are instants and the months are the practice's own. No contact is laid out over more than ten years.
contact_months as (
    select
        practice_id,
        patient_id,
        is_touched,
        contact,
        unnest(generate_series(
            {{ month_of("start_at - interval 1 day") }},
            cast(greatest(least(end_at, start_at + interval 11 year), start_at) + interval 1 day as date),
            interval 1 month
        )) as month
    from (select *, row_number() over () as contact from contacts)
),

-- A contact is logged by an entry of its day, and a call may be an appointment of its day: what meets something touched is touched in all its months.
met as (
    select own.contact
    from contact_months as own
    semi join (
        select practice_id, patient_id, month from {{ ref('touched_pieces') }}
        union all
        select practice_id, patient_id, cast(month as date) from contact_months where is_touched
    ) as touched
        on own.practice_id = touched.practice_id and own.patient_id = touched.patient_id and cast(own.month as date) = touched.month
),

visit_months as (
    select distinct
        practice_id,
        patient_id,
        cast(month as date) as month
    from contact_months
    where is_touched or contact in (select met.contact from met)
),

claims as (
    select
        practice_id,
        patient_id,
        month
    from {{ ref('int_claims__current') }} as now -- noqa: AL05
    full outer join {{ before('int_claims__current') }} as known using (practice_id, patient_id, month) -- noqa: AL05
    where now is distinct from known
    union
    select
        claims.practice_id,
        claims.patient_id,
        claims.month
    from {{ ref('int_claims__current') }} as claims
    left join {{ ref('int_claims__answered') }} as now on claims.claim_id = now.claim_id
    left join {{ before('int_claims__answered') }} as known on claims.claim_id = known.claim_id
    where now is distinct from known
    union
    -- Claims that the scrub kept back or that wait for a quarantined row: few, and what lets them go is not theirs alone.
    select
        practice_id,
        patient_id,
        month
    from {{ from_configuration('held') }}
    union
    select
        practice_id,
        patient_id,
        month
    from {{ last_night('intermediate', 'int_work_items') }}
    where kind = 'claim_error'
),

-- A member's time runs beside other time of theirs where the two meet on the clock (int_staff_overlaps): whose does with what changed, before this night or
-- now. In a month that the calendar moves every patient-month is here. (What is said of a member touches all entries of theirs: those are in touched_pieces.)
beside as (
    select
        pieces.practice_id,
        pieces.patient_id,
        pieces.month
    from {{ ref('touched_pieces__beside') }} as pieces
    semi join {{ ref('touched_pieces') }} as touched
        on
            pieces.practice_id = touched.practice_id
            and pieces.member_id = touched.member_id
            and pieces.local_day = touched.local_day
            and pieces.start_at <= touched.end_at
            and touched.start_at <= pieces.end_at
),

-- Of whom everything is looked at again, who was not known the last time: where others have time, there they have a patient-month.
strangers as (
    select
        touched.practice_id,
        touched.patient_id
    from {{ ref('touched_patients') }} as touched
    anti join (select practice_id, patient_id from {{ before('int_patients__panel') }} where is_known) as known
        on touched.practice_id = known.practice_id and touched.patient_id = known.patient_id
),

{{ pieces_of('pieces_of_strangers', ['practice_id', 'patient_id'], 'strangers') }},

found as (
    select practice_id, patient_id, month from {{ ref('touched_pieces') }}
    union
    -- Time of when everything is looked at again, by its day.
    select
        pieces.practice_id,
        pieces.patient_id,
        pieces.month
    from {{ time_pieces(days='touched_months') }} as pieces
    semi join {{ ref('touched_months') }} as months on pieces.practice_id = months.practice_id and pieces.month = months.month
    union
    select practice_id, patient_id, month from beside
    union
    select
        pieces.practice_id,
        pieces.patient_id,
        pieces.month
    from pieces_of_strangers as pieces
    semi join strangers on pieces.practice_id = strangers.practice_id and pieces.patient_id = strangers.patient_id
    union
    select
        grid.practice_id,
        grid.patient_id,
        grid.month
    from grid
    inner join {{ ref('touched_patients') }} as touched
        on grid.practice_id = touched.practice_id and grid.patient_id = touched.patient_id and grid.month >= touched.since
    union
    select
        grid.practice_id,
        grid.patient_id,
        grid.month
    from grid
    semi join {{ ref('touched_months') }} as touched on grid.practice_id = touched.practice_id and grid.month = touched.month
    union
    select
        grid.practice_id,
        grid.patient_id,
        grid.month
    from grid
    inner join services
        on grid.practice_id = services.practice_id and grid.patient_id = services.patient_id and grid.month >= {{ month_of('services.service_date') }}
    union
    -- Known only up to the last night, also where somebody dated an entry into a month ahead.
    select
        known.practice_id,
        known.patient_id,
        known.month
    from {{ last_night('intermediate', 'int_patient_months') }} as known
    inner join nights on known.practice_id = nights.practice_id
    where known.month_end > nights.known_night
    union
    select practice_id, patient_id, month from visit_months
    union
    select practice_id, patient_id, month from filing
    union
    select practice_id, patient_id, month from claims
    union
    -- Nights on which a patient stood on the panel.
    select
        lake.practice_id,
        lake.patient_id,
        {{ month_of('files.extract_date') }} as month
    from {{ from_lake('patients') }} as lake
    inner join {{ ref('touched_files') }} as files on lake.file_id = files.file_id
    union
    select
        lake.practice_id,
        lake.patient_id,
        {{ month_of('files.extract_date') }} as month
    from {{ from_lake('quarantine') }} as lake
    inner join {{ ref('touched_files') }} as files on lake.file_id = files.file_id
    where lake.table_name = 'patients' and lake.patient_id is not null
)

select
    practice_id,
    patient_id,
    month
from found
