-- For each practice, panel table and night up to which facts hold: the night of the snapshot that was in force then.
with wanted as (
    select distinct
        practice_id,
        facts_night
    from {{ ref('int_patients__current') }}
)

select
    wanted.practice_id,
    wanted.facts_night,
    files.table_name,
    max(files.extract_date) as extract_date
from wanted
inner join {{ ref('stg_files') }} as files
    on wanted.practice_id = files.practice_id and files.is_in_force and files.extract_date <= wanted.facts_night
group by wanted.practice_id, wanted.facts_night, files.table_name
