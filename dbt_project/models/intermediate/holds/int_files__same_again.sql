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
        min(extract_date) over (partition by practice_id, table_name) as first_night
    from {{ ref('stg_files') }}
    where table_name in {{ log_tables() }} and outcome = 'accepted' and rows_accepted > 0
),

-- Each night on which the same content landed, its own too.
alike as materialized (
    select distinct
        files.practice_id,
        files.table_name,
        files.file_id,
        files.extract_date,
        others.extract_date as same_night,
        files.first_night
    from landed as files
    inner join landed as others
        on files.practice_id = others.practice_id and files.table_name = others.table_name and files.sha256 = others.sha256
    where files.is_in_force
),

copies as materialized (
    select
        practice_id,
        table_name,
        file_id,
        max(same_night) filter (where same_night < extract_date) as same_as
    from alike
    group by practice_id, table_name, file_id, first_night
    having bool_or(same_night < extract_date) and (table_name = 'time_entries' or min(same_night) > first_night)
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
