"""The dbt models as plain SQL: compiled by dbt once, run in a DuckDB connection of one's own. For what must not touch the warehouse."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import duckdb

from orchestration.engine import reading
from orchestration.house import House, HouseError, no_pattern
from orchestration.transform import dbt, standing

SCHEMAS = ("rules", "staging", "intermediate", "marts")


@dataclass(frozen=True)
class Model:
    """One model: `sql` is its SELECT, with the home that it was compiled for in the paths of the lake."""

    name: str
    schema: str
    sql: str
    parents: tuple[str, ...]  # names of models; seeds and sources are left out
    meta: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Project:
    """All models by name, and the home folder as its path stands in their SQL."""

    models: dict[str, Model]
    root: str


@cache
def _compile(fingerprint: str, night: str) -> Project:
    with tempfile.TemporaryDirectory(prefix="ccm-compile-") as folder:
        house = House(Path(folder)).prepare()
        results = dbt.invoke(house, ["compile"], night)
        bad = [result.unique_id for result in results if result.is_bad]
        if bad:
            raise HouseError(f"the dbt project does not compile: {bad[0]}")
        manifest = json.loads(
            dbt.ensure_manifest(house).read_text(encoding="utf-8")
        )  # not written by a process that had it in memory
        models = {}
        for node in manifest["nodes"].values():
            # The sets of a night that recomputes what it touches are asked only on such a night.
            if node["resource_type"] != "model" or (node["schema"] == standing.SETS and not night):
                continue
            path = dbt.target_folder(house) / "compiled" / "ccm" / node["original_file_path"]
            models[node["name"]] = Model(
                node["name"],
                node["schema"],
                # What is run here reads files that lie open.
                path.read_text(encoding="utf-8").replace(reading() or "\0", ""),
                tuple(
                    parent.split(".")[-1]
                    for parent in sorted(node["depends_on"]["nodes"])
                    if parent.startswith("model.") and (night or manifest["nodes"][parent]["schema"] != standing.SETS)
                ),
                node["config"]["meta"],
            )
        return Project(models, _in_sql(house.root))


def _in_sql(home: Path) -> str:
    """A home's path as the macro `home` of the dbt project writes it."""
    return no_pattern(home).replace("'", "''")


def project(night: str = "") -> Project:
    """The project as it is on disk now, for a night that builds everything or ("touched") for one that recomputes what it touches; compiled once per
    process and state of its files."""
    return _compile(dbt.project_fingerprint(), night)


def in_order(wanted: Iterable[str], given: Collection[str] = (), night: str = "") -> list[Model]:
    """The models wanted with all that they stand on, parents first; what is `given` (tables that are there already) ends the way up."""
    models = project(night).models
    ordered: dict[str, Model] = {}

    def visit(name: str) -> None:
        if name in ordered or name in given:
            return
        for parent in models[name].parents:
            visit(parent)
        ordered[name] = models[name]

    for name in wanted:
        visit(name)
    return list(ordered.values())


def run(con: duckdb.DuckDBPyConnection, home: Path, models: Iterable[Model]) -> None:
    """Builds the models as tables in this connection, from the lake of `home`. `prepare` comes first."""
    for model in models:
        con.execute(f'create or replace table {model.schema}."{model.name}" as {in_home(model, home)}')


def in_home(model: Model, home: Path) -> str:
    """The model's SQL with the lake of this home."""
    return model.sql.replace(project().root, _in_sql(home))


def prepare(con: duckdb.DuckDBPyConnection) -> None:
    """The schemas and settings of the warehouse (dbt_project/profiles.yml)."""
    con.execute("set TimeZone = 'UTC'")
    # The compiled SQL names the database that dbt knows.
    con.execute("attach ':memory:' as warehouse")
    con.execute("use warehouse")
    con.execute("set autoinstall_known_extensions = false")
    for schema in SCHEMAS:
        con.execute(f"create schema if not exists {schema}")
