-- What keeps a practice's close, or one patient's claim, in the house until it is mended or accepted (`ccm accept`), and what was accepted. A patients
-- file without a good row stands as a rejected one does: it says nothing of anybody, and who stands on the panel of before may be gone.
with rejected as (
    select
        files.practice_id,
        files.table_name,
        files.extract_date,
        {{ why_not_usable('files') }} as reason,
        coalesce(files.sha256, sha256(concat_ws(chr(31), files.file_name, cast(files.version as varchar), files.reason))) as content,
        files.table_name in {{ log_tables() }} as is_acceptable
    from {{ ref('stg_files') }} as files
    left join (
        select
            practice_id,
            table_name,
            max(extract_date) as newest_accepted
        from {{ ref('stg_files') }}
        where is_newest_version and is_usable
        group by practice_id, table_name
    ) as accepted
        on files.practice_id = accepted.practice_id and files.table_name = accepted.table_name
    where
        files.is_newest_version
        and not files.is_usable
        -- A panel file stands until a later one is accepted; what was lost of a log is not in any later file.
        and (
            files.table_name in {{ log_tables() }}
            or accepted.newest_accepted is null
            or accepted.newest_accepted < files.extract_date
        )
),

holds as (
    select
        practice_id,
        'rejected_file' as kind,
        table_name,
        extract_date,
        '' as measure,
        '' as column_name,
        null as line_number,
        null as patient_id,
        reason as explanation,
        is_acceptable,
        cast(null as date) as first_month_held,
        cast(null as date) as last_month_held,
        {{ hold_id('practice_id', "'rejected_file'", 'table_name', "''", "''", 'extract_date', 'content') }} as hold_id
    from rejected
    union all
    select
        practice_id,
        'drift' as kind,
        table_name,
        extract_date,
        measure,
        column_name,
        null as line_number,
        null as patient_id,
        explanation,
        true as is_acceptable,
        null as first_month_held,
        -- What a night's changes left out is missing in that month and those before; a snapshot decides everything until the next one.
        case when not is_snapshot then {{ month_of('extract_date') }} end as last_month_held,
        hold_id
    from {{ ref('int_extract_findings') }}
    where is_harmful and (not is_snapshot or extract_date = newest_file_night)
    union all
    select
        practice_id,
        'quarantined_row' as kind,
        table_name,
        extract_date,
        '' as measure,
        coalesce(column_name, '') as column_name,
        line_number,
        patient_id,
        'in quarantine' || coalesce(' for its ' || column_name, '')
        || case when table_name = 'time_entries' then ': it may take back time that counts' else ': it may hide a reason not to bill, or one to bill' end as explanation,
        true as is_acceptable,
        first_month_held,
        last_month_held,
        hold_id
    from {{ ref('int_quarantined_facts') }}
)

select
    holds.practice_id,
    holds.hold_id,
    holds.kind,
    case when holds.kind = 'quarantined_row' then 'claim' else 'practice' end as holds_what,
    holds.table_name,
    holds.extract_date,
    holds.measure,
    holds.column_name,
    holds.line_number,
    holds.patient_id,
    holds.explanation,
    holds.first_month_held,
    holds.last_month_held,
    holds.is_acceptable,
    acceptances.hold_id is not null and holds.is_acceptable as is_accepted,
    acceptances.accepted_by,
    acceptances.accepted_why
from holds
left join {{ from_configuration('acceptances') }} as acceptances
    on holds.practice_id = acceptances.practice_id and holds.hold_id = acceptances.hold_id
