-- What each night's file is measured by, and what is usual for that practice and table: only its own nights are looked at, never a clock. Whether a measure
-- is out of the ordinary is for extract_drift to say, by the rows of drift_limits. `compared` is the number that a limit judges, `basis` how much there is
-- to judge by, `content` the hash of what was measured: an acceptance holds for that content alone.
with nights as (
    select * from {{ ref('int_extract_nights') }}
),

-- Of snapshots: how many rows, and what share of the panel's patients have a billing practitioner who may bill, which the panel and the care team say together.
-- known: what later nights are compared with. Who may be a row in quarantine is taken for one who may bill on that night, and is nobody's usual.
counted as (
    select
        practice_id, table_name, extract_date, is_snapshot, newest_file_night,
        'rows' as measure,
        table_name as series,
        rows_present as counted,
        rows_present as known,
        cast(null as double) as basis,
        sha256 as content
    from nights
    where is_snapshot
    union all
    select
        practice_id, table_name, extract_date, is_snapshot, newest_file_night,
        'who_may_bill' as measure,
        'patients and care_team' as series,
        patients_who_may_be_billed / patients as counted,
        patients_known_to_be_billed / patients as known,
        patients as basis,
        content
    from {{ ref('int_extract_nights__practitioners') }}
),

-- Compared with the highest of the nights before. An accepted night is where the counting begins again: it is the new usual.
snapshots as (
    select
        counted.*,
        acceptances.hold_id is not null as is_accepted
    from counted
    left join {{ from_configuration('acceptances') }} as acceptances
        on
            counted.practice_id = acceptances.practice_id
            and acceptances.hold_id = {{ hold_id(
                'counted.practice_id', "'drift'", 'counted.table_name', 'counted.measure', "''", "''", 'counted.content'
            ) }}
),

snapshot_eras as (
    select
        *,
        count(*) filter (where is_accepted) over (
            partition by practice_id, series, measure order by extract_date rows between unbounded preceding and 1 preceding
        ) as era
    from snapshots
),

snapshots_before as (
    select
        *,
        max(known) over (
            partition by practice_id, series, measure, era order by extract_date
            range between interval {{ var('drift_nights') }} day preceding and interval 1 day preceding
        ) as most
    from (
        select
            * exclude (era),
            era,
            false as is_beginning
        from snapshot_eras
        union all
        select
            * exclude (era),
            era + 1 as era,
            true as is_beginning
        from snapshot_eras
        where is_accepted
    )
),

-- Members of a care team who may bill but for their NPI, and a file of a log that is an earlier night's.
wrong_npis as (
    select
        file_id,
        count(*) as members,
        list_sort(list(line_number)) as lines
    from {{ ref('int_files__billers') }}
    where has_wrong_npi
    group by file_id
),

misspelled as (
    select
        nights.*,
        wrong_npis.members,
        array_to_string(wrong_npis.lines[:5], ', ') || case when len(wrong_npis.lines) > 5 then ', ...' else '' end as names
    from nights
    inner join wrong_npis on nights.file_id = wrong_npis.file_id
),

sent_again as (
    select
        nights.*,
        copies.rows_in_file,
        copies.rows_nowhere_else,
        strftime(copies.same_as, '%Y-%m-%d') as names
    from nights
    inner join {{ ref('int_files__same_again') }} as copies on nights.file_id = copies.file_id
),

-- Changes: seven nights together, so that weekends and one late night do not matter, against the four times seven nights before. The first night, which may
-- bring a whole history, is no part of what is usual.
{% set rates = [
    ('rows_in_week', 'rows_accepted', none),
    ('minutes_per_staff_day', 'minutes', 'staff_days'),
    ('entries_without_note', 'entries_without_note', 'entries'),
    ('unknown_patients', 'entries_of_unknown_patients', 'entries'),
    ('unknown_members', 'entries_of_unknown_members', 'entries'),
] %}
weeks as (
    select
        *,
        sha256(cast(list(sha256) over this_week as varchar)) as week_content
        {%- for week in range(5) %}
        {%- for measured in ['rows_accepted', 'minutes', 'staff_days', 'entries', 'entries_without_note', 'entries_of_unknown_patients',
            'entries_of_unknown_members'] %},
        coalesce(sum({{ measured }}) over {{ 'this_week' if week == 0 else 'week_' ~ week }}, 0) as {{ measured }}_{{ week }}
        {%- endfor %},
        first_night < extract_date - {{ 7 * week + 6 }} as has_week_{{ week }}
        {%- endfor %}
    from nights
    where not is_snapshot
    window
        this_week as (
            partition by practice_id, table_name order by extract_date range between interval 6 day preceding and current row
        )
        {%- for week in range(1, 5) %},
        week_{{ week }} as (
            partition by practice_id, table_name order by extract_date
            range between interval {{ 7 * week + 6 }} day preceding and interval {{ 7 * week }} day preceding
        )
        {%- endfor %}
),

rates as (
    {%- for measure, counted, per in rates %}
    select
        practice_id, table_name, extract_date, is_snapshot, newest_file_night, week_content as content,
        '{{ measure }}' as measure,
        {{ counted }}_0{{ ' / nullif(' ~ per ~ '_0, 0)' if per }} as value,
        [
            {%- for week in range(1, 5) %}
            case when has_week_{{ week }} then {{ counted }}_{{ week }}{{ ' / nullif(' ~ per ~ '_' ~ week ~ ', 0)' if per }} end
            {{- ',' if not loop.last }}
            {%- endfor %}
        ] as before,
        {{ 'entries_0' if per else 'null' }} as basis
    from weeks
    {%- if measure != 'rows_in_week' %}
    where table_name = 'time_entries'
    {%- endif %}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

usual_rates as (
    select
        *,
        list_aggregate(before, 'median') as usual
    from rates
    where list_aggregate(before, 'count') >= 2
),

missing_names as (
    select distinct
        practice_id,
        table_name,
        unnest(missing_columns) as column_name
    from nights
),

-- Columns that the contract knows and a file of before had.
known_columns as (
    select
        nights.*,
        missing.column_name,
        list_contains(nights.missing_columns, missing.column_name) as is_missing
    from nights
    inner join missing_names as missing
        on nights.practice_id = missing.practice_id and nights.table_name = missing.table_name
    where nights.missing_columns is not null
),

column_eras as (
    select
        known_columns.*,
        count(acceptances.hold_id) over (
            partition by known_columns.practice_id, known_columns.table_name, known_columns.column_name
            order by known_columns.extract_date rows between unbounded preceding and 1 preceding
        ) as era
    from known_columns
    left join {{ from_configuration('acceptances') }} as acceptances
        on
            known_columns.practice_id = acceptances.practice_id
            and acceptances.hold_id = {{ hold_id(
                'known_columns.practice_id', "'drift'", 'known_columns.table_name', "'missing_column'", 'known_columns.column_name', "''",
                'known_columns.sha256'
            ) }}
),

columns_before as (
    select
        *,
        bool_or(not is_missing) over (
            partition by practice_id, table_name, column_name, era order by extract_date
            range between interval {{ var('drift_nights') }} day preceding and interval 1 day preceding
        ) as was_there
    from column_eras
),

-- Names that no file of the contract has, new since the file before. Names of columns are the vendor's words: only plain ones are repeated.
headers as (
    select
        *,
        list_filter(
            extra_columns,
            lambda c: not list_contains(
                coalesce(lag(extra_columns) over (partition by practice_id, table_name order by extract_date), []), c
            )
        ) as new_columns,
        lag(extract_date) over (partition by practice_id, table_name order by extract_date) as night_before
    from nights
),

new_columns as (
    select
        *,
        array_to_string(
            list_transform(
                new_columns[:5], lambda c: case when regexp_full_match(c, '[A-Za-z][A-Za-z0-9_ .-]{0,40}') then c else '(unprintable)' end
            ),
            ', '
        ) || case when len(new_columns) > 5 then ', ...' else '' end as names
    from headers
    where night_before is not null and len(new_columns) > 0
),

faults as (
    select
        lake.file_id,
        lake.column_name,
        count(*) filter (where lake.reason like 'not one of %') as unknown_words,
        count(*) filter (where lake.reason like 'not a %' or lake.reason like 'neither %') as malformed
    from {{ from_lake('quarantine') }} as lake
    where lake.line_number > 0 and lake.column_name is not null
    group by lake.file_id, lake.column_name
),

faulty_columns as (
    select
        nights.*,
        faults.column_name,
        faults.unknown_words,
        faults.malformed,
        max(case when faults.unknown_words > 0 then nights.extract_date end) over (
            partition by nights.practice_id, nights.table_name, faults.column_name order by nights.extract_date
            rows between unbounded preceding and 1 preceding
        ) as last_unknown_word
    from nights
    inner join faults on nights.file_id = faults.file_id
),

gone_columns as (
    select
        columns_before.*,
        coalesce('; new in the same file, perhaps the same under another name: ' || new_columns.names, '') as names
    from columns_before
    left join new_columns on columns_before.file_id = new_columns.file_id
    where columns_before.is_missing and columns_before.was_there
)

{{ drift_measure(
    'snapshots_before', 'measure', 'counted', "case measure when 'rows' then counted / nullif(most, 0) else counted - most end", 'coalesce(basis, most)',
    usual='most', content='content'
) }}
where not is_beginning and most is not null
union all
{{ drift_measure(
    'usual_rates', 'measure', 'value',
    "case when measure in ('rows_in_week', 'minutes_per_staff_day') then value / nullif(usual, 0) else value - usual end",
    'coalesce(basis, usual)', usual='usual', content='content'
) }}
where value is not null and usual is not null
union all
{{ drift_measure(
    'nights', "'quarantined_share'", 'rows_quarantined / rows_received', 'rows_quarantined / rows_received', 'rows_received',
    usual="median(rows_quarantined / rows_received) over (
            partition by practice_id, table_name order by extract_date
            range between interval " ~ var('drift_nights') ~ " day preceding and interval 1 day preceding
        )"
) }}
where rows_received > 0
union all
{{ drift_measure('nights', "'rows_of_nobody'", 'rows_of_nobody', 'rows_of_nobody', 'rows_of_nobody') }}
where rows_of_nobody > 0 and (table_name in ('patients', 'care_team') or table_name in {{ deciding_panel_tables() }})
union all
{{ drift_measure('gone_columns', "'missing_column'", 'rows_received', '1', '1', column_name='column_name', names='names') }}
union all
{{ drift_measure('new_columns', "'new_column'", 'len(new_columns)', '1', '1', names='names') }}
union all
{{ drift_measure('faulty_columns', "'unknown_word'", 'unknown_words', '1', 'unknown_words', column_name='column_name') }}
where
    unknown_words > 0
    and first_night < extract_date
    and (last_unknown_word is null or last_unknown_word < extract_date - {{ var('drift_nights') }})
union all
{{ drift_measure('faulty_columns', "'retyped_column'", 'malformed', 'malformed / rows_received', 'rows_received', column_name='column_name') }}
where malformed > 0 and first_night < extract_date
union all
{{ drift_measure('nights', "'landed_again'", 'version', '1', '1') }}
where version > 1 and extract_date < newest_night
union all
{{ drift_measure('misspelled', "'wrong_npi'", 'members', '1', '1', column_name="'npi'", names='names') }}
union all
{{ drift_measure(
    'sent_again', "'same_file_again'", 'rows_nowhere_else', 'rows_nowhere_else / rows_in_file', 'rows_in_file', names='names'
) }}
