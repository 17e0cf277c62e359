"""What Dagster is told of the tables that dbt made: rows, columns, and where each column comes from."""

from __future__ import annotations

import os

import dagster as dg
import pytest

from orchestration.house import House
from orchestration.operate.instance import prepare_environment
from orchestration.transform import columns, project_files
from orchestration.transform.columns import Table, columns_of, lineage_of, tables_of
from tests.pipeline.homes import copy, rows

pytestmark = pytest.mark.xdist_group("grid")

NODE = {
    "schema": "staging",
    "name": "stg_x",
    "resource_type": "model",
    "depends_on": {"nodes": ["source.ccm.lake.patients", "seed.ccm.rule_y"]},
}
MANIFEST = {
    "nodes": {
        "seed.ccm.rule_y": {"schema": "rules", "name": "rule_y", "resource_type": "seed", "config": {"materialized": "seed"}}
    },
    "sources": {"source.ccm.lake.patients": {"source_name": "lake", "name": "patients", "resource_type": "source", "config": {}}},
}
TABLES = {
    ("staging", "stg_x"): Table(0, dict.fromkeys(("a", "b", "n", "w"), "varchar")),
    ("rules", "rule_y"): Table(0, {"a": "varchar", "w": "varchar"}),
}


def read(sql):
    return columns_of(sql, NODE, MANIFEST, TABLES, lambda function: {"a": "varchar", "b": "varchar", "c": "varchar"})


def test_a_column_is_followed_through_stars_joins_and_subqueries_to_the_file_that_it_was_read_from():
    found = read("""
        with wide as (select * from read_parquet('/home/[[]x]/lake/batches/*/patients.parquet', union_by_name = true))
        select wide.a, upper(b || c) as b, 1 as n, y.w from wide inner join "warehouse"."rules"."rule_y" as y on wide.a = y.a
    """)
    lake = "source.ccm.lake.patients"
    assert found == {"a": [(lake, "a")], "b": [(lake, "b"), (lake, "c")], "n": [], "w": [("seed.ccm.rule_y", "w")]}


def test_the_typed_nothing_of_a_union_by_name_brings_no_column_of_its_own():
    found = read("""
        select *, 1 as n, 'x' as w from (
            select cast(null as varchar[]) as b where false union all by name select a, b from read_parquet(['s3://x/1/patients.parquet'])
        )
    """)
    assert found["b"] == [("source.ccm.lake.patients", "b")]


def test_sql_that_cannot_be_read_gives_no_columns_and_says_so(caplog):
    assert read("select from from from") == {} and "stg_x: its columns' origins cannot be read" in caplog.text


@pytest.mark.long
def test_every_column_of_every_model_of_the_demo_has_its_origins_and_they_exist(demo, monkeypatch, tmp_path):
    house = House(demo[0])
    manifest, tables = project_files.load_manifest(project_files.target_folder(house) / "manifest.json"), tables_of(house)
    monkeypatch.setattr(project_files, "PARSED", tmp_path)
    monkeypatch.setattr(columns, "_REMEMBERED", {})
    found = lineage_of(house, manifest, tables)
    models = {key: node for key, node in manifest["nodes"].items() if columns._is_table(node)}
    assert set(found) == set(models)
    for key, of in found.items():
        node = models[key]
        assert set(of) == set(tables[node["schema"], node["name"]].columns), key
        # A constant, a count or the number of a whole row has no origin; a table without any has not been read.
        assert sum(bool(origins) for origins in of.values()) >= len(of) / (3 if node["name"] == "int_patients__panel" else 2), key
        for parent, column in (one for origins in of.values() for one in origins):
            if not parent.startswith("source."):
                there = manifest["nodes"][parent]
                assert column in tables[there["schema"], there["name"]].columns, (key, parent, column)
    # Another process of another home reads what was kept.
    monkeypatch.setattr(columns, "_REMEMBERED", {})
    again = lineage_of(House(tmp_path / "other"), manifest, {})
    assert {key: {c: [tuple(o) for o in os] for c, os in of.items()} for key, of in again.items()} == found


@pytest.mark.long
def test_origins_read_off_a_night_that_recomputes_what_it_touches_are_those_of_a_whole_one(
    demo, next_night, monkeypatch, tmp_path, caplog
):
    found = []
    for home in (demo[0], next_night):
        house = House(home)
        monkeypatch.setattr(project_files, "PARSED", tmp_path / str(len(found)))
        monkeypatch.setattr(columns, "_REMEMBERED", {})
        manifest = project_files.load_manifest(project_files.target_folder(house) / "manifest.json")
        (tmp_path / str(len(found))).mkdir()
        found.append(lineage_of(house, manifest, tables_of(house)))
    runs = (
        project_files.target_folder(House(next_night))
        / "compiled"
        / "ccm"
        / "models"
        / "intermediate"
        / "office"
        / "int_patient_months__runs.sql"
    )
    assert "known.*" in runs.read_text() and "cannot be read" not in caplog.text
    assert {key for key in found[0] if found[0][key] != found[1][key]} == set()


def test_a_night_tells_dagster_of_rows_columns_and_their_origins(demo, tmp_path):
    before = {name: os.environ.get(name) for name in ("CCM_HOME", "DAGSTER_HOME")}
    home = copy(demo[0], tmp_path / "home")
    prepare_environment(House(home))
    try:
        with dg.DagsterInstance.get() as instance:
            told = {
                path: instance.get_latest_materialization_event(dg.AssetKey(path.split("/"))).asset_materialization.metadata
                for path in ("marts/minute_ledger", "staging/stg_time_entries", "rules/rule_bands")
            }
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
    ledger = told["marts/minute_ledger"]
    [counted] = rows(home, "select count(*) as n from minute_ledger")
    assert ledger["dagster/row_count"].value == counted["n"] and "dagster/column_schema" not in ledger
    deps = ledger["dagster/column_lineage"].value.deps_by_column["seconds"]
    assert {(dep.asset_key.to_user_string(), dep.column_name) for dep in deps} == {
        ("intermediate/int_time_segments", "seconds"),
        ("intermediate/int_time_slices", "seconds"),
    }
    entries = told["staging/stg_time_entries"]["dagster/column_schema"].value.columns
    assert ("note_length", "bigint") in {(column.name, column.type) for column in entries}
    assert told["rules/rule_bands"]["dagster/row_count"].value > 0
