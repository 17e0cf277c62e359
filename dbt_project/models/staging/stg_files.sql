{{ config(meta={'keeps_last_night': true}) }}
-- Which version of each landed file is in force: the newest accepted one. A patients file without a good row is an outage, not a panel of nobody.
with landed as (
    {{ ledger_rows() }}
),

files as (
    select
        lake.*,
        lake.outcome = 'accepted' and (lake.table_name <> 'patients' or lake.rows_accepted > 0) as is_usable
    from landed as lake
    inner join {{ from_configuration('practices') }} as practices on lake.practice_id = practices.practice_id
)

select
    *,
    version = max(version) over (partition by practice_id, extract_date, table_name) as is_newest_version,
    is_usable and version = max(case when is_usable then version end) over (
        partition by practice_id, extract_date, table_name
    ) as is_in_force
from files
