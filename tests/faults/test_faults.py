"""Killed, starved of disk, or started twice: a rerun gives the bytes of an undisturbed run, and nothing half-written is ever visible.

A sample: `make kill` strikes the whole commands a hundred times.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta

import duckdb
import pytest
from sqlalchemy import create_engine
from sqlalchemy.exc import OperationalError

from orchestration.answer.publish import publish
from orchestration.discretion import defect
from orchestration.engine import open_warehouse
from orchestration.gate import verdicts
from orchestration.gate.gate import rule_on
from orchestration.house import House, HouseError
from orchestration.practices import load_practices
from orchestration.take_in.lake import take_in
from orchestration.take_in.ledger import ledger
from orchestration.transform import build, dbt
from orchestration.transform.build import build_models
from orchestration.transform.rebuild import rebuild_claims, rebuild_everything
from orchestration.transform.state import build_inputs, is_judged, is_up_to_date
from tests.faults import harness
from tests.pipeline.homes import CCM, ccm, copy, rows
from tests.properties.strategies import write_home

pytestmark = pytest.mark.xdist_group("faults")

MONTH = "2026-10"
CLOSE = ("part:close", "highpines", MONTH)


def closable(home, target):
    """A copy of what a close and a publication read and write: warehouse, marts, closes, configuration."""
    return shutil.copytree(home, target, ignore=shutil.ignore_patterns("landing", "lake", ".state"))


def packet(home):
    folder = home / "closes" / "highpines" / MONTH
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in harness.CLOCKS
    }


def counted(home, tmp_path, command):
    done = harness.struck(home, f"count:{tmp_path / 'counts.json'}", command)
    assert done.code == 0, done.err
    return json.loads((tmp_path / "counts.json").read_text())["write"]


@pytest.fixture(scope="module")
def undisturbed(next_night, tmp_path_factory):
    """The packet as an undisturbed close writes it, and how many durable steps that took."""
    folder = tmp_path_factory.mktemp("undisturbed")
    home = closable(next_night, folder / "home")
    steps = counted(home, folder, CLOSE)
    assert "v1/claims.837" in packet(home) and steps > 20
    return packet(home), steps


@pytest.mark.parametrize("at", ["the last", pytest.param("every kind of", marks=pytest.mark.long)])
def test_a_close_killed_at_any_durable_step_is_finished_by_the_next_one_with_the_same_bytes(next_night, undisturbed, tmp_path, at):
    expected, steps = undisturbed
    for number in sorted({steps // 2, steps} if at == "the last" else {1, 3, steps // 2, steps - 1, steps}):
        home = closable(next_night, tmp_path / str(number))
        done = harness.struck(home, f"write:{number}", CLOSE)
        assert done.code == -9, (number, done.err)
        # What is named like a packet is whole.
        for version in home.glob(f"closes/highpines/{MONTH}/v*"):
            assert (version / "manifest.json").exists() and (version / "approval.json").exists(), number
        if not (home / "closes" / "highpines" / MONTH / "v1").exists():
            assert harness.struck(home, f"count:{tmp_path / 'again.json'}", CLOSE).code == 0
        assert packet(home) == expected, number


@pytest.mark.long
def test_a_killed_publication_leaves_the_marts_that_were_there(next_night, tmp_path):
    home = closable(next_night, tmp_path / "home")
    before = (home / "marts.duckdb").read_bytes()
    steps = counted(closable(next_night, tmp_path / "count"), tmp_path, ("part:publish",))
    assert steps >= 2
    assert harness.struck(home, "write:1", ("part:publish",)).code == -9
    assert (home / "marts.duckdb").read_bytes() == before
    for number in range(2, steps + 1):
        assert harness.struck(home, f"write:{number}", ("part:publish",)).code == -9
        assert rows(home, "select count(*) as n from patient_month_decisions")[0]["n"] > 0
    assert harness.struck(home, f"count:{tmp_path / 'again.json'}", ("part:publish",)).code == 0
    assert not list(home.rglob(".*.tmp*"))


@pytest.mark.long
def test_a_night_killed_while_it_is_taken_in_leaves_no_batch_or_a_whole_one(demo, tmp_path):
    home = demo[0]
    whole = copy(home, tmp_path / "whole")
    steps = counted(whole, tmp_path, ("part:take_in",))
    batches = sorted(path.name for path in (whole / "lake" / "batches").iterdir())
    for number in sorted({1, steps // 2, steps}):
        struck = copy(home, tmp_path / str(number))
        assert harness.struck(struck, f"write:{number}", ("part:take_in",)).code == -9
        assert harness.struck(struck, f"count:{tmp_path / 'again.json'}", ("part:take_in",)).code == 0
        assert sorted(path.name for path in (struck / "lake" / "batches").iterdir()) == batches
        for name in ("patients.parquet", "time_entries.parquet", "quarantine.parquet"):
            made = (struck / "lake" / "batches" / batches[-1] / name).read_bytes()
            assert made == (whole / "lake" / "batches" / batches[-1] / name).read_bytes(), (number, name)


@pytest.mark.long
def test_answers_killed_while_they_are_kept_leave_nothing_half_written_once_they_are_taken_in(next_night, tmp_path):
    home = shutil.copytree(next_night, tmp_path / "home", ignore=shutil.ignore_patterns("landing", "warehouse.duckdb", "closes"))
    original = min(home.glob("inbox/*.835"))
    (home / "inbox" / "later.835").write_text(original.read_text().replace("MEDICARE PART B", "MEDICARE PART B OHIO"))
    assert harness.struck(home, "write:2", ("part:answers",)).code == -9
    assert list(home.glob("lake/answers/**/.*.tmp"))
    assert harness.struck(home, f"count:{tmp_path / 'again.json'}", ("part:answers",)).code == 0
    assert not list(home.glob("lake/answers/**/.*.tmp"))


@pytest.mark.long
def test_answering_clears_what_a_killed_run_left_half_written_and_nothing_of_one_that_lives(next_night, tmp_path):
    # Found by make kill: until the next night the scratch of a killed `ccm respond` stayed in .state.
    home = copy(next_night, tmp_path / "home")
    gone = subprocess.Popen(["true"])
    gone.wait()
    left, living = (home / ".state" / "verdicts" / f".dbt.json.{pid}.tmp" for pid in (gone.pid, os.getpid()))
    for path in (left, living):
        path.write_text("{")
    assert ccm("respond", home=home).code == 0
    assert not left.exists() and living.exists()


def test_a_full_disk_is_said_without_a_traceback_and_leaves_nothing_behind(next_night, undisturbed, tmp_path):
    home = copy(next_night, tmp_path / "home")
    done = harness.struck(home, "small:200000", ("close", "--month", MONTH, "--practice", "highpines", "--approved-by", "Ann Lee"))
    assert done.code != 0 and "Traceback" not in done.err + done.out
    assert "make room or give access" in done.err and "this is a defect" not in done.err
    assert not list(home.glob(f"closes/highpines/{MONTH}/v*")) and not list(home.glob("closes/**/*.tmp"))
    assert harness.struck(home, f"count:{tmp_path / 'again.json'}", CLOSE).code == 0
    assert packet(home) == undisturbed[0]


@pytest.mark.long
def test_a_disk_that_fills_behind_a_packet_is_named_and_so_is_the_claim_file_that_went_out(next_night, tmp_path):
    home = copy(next_night, tmp_path / "home")
    done = harness.struck(home, "small:3000000", ("close", "--month", MONTH, "--practice", "highpines", "--approved-by", "Ann Lee"))
    assert done.code == 1 and "its claims are to be sent" in done.err
    assert str(home / "closes" / "highpines" / MONTH / "v1" / "claims.837") in done.out
    assert f"{home / 'warehouse.duckdb'}.wal: File too large; make room" in done.err


def test_a_full_disk_behind_an_error_of_a_database_is_told_as_that_and_no_value_with_it(tmp_path):
    house = House(tmp_path).prepare()
    full = create_engine(f"sqlite:///{tmp_path / 'runs.db'}")
    with full.connect() as connection, pytest.raises(OperationalError) as failed:
        connection.exec_driver_sql("pragma max_page_count = 1")
        connection.exec_driver_sql("create table names (name)")
        connection.exec_driver_sql(f"insert into names values ('{'Doe, Jane' * 9999}')")
    full.dispose()
    behind = KeyError("Doe, Jane")
    behind.__context__ = failed.value
    for error in (failed.value, failed.value.orig, behind):
        said = str(defect(house, "ccm", error))
        assert said == (
            f"a database below {house.state / 'dagster'}: the disk is full; make room or give access, then run the same command again, "
            "nothing is half done"
        )
    unwritten = 'Could not write file "/home/marts.duckdb": No space left on device'
    assert str(defect(house, "ccm", duckdb.IOException(unwritten))).startswith(
        "/home/marts.duckdb: No space left on device; make room"
    )
    # What is no word of the disk's is ours, and so is a value that a patient's row has.
    for error in (KeyError("x"), duckdb.ConversionException(unwritten), sqlite3.IntegrityError("x"), duckdb.IOException("x")):
        assert "this is a defect of ccm" in str(defect(house, "ccm", error))


def test_models_that_a_full_disk_kept_from_being_built_name_it(tmp_path, monkeypatch):
    message = 'TransactionException: Failed to commit: Could not write file "/home/warehouse.duckdb.wal": No space left on device'
    bad = dbt.NodeResult("model.ccm.claims", "error", 0.0, None, message, None)
    monkeypatch.setattr(build, "_built", lambda *_: [bad])
    with pytest.raises(HouseError, match=r"^/home/warehouse.duckdb.wal: No space left on device; make room .*`ccm nightly`"):
        build.build(House(tmp_path))


def failing(sql: str, **settings: str) -> duckdb.OutOfMemoryException:
    with duckdb.connect(config=settings) as con, pytest.raises(duckdb.OutOfMemoryException) as failed:
        con.execute(sql)
    return failed.value


def test_memory_that_is_not_enough_is_told_with_how_much_there_was_and_what_sets_it(tmp_path, monkeypatch):
    house = House(tmp_path / "home").prepare()
    little = {"threads": "1", "temp_directory": str(tmp_path / "spill")}
    lists = failing(
        "select i % 999999 as k, list({'a': i, 'b': i::varchar}) from range(3000000) r(i) group by k",
        memory_limit="64MiB",
        **little,
    )
    no_room = duckdb.OutOfMemoryException(
        "Out of Memory Error: failed to offload data block of size 256.0 KiB (1.0 MiB/1.0 MiB used).\n"
        "This limit was set by the 'max_temp_directory_size' setting."
    )
    wanted = (
        "DuckDB wanted more memory than the 64.0 MiB that it may hold; set CCM_MEMORY higher, or run it on a larger machine, then "
    )
    full = "the disk has no room for what DuckDB puts aside from memory; make room, or give it more memory, then "
    for error, said in ((lists, wanted), (no_room, full)):
        behind = KeyError("Doe, Jane")
        behind.__context__ = error
        for one in (error, behind):
            assert str(defect(house, "ccm", one)) == f"{said}run the same command again, nothing is half done"
        bad = dbt.NodeResult("model.ccm.claims", "error", 0.0, None, f"Runtime Error in model claims\n  {error}", None)
        monkeypatch.setattr(build, "_built", lambda *_, bad=bad: [bad])
        with pytest.raises(HouseError) as failed:
            build.build(house)
        assert str(failed.value) == f"claims: {said}`ccm nightly`: nothing is lost"


@pytest.mark.long
def test_a_night_with_nothing_new_writes_what_a_run_killed_behind_its_publication_did_not(next_night, tmp_path):
    home = copy(next_night, tmp_path / "home")
    newest = max(path.name for path in home.glob("worklists/hudson/*.csv"))
    lists = {path: path.read_bytes() for path in home.glob("worklists/*/*.csv")}
    reports = set(home.glob("reports/*/*.html"))
    (home / "worklists" / "hudson" / newest).unlink()
    shutil.rmtree(home / "reports")
    # A process that is no more, and one that is: only the first one's scratch goes.
    dead, living = home / ".state" / "verdicts" / ".dbt.json.4999999.tmp", home / "reports" / f".a.html.{os.getpid()}.tmp"
    dead.write_text("")
    living.parent.mkdir()
    living.write_text("")
    assert ccm("nightly", home=home).code == 0
    assert {path: path.read_bytes() for path in home.glob("worklists/*/*.csv")} == lists
    nights = {path for path in reports if path.stem.count("-") == 2 and "-v" not in path.stem}
    assert nights & set(home.glob("reports/*/*.html")) and not dead.exists() and living.exists()


@pytest.mark.long
def test_marts_whose_publication_failed_are_published_by_the_next_night(next_night, tmp_path):
    house = House(copy(next_night, tmp_path / "home"))
    publish(house)
    assert is_up_to_date(house, build_inputs(house))
    configured = house.practices_yaml.read_text().replace('"99490": 95.00', '"99490": 96.00')
    assert configured != house.practices_yaml.read_text()
    house.practices_yaml.write_text(configured)
    rebuild_everything(house, build_inputs(house))
    # Here a full disk, or a kill: built and judged, not published.
    assert not is_up_to_date(house, build_inputs(house))
    assert ccm("nightly", home=house.root).code == 0
    assert rows(house.root, "select count(*) as n from claimable_codes where charge_amount = 96.00")[0]["n"] > 0
    assert is_up_to_date(house, build_inputs(house))


@pytest.mark.long
def test_settings_put_back_after_a_killed_night_are_built_again_before_anything_closes(next_night, tmp_path):
    house = House(copy(next_night, tmp_path / "home"))
    publish(house)
    practice = load_practices(house.practices_yaml)["highpines"]
    before = house.practices_yaml.read_text()
    assert not rule_on(house, practice, date(2026, 10, 1), build_inputs(house)).refusals
    house.practices_yaml.write_text(before.replace('"99490": 95.00', '"99490": 999.00'))
    build_inputs(house)
    build_models(house)  # and killed before its verdict
    house.practices_yaml.write_text(before)
    inputs = build_inputs(house)
    assert not is_up_to_date(house, inputs)
    assert any("have not judged" in reason for reason in rule_on(house, practice, date(2026, 10, 1), inputs).refusals)
    rebuild_claims(house)
    with open_warehouse(house) as warehouse:
        assert not warehouse.execute("select 1 from marts.claimable_codes where charge_amount = 999").fetchall()


@pytest.mark.long
def test_a_night_that_is_taken_in_while_a_month_is_closed_is_built_all_the_same(next_night, tmp_path):
    house = House(copy(next_night, tmp_path / "home"))
    nights = sorted(path for path in (house.landing / "hudson").iterdir() if path.is_dir())
    later = nights[-1].with_name((date.fromisoformat(nights[-1].name) + timedelta(days=1)).isoformat())
    rebuild_everything(house, build_inputs(house))
    before = verdicts.load(house, "dbt")
    assert [result.unique_id for result in rebuild_claims(house)] and verdicts.load(house, "dbt") == before
    shutil.copytree(nights[-1], later)
    practices = load_practices(house.practices_yaml)
    # The other run, between the packets and what posts them.
    assert take_in(house, {name: practice.time_zone for name, practice in practices.items()})
    rebuild_claims(house)
    with open_warehouse(house) as warehouse:
        newest = warehouse.execute("select newest_night from staging.stg_practices where practice_id = 'hudson'").fetchall()
    assert newest[0][0].isoformat() == later.name


@pytest.mark.long
def test_a_night_with_nothing_new_judges_what_a_broken_off_one_did_not(next_night, tmp_path):
    house = House(copy(next_night, tmp_path / "home"))
    publish(house)
    verdicts.forget(house, "great_expectations")
    assert ccm("nightly", home=house.root).code == 0
    assert is_judged(house)


@pytest.mark.long
def test_two_closes_and_a_nightly_at_once_claim_each_patient_month_once(next_night, undisturbed, tmp_path):
    home = copy(next_night, tmp_path / "home")
    commands = [
        ("close", "--month", MONTH, "--practice", "highpines", "--approved-by", "Ann Lee"),
        ("close", "--month", MONTH, "--practice", "highpines", "--approved-by", "Bo Cruz"),
        ("nightly",),
    ]
    with ThreadPoolExecutor(3) as pool:
        done = list(pool.map(lambda command: harness.ccm(home, *command), commands))
    for command, one in zip(commands, done, strict=True):
        assert one.code in (0, 3), (command, one.err)
    if not packet(home):  # both came before the night's verdict on what the other had changed
        assert ccm("nightly", home=home).code == 0
        assert ccm(*commands[0], home=home).code == 0
    assert {name: data for name, data in packet(home).items() if not name.startswith("proposals")} == undisturbed[0]
    numbers = [
        json.loads(line)["control_number"]
        for path in home.glob("closes/.control_numbers/*")
        for line in path.read_text().splitlines()
    ]
    by_submitter = [path.read_text().splitlines() for path in home.glob("closes/.control_numbers/*")]
    assert numbers and all(len({json.loads(line)["control_number"] for line in lines}) == len(lines) for lines in by_submitter)


@pytest.mark.long
def test_two_nightlies_at_once_take_each_file_in_once(tmp_path):
    home = tmp_path / "home"
    write_home(home, seed=8, practices=1, defects=False)
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda _: harness.ccm(home, "nightly"), range(2)))
    assert [one.code for one in done] == [0, 0], [one.err for one in done]
    landed = {path.relative_to(home / "landing").as_posix() for path in home.glob("landing/*/*/*.*")}
    taken = [record.file_name for record in ledger(House(home))]
    assert len(taken) == len(set(taken)) and set(taken) == landed
    assert rows(home, "select sum(rows_received) as n from row_accounting")[0]["n"] > 0


@pytest.mark.long
def test_a_read_only_folder_is_named_keeps_nothing_half_done_and_spoils_no_rerun(next_night, undisturbed, tmp_path):
    home = copy(next_night, tmp_path / "home")
    command = ("close", "--month", MONTH, "--practice", "highpines", "--approved-by", "Ann Lee")
    for folder in (home / "closes", home / "closes" / "highpines"):
        folder.chmod(0o500)
        done = harness.ccm(home, *command, before=harness.heed_permissions)
        folder.chmod(0o700)
        assert done.code == 1 and str(folder) in done.err and "then run the same command again" in done.err, folder
        assert "Traceback" not in done.err + done.out
        assert not list(home.glob(f"closes/highpines/{MONTH}/v*")) and not list(home.glob("closes/**/*.tmp"))
    assert harness.struck(home, f"count:{tmp_path / 'again.json'}", CLOSE).code == 0
    assert packet(home) == undisturbed[0]


@pytest.mark.long
def test_a_read_only_home_can_be_read_and_says_at_once_that_no_night_can_run(next_night, tmp_path):
    home = copy(next_night, tmp_path / "home")
    for folder in (home / ".state", home):
        folder.chmod(0o500)
    try:
        night = harness.ccm(home, "nightly", before=harness.heed_permissions)
        status = harness.ccm(home, "status", before=harness.heed_permissions)
    finally:
        for folder in (home, home / ".state"):
            folder.chmod(0o700)
    assert night.code == 1 and f"{home}: cannot be written" in night.err
    assert status.code == 0 and "highpines" in status.out, status.err


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    locked = tmp_path / "file"
    locked.write_text("")
    ran = subprocess.run([str(CCM), "demo", "--home", str(locked / "home")], capture_output=True, text=True, check=False)
    assert ran.returncode == 1 and "cannot make this folder" in ran.stderr and "Traceback" not in ran.stderr
