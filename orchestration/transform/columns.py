"""What Dagster is told of the tables that dbt made: how many rows, which columns, and from which columns of which parents each of them comes.

Where a column comes from is read off the compiled SQL by sqlglot: less than two seconds for the whole project, once for each state of its files.
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
from dagster_dbt.asset_utils import get_upstream_unique_ids

from orchestration.engine import connect, open_warehouse
from orchestration.house import House, write_private
from orchestration.transform import project_files, standing

# dbt's id of a node -> column -> (parent's id, parent's column), sorted
Lineage = Mapping[str, Mapping[str, list[tuple[str, str]]]]
_REMEMBERED: dict[str, Lineage] = {}
_CACHE = "columns.json"
CATALOG = "warehouse"
# What the macros only_touched and change_rows, and int_patient_months__runs, write on a night that recomputes what it touches, and on no other.
_ONLY_TOUCHED = re.compile(
    r"semi join \S+ as the_touched\s+on [^\n)]*|union all\s+select known\.\* exclude \(is_current, is_only\).*?as files\)"
    r"|union all by name\s+-- Of each patient the last month.*?as before_them using \(practice_id, patient_id, month\)",
    re.DOTALL,
)


@dataclass(frozen=True)
class Table:
    """A table as it is now. `columns`: name -> DuckDB type, in their order."""

    rows: int
    columns: Mapping[str, str]


def tables_of(house: House) -> dict[tuple[str, str], Table]:
    """Every table of the warehouse by schema and name."""
    with open_warehouse(house) as warehouse:
        columns: dict[tuple[str, str], dict[str, str]] = {}
        for schema, table, column, kind in warehouse.execute(
            """
            select schema_name, table_name, column_name, data_type from duckdb_columns() where not internal and schema_name <> ?
            order by schema_name, table_name, column_index
            """,
            [standing.SETS],
        ).fetchall():
            columns.setdefault((schema, table), {})[column] = kind
        if not columns:
            return {}
        counted = warehouse.execute(
            " union all ".join(f"select '{schema}', '{table}', count(*) from \"{schema}\".\"{table}\"" for schema, table in columns)
        ).fetchall()
    return {(schema, table): Table(rows, columns[schema, table]) for schema, table, rows in counted}


def lineage_of(house: House, manifest: Mapping[str, Any], tables: Mapping[tuple[str, str], Table]) -> Lineage:
    """Where each column of each model comes from. Read off what dbt compiled for this home when the project was last changed; afterwards known to
    every home of the checkout. Constants and counts come from no column."""
    of = f"{project_files.project_fingerprint()} sqlglot {version('sqlglot')}"
    # Beside the parsed project; in the home where the checkout cannot be written to.
    places = [folder / _CACHE for folder in (project_files.PARSED, project_files.target_folder(house))]
    for kept in places if of not in _REMEMBERED else ():
        with contextlib.suppress(OSError, ValueError):  # not there, or of a write that the disk lost: then it is made again
            content = json.loads(kept.read_text(encoding="utf-8"))
            if content["of"] == of:
                _REMEMBERED[of] = content["columns"]
                break
    if of not in _REMEMBERED:
        compiled = project_files.target_folder(house) / "compiled" / "ccm"
        models = {key: node for key, node in manifest["nodes"].items() if _is_table(node)}
        sql = {key: compiled / node["original_file_path"] for key, node in models.items()}
        known = {(node["schema"], node["name"]) for node in models.values()}
        if not known <= set(tables) or not all(path.exists() for path in sql.values()):
            return {}  # a build that did not finish: the next one tells
        with connect(house) as con:

            def describe(function: str) -> dict[str, str]:
                return {row[0]: row[1] for row in con.execute(f"describe select * from {function}").fetchall()}

            _REMEMBERED[of] = {
                key: columns_of(_as_if_whole(path.read_text(encoding="utf-8"), models), models[key], manifest, tables, describe)
                for key, path in sql.items()
            }
        for kept in places:
            with contextlib.suppress(OSError):
                write_private(kept, json.dumps({"of": of, "columns": _REMEMBERED[of]}))
                break
    return _REMEMBERED[of]


def _as_if_whole(sql: str, models: Mapping[str, Mapping[str, Any]]) -> str:
    """SQL as a night compiled it that recomputes what it touches, with the tables themselves in the place of this night's rows of them."""
    sql = _ONLY_TOUCHED.sub("", sql)
    for node in models.values():
        sql = sql.replace(f'"{standing.SETS}"."{node["name"]}"', f'"{node["schema"]}"."{node["name"]}"')
    # The entries judged again, and the touched ones as they were, are rows of the entries.
    for name in ("touched_entries__judged_rows", "touched_entries__known"):
        sql = sql.replace(f'"{standing.SETS}"."{name}"', '"staging"."stg_time_entries"')
    return sql


def columns_of(
    sql: str,
    node: Mapping[str, Any],
    manifest: Mapping[str, Any],
    tables: Mapping[tuple[str, str], Table],
    describe: Callable[[str], Mapping[str, str]],
) -> dict[str, list[tuple[str, str]]]:
    """One model's columns and the columns of its parents that each is made from; empty, and said in the log, where sqlglot cannot tell.

    `describe` gives the columns of a table function (read_parquet of the lake), name -> type."""
    from sqlglot import exp, parse_one
    from sqlglot.errors import SqlglotError
    from sqlglot.lineage import to_node
    from sqlglot.optimizer.qualify import qualify
    from sqlglot.optimizer.scope import build_scope
    from sqlglot.schema import ensure_schema

    # It warns of every subquery behind a FROM, by printing all of it.
    logging.getLogger("sqlglot").setLevel(logging.ERROR)
    own = tables[node["schema"], node["name"]].columns
    parents = {_relation(manifest, parent): parent for parent in sorted(get_upstream_unique_ids(manifest, node))}
    parents = {relation: parent for relation, parent in parents.items() if relation[0] != standing.SETS}
    try:
        tree = parse_one(sql, dialect="duckdb")
        sources = _name_the_sources(tree, parents, describe)
        for union in list(tree.find_all(exp.SetOperation)):
            where = union.left.args.get("where")
            if union.args.get("by_name") and where and where.this == exp.false():
                union.replace(union.right)  # the left side gives no row, only a type to what old files lack
        shapes: dict[str, dict[str, dict[str, str]]] = {}
        for schema, name in parents:
            table = tables.get((schema, name))
            shapes.setdefault(schema, {})[name] = dict(table.columns if table else sources.get((schema, name), {}))
        schema_of_parents = ensure_schema({CATALOG: shapes}, dialect="duckdb")
        tree = qualify(tree, schema=schema_of_parents, catalog=CATALOG, dialect="duckdb", validate_qualify_columns=False)
        scope = build_scope(tree)
        assert scope is not None
        found: dict[str, list[tuple[str, str]]] = {}
        for column in own:
            leaves = [
                one for one in to_node(column, scope, "duckdb", schema_of_parents, trim_selects=False).walk() if not one.downstream
            ]
            origins = ((leaf.expression.find(exp.Table), leaf.name.rpartition(".")[2].strip('"')) for leaf in leaves)
            found[column] = sorted(
                {(parents[table.db, table.name], name) for table, name in origins if table and (table.db, table.name) in parents}
            )
    except (SqlglotError, duckdb.Error, ValueError, KeyError) as error:
        logging.getLogger(__name__).warning("%s: its columns' origins cannot be read (%s)", node["name"], type(error).__name__)
        return {}
    return found


def _is_table(node: Mapping[str, Any]) -> bool:
    return bool(
        node["resource_type"] == "model" and node["config"]["materialized"] != "ephemeral" and node["schema"] != standing.SETS
    )


def _relation(manifest: Mapping[str, Any], key: str) -> tuple[str, str]:
    """Schema and name of a node; of a source the source's name."""
    node = _node(manifest, key)
    return node["source_name"] if key.startswith("source.") else node["schema"], node["name"]


def _name_the_sources(
    tree: Any, parents: Mapping[tuple[str, str], str], describe: Callable[[str], Mapping[str, str]]
) -> dict[tuple[str, str], Mapping[str, str]]:
    """read_parquet('.../patients.parquet') becomes lake.patients: the name of its source. Gives the columns of each."""
    from sqlglot import exp

    columns = {}
    for table in list(tree.find_all(exp.Table)):
        if not isinstance(table.this, exp.ReadParquet):
            continue
        path = Path(next(one.this for one in table.find_all(exp.Literal) if one.is_string and one.this.endswith(".parquet")))
        named = [(schema, name) for schema, name in parents if name == path.stem]
        schema, name = next((one for one in named if one[0] in path.parts), named[0])
        if (schema, name) not in columns:
            columns[schema, name] = describe(table.this.sql("duckdb"))
        source = exp.table_(name, db=schema)
        if table.args.get("alias"):
            source.set("alias", table.args["alias"])
        table.replace(source)
    return columns


def told_of(
    key: str,
    node: Mapping[str, Any],
    manifest: Mapping[str, Any],
    tables: Mapping[tuple[str, str], Table],
    lineage: Lineage,
    translator: Any,
) -> dict[str, Any]:
    """Metadata of one built node: rows, columns where no contract has them, and where they come from. Names and counts, no value."""
    table = tables.get((node["schema"], node["name"]))
    if table is None:
        return {}
    # A contract's columns stand with the asset already, and every night keeps what it is told.
    is_promised = set(table.columns) <= set(node.get("columns", {}))
    schema = dg.TableSchema(columns=[dg.TableColumn(name, kind.lower()) for name, kind in table.columns.items()])
    origins = {
        column: [
            dg.TableColumnDep(asset_key=translator.get_asset_key(_node(manifest, parent)), column_name=name) for parent, name in of
        ]
        for column, of in lineage.get(key, {}).items()
    }
    return {
        "dagster/row_count": table.rows,
        **({} if is_promised else {"dagster/column_schema": schema}),
        **({"dagster/column_lineage": dg.TableColumnLineage(origins)} if origins else {}),
    }


def _node(manifest: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = manifest["sources"].get(key) or manifest["nodes"][key]
    return found
