-- Practices of which everything is looked at again: new ones, such with other settings, such whose files or nights went away.
with now as (
    select
        practice_id,
        newest_night,
        hash(settings) as settings
    from (
        select
            practices.*,
            practices as settings
        from (select * exclude (first_night, newest_night, newest_panel_night) from {{ ref('stg_practices') }}) as practices
    )
    inner join (select practice_id, newest_night from {{ ref('stg_practices') }}) as nights using (practice_id)
)

select practice_id from now
