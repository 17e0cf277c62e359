"""The dbt project itself: its unit tests, its contracts against the published ones, its sources against the extracts' contracts."""

from __future__ import annotations

import json
import re

import duckdb
import pytest

from orchestration.contracts import extract_contracts, lake_columns, mart_contracts
from orchestration.house import House
from orchestration.transform import dbt, project_files
from tests.pipeline.homes import copy

pytestmark = pytest.mark.xdist_group("models")


@pytest.fixture(scope="module")
def house(demo, tmp_path_factory):
    return House(copy(demo[0], tmp_path_factory.mktemp("models") / "home", without=["landing"]))


def test_every_dbt_unit_test_passes(house):
    results = dbt.invoke(house, ["test", "--select", "resource_type:unit_test"])
    assert len(results) >= 5
    assert [(result.unique_id, result.message) for result in results if result.status != "pass"] == []


def test_marts_have_the_columns_types_and_words_of_their_contracts(house):
    manifest = json.loads((project_files.target_folder(house) / "manifest.json").read_text())
    marts = {
        node["name"]: node for node in manifest["nodes"].values() if node["resource_type"] == "model" and node["schema"] == "marts"
    }
    contracts = mart_contracts()
    assert set(marts) <= set(contracts)
    words = {}
    for node in manifest["nodes"].values():
        if node["resource_type"] == "test" and (node.get("test_metadata") or {}).get("name") == "is_one_of":
            kwargs = node["test_metadata"]["kwargs"]
            words[node["attached_node"].split(".")[-1], kwargs["column_name"]] = set(kwargs["values"])
    for name, node in marts.items():
        assert node["contract"]["enforced"], name
        for column in contracts[name].columns:
            assert column.name in node["columns"], (name, column.name)
            if column.vocabulary and (name, column.name) in words:
                assert words[name, column.name] == set(column.vocabulary), (name, column.name)


def test_the_lake_has_exactly_the_columns_and_types_of_the_extract_contracts(house):
    with duckdb.connect() as con:
        for table, contract in extract_contracts().items():
            described = con.execute(f"describe select * from read_parquet('{house.lake}/batches/*/{table}.parquet')").fetchall()
            wanted = [("practice_id", "VARCHAR"), ("extract_date", "DATE"), ("file_id", "BIGINT"), ("line_number", "BIGINT")]
            assert [(row[0], row[1]) for row in described] == wanted + lake_columns(contract), table


def test_no_column_of_a_model_with_many_rows_is_wider_than_a_machine_word(house):
    # DuckDB reads the wider ones sixty times as slowly: a product of money and a number, or a sum, is cast to what it can be.
    manifest = json.loads((project_files.target_folder(house) / "manifest.json").read_text())
    models = (node for node in manifest["nodes"].values() if node["resource_type"] == "model")
    many = {node["name"] for node in models if (node["config"].get("meta") or {}).get("touched_by")}
    with duckdb.connect(str(house.warehouse), read_only=True) as con:
        kinds = con.execute(
            "select table_name, column_name, data_type from duckdb_columns() where schema_name <> 'touched'"
        ).fetchall()
    assert {table for table, *_ in kinds} >= many >= {"minute_ledger", "int_candidates__priced"}
    wide = re.compile(r"HUGEINT|DECIMAL\((19|[23]\d)")
    assert [(table, column, kind) for table, column, kind in kinds if table in many and wide.search(kind)] == []


def test_no_rule_seed_speaks_a_descriptor_and_every_rule_row_has_a_citation():
    import csv

    from orchestration.house import DBT_PROJECT

    for path in (DBT_PROJECT / "seeds").rglob("*.csv"):
        with path.open(encoding="utf-8", newline="") as handle:
            for row in csv.DictReader(handle):
                assert row["citation"], path.name


@pytest.mark.long
def test_taking_one_practice_away_leaves_every_other_mart_row_as_it_was(house, tmp_path):
    """Isolation in the models: what a practice's rows become depends on no other practice's rows."""
    import yaml

    from orchestration.practices import load_practices
    from orchestration.transform.configuration import write_configuration

    alone = House(copy(house.root, tmp_path / "home"))
    content = yaml.safe_load(alone.practices_yaml.read_text())
    content["practices"] = [entry for entry in content["practices"] if entry["practice_id"] != "hudson"]
    alone.practices_yaml.write_text(yaml.safe_dump(content))
    write_configuration(alone, load_practices(alone.practices_yaml))
    assert not [result for result in dbt.invoke(alone, ["run"]) if result.is_bad]
    with duckdb.connect(str(alone.warehouse), read_only=True) as con:
        con.execute(f"attach '{house.warehouse}' as full_house (read_only)")
        for (mart,) in con.execute(
            "select table_name from duckdb_tables() where schema_name = 'marts' and database_name <> 'full_house'"
        ).fetchall():
            if mart == "practice_nights":
                continue
            for left, right in (("marts", "full_house.marts"), ("full_house.marts", "marts")):
                differing = con.execute(
                    f"select count(*) from (select * from {left}.{mart} where practice_id <> 'hudson' "
                    f"except all select * from {right}.{mart} where practice_id <> 'hudson')"
                ).fetchall()[0][0]
                assert differing == 0, mart
