-- Practices of which everything is looked at again: new ones, such with other settings or charges, such of which files or nights went away.
with now as (
    select
        practices.practice_id,
        practices.newest_night,
        hash(settings) as settings
    from {{ ref('stg_practices') }} as practices
    inner join (
        select * exclude (first_night, newest_night, newest_panel_night) from {{ ref('stg_practices') }}
    ) as settings on practices.practice_id = settings.practice_id
),

known as (
    select
        practices.practice_id,
        practices.newest_night,
        hash(settings) as settings
    from {{ before('stg_practices') }} as practices
    inner join (
        select * exclude (first_night, newest_night, newest_panel_night) from {{ before('stg_practices') }}
    ) as settings on practices.practice_id = settings.practice_id
)

select practice_id
from now
full outer join known using (practice_id)
where now.settings is distinct from known.settings or now.newest_night < known.newest_night
union
select known_files.practice_id
from {{ before('stg_files') }} as known_files
left join {{ ref('stg_files') }} as files on known_files.file_id = files.file_id
where files.file_id is null
