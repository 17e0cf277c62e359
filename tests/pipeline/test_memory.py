"""What DuckDB may hold in memory is said once, and all that opens the warehouse keeps to it."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import duckdb
import pytest
from dbt.config.profile import Profile, read_profile
from dbt.config.renderer import ProfileRenderer
from dbt_common.context import set_invocation_context

from orchestration import engine
from orchestration.answer import publish
from orchestration.house import DBT_PROJECT, House, HouseError, sweep
from orchestration.operate.instance import prepare_environment
from orchestration.take_in import lake, scratch
from orchestration.transform import dbt, standing
from tests.holds.clinic import Clinic, configure
from tests.pipeline.homes import ccm


def gib(con: duckdb.DuckDBPyConnection) -> float:
    number, unit = con.execute("select current_setting('memory_limit')").fetchall()[0][0].split()
    return float(number) * {"MiB": 1 / 1024, "GiB": 1, "TiB": 1024}[unit]


def test_unless_said_it_is_half_of_what_duckdb_would_take(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(engine.MEMORY, raising=False)
    with (
        duckdb.connect() as usual,
        engine.connect() as con,
        engine.open_database(tmp_path / "one.duckdb", "one", read_only=False) as file,
    ):
        assert gib(con) == gib(file) == pytest.approx(gib(usual) / 2, rel=0.02)


@pytest.mark.parametrize("target", ["duckdb", "encrypted", "objects"])
def test_what_is_said_holds_for_files_for_copies_and_for_dbt(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, target: str) -> None:
    monkeypatch.setenv(engine.MEMORY, "1GiB")
    with engine.connect() as con, engine.open_database(tmp_path / "one.duckdb", "one", read_only=False) as file:
        assert gib(con) == gib(file) == 1
        # A reader of this process who says nothing may still open it.
        with duckdb.connect(str(tmp_path / "one.duckdb")) as reader:
            assert gib(reader) == 1
    with dbt.environment(House(tmp_path)):
        set_invocation_context(os.environ)
        _, settings = Profile.render_profile(read_profile(str(DBT_PROJECT))["ccm"], "ccm", target, ProfileRenderer({}))
    with duckdb.connect(config=settings["config_options"]) as con:
        assert gib(con) == 1


def test_what_is_no_size_is_named_with_what_to_write(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # DuckDB would take the last three for no limit.
    for said in ("a lot", "-1GB", "-1", "none"):
        monkeypatch.setenv(engine.MEMORY, said)
        with pytest.raises(HouseError, match=rf"CCM_MEMORY='{said}'.*6GB"):
            engine.connect()
    monkeypatch.setenv(engine.MEMORY, "a lot")
    clinic = Clinic("north", 1, patients=2)
    configure(tmp_path, [clinic])
    clinic.land_night(tmp_path, date(2026, 11, 10), {})
    ran = ccm("nightly", home=tmp_path)
    assert ran.code == 1 and "CCM_MEMORY='a lot'" in ran.err and "Traceback" not in ran.err
    assert not list((tmp_path / "lake").rglob("*.parquet"))


@pytest.mark.parametrize("said", ["-1GB", "none"])
def test_files_are_taken_in_with_no_memory_that_is_no_size(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, said: str) -> None:
    monkeypatch.setenv(scratch.MEMORY, said)
    with pytest.raises(HouseError, match=rf"CCM_TAKE_IN_MEMORY='{said}'.*1GB"):
        lake.take_in(House(tmp_path).prepare(), {})


@pytest.mark.parametrize("said", ["abc", "-1", "64MB"])
def test_from_when_on_changes_are_published_is_a_number_of_bytes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, said: str
) -> None:
    monkeypatch.setenv(publish.LARGE, said)
    with pytest.raises(HouseError, match=rf"CCM_PUBLISH_CHANGES_FROM='{said}'.*64000000"):
        prepare_environment(House(tmp_path / "home"))
    monkeypatch.setenv(publish.LARGE, "")
    assert publish.changes_from() == publish.LARGE_UNLESS_SAID


@pytest.mark.long
@pytest.mark.parametrize("has_key", [False, True])
def test_no_two_processes_put_aside_to_one_folder_and_what_a_killed_one_left_is_swept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, has_key: bool
) -> None:
    # Two that did ended in a segmentation fault: DuckDB's files have the same names everywhere.
    if has_key:
        monkeypatch.setenv(engine.KEY, "k" * 40)
    house = House(tmp_path / "it's home").prepare()
    with engine.open_warehouse(house, read_only=False) as made:
        made.execute("create table t as select 1 as a")
    code = (
        "import sys; from pathlib import Path; from orchestration import engine; from orchestration.house import House\n"
        "house = House(Path(sys.argv[1]))\n"
        "for con in (engine.connect(house), engine.open_warehouse(house)):\n"
        "    print(con.execute(\"select current_setting('temp_directory')\").fetchall()[0][0])"
    )
    found: list[str] = []
    for _ in range(2):
        ran = subprocess.run([sys.executable, "-c", code, str(house.root)], capture_output=True, text=True, check=True)
        found += ran.stdout.splitlines()
    assert len(set(found)) == 4 and {Path(one).parent for one in found} == {house.state, house.root}
    for one in found:
        (Path(one) / "rows").mkdir(parents=True)
    sweep(house)
    assert not any(Path(one).exists() for one in found)


def test_what_a_killed_night_put_aside_from_memory_goes_as_the_next_begins(tmp_path: Path) -> None:
    house = House(tmp_path / "home").prepare()
    with engine.open_warehouse(house, read_only=False) as warehouse:
        warehouse.execute("create table t as select 1 as a")
        (left,) = warehouse.execute("select current_setting('temp_directory')").fetchall()[0]
    Path(left).mkdir()
    (Path(left) / "duckdb_temp_storage_DEFAULT-0.tmp").write_bytes(b"rows")
    standing.begin(house)
    assert not Path(left).exists() and house.warehouse.exists()
