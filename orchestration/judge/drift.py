"""Drift of the nightly extracts as Dagster asset checks: dbt measures and judges (extract_drift, close_holds), here it is only shown."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from orchestration.engine import open_warehouse
from orchestration.house import House
from orchestration.runbook import check_spec

DRIFT = dg.AssetKey(["marts", "extract_drift"])
CHECKS = {
    "rows": "Snapshots have about as many rows as on the nights before; a panel shrunk by more than half is red.",
    "rows_in_week": "Logs bring about as many rows in seven nights as in the weeks before.",
    "minutes_per_staff_day": "A staff-day has about as many minutes as in the weeks before.",
    "entries_without_note": "The share of entries without a note is what it was.",
    "unknown_patients": "Entries are of patients that a panel knows.",
    "unknown_members": "Entries are of members that a care team knows.",
    "quarantined_share": "Few of a file's rows are in quarantine.",
    "rows_of_nobody": "Every row in quarantine that may bar a claim is a patient's.",
    "new_column": "No column is new.",
    "missing_column": "No column of before is missing or renamed.",
    "unknown_word": "No column has a word that its contract does not know.",
    "retyped_column": "Columns are written in the form of their contract.",
    "landed_again": "No night before the newest was landed again.",
    "rejected_file": "No file stands rejected.",
    "who_may_bill": "As much of the panel as on the nights before has a billing practitioner who may bill.",
    "wrong_npi": "The NPI of every member whose credential may bill is one.",
    "same_file_again": "No night's log is byte for byte an earlier night's.",
}
# So many findings are told of one by one; the mart has them all.
TOLD = 20

# Red: what holds a close and nobody has accepted. Yellow: what is worth a look, of each table's newest night (landed again: of the last month).
_FINDINGS = """
    select drift.measure, drift.practice_id,
        drift.practice_id || ' ' || drift.extract_date || ' ' || drift.table_name || ': ' || drift.explanation as told,
        coalesce(holds.is_open, false) as is_red
    from marts.extract_drift as drift
    inner join marts.practice_nights as nights on drift.practice_id = nights.practice_id
    left join (
        select practice_id, table_name, extract_date, case kind when 'rejected_file' then kind else measure end as measure, column_name,
            not is_accepted as is_open
        from marts.close_holds where kind in ('drift', 'rejected_file')
    ) as holds on drift.practice_id = holds.practice_id and drift.table_name = holds.table_name and drift.extract_date = holds.extract_date
        and drift.measure = holds.measure and drift.column_name = holds.column_name
    left join (
        select practice_id, table_name, max(extract_date) as newest from staging.stg_files where is_newest_version group by all
    ) as newest on drift.practice_id = newest.practice_id and drift.table_name = newest.table_name
    where coalesce(holds.is_open, false)
        or not drift.is_harmful
            and drift.extract_date >= case drift.measure when 'landed_again' then nights.newest_night - 31 else newest.newest end
    order by drift.measure, drift.practice_id, drift.extract_date, drift.table_name, drift.column_name
"""


@dg.multi_asset_check(
    name="judge_drift",
    specs=[check_spec(name, DRIFT, text) for name, text in CHECKS.items()],
    can_subset=True,
)
def judge_drift(context: dg.AssetCheckExecutionContext) -> Iterator[Any]:
    """One check per measure, with the practices by name and the numbers. Red ones hold those practices' closes (the gate), and never the run."""
    house = House.from_environment()
    if not house.warehouse.exists():
        return
    with house.lock("warehouse"), open_warehouse(house) as warehouse:
        if not warehouse.execute(
            "select 1 from duckdb_tables() where schema_name = 'marts' and table_name = 'close_holds'"
        ).fetchall():
            return
        rows = warehouse.execute(_FINDINGS).fetchall()
    for name in CHECKS:
        own = [row for row in rows if row[0] == name]
        red = [row for row in own if row[3]]
        told = [row[2] for row in [*red, *(row for row in own if not row[3])]]
        yield dg.AssetCheckResult(
            asset_key=DRIFT,
            check_name=name,
            passed=not own,
            severity=dg.AssetCheckSeverity.ERROR if red else dg.AssetCheckSeverity.WARN,
            metadata={
                "practices": ", ".join(sorted({row[1] for row in red or own})) or "none",
                "holds the close of": ", ".join(sorted({row[1] for row in red})) or "none",
                "found": "; ".join(told[:TOLD]) + (f"; and {len(told) - TOLD} more" if len(told) > TOLD else "") or "nothing",
            },
        )
