{{ config(meta={'touched_by': 'entries', 'found_by': ['file_id', 'line_number']}) }}
-- Each time entry as it stands: who, when, what, how it was recorded and how often amended, and the landed row that says so. The note is an id, a
-- length and a hash. Only entries with further rows have anything to count.
with versions as (
    select
        entries.practice_id,
        entries.entry_id,
        count(*) as versions,
        min(entries.extract_date) as first_landed_on
    from {{ ref('stg_time_entries') }} as entries
    {{ only_touched('entries', 'entries') }}
    where not entries.is_only
    group by entries.practice_id, entries.entry_id
)

select
    entries.practice_id,
    entries.entry_id,
    entries.patient_id,
    entries.member_id,
    members.credential,
    entries.program,
    entries.activity,
    entries.entry_method,
    entries.face_to_face as is_face_to_face,
    entries.start_at,
    entries.end_at,
    cast(entries.elapsed_seconds as bigint) as elapsed_seconds,
    entries.local_day as local_day_on,
    entries.has_clock_times,
    entries.is_documented,
    entries.note_id,
    entries.note_length,
    entries.note_sha256,
    entries.recorded_at,
    entries.updated_at,
    entries.voided as is_voided,
    cast(coalesce(versions.versions, 1) as bigint) as versions,
    coalesce(versions.first_landed_on, entries.extract_date) as first_landed_on,
    entries.file_id,
    entries.line_number
from {{ ref('stg_time_entries') }} as entries
{{ only_touched('entries', 'entries') }}
left join versions on entries.practice_id = versions.practice_id and entries.entry_id = versions.entry_id
left join {{ ref('int_members__current') }} as members
    on entries.practice_id = members.practice_id and entries.member_id = members.member_id
where entries.is_current
