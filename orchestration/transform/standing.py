"""Whether the warehouse stands as a finished night left it, so that the next may recompute only what it touches (dbt_project/macros/touched.sql).

The mark is a table of the warehouse itself, so that neither is ever there without the other: it goes before the first model is built and comes back
behind the last one.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

import duckdb

from orchestration.engine import open_warehouse
from orchestration.house import House
from orchestration.transform.configuration import rules_version

_MARK = "nights.finished"
SETS = "touched"  # the schema of the sets of keys and of the rows made for them
_AGAIN = """
    select count(*) from intermediate.int_patient_months
    semi join touched.touched_patient_months using (practice_id, patient_id, month)
"""

How = Literal["whole", "touched", "part"]


@dataclass(frozen=True)
class Recomputed:
    """How the warehouse was last built: patient-months decided again, of how many; `is_whole` when nothing of before was kept."""

    patient_months: int
    of_patient_months: int
    is_whole: bool


def _fingerprint(project: str) -> str:
    """What rows that stay as they are rest on besides rows: models, rules, engine. Practices' settings are compared practice by practice."""
    return hashlib.sha256(f"{project}\0{rules_version()}\0{duckdb.__version__}".encode()).hexdigest()


def stands(house: House, project: str) -> bool:
    """True when a finished night of these models left the warehouse and nothing was begun since."""
    if not house.warehouse.exists():
        return False
    with open_warehouse(house) as warehouse:
        return _mark(warehouse) == _fingerprint(project)


def begin(house: House) -> None:
    """From here on the warehouse is unfinished."""
    if house.warehouse.exists():
        with open_warehouse(house, read_only=False) as warehouse:
            warehouse.execute("create schema if not exists nights")
            warehouse.execute(f"drop table if exists {_MARK}")
            warehouse.execute(f"drop schema if exists {SETS} cascade")


def finish(house: House, project: str, how: How) -> None:
    """Every model is built: marks it, and removes the sets of the night. A `part` leaves standing what the last night recomputed."""
    with open_warehouse(house, read_only=False) as warehouse:
        warehouse.execute("create schema if not exists nights")
        if how != "part":
            every = warehouse.execute("select count(*) from intermediate.int_patient_months").fetchall()[0][0]
            again = every if how == "whole" else warehouse.execute(_AGAIN).fetchall()[0][0]
            warehouse.execute(
                "create or replace table nights.recomputed as select ?::bigint as patient_months, ?::bigint as of_patient_months, ?::boolean as is_whole",
                [again, every, how == "whole"],
            )
        warehouse.execute(f"drop schema if exists {SETS} cascade")
        warehouse.execute(f"create or replace table {_MARK} as select ? as fingerprint", [_fingerprint(project)])


def last(house: House) -> Recomputed | None:
    """What the last build recomputed; None before the first."""
    if not house.warehouse.exists():
        return None
    with open_warehouse(house) as warehouse:
        if not _has(warehouse, "nights.recomputed"):
            return None
        return Recomputed(
            *warehouse.execute("select patient_months, of_patient_months, is_whole from nights.recomputed").fetchall()[0]
        )


def _mark(warehouse: duckdb.DuckDBPyConnection) -> str | None:
    if not _has(warehouse, _MARK):
        return None
    rows = warehouse.execute(f"select fingerprint from {_MARK}").fetchall()
    return rows[0][0] if rows else None


def _has(warehouse: duckdb.DuckDBPyConnection, table: str) -> bool:
    schema, name = table.split(".")
    return bool(
        warehouse.execute(
            "select count(*) from duckdb_tables() where database_name = current_database() and schema_name = ? and table_name = ?",
            [schema, name],
        ).fetchall()[0][0]
    )
