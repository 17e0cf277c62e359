"""The dbt models as plain SQL: compiled by dbt once for a state of the project, run in a DuckDB connection of one's own. For what must not touch
the warehouse."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import duckdb

from orchestration.engine import reading
from orchestration.house import House, HouseError, write_private
from orchestration.transform import dbt, project_files, standing
from orchestration.transform.rendered import HOME, in_sql

SCHEMAS = ("rules", "staging", "intermediate", "marts")


@dataclass(frozen=True)
class Model:
    """One model: `sql` is its SELECT, for no home yet (`in_home`)."""

    name: str
    schema: str
    sql: str
    parents: tuple[str, ...]  # names of models; seeds and sources are left out
    meta: Mapping[str, Any] = field(default_factory=dict)


def models(night: str = "") -> Mapping[str, Model]:
    """All models by name as the project is on disk now, for a night that builds everything or ("touched") for one that recomputes what it touches."""
    return _models(project_files.state_of_project(), night)


@cache
def _models(state: str, night: str) -> Mapping[str, Model]:
    """What dbt compiled for this state of the project, by this process or one before: it takes longer than a small practice's close."""
    prefix = "compiled-"
    kept = project_files.PARSED / f"{prefix}{state[:16]}-{night or 'whole'}.json"
    try:
        found = [Model(**{**one, "parents": tuple(one["parents"])}) for one in json.loads(kept.read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError, KeyError):  # none yet, or one that is no such file
        found = _compile(night)
        with contextlib.suppress(OSError):  # a checkout that may not be written to
            write_private(kept, json.dumps([vars(one) for one in found]))
            for other in kept.parent.glob(f"{prefix}*"):
                if not other.name.startswith(f"{prefix}{state[:16]}-"):
                    other.unlink(missing_ok=True)
    return {one.name: one for one in found}


def _compile(night: str) -> list[Model]:
    with tempfile.TemporaryDirectory(prefix="ccm-compile-") as folder:
        house = House(Path(folder)).prepare()
        results = dbt.invoke(house, ["compile"], night)
        bad = [result.unique_id for result in results if result.is_bad]
        if bad:
            raise HouseError(f"the dbt project does not compile: {bad[0]}")
        manifest = json.loads(
            dbt.ensure_manifest(house).read_text(encoding="utf-8")
        )  # not written by a process that had it in memory
        found = []
        for node in manifest["nodes"].values():
            # The sets of a night that recomputes what it touches are asked only on such a night.
            if node["resource_type"] != "model" or (node["schema"] == standing.SETS and not night):
                continue
            path = project_files.target_folder(house) / "compiled" / "ccm" / node["original_file_path"]
            found.append(
                Model(
                    node["name"],
                    node["schema"],
                    # What is run here reads files that lie open.
                    path.read_text(encoding="utf-8").replace(reading() or "\0", "").replace(in_sql(house.root), HOME),
                    tuple(
                        parent.split(".")[-1]
                        for parent in sorted(node["depends_on"]["nodes"])
                        if parent.startswith("model.") and (night or manifest["nodes"][parent]["schema"] != standing.SETS)
                    ),
                    node["config"]["meta"],
                )
            )
        return found


def in_order(wanted: Iterable[str], given: Collection[str] = (), night: str = "") -> list[Model]:
    """The models wanted with all that they stand on, parents first; what is `given` (tables that are there already) ends the way up."""
    every = models(night)
    ordered: dict[str, Model] = {}

    def visit(name: str) -> None:
        if name in ordered or name in given:
            return
        for parent in every[name].parents:
            visit(parent)
        ordered[name] = every[name]

    for name in wanted:
        visit(name)
    return list(ordered.values())


def run(con: duckdb.DuckDBPyConnection, home: Path, ordered: Iterable[Model]) -> None:
    """Builds the models as tables in this connection, from the lake of `home`. `prepare` comes first."""
    for model in ordered:
        con.execute(f'create or replace table {model.schema}."{model.name}" as {in_home(model, home)}')


def in_home(model: Model, home: Path) -> str:
    """The model's SQL with the lake of this home."""
    return model.sql.replace(HOME, in_sql(home))


def prepare(con: duckdb.DuckDBPyConnection) -> None:
    """The schemas and settings of the warehouse (dbt_project/profiles.yml)."""
    con.execute("set TimeZone = 'UTC'")
    con.execute("set disabled_optimizers = 'common_subplan'")
    # The compiled SQL names the database that dbt knows.
    con.execute("attach ':memory:' as warehouse")
    con.execute("use warehouse")
    con.execute("set autoinstall_known_extensions = false")
    for schema in SCHEMAS:
        con.execute(f"create schema if not exists {schema}")
