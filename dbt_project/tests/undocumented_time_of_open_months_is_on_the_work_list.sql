{{ config(meta={'dagster': {'ref': {'name': 'worklist'}}}) }}
select
    items.practice_id,
    items.item_id
from {{ ref('undocumented_time') }} as items
inner join {{ ref('int_months__close') }} as months on items.practice_id = months.practice_id and items.month = months.month
left join {{ ref('worklist') }} as listed on items.practice_id = listed.practice_id and items.item_id = listed.item_id
where
    months.is_open
    and (listed.item_id is null or listed.dollars_at_stake <> items.dollars_at_stake or listed.kind <> items.kind)
