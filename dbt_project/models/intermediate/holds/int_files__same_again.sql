-- Files in force of scheduling and time log that are, byte for byte, that of an earlier night (same_as), and how many of their rows stand in no other file. Those
-- of a sender who sends a whole list, or what is some days old, every night do: there nothing is lost where a night brings nothing new. So it may be with a
-- first night, which may bring a whole history; a tracker's entries are sent as they come.
{%- set logs = {
    'appointments': ('appointment_id', 'updated_at'),
    'services': ('service_id', 'updated_at'),
    'time_entries': ('entry_id', 'updated_at'),
    'calls': ('call_id', 'started_at'),
} %}
with landed as (
    select
        practice_id,
        table_name,
        extract_date,
        file_id,
        sha256,
        is_in_force,
        hash(practice_id, table_name, sha256) as content_number
    from {{ ref('stg_files') }}
    where table_name in {{ log_tables() }} and outcome = 'accepted' and rows_accepted > 0
),

first_nights as (
    select
        practice_id,
        table_name,
        min(extract_date) as first_night
    from landed
    group by practice_id, table_name
),

-- The few of which another night may have the content: numbers find them, names decide (ADR 31).
several as (
    select content_number
    from landed
    group by content_number
    having min(extract_date) < max(extract_date)
),

found as materialized (
    select landed.*
    from landed
    semi join several on landed.content_number = several.content_number
),

-- Each night on which the same content landed, its own too.
alike as materialized (
    select distinct
        files.practice_id,
        files.table_name,
        files.file_id,
        files.extract_date,
        others.extract_date as same_night
    from found as files
    inner join found as others
        on files.practice_id = others.practice_id and files.table_name = others.table_name and files.sha256 = others.sha256
    where files.is_in_force
),

copies as materialized (
    select
        alike.practice_id,
        alike.table_name,
        alike.file_id,
        max(alike.same_night) filter (where alike.same_night < alike.extract_date) as same_as
    from alike
    inner join first_nights on alike.practice_id = first_nights.practice_id and alike.table_name = first_nights.table_name
    group by alike.practice_id, alike.table_name, alike.file_id
    having
        bool_or(alike.same_night < alike.extract_date)
        and (alike.table_name = 'time_entries' or min(alike.same_night) > min(first_nights.first_night))
),

own as (
    {%- for table, (key, said_at) in logs.items() %}
    select
        copies.table_name,
        copies.practice_id,
        copies.file_id,
        log.{{ key }} as row_key,
        log.{{ said_at }} as said_at
    from copies
    inner join {{ ref('stg_' ~ table) }} as log on copies.file_id = log.file_id
    where copies.table_name = '{{ table }}'
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

-- What a file of a night that had something else says in the same words.
elsewhere as (
    {%- for table, (key, said_at) in logs.items() %}
    select distinct
        own.file_id,
        own.row_key,
        own.said_at
    from own
    inner join {{ ref('stg_' ~ table) }} as log
        on own.practice_id = log.practice_id and own.row_key = log.{{ key }} and own.said_at = log.{{ said_at }}
    anti join alike on own.file_id = alike.file_id and log.extract_date = alike.same_night
    where own.table_name = '{{ table }}'
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

rows_of as (
    select
        own.file_id,
        count(*) as rows_in_file,
        count(*) filter (where elsewhere.row_key is null) as rows_nowhere_else
    from own
    left join elsewhere on own.file_id = elsewhere.file_id and own.row_key = elsewhere.row_key and own.said_at = elsewhere.said_at
    group by own.file_id
)

select
    copies.practice_id,
    copies.file_id,
    copies.same_as,
    rows_of.rows_in_file,
    rows_of.rows_nowhere_else
from copies
inner join rows_of on copies.file_id = rows_of.file_id
