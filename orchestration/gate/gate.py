"""The gate between the checked marts and the claim file: per practice, may this month close, and if not, why not.

It only reads. "Today" is the practice's newest night (interface.md section 6), never the machine's clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import duckdb

from orchestration.contracts import optional_tables
from orchestration.engine import open_warehouse
from orchestration.gate import verdicts
from orchestration.house import House
from orchestration.practices import Practice, next_month


@dataclass(frozen=True)
class Ruling:
    """One practice's month: open to close when there is no refusal."""

    practice_id: str
    month: date
    refusals: tuple[str, ...]

    @property
    def may_close(self) -> bool:
        return not self.refusals


def rule_on(house: House, practice: Practice, month: date, build_inputs: str) -> Ruling:
    """Every reason against closing `month` (its first day) for this practice.

    `build_inputs` is the fingerprint of the present inputs; a warehouse or verdict of other inputs is no ground to close on.
    """
    refusals = list(_by_configuration(practice))
    refusals += _by_verdicts(house, practice, build_inputs)
    if house.warehouse.exists():
        with open_warehouse(house) as warehouse:
            refusals += _by_completeness(warehouse, practice, month)
            refusals += _by_holds(warehouse, practice, month)
    return Ruling(practice.practice_id, month, tuple(refusals))


def _by_configuration(practice: Practice) -> list[str]:
    if practice.facility_type == "physician_office":
        return []
    return [
        f"facility_type is {practice.facility_type}: its services are billed on the institutional claim (837I), which is not written here"
    ]


def _by_verdicts(house: House, practice: Practice, build_inputs: str) -> list[str]:
    refusals = []
    wanted: dict[verdicts.Source, str] = {"dbt": build_inputs, "great_expectations": verdicts.lake_fingerprint(house)}
    for source, inputs in wanted.items():
        verdict = verdicts.load(house, source)
        if verdict is None or verdict.inputs != inputs:
            refusals.append(f"the checks of {source} have not judged the present data; run `ccm nightly`, then close again")
            continue
        for finding in verdict.findings:
            if finding.stops(practice.practice_id):
                refusals.append(f"check {finding.check} on {finding.asset} failed: {finding.detail or 'see Dagster'}")
    return refusals


def _rows(warehouse: duckdb.DuckDBPyConnection, sql: str, parameters: list[Any]) -> list[tuple[Any, ...]]:
    return warehouse.execute(sql, parameters).fetchall()


def _by_completeness(warehouse: duckdb.DuckDBPyConnection, practice: Practice, month: date) -> list[str]:
    name = practice.practice_id
    month_end = next_month(month) - timedelta(days=1)
    nights = _rows(warehouse, "select first_night, newest_night from staging.stg_practices where practice_id = ?", [name])
    if not nights:
        return ["no night of this practice has been taken in"]
    newest_night = nights[0][1]
    refusals = []
    if not _rows(warehouse, "select 1 from intermediate.int_months where practice_id = ? and month = ?", [name, month]):
        refusals.append(f"{month:%Y-%m} is none of the months of its extracts")
    if newest_night < practice.first_close_day(month):
        refusals.append(
            f"the newest night is {newest_night}; {month:%Y-%m} may close from {practice.first_close_day(month)} on (close.first_day)"
        )
    for table, newest in _rows(
        warehouse,
        """
        select table_name, max(case when outcome = 'accepted' then extract_date end)
        from staging.stg_files where practice_id = ? group by table_name order by table_name
        """,
        [name],
    ):
        if table not in optional_tables() and (newest is None or newest <= month_end):
            refusals.append(
                f"{table}: the newest accepted file is {'missing' if newest is None else f'of {newest}'}, not after {month_end}; land it and run `ccm nightly`"
            )
    return refusals


def _by_holds(warehouse: duckdb.DuckDBPyConnection, practice: Practice, month: date) -> list[str]:
    """Files that stand rejected, and drift that may do harm: until mended, or accepted with `ccm accept`."""
    if not _rows(warehouse, "select 1 from duckdb_tables() where schema_name = 'marts' and table_name = 'close_holds'", []):
        return []  # built by an earlier version: its verdict is not of the present project, which refuses by itself
    refusals = []
    for kind, table, night, measure, explanation, is_acceptable in _rows(
        warehouse,
        """
        select kind, table_name, extract_date, measure, explanation, is_acceptable from marts.close_holds
        where practice_id = ? and holds_what = 'practice' and not is_accepted and (last_month_held is null or last_month_held >= ?)
        order by kind desc, extract_date, table_name, measure, column_name
        """,
        [practice.practice_id, month],
    ):
        accept = f"ccm accept --practice {practice.practice_id} --night {night} --table {table}"
        if kind == "rejected_file":
            instead = f", or accept its loss: `{accept} --by NAME --reason TEXT`" if is_acceptable else ""
            refusals.append(
                f"{table} of {night} stands rejected ({explanation}); land that night's file again and run `ccm nightly`{instead}"
            )
        else:
            refusals.append(
                f"{table} of {night}: {explanation} ({measure}); land the file as it should be and run `ccm nightly`, or if it is right: "
                f"`{accept} --measure {measure} --by NAME --reason TEXT`"
            )
    return refusals
