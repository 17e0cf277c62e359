{{ config(meta={'dagster': {'ref': {'name': 'worklist'}}}) }}
select
    items.practice_id,
    items.item_id
from {{ ref('undocumented_time') }} as items
inner join {{ ref('stg_practices') }} as practices on items.practice_id = practices.practice_id
left join {{ ref('worklist') }} as listed on items.practice_id = listed.practice_id and items.item_id = listed.item_id
where
    practices.newest_night < {{ close_ends_on('items.month', 'practices') }}
    and (listed.item_id is null or listed.dollars_at_stake <> items.dollars_at_stake or listed.kind <> items.kind)
