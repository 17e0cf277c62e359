{{ config(meta={'touched_by': 'member_days'}) }}
-- Spans in which one member has time for two or more patients or programs at once (R-TIME-4), among the pieces of entries that survive step 1;
-- day by day, because a piece lies on one.
-- First the union per member, patient and program; then, along the clock, how many of them run at once.
{%- set columns = ['practice_id', 'member_id', 'patient_id', 'program', 'file_id', 'line_number', 'local_day', 'start_at', 'end_at'] %}
{#- Asked for on every night, so that dbt knows of the edges. -#}
{%- set judged, of_touched = time_pieces('judged'), only_touched('member_days', 'pieces') %}
{%- set touched_months, beside = ref('touched_months'), ref('touched_pieces__beside') %}
with
pieces as not materialized (
    select
        {% for column in columns %}pieces.{{ column }},
        {% endfor -%}
        {{ step_1('pieces', 'entry_day') }} as step_1
    from {{ judged }} as pieces
    {{ of_touched }}
    {%- if is_touched_night() %}
    semi join {{ touched_months }} as months on pieces.practice_id = months.practice_id and pieces.month = months.month
    {%- endif %}
    where pieces.start_at is not null
    {%- if is_touched_night() %}
    union all
    select
        {% for column in columns %}pieces.{{ column }},
        {% endfor -%}
        {{ step_1('pieces', 'entry_day') }} as step_1
    from {{ beside }} as pieces
    where pieces.start_at is not null
    {%- endif %}
),

-- Pieces with time beside them on the member's day: a piece lies on one, and numbers are put in an order sooner than names. Two days with one number cost a
-- look too many. Of pieces with one start the first finds the second behind it, the second the first before it, whichever is first.
-- Pieces of two days are beside each other where a clock is put back over midnight from behind it: in no zone since 2010 (all of the time zone database looked at).
suspects as (
    select
        file_id,
        line_number,
        local_day
    from (
        select
            file_id,
            line_number,
            local_day,
            start_at,
            end_at,
            max(end_at) over (
                partition by day_number order by start_at rows between unbounded preceding and 1 preceding
            ) as earlier_end,
            lead(start_at) over (partition by day_number order by start_at) as later_start
        from (
            select
                file_id,
                line_number,
                local_day,
                start_at,
                end_at,
                hash(practice_id, member_id, local_day) as day_number
            from pieces
        )
    )
    where earlier_end > start_at or later_start < end_at
),

spans as (
    select
        pieces.practice_id,
        pieces.member_id,
        pieces.local_day,
        pieces.patient_id,
        pieces.program,
        pieces.start_at,
        pieces.end_at,
        max(pieces.end_at) over (
            partition by pieces.practice_id, pieces.member_id, pieces.local_day
            order by pieces.start_at, pieces.end_at rows between unbounded preceding and 1 preceding
        ) as earlier_end,
        lead(pieces.start_at) over (
            partition by pieces.practice_id, pieces.member_id, pieces.local_day order by pieces.start_at, pieces.end_at
        ) as later_start
    from pieces
    semi join suspects
        on pieces.file_id = suspects.file_id and pieces.line_number = suspects.line_number and pieces.local_day = suspects.local_day
    anti join {{ ref('int_time_entries__doubled') }} as doubled
        on pieces.file_id = doubled.file_id and pieces.line_number = doubled.line_number
    where pieces.step_1 is null
),

-- Most members are with one patient at a time: only what touches another entry goes on.
touching as (
    select
        *,
        case
            when start_at <= max(end_at) over (
                partition by practice_id, member_id, local_day, patient_id, program
                order by start_at, end_at rows between unbounded preceding and 1 preceding
            ) then 0
            else 1
        end as opens
    from spans
    where earlier_end > start_at or later_start < end_at
),

-- What begins and ends alike may lie in another order here than it did above: it has one number by its order alone, not row by row.
numbered as (
    select
        *,
        sum(opens) over (
            partition by practice_id, member_id, local_day, patient_id, program
            order by start_at, end_at range between unbounded preceding and current row
        ) as run
    from touching
),

unions as (
    select
        practice_id,
        member_id,
        local_day,
        min(start_at) as start_at,
        max(end_at) as end_at
    from numbered
    group by practice_id, member_id, local_day, patient_id, program, run
),

steps as (
    select
        practice_id,
        member_id,
        local_day,
        start_at as moment,
        1 as step
    from unions
    union all
    select
        practice_id,
        member_id,
        local_day,
        end_at as moment,
        -1 as step
    from unions
),

moments as (
    select
        practice_id,
        member_id,
        local_day,
        moment,
        sum(step) as step
    from steps
    group by practice_id, member_id, local_day, moment
),

levels as (
    select
        practice_id,
        member_id,
        local_day,
        moment as start_at,
        lead(moment) over (partition by practice_id, member_id, local_day order by moment) as end_at,
        sum(step) over (partition by practice_id, member_id, local_day order by moment) as level
    from moments
)

select
    practice_id,
    member_id,
    local_day,
    start_at,
    end_at
from levels
where level >= 2
