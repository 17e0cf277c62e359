-- Spans in which one member has time for two or more patients or programs at once (R-TIME-4), among the entries that survive step 1.
-- First the union per member, patient and program; then, along the clock, how many of them run at once.
with spans as (
    select
        practice_id,
        member_id,
        patient_id,
        program,
        start_at,
        end_at,
        max(end_at) over (
            partition by practice_id, member_id order by start_at, end_at rows between unbounded preceding and 1 preceding
        ) as earlier_end,
        min(start_at) over (
            partition by practice_id, member_id order by start_at, end_at rows between 1 following and unbounded following
        ) as later_start
    from {{ ref('int_time_entries__screened') }}
    where is_real and has_clock_times and end_at > start_at
),

-- Most members are with one patient at a time: only what touches another entry goes on.
touching as (
    select
        *,
        case
            when start_at <= max(end_at) over (
                partition by practice_id, member_id, patient_id, program
                order by start_at, end_at rows between unbounded preceding and 1 preceding
            ) then 0
            else 1
        end as opens
    from spans
    where earlier_end > start_at or later_start < end_at
),

numbered as (
    select
        *,
        sum(opens) over (
            partition by practice_id, member_id, patient_id, program
            order by start_at, end_at rows between unbounded preceding and current row
        ) as run
    from touching
),

unions as (
    select
        practice_id,
        member_id,
        min(start_at) as start_at,
        max(end_at) as end_at
    from numbered
    group by practice_id, member_id, patient_id, program, run
),

steps as (
    select
        practice_id,
        member_id,
        start_at as moment,
        1 as step
    from unions
    union all
    select
        practice_id,
        member_id,
        end_at as moment,
        -1 as step
    from unions
),

moments as (
    select
        practice_id,
        member_id,
        moment,
        sum(step) as step
    from steps
    group by practice_id, member_id, moment
),

levels as (
    select
        practice_id,
        member_id,
        moment as start_at,
        lead(moment) over (partition by practice_id, member_id order by moment) as end_at,
        sum(step) over (partition by practice_id, member_id order by moment) as level
    from moments
)

select
    practice_id,
    member_id,
    start_at,
    end_at
from levels
where level >= 2
