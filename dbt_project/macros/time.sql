{#- Instants are TIMESTAMP in UTC. This is the wall clock of a time zone (a column or a literal) at an instant. -#}
{% macro local_time(instant, zone) -%}
    timezone({{ zone }}, timezone('UTC', {{ instant }}))
{%- endmacro %}

{#- The first instant of a local day: midnight, or what stands in for it where the clock skips or repeats midnight. -#}
{% macro first_instant(day, zone) -%}
    case
        when {{ local_time("timezone('UTC', timezone(" ~ zone ~ ", cast(" ~ day ~ " as timestamp))) - interval 1 hour", zone) }} = cast({{ day }} as timestamp)
            then timezone('UTC', timezone({{ zone }}, cast({{ day }} as timestamp))) - interval 1 hour
        else timezone('UTC', timezone({{ zone }}, cast({{ day }} as timestamp)))
    end
{%- endmacro %}

{% macro seconds_between(earlier, later) -%}
    date_diff('second', {{ earlier }}, {{ later }})
{%- endmacro %}

{#- Seconds of the longest interval that is laid out on the calendar, ten years: one that is said to last longer is a slip of the pen. -#}
{% macro longest_laid_out() -%}
    315360000
{%- endmacro %}

{#- Seconds that somebody wrote down, at most as many as lie between the first and the last instant that a row may have (years 1 to 9999): whoever adds
    them up has a number, whatever was written. -#}
{% macro written_seconds(seconds) -%}
    case when {{ seconds }} > 315537897599 then 315537897599 when {{ seconds }} < -315537897599 then -315537897599 else {{ seconds }} end
{%- endmacro %}

{#- How long an entry lasts: between its clock times, else as long as it says (interface.md section 3). -#}
{% macro elapsed_seconds(entries) -%}
    case
        when {{ entries }}.started_at is not null and {{ entries }}.ended_at is not null
            then {{ seconds_between(entries ~ '.started_at', entries ~ '.ended_at') }}
        else {{ written_seconds(entries ~ '.duration_seconds') }}
    end
{%- endmacro %}

{% macro month_of(day) -%}
    cast(date_trunc('month', {{ day }}) as date)
{%- endmacro %}

{#- The month from which on a fact matters that matters to every month. -#}
{% macro always() -%}
    date '0001-01-01'
{%- endmacro %}

{% macro month_end(month) -%}
    cast({{ month }} + interval 1 month - interval 1 day as date)
{%- endmacro %}

{#- Days of a month as bits: bit 0 is the first day. A set of days is one number, its union is bit_or. -#}
{% macro day_mask(first_day, last_day, month) -%}
    case
        when greatest({{ first_day }}, {{ month }}) > least(coalesce({{ last_day }}, {{ month_end(month) }}), {{ month_end(month) }}) then 0
        else
            ((cast(1 as bigint) << cast(
                day(least(coalesce({{ last_day }}, {{ month_end(month) }}), {{ month_end(month) }})) - day(greatest({{ first_day }}, {{ month }})) + 1
            as integer)) - 1) << cast(day(greatest({{ first_day }}, {{ month }})) - 1 as integer)
    end
{%- endmacro %}

{% macro has_day(mask, day) -%}
    (({{ mask }} >> cast(day({{ day }}) - 1 as integer)) & 1) = 1
{%- endmacro %}

{#- Start of service (rules.md A2): the consent's date, or that of the earliest initiating visit if it came later; null without a consent. -#}
{% macro service_starts_on(enrollment, visits) -%}
    case
        when {{ enrollment }}.consented_on is not null
            then greatest({{ enrollment }}.consented_on, coalesce({{ visits }}.initiated_on, {{ enrollment }}.consented_on))
    end
{%- endmacro %}

{#- A rule row is in force on a day. -#}
{% macro in_force(rule, day) -%}
    {{ day }} between {{ rule }}.effective_from and coalesce({{ rule }}.effective_to, date '9999-12-31')
{%- endmacro %}

{#- A number of the rules by name, as it is in force on a day (rule_limits). No row has a day in common with another of its name: the maximum is that one. -#}
{% macro limit(name, day) -%}
    (select max(limits.amount) from {{ ref('rule_limits') }} as limits where limits.limit_name = '{{ name }}' and {{ in_force('limits', day) }})
{%- endmacro %}

{#- A number of the office's lists and plans by name (rule_office_limits). -#}
{% macro office_limit(name) -%}
    (select limits.amount from {{ ref('rule_office_limits') }} as limits where limits.limit_name = '{{ name }}')
{%- endmacro %}

{#- Of int_time_segments: a note would bring it back (rules.md A6b). -#}
{% macro is_undocumented() -%}
    disposition = 'undocumented' and passes_days and seconds > 0
{%- endmacro %}

{#- Of int_time_segments: a word of the member would bring it back (rules.md A6b). -#}
{% macro is_unresolved() -%}
    disposition in ('staff_overlap', 'runaway_timer') and would_count and seconds > 0
{%- endmacro %}

{#- An appointment was a CCM contact that took place (rules.md A6b): its time is to be logged. -#}
{% macro is_completed_contact(appointment) -%}
    {{ appointment }}.status = 'completed' and {{ appointment }}.visit_type = 'ccm_call'
{%- endmacro %}

{#- Whether a claim of this service date comes too late on a night (rules.md A7, timely_filing). -#}
{% macro is_filed_late(service_date, night) -%}
    {{ service_date }} + interval 1 year * cast({{ limit('timely_filing', service_date) }} as integer) < {{ night }}
{%- endmacro %}

{#- The last day on which a claim of this service date is filed in time. -#}
{% macro filed_by(service_date) -%}
    cast({{ service_date }} + interval 1 year * cast({{ limit('timely_filing', service_date) }} as integer) as date)
{%- endmacro %}

{#- The last day on which a payer's decision of this day may be reopened at the practice's request. -#}
{% macro reopened_by(decided_on) -%}
    cast({{ decided_on }} + interval 1 year * cast({{ limit('reopening', decided_on) }} as integer) as date)
{%- endmacro %}

{#- How a decision can still be put right, in words. -#}
{% macro ways(appealed_by, reopened_by, newest_night) -%}
    concat_ws(
        ', ',
        case when {{ appealed_by }} >= {{ newest_night }} then 'appeal by ' || strftime({{ appealed_by }}, '%Y-%m-%d') end,
        case when {{ reopened_by }} >= {{ newest_night }} then 'reopening by ' || strftime({{ reopened_by }}, '%Y-%m-%d') end
    )
{%- endmacro %}

{#- Step 1 of rules.md A3, which judges an entry by itself; null: passed. A piece asks by the day on which its entry began: the whole entry runs away or
    none of it. -#}
{% macro step_1(entries, began_on='local_day') -%}
    case
        when {{ entries }}.voided then 'voided'
        when {{ entries }}.elapsed_seconds < 0 then 'invalid_interval'
        when {{ entries }}.elapsed_seconds is null then 'open_timer'
        when {{ is_above_limit(entries ~ '.elapsed_seconds', 'runaway_timer', entries ~ '.' ~ began_on, unit=60) }} then 'runaway_timer'
    end
{%- endmacro %}

{#- Behind a FROM: the pieces of current entries (rules.md A3): most entries are one piece as they are, the others were cut (int_time_entries__cut).
    A piece has its entry's columns, its own local_day, month, start_at, end_at and seconds (no time: no interval, and seconds as they are), is_whole
    when nothing was cut off, and entry_start_at and entry_day, where its entry began. Which: `all`, those to be `judged` (judged_entries), those of touched
    entries as this night `made` them, or as they were `before` this night (of the cut ones all). `days`: a model of months; of whole entries only those of a
    day in one of these are read, of the cut ones all. `places`: a relation of rowids, of whole entries only these are read. -#}
{% macro time_pieces(which='all', days=none, places=none) -%}
    {%- if which == 'before' -%}
        {%- set entries, cut = ref('touched_entries__known'), last_night('intermediate', 'int_time_entries__cut') -%}
    {%- elif which == 'made' -%}
        {%- set entries, cut = made_tonight('stg_time_entries'), made_tonight('int_time_entries__cut') -%}
    {%- else -%}
        {%- set entries, cut = judged_entries() if which == 'judged' else ref('stg_time_entries'), ref('int_time_entries__cut') -%}
    {%- endif -%}
    {%- set columns = [
        'practice_id', 'entry_id', 'file_id', 'line_number', 'patient_id', 'member_id', 'program', 'activity', 'face_to_face', 'voided',
        'is_documented', 'has_clock_times', 'elapsed_seconds', 'note_number', 'local_day',
    ] -%}
    (
        select
            {% for column in columns %}{{ column }},
            {% endfor -%}
            {{ month_of('local_day') }} as month,
            case when has_clock_times and end_at > start_at then start_at end as start_at,
            case when has_clock_times and end_at > start_at then end_at end as end_at,
            case when elapsed_seconds > 0 then elapsed_seconds else 0 end as seconds,
            true as is_whole,
            start_at as entry_start_at,
            local_day as entry_day
        from {{ entries }}
        {%- if days %}
        semi join ({{ days_of(days) }}) as days on local_day = days.day
        {%- endif %}
        {#- One condition, not two: DuckDB takes each for one row in five, and would hash these many by the few that they are joined with. #}
        where
            case when is_current then not is_cut else false end
            {%- if places %}
            and rowid in (select place from {{ places }})
            {%- endif %}
        union all
        select
            {% for column in columns %}{{ column }},
            {% endfor -%}
            {{ month_of('local_day') }} as month,
            start_at,
            end_at,
            seconds,
            false as is_whole,
            entry_start_at,
            entry_day
        from {{ cut }}
    )
{%- endmacro %}

{#- Behind a FROM: patients' seconds by local day, a day in as many rows as there are: what was logged, and what reaches step 6 of rules.md A3 with each second
    once. Time that runs beside no other is credited as its segment has it, the rest as int_patient_days has united it; further scenarios have there what they
    would add. By numbers. -#}
{% macro seconds_by_day() -%}
    (
        select
            'actual' as scenario,
            patient_number,
            month,
            local_day,
            case when is_credited then seconds else 0 end as credited_seconds,
            case when is_credited and is_practitioner then seconds else 0 end as practitioner_seconds,
            case when is_credited and not is_practitioner then seconds else 0 end as staff_seconds,
            case when disposition = 'voided' then 0 else seconds end as logged_seconds
        from (
            select
                *,
                disposition is null and not is_beside as is_credited
            from {{ ref('int_time_segments') }}
            where patient_number is not null
        )
        union all
        select
            scenario,
            patient_number,
            month,
            local_day,
            credited_seconds,
            practitioner_seconds,
            staff_seconds,
            0 as logged_seconds
        from {{ ref('int_patient_days') }}
    )
{%- endmacro %}

{#- Every day of a model's months. -#}
{% macro days_of(months) -%}
    select distinct cast(unnest(generate_series(month, month + interval 1 month - interval 1 day, interval 1 day)) as date) as day
    from {{ ref(months) }}
{%- endmacro %}

{#- Cuts the intervals of a CTE (columns: those named, time_zone, local_day, further_days, has_interval, start_at, end_at, seconds) at local midnights:
    one row per local day. A row without an interval (has_interval false) stays one row with its seconds. is_whole: nothing was cut off. -#}
{% macro cut_at_local_midnights(cte, columns) -%}
    select
        {% for column in columns %}{{ column }},
        {% endfor -%}
        local_day,
        case when has_interval then start_at end as start_at,
        case when has_interval then end_at end as end_at,
        seconds,
        true as is_whole
    from {{ cte }}
    where not (has_interval and further_days > 0)
    union all
    select
        {% for column in columns %}{{ column }},
        {% endfor -%}
        local_day,
        start_at,
        end_at,
        {{ seconds_between('start_at', 'end_at') }} as seconds,
        false as is_whole
    from (
        select
            {% for column in columns %}{{ column }},
            {% endfor -%}
            local_day + cast(day_number as integer) as local_day,
            greatest(start_at, {{ first_instant('local_day + cast(day_number as integer)', 'time_zone') }}) as start_at,
            least(end_at, {{ first_instant('local_day + cast(day_number as integer) + 1', 'time_zone') }}) as end_at
        from (
            select
                *,
                unnest(range(0, further_days + 1)) as day_number
            from {{ cte }}
            where has_interval and further_days > 0
        )
    )
    where end_at > start_at
{%- endmacro %}

{#- Cents, half up. Exact: the argument is DECIMAL, never floating point. -#}
{% macro round_half_up(amount, digits=2) -%}
    round({{ amount }}, {{ digits }})
{%- endmacro %}

{#- A line's share of an amount that the payer gave for the claim as a whole: by charge, in cents, so that the shares add up exactly. -#}
{% macro share_by_charge(amount, charged_so_far, line_charge, claim_charge) -%}
    round({{ amount }} * {{ charged_so_far }} / {{ claim_charge }}, 2)
    - round({{ amount }} * ({{ charged_so_far }} - {{ line_charge }}) / {{ claim_charge }}, 2)
{%- endmacro %}

{#- What Medicare pays of an allowed amount (rules.md A7, expected_payment), rounded once. -#}
{% macro medicare_pays(allowed_amount, service_date) -%}
    cast({{ round_half_up(allowed_amount ~ ' * ' ~ limit('medicare_share', service_date) ~ ' * ' ~ limit('after_sequestration', service_date)) }} as decimal(12, 2))
{%- endmacro %}
