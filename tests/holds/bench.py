"""The pipeline without its shell, in seconds: landed files are taken in, and the models run over the lake as `ccm rebuild` runs them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import yaml

from orchestration.close import manners
from orchestration.close.manners import EVERY_MANNER, Manner
from orchestration.house import House
from orchestration.practices import load_practices
from orchestration.rules.seeds import SEEDS
from orchestration.take_in.lake import take_in
from orchestration.transform import compiled
from orchestration.transform.configuration import write_configuration

MARTS = ("extract_drift", "close_holds")


def build(home: Path, wanted: Iterable[str] = MARTS, made_in: Collection[Manner] = EVERY_MANNER) -> duckdb.DuckDBPyConnection:
    """Takes in what is new and computes the models wanted, with all that they stand on, in a connection of its own; with fewer manners, as before those."""
    house = House(home).prepare()
    practices = load_practices(house.practices_yaml)
    take_in(house, {name: practice.time_zone for name, practice in practices.items()})
    write_configuration(house, practices)
    pq.write_table(manners.table(made_in), house.lake / "configuration" / "manners.parquet")
    con = duckdb.connect()
    compiled.prepare(con)
    for path in sorted(SEEDS.rglob("*.csv")):
        load(con, "rules", path)
    load_settings(con)
    compiled.run(con, home, compiled.in_order(wanted))
    return con


def load(con: duckdb.DuckDBPyConnection, schema: str, path: Path) -> None:
    """A seed as dbt loads it."""
    given = ", ".join(f"'{column}': '{kind}'" for column, kind in _types().get(path.stem, {}).items())
    typed = f", types = {{{given}}}" if given else ""
    con.execute(f"create table {schema}.\"{path.stem}\" as select * from read_csv('{path}', header = true{typed})")


def load_settings(con: duckdb.DuckDBPyConnection) -> None:
    """The settings of the house, which are no rules."""
    con.execute("create schema settings")
    for path in sorted((SEEDS.parent / "settings").glob("*.csv")):
        load(con, "settings", path)


@cache
def _types() -> dict[str, dict[str, str]]:
    """seed -> column -> type, as dbt loads them."""
    return {
        seed["name"]: seed.get("config", {}).get("column_types", {})
        for path in (SEEDS.parent).glob("se*/**/*.yml")
        for seed in yaml.safe_load(path.read_text())["seeds"]
    }


def rows(con: duckdb.DuckDBPyConnection, sql: str) -> list[dict[str, Any]]:
    cursor = con.execute(sql)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
