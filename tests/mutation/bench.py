"""A built warehouse in memory, in which one rule row can be taken away and only what reads it is computed again.

The models are the SELECTs that dbt compiled for the home's own night, in dbt's own order of dependence. A relation is a view on the
unchanged table until it is computed again; then it is a table of its own, until the row is put back. A model whose parents came out
as they were is not computed: what differs walks down the graph, what does not stops there.
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from orchestration.house import House
from orchestration.transform import dbt, project_files, standing

Row = dict[str, Any]


@dataclass(frozen=True)
class Node:
    """A seed, model or test of the project. `sql`: the compiled SELECT, or for a unit test the union of actual and expected rows."""

    unique_id: str
    name: str
    schema: str
    parents: tuple[str, ...]
    sql: str

    @property
    def relation(self) -> str:
        return f'"{self.schema}"."{self.name}"'


@dataclass
class Outcome:
    """What came of one change. `changed`: names of the relations that came out different, the seed first; `error`: a model's failure."""

    changed: list[str] = field(default_factory=list)
    error: str | None = None


def in_order(nodes: dict[str, Node]) -> list[Node]:
    """Parents before children."""
    done: dict[str, Node] = {}

    def visit(node: Node) -> None:
        if node.unique_id not in done:
            for parent in node.parents:
                if parent in nodes:
                    visit(nodes[parent])
            done[node.unique_id] = node

    for node in nodes.values():
        visit(node)
    return list(done.values())


def written_by_dbt(target: Path, node: Row) -> Path | None:
    """The file with a node's SQL: of a model or test what dbt compiled, of a unit test the query that dbt ran."""
    kind, where = node["resource_type"], Path("ccm") / node["original_file_path"]
    if kind == "seed":
        return None
    if kind == "unit_test":
        return next((target / "run" / where).rglob(f"{node['name']}.sql"), None)
    path = target / "compiled" / where
    path = path if path.suffix == ".sql" else path / f"{node['alias']}.sql"
    return path if path.exists() else None


class Bench:
    """One home's warehouse and compiled project. `with_unit_tests`: dbt runs them once, which takes some seconds, to have their SQL."""

    def __init__(self, house: House, with_unit_tests: bool = False, threads: int = 1):
        self.house = house
        target = project_files.target_folder(house)
        if with_unit_tests:
            found = dbt.invoke(house, ["test", "--select", "resource_type:unit_test"])
            wrong = [result.unique_id for result in found if result.status != "pass"]
            if wrong:
                raise AssertionError(f"dbt unit tests fail before anything is changed: {', '.join(wrong)}")
        manifest = json.loads((target / "manifest.json").read_text(encoding="utf-8"))

        def nodes(kind: str) -> Iterator[Node]:
            everything = {**manifest["nodes"], **(manifest["unit_tests"] if kind == "unit_test" else {})}
            for unique_id, node in everything.items():
                # An ephemeral model is no relation: its SQL stands inside its children's.
                # The sets of a night that recomputes what it touches are of no whole build.
                if (
                    node["resource_type"] == kind
                    and node["config"].get("materialized") != "ephemeral"
                    and node["schema"] != standing.SETS
                ):
                    path = written_by_dbt(target, node)
                    # Without the database before it, a relation is the one of the bench.
                    sql = path.read_text(encoding="utf-8").replace('"warehouse".', "") if path else ""
                    yield Node(unique_id, node["name"], node["schema"], tuple(node["depends_on"].get("nodes", ())), sql)

        self.seeds = {node.name: node for node in nodes("seed")}
        self.models = in_order({node.unique_id: node for node in nodes("model")})
        self.tests = list(nodes("test"))
        self.unit_tests = list(nodes("unit_test")) if with_unit_tests else []
        without = [node.name for node in (*self.models, *self.tests, *self.unit_tests) if not node.sql]
        if without:
            raise AssertionError(f"{house.root}: dbt has not compiled {', '.join(without)}; run a night there first")
        self._connect(threads)

    def _connect(self, threads: int) -> None:
        self.con = duckdb.connect()
        self.con.execute(f"set threads = {threads}")
        self.con.execute("set TimeZone = 'UTC'")
        self.con.execute("attach ':memory:' as unchanged")
        path = str(self.house.warehouse).replace("'", "''")
        self.con.execute(f"attach '{path}' as warehouse (read_only)")
        self.con.execute("copy from database warehouse to unchanged")
        self.con.execute("detach warehouse")
        self.relations = [*self.seeds.values(), *self.models]
        for schema in sorted({node.schema for node in self.relations}):
            self.con.execute(f'create schema if not exists "{schema}"')
        self.computed: list[Node] = []
        self.fingerprints = {}
        for node in self.relations:
            self._show_unchanged(node)
            self.fingerprints[node.name] = self._fingerprint(node)

    def rows(self, sql: str) -> list[Row]:
        cursor = self.con.execute(sql)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def _fingerprint(self, node: Node) -> tuple[Any, ...]:
        """Equal for the same rows in any order."""
        (found,) = self.con.execute(f"select count(*), sum(hash(t)) from {node.relation} as t").fetchall()
        return tuple(found)

    def _compute(self, node: Node, select: str) -> None:
        """Puts a table of these rows in the place of the relation. Raises duckdb.Error, and then the unchanged rows stand."""
        self.con.execute(f"drop view {node.relation}")
        try:
            self.con.execute(f"create table {node.relation} as {select}")
        except duckdb.Error:
            self._show_unchanged(node)
            raise
        self.computed.append(node)

    def _show_unchanged(self, node: Node) -> None:
        self.con.execute(f"create view {node.relation} as select * from unchanged.{node.relation}")

    def _put_back(self) -> None:
        while self.computed:
            node = self.computed.pop()
            self.con.execute(f"drop table {node.relation}")
            self._show_unchanged(node)

    @contextmanager
    def changed(self, seed: str, select: str) -> Iterator[Outcome]:
        """The warehouse as it would be if the seed's rows were those of `select`; put back at the end.

        `select` reads the seed as it is from `unchanged.rules.<seed>`. With a model's error the relations after it stay as they were.
        """
        outcome = Outcome([seed])
        touched = {self.seeds[seed].unique_id}
        try:
            self._compute(self.seeds[seed], select)
            for model in self.models:
                if touched.isdisjoint(model.parents):
                    continue
                try:
                    self._compute(model, model.sql)
                except duckdb.Error as error:
                    outcome.error = f"{model.name}: {str(error).splitlines()[0]}"
                    break
                if self._fingerprint(model) != self.fingerprints[model.name]:
                    touched.add(model.unique_id)
                    outcome.changed.append(model.name)
            yield outcome
        finally:
            self._put_back()

    def without(self, seed: str, keys: Iterable[int]) -> str:
        """The rows of a seed but those of these numbers (in the order of the file, from 0)."""
        return f"select * from unchanged.{self.seeds[seed].relation} where rowid not in ({', '.join(map(str, keys))})"

    def differing(self, name: str) -> tuple[list[Row], list[Row]]:
        """Rows of a relation that are only in the unchanged one, and only in the present one."""
        node = next(node for node in self.relations if node.name == name)
        before, now = f"unchanged.{node.relation}", node.relation
        return tuple(self.rows(f"from {a} except all from {b}") for a, b in ((before, now), (now, before)))  # type: ignore[return-value]

    def readers(self, seed: str) -> list[str]:
        """Names of the models that read the seed themselves."""
        return [model.name for model in self.models if self.seeds[seed].unique_id in model.parents]

    def control(self) -> list[str]:
        """Models that do not come out of their own SELECT as the night built them: while there is one, no difference means anything."""
        wrong = []
        for model in self.models:
            self._compute(model, model.sql)
            if self._fingerprint(model) != self.fingerprints[model.name]:
                wrong.append(model.name)
            self._put_back()
        return wrong
