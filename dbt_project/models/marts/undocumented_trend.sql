-- Habits, not entries: what share of the countable minutes nobody documented, by member and month, and by practice and month.
with credited as (
    select
        practice_id,
        month,
        member_id,
        sum(seconds) as credited_seconds
    from {{ ref('minute_ledger') }}
    where disposition = 'credited'
    group by practice_id, month, member_id
),

undocumented as (
    select
        practice_id,
        month,
        member_id,
        sum(seconds) as undocumented_seconds,
        count(*) as items
    from {{ ref('int_time_items') }}
    where scenario = 'documented'
    group by practice_id, month, member_id
),

by_member as (
    select
        practice_id,
        month,
        member_id,
        coalesce(credited.credited_seconds, 0) as credited_seconds,
        coalesce(undocumented.undocumented_seconds, 0) as undocumented_seconds,
        coalesce(undocumented.items, 0) as items
    from credited
    full outer join undocumented using (practice_id, month, member_id)
    inner join {{ ref('int_months') }} using (practice_id, month)
),

trend as (
    select
        practice_id,
        month,
        'member' as scope,
        member_id,
        credited_seconds,
        undocumented_seconds,
        items
    from by_member
    union all
    select
        months.practice_id,
        months.month,
        'practice' as scope,
        '' as member_id,
        coalesce(sum(by_member.credited_seconds), 0) as credited_seconds,
        coalesce(sum(by_member.undocumented_seconds), 0) as undocumented_seconds,
        coalesce(sum(by_member.items), 0) as items
    from {{ ref('int_months') }} as months
    left join by_member on months.practice_id = by_member.practice_id and months.month = by_member.month
    group by months.practice_id, months.month
)

select
    practice_id,
    month,
    scope,
    member_id,
    cast(credited_seconds // 60 as bigint) as credited_minutes,
    cast(undocumented_seconds // 60 as bigint) as undocumented_minutes,
    cast(items as bigint) as items,
    cast(undocumented_seconds / nullif(credited_seconds + undocumented_seconds, 0) as decimal(7, 4)) as undocumented_share
from trend
