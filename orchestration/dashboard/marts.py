"""Reads marts.duckdb: opened read-only for one run of a page, closed after it, so that a nightly run can replace the file at any time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any

import duckdb
import pandas as pd

from orchestration import engine
from orchestration.dashboard.queries import REQUIRED, Query
from orchestration.house import House, HouseError


@dataclass(frozen=True)
class Marts:
    """An open file: one moment, the same for every query of a page."""

    connection: duckdb.DuckDBPyConnection
    tables: frozenset[str]

    def has(self, query: Query) -> bool:
        """Whether this file has the tables that not every version publishes."""
        return query.needs <= self.tables

    def frame(self, query: Query, **values: Any) -> pd.DataFrame:
        """The rows of a query; parameters that are not given are null. Money as float dollars with exact cents."""
        return self.connection.execute(query.sql, {name: values.get(name) for name in query.parameters}).df()

    def rows(self, query: Query, **values: Any) -> list[dict[str, Any]]:
        """The same as plain dicts: Decimal dollars, dates."""
        cursor = self.connection.execute(query.sql, {name: values.get(name) for name in query.parameters})
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


@contextmanager
def open_marts(house: House) -> Iterator[Marts]:
    """The published marts. HouseError says what to run when there are none, or none that this version can show."""
    if not house.marts.exists():
        if not house.practices_yaml.exists():
            raise HouseError(
                f"{house.root}: this home is empty; run `ccm demo`, or describe your practice in practices.yaml and run `ccm nightly`"
            )
        raise HouseError(f"{house.marts}: nothing is published yet; run `ccm nightly`")
    try:
        connection = engine.open_marts(house)
    except (duckdb.Error, engine.Damaged):
        raise HouseError(
            f"{house.marts}: cannot be read as a DuckDB file; run `ccm nightly --full`, which publishes it again"
        ) from None
    with connection:
        tables = frozenset(row[0] for row in connection.execute("select table_name from duckdb_tables()").fetchall())
        if missing := sorted(REQUIRED - tables):
            raise HouseError(
                f"{house.marts}: was published by another version (it has no {', '.join(missing[:3])}"
                f"{' and more' if len(missing) > 3 else ''}); run `ccm nightly --full`"
            )
        yield Marts(connection, tables)


@dataclass(frozen=True)
class View:
    """What a page shows: the open marts, and the practice and month asked for (None: all)."""

    house: House
    marts: Marts
    practice: str | None
    month: date | None

    def frame(self, query: Query, **values: Any) -> pd.DataFrame:
        return self.marts.frame(query, **({"practice": self.practice, "month": self.month} | values))

    @property
    def where(self) -> str:
        """For headings: 'lakeside, 2026-10'."""
        return f"{self.practice or 'all practices'}, {f'{self.month:%Y-%m}' if self.month else 'all months'}"
