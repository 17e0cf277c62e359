-- The calendar of closes: each practice-month, where it stands and what it waits for. "Today" is the practice's newest night.
with closes as (
    select
        practice_id,
        month,
        max(close_version) as close_version,
        sum(claims) as claims,
        sum(allowed_amount) as claimed_amount,
        max_by(approved_at, close_version) as approved_at
    from {{ ref('stg_closes') }}
    group by practice_id, month
),

proposals as (
    select
        practice_id,
        month,
        max_by(close_version, proposal) as close_version
    from {{ from_configuration('proposals') }}
    group by practice_id, month
),

-- What the newest close found a fault in and nobody has claimed since: claimable, and held.
kept_back as (
    select distinct
        practice_id,
        patient_id,
        month
    from {{ ref('int_work_items') }}
    where kind = 'claim_error'
),

waiting as (
    select
        decisions.practice_id,
        decisions.month,
        decisions.allowed_amount,
        decisions.decision = 'held' or kept_back.practice_id is not null as is_held
    from {{ ref('int_decisions') }} as decisions
    left join kept_back
        on
            decisions.practice_id = kept_back.practice_id
            and decisions.patient_id = kept_back.patient_id
            and decisions.month = kept_back.month
    where decisions.decision = 'claimable' or (decisions.decision = 'held' and decisions.reason <> 'month_open')
),

decisions as (
    select
        practice_id,
        month,
        count(*) filter (where is_held) as held,
        sum(allowed_amount) filter (where is_held) as held_amount,
        count(*) filter (where not is_held) as claimable,
        sum(allowed_amount) filter (where not is_held) as claimable_amount
    from waiting
    group by practice_id, month
)

select
    months.practice_id,
    months.month,
    case
        when closes.close_version is not null then 'closed'
        when proposals.close_version is not null then 'proposed'
        when practices.newest_night >= next_month.first_day + (practices.close_first_day - 1) then 'due'
        else 'open'
    end as state,
    cast(closes.close_version as integer) as close_version,
    cast(next_month.first_day + (practices.close_first_day - 1) as date) as first_close_on,
    cast(next_month.first_day + (practices.close_final_day - 1) as date) as final_close_on,
    practices.newest_night,
    cast(coalesce(decisions.claimable, 0) as bigint) as claimable,
    cast(coalesce(decisions.claimable_amount, 0) as decimal(12, 2)) as claimable_amount,
    cast(coalesce(decisions.held, 0) as bigint) as held,
    cast(coalesce(decisions.held_amount, 0) as decimal(12, 2)) as held_amount,
    cast(coalesce(closes.claims, 0) as bigint) as claims,
    cast(coalesce(closes.claimed_amount, 0) as decimal(12, 2)) as claimed_amount,
    closes.approved_at
from {{ ref('int_months') }} as months
inner join {{ ref('stg_practices') }} as practices on months.practice_id = practices.practice_id
cross join lateral (select cast(months.month + interval 1 month as date) as first_day) as next_month
left join closes on months.practice_id = closes.practice_id and months.month = closes.month
left join proposals on months.practice_id = proposals.practice_id and months.month = proposals.month
left join decisions on months.practice_id = decisions.practice_id and months.month = decisions.month
