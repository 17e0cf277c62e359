"""What dbt made of models and tests before is given to it again, or run apart from it, and is what it would make."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from orchestration.house import DBT_PROJECT, House
from orchestration.transform import build, compiled, dbt, project_files, quiet, standing
from orchestration.transform.rendered import HOME, Rendered
from tests.pipeline.homes import copy

pytestmark = pytest.mark.xdist_group("orders")
PROJECT = "0123456789abcdef" * 4


def _manifest(*nodes: Any) -> Any:
    return SimpleNamespace(nodes={node.unique_id: node for node in nodes})


def _node(unique_id: str, sql: str | None = None) -> Any:
    return SimpleNamespace(
        unique_id=unique_id, compiled=sql is not None, compiled_code=sql, relation_name=f'"{unique_id}"', extra_ctes_injected=False
    )


@pytest.mark.parametrize("night", ["", pytest.param(standing.SETS, marks=pytest.mark.long)])
def test_what_is_kept_of_the_nights_of_the_demo_is_what_dbt_compiles(next_night: Path, tmp_path: Path, night: str) -> None:
    house = House(copy(next_night, tmp_path / "home")).prepare()
    kept = json.loads(
        Rendered(project_files.PARSED, house, project_files.state_of_project(), night, "duckdb", ()).path.read_text(
            encoding="utf-8"
        )
    )
    known = compiled.models(night)
    models = {name.split(".")[-1]: sql for name, (sql, _) in kept.items() if name.startswith("model.")}
    nodes = project_files.load_manifest(dbt.ensure_manifest(house))["nodes"].values()
    in_others = {node["name"] for node in nodes if node["config"]["materialized"] == "ephemeral"}
    assert models.keys() == known.keys() - in_others
    for name, sql in models.items():
        assert sql == known[name].sql, name
    assert next_night.as_posix() not in Rendered(
        project_files.PARSED, house, project_files.state_of_project(), night, "duckdb", ()
    ).path.read_text(encoding="utf-8")


@pytest.mark.long
def test_a_second_run_renders_nothing_and_says_the_same(next_night: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dbt.compilation import Compiler

    house = House(copy(next_night, tmp_path / "home")).prepare()
    assert not any(result.is_bad for result in build.build(house)) and standing.is_touched(house)
    mine = shutil.copytree(project_files.PARSED, tmp_path / "parsed", ignore=shutil.ignore_patterns("rendered-*"))
    monkeypatch.setattr(project_files, "PARSED", mine)
    compiling, before = [], Compiler._compile_code

    def compile_code(self: Compiler, node: Any, *more: Any) -> Any:
        compiling.append(node.unique_id)
        return before(self, node, *more)

    monkeypatch.setattr(Compiler, "_compile_code", compile_code)
    sound = standing.sound(house)
    some = sorted(name for name in sound if "minute_ledger" in name)[:3]
    runs = []
    for among in (sound, sound - {some[0]}, sound):
        compiling.clear()
        results = dbt.invoke(
            house, ["test", "--exclude", "resource_type:unit_test", "--select", "minute_ledger"], standing.SETS, among
        )
        runs.append((sorted((result.unique_id, result.status) for result in results), list(compiling)))
    (first, made), (second, made_of_all), (third, made_again) = runs
    assert first == second == third and len(first) > 5
    assert set(made) == {name for name, _ in first}
    # What is asked of every row for once is another question.
    assert made_of_all == [some[0]] and made_again == []
    written = {path.name: path.read_text(encoding="utf-8") for path in project_files.target_folder(house).glob("compiled/**/*.sql")}
    shutil.rmtree(project_files.target_folder(house) / "compiled")
    dbt.invoke(house, ["test", "--exclude", "resource_type:unit_test", "--select", "minute_ledger"], standing.SETS, sound)
    again = {path.name: path.read_text(encoding="utf-8") for path in project_files.target_folder(house).glob("compiled/**/*.sql")}
    assert len(again) > 5 and again == {name: written[name] for name in again}
    (file,) = mine.glob("rendered-*")
    kept, theirs = (
        json.loads(path.read_text(encoding="utf-8")) for path in (file, dbt.DBT_PROJECT / "target" / "parsed" / file.name)
    )
    same = kept.keys() & theirs.keys()
    assert len(same) > 5 and {name: kept[name] for name in same} == {name: theirs[name] for name in same}
    assert kept[some[0]][0] != kept[f"{some[0]} of tonight"][0]


def test_what_the_models_are_told_by_the_environment_is_all_in_the_name_of_what_is_kept() -> None:
    asked = {
        name
        for path in [*DBT_PROJECT.rglob("*.sql"), *DBT_PROJECT.rglob("*.yml")]
        if path.relative_to(DBT_PROJECT).parts[0] not in ("target", "logs")
        for name in re.findall(r"env_var\(['\"](\w+)", path.read_text(encoding="utf-8"))
    }
    # The home is put in anew; the kind of night, and for a test whether it is asked of its rows, are in the name; nothing is kept with a key or a
    # lake elsewhere. The memory is in no SQL. CCM_SPARK...: another engine's, which keeps nothing.
    assert {name for name in asked if not name.startswith("CCM_SPARK")} == {
        "CCM_HOME", "CCM_NIGHT", "CCM_SOUND", "CCM_READING", "CCM_LAKE_PREFIX", "CCM_LAKE_BATCHES", "CCM_MEMORY",
    }  # fmt: skip


def test_another_home_finds_its_own_path_in_it(tmp_path: Path) -> None:
    one, other = House(tmp_path / "it's [one]"), House(tmp_path / "other")
    home = f"{tmp_path}/it''s [[]one]/lake"
    Rendered(tmp_path, one, PROJECT, "", "duckdb", ()).keep([_node("model.ccm.a", f"from read_parquet('{home}')")])
    node = _node("model.ccm.a")
    assert Rendered(tmp_path, other, PROJECT, "", "duckdb", ()).give(_manifest(node, _node("model.ccm.b"))) == {"model.ccm.a"}
    assert node.compiled and node.compiled_code == f"from read_parquet('{tmp_path}/other/lake')"
    for night, target in (("touched", "duckdb"), ("", "objects")):
        assert Rendered(tmp_path, other, PROJECT, night, target, ()).give(_manifest(_node("model.ccm.a"))) == frozenset()


def test_what_is_kept_of_another_project_goes_and_what_cannot_be_read_is_made_anew(tmp_path: Path) -> None:
    house = House(tmp_path / "home")
    old = Rendered(tmp_path, house, "f" * 64, "", "duckdb", ())
    old.keep([_node("model.ccm.a", "select 1")])
    now = Rendered(tmp_path, house, PROJECT, "", "duckdb", ())
    assert old.path.exists() and now.give(_manifest(_node("model.ccm.a"))) == frozenset()
    now.keep([_node("model.ccm.a", "select 2"), _node("model.ccm.failed")])
    assert not old.path.exists() and now.path.stat().st_mode & 0o777 == 0o600
    now.path.write_text('{"model.ccm.a')
    again = Rendered(tmp_path, house, PROJECT, "", "duckdb", ())
    assert again.give(_manifest(_node("model.ccm.a"))) == frozenset()
    again.keep([_node("model.ccm.a", "select 2")])
    node = _node("model.ccm.a")
    assert Rendered(tmp_path, house, PROJECT, "", "duckdb", ()).give(_manifest(node)) and node.compiled_code == "select 2"


def test_a_checkout_that_may_not_be_written_to_keeps_nothing(tmp_path: Path) -> None:
    (tmp_path / "parsed").write_text("a file where a folder is wanted")
    house = House(tmp_path / "home")
    Rendered(tmp_path / "parsed", house, PROJECT, "", "duckdb", ()).keep([_node("model.ccm.a", "select 1")])
    assert Rendered(tmp_path / "parsed", house, PROJECT, "", "duckdb", ()).give(_manifest(_node("model.ccm.a"))) == frozenset()


def test_models_compiled_before_are_read_and_what_cannot_be_read_is_compiled_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled._models.cache_clear()
    known = compiled.models()
    (file,) = (DBT_PROJECT / "target" / "parsed").glob(f"compiled-{project_files.state_of_project()[:16]}-whole.json")
    text = file.read_text(encoding="utf-8")
    assert file.stat().st_mode & 0o777 == 0o600 and "ccm-compile-" not in text and not re.search(r"read_parquet\(\s*'/", text)
    mine = tmp_path / "parsed"
    monkeypatch.setattr(project_files, "PARSED", mine)
    monkeypatch.setattr(compiled, "_compile", lambda night: [compiled.Model("a", "marts", f"select '{HOME}'", ("b",))])
    kept = []
    for content in (text, text[:-1], '[{"name": "a", "of": "another release"}]', None):
        compiled._models.cache_clear()
        shutil.rmtree(mine, ignore_errors=True)
        mine.mkdir()
        if content:
            (mine / file.name).write_text(content)
        (mine / "compiled-0123456789abcdef-whole.json").write_text("of another project")
        kept.append(compiled.models())
        assert json.loads((mine / file.name).read_text())
    compiled._models.cache_clear()
    assert kept[0] == known and kept[1].keys() == kept[2].keys() == kept[3].keys() == {"a"}
    assert kept[3] == {"a": compiled.Model("a", "marts", f"select '{HOME}'", ("b",))}
    assert compiled.in_home(kept[3]["a"], Path("/it's [one]")) == "select '/it''s [[]one]'"
    assert [path.name for path in mine.iterdir()] == [file.name]
    # A checkout that may not be written to.
    monkeypatch.setattr(project_files, "PARSED", mine / file.name)
    assert compiled.models() == kept[3]
    compiled._models.cache_clear()


def test_a_debug_event_is_made_up_when_somebody_asks_what_it_says() -> None:
    from dbt.adapters.events.types import SQLQuery
    from dbt_common.events.types import Note

    made = SQLQuery(conn_name="a", sql="select 1")
    with quiet.without_debug_events():
        told, note = SQLQuery(conn_name="a", sql="select 1"), Note(msg="heard")
        assert "pb_msg" not in vars(told) and "pb_msg" in vars(note)
        assert told.sql == "select 1" and told.message() == made.message() and told.to_dict() == made.to_dict()
        told.conn_name = "b"
        assert (told.conn_name, SQLQuery(conn_name="c", sql="").conn_name) == ("b", "c")
    assert "pb_msg" in vars(SQLQuery(conn_name="a", sql="select 1"))
