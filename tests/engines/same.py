"""Two warehouses table by table, row for row: decimals exactly, lists and JSON by value, whatever the order of the rows."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

# Numbers that stand for contents: each engine has its own hash, and only compares them with its own (dialect.py). And when a landed file was copied.
OWN = {
    ("intermediate", "int_time_entries__cut", "note_number"),
    ("staging", "stg_time_entries", "note_number"),
    ("staging", "stg_time_entries", "entry_number"),
    ("staging", "stg_practices", "charges_number"),
    ("intermediate", "int_post_close_changes__said", "content"),
    ("staging", "stg_files", "ctime_ns"),
}
# What only DuckDB's nights that recompute what they touch ask for.
ONLY_ONE = {("intermediate", "int_patients__panel")}


def plain(value: Any, kind: str) -> Any:
    """A value that can be compared and counted: JSON without the order of its keys, numbers in it as they are written apart from trailing zeros."""
    if kind == "JSON" and value is not None:
        return json.dumps(_normal(json.loads(value, parse_float=Decimal, parse_int=Decimal)), sort_keys=True)
    return repr(value)


def _normal(value: Any) -> Any:
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    if isinstance(value, dict):
        return {key: _normal(one) for key, one in value.items()}
    return [_normal(one) for one in value] if isinstance(value, list) else value


def tables(warehouse: Path, schemas: tuple[str, ...]) -> set[tuple[str, str]]:
    with duckdb.connect(str(warehouse), read_only=True) as con:
        found = con.execute(
            "select schema_name, table_name from duckdb_tables() where schema_name in (select unnest(?))", [list(schemas)]
        )
        return {(schema, name) for schema, name in found.fetchall()} - ONLY_ONE


def columns_of(warehouse: Path, schema: str, name: str) -> dict[str, str]:
    """Names in their order, with their types."""
    with duckdb.connect(str(warehouse), read_only=True) as con:
        found = con.execute(
            "select column_name, data_type from duckdb_columns() where schema_name = ? and table_name = ? order by column_index",
            [schema, name],
        ).fetchall()
    return {column: kind for column, kind in found if (schema, name, column) not in OWN}


def rows(warehouse: Path, schema: str, name: str, columns: Mapping[str, str]) -> Counter[tuple[Any, ...]]:
    """The rows of a table as a multiset of values, those of the type JSON by what they say."""
    with duckdb.connect(str(warehouse), read_only=True) as con:
        found = con.execute("select " + ", ".join(f'"{column}"' for column in columns) + f' from {schema}."{name}"').fetchall()
    return Counter(tuple(plain(value, kind) for value, kind in zip(row, columns.values(), strict=True)) for row in found)


def differences(expected: Path, found: Path, schemas: tuple[str, ...]) -> list[str]:
    """One sentence for each table that differs, with counts and names of columns and no value."""
    said = []
    theirs, ours = tables(expected, schemas), tables(found, schemas)
    said += [f"{schema}.{name} is only in one" for schema, name in sorted(theirs ^ ours)]
    for schema, name in sorted(theirs & ours):
        columns, others = columns_of(expected, schema, name), columns_of(found, schema, name)
        if list(columns.items()) != list(others.items()):
            said.append(f"{schema}.{name} has columns {columns} in one and {others} in the other")
            continue
        before, after = (rows(warehouse, schema, name, columns) for warehouse in (expected, found))
        gone, new = before - after, after - before
        if gone or new:
            apart = [column for place, column in enumerate(columns) if _column(gone, place) != _column(new, place)]
            said.append(
                f"{schema}.{name}: {gone.total()} of {before.total()} rows are not there, {new.total()} others are; "
                f"columns {apart or 'the same, put together otherwise'}"
            )
    return said


def _column(found: Counter[tuple[Any, ...]], place: int) -> Counter[Any]:
    counted: Counter[Any] = Counter()
    for row, times in found.items():
        counted[row[place]] += times
    return counted
