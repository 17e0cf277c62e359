"""Whether the warehouse stands as a finished night left it, so that the next may recompute only what it touches (dbt_project/macros/touched.sql).

The mark is a table of the warehouse itself, so that neither is ever there without the other: it goes before the first model is built and comes back
behind the last one. It names the state that the night left, and the one that a night of touched keys began upon: publishing follows from the one to the
other what changed, and copies no more (orchestration/answer/publish.py).
"""

from __future__ import annotations

import hashlib
import secrets
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import duckdb

from orchestration.engine import LEFT_IN_LOG, MERGED, is_worth_merging, open_warehouse
from orchestration.gate import verdicts
from orchestration.house import House
from orchestration.rules.seeds import rules_version

_MARK = "nights.finished"
SETS = "touched"  # the schema of the sets of keys and of the rows made for them
_SOUND = "nights.sound"
_LAKE = "nights.lake"
_REPLACED = f"{SETS}.replaced"
_AGAIN = """
    select count(*) from intermediate.int_patient_months
    semi join touched.touched_patient_months using (practice_id, patient_id, month)
"""

# Every table that is kept by keys ages as this one does: the same patient-months are put behind the others.
_PLACES = (
    "select estimated_size from duckdb_tables() where database_name = current_database() and table_name = 'int_patient_months'"
)

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


def stands(house: House, project: str) -> str | None:
    """The state that a finished night of these models left, when nothing was begun since and the lake still has every batch that it read: one that is put
    back from a backup gives the numbers it lost to other files, and rows are known by their file's number."""
    if not house.warehouse.exists():
        return None
    with open_warehouse(house) as warehouse:
        mark = _mark(warehouse)
        if mark is None or mark[0] != _fingerprint(project) or not _has(warehouse, _LAKE):
            return None
        read = dict(warehouse.execute(f"select batch, ledger from {_LAKE}").fetchall())
    return mark[1] if read.items() <= verdicts.ledgers(house).items() else None


def begin(house: House) -> None:
    """From here on the warehouse is unfinished, and no verdict speaks of it: a night that is killed may have built other settings than the operator
    has put back since."""
    verdicts.forget(house, "dbt")
    if house.warehouse.exists():
        with open_warehouse(house, read_only=False) as warehouse:
            # Nobody else has it open: what lies here a killed night put aside from memory, rows of patients among it.
            shutil.rmtree(house.warehouse.with_name(f"{house.warehouse.name}.tmp"), ignore_errors=True)
            warehouse.execute(LEFT_IN_LOG)
            warehouse.execute("create schema if not exists nights")
            warehouse.execute(f"drop table if exists {_MARK}")
            warehouse.execute(f"drop table if exists {_SOUND}")
            warehouse.execute(f"drop schema if exists {SETS} cascade")
            # Which tables had rows of touched keys put in the place of the old ones: the macro replace_touched says so.
            warehouse.execute(f"create schema {SETS}")
            warehouse.execute(
                f"create table {_REPLACED} (schema_name varchar, table_name varchar, set_name varchar, keys varchar[], follows_practice varchar[], "
                "is_by_months boolean)"
            )


def finish(house: House, project: str, how: How, upon: str | None = None) -> None:
    """Every model is built: marks it. A `part` leaves standing what the last night recomputed. What a touched night made `upon` the state before
    stays for the publication (`changes`); otherwise the sets are removed."""
    with open_warehouse(house, read_only=False) as warehouse:
        warehouse.execute("create schema if not exists nights")
        if how != "part":
            every = warehouse.execute("select count(*) from intermediate.int_patient_months").fetchall()[0][0]
            again = every if how == "whole" else warehouse.execute(_AGAIN).fetchall()[0][0]
            warehouse.execute(
                "create or replace table nights.recomputed as select ?::bigint as patient_months, ?::bigint as of_patient_months, ?::boolean as is_whole",
                [again, every, how == "whole"],
            )
            read = verdicts.ledgers(house)
            warehouse.execute(
                f"create or replace table {_LAKE} as select unnest(?::bigint[]) as batch, unnest(?::varchar[]) as ledger",
                [list(read), list(read.values())],
            )
            if is_worth_merging(warehouse.execute(_PLACES).fetchall()[0][0], every):
                warehouse.execute(MERGED)  # as it is closed
        if how != "touched":
            warehouse.execute(f"drop schema if exists {SETS} cascade")
        warehouse.execute(
            f"create or replace table {_MARK} as select ? as fingerprint, ? as state, ?::varchar as upon",
            [_fingerprint(project), secrets.token_hex(16), upon if how == "touched" else None],
        )


@dataclass(frozen=True)
class Replaced:
    """How a table came from the state before: `made` has the rows that were put in the place of those whose `keys` are in the table `of`; where `months` is
    said, of everything in these practices' months, and `of` says of each key whether it is in one (`moves`). The columns `follows_practice` are in every
    row as in `practices`."""

    made: str
    of: str
    keys: tuple[str, ...]
    follows_practice: tuple[str, ...]
    practices: str
    months: str | None = None


@dataclass(frozen=True)
class Changes:
    """What the last build made of the warehouse: the state it left, the one it built upon, and of each table by schema and name how it came from there.
    Tables that are not named were made anew; without `upon` all were."""

    state: str
    upon: str | None
    replaced: Mapping[tuple[str, str], Replaced]


def changes(warehouse: duckdb.DuckDBPyConnection, database: str) -> Changes | None:
    """Of a warehouse that is attached as `database`; None where no night finished that says its state."""
    mark = _mark(warehouse, database)
    if mark is None:
        return None
    _, state, upon = mark
    if upon is None or not _has(warehouse, _REPLACED, database):
        return Changes(state, None, {})
    rows = warehouse.execute(f"from {database}.{_REPLACED}").fetchall()
    return Changes(
        state,
        upon,
        {
            (schema, table): Replaced(
                f'{database}.{SETS}."{table}"',
                f'{database}.{SETS}."{of}"',
                tuple(keys),
                # A release of before there were such columns said nothing of them.
                tuple(more[0]) if more else (),
                f"{database}.staging.stg_practices",
                f"{database}.{SETS}.touched_months" if more[1:] == [True] else None,
            )
            for schema, table, of, keys, *more in rows
        },
    )


def published_record(house: House) -> Path:
    """Where publishing notes of which state, and of which inputs, the marts are."""
    return house.state / "published.json"


def state(house: House) -> str | None:
    """The state that the last build left; None where none finished that says it."""
    if not house.warehouse.exists():
        return None
    with open_warehouse(house) as warehouse:
        mark = _mark(warehouse)
    return mark[1] if mark else None


def is_touched(house: House) -> bool:
    """Whether the last build was a night of touched keys that finished."""
    with open_warehouse(house) as warehouse:
        name = warehouse.execute("select current_database()").fetchall()[0][0]
        known = changes(warehouse, name)
    return known is not None and known.upon is not None


def sound(house: House) -> frozenset[str]:
    """The tests (unique ids) that no row of the warehouse as it stands fails; none where that is not known."""
    if not house.warehouse.exists():
        return frozenset()
    with open_warehouse(house) as warehouse:
        rows = warehouse.execute(f"select test from {_SOUND}").fetchall() if _has(warehouse, _SOUND) and _mark(warehouse) else []
    return frozenset(row[0] for row in rows)


def keep_sound(house: House, tests: Iterable[str]) -> None:
    """The tests that no row fails of what was just built. They go with the mark as the next build begins."""
    with open_warehouse(house, read_only=False) as warehouse:
        warehouse.execute(LEFT_IN_LOG)
        warehouse.execute(f"create or replace table {_SOUND} as select unnest(?::varchar[]) as test", [sorted(tests)])


def clear(house: House) -> None:
    """Removes the sets of the night, once they are published: they hold for that night alone."""
    with open_warehouse(house, read_only=False) as warehouse:
        warehouse.execute(f"drop schema if exists {SETS} cascade")


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


def _mark(warehouse: duckdb.DuckDBPyConnection, database: str | None = None) -> tuple[str, str, str | None] | None:
    """Fingerprint, state, and the state that was built upon."""
    if not _has(warehouse, _MARK, database):
        return None
    # A mark of before there were states has none: then everything is built, and everything is published.
    rows = warehouse.execute(f"from {f'{database}.' if database else ''}{_MARK}").fetchall()
    return rows[0] if rows and len(rows[0]) == 3 else None


def _has(warehouse: duckdb.DuckDBPyConnection, table: str, database: str | None = None) -> bool:
    schema, name = table.split(".")
    return bool(
        warehouse.execute(
            "select count(*) from duckdb_tables() where database_name = coalesce(?, current_database()) and schema_name = ? and table_name = ?",
            [database, schema, name],
        ).fetchall()[0][0]
    )
