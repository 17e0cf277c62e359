"""Backed up, destroyed, restored: the same marts and packets. The doctor names what is broken and what to do."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
import sqlite3
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import duckdb
import pytest

from orchestration.house import House, HouseError
from orchestration.operate import backup as backups
from orchestration.operate.backup import backup, restore, snapshots, verify
from orchestration.operate.doctor import examine
from orchestration.operate.living_runs import is_locked
from orchestration.operate.tidy import tidy
from orchestration.payers.inbox import ensure_tables
from orchestration.practices import load_practices
from orchestration.take_in.lake import take_in
from orchestration.take_in.landing import discover
from orchestration.take_in.pending import pending
from orchestration.transform.closes import read_closes
from orchestration.transform.configuration import write_configuration
from orchestration.transform.state import build_inputs, present_inputs
from tests.faults import harness
from tests.pipeline.homes import ccm, copy
from tests.properties.strategies import write_home

pytestmark = pytest.mark.xdist_group("keeping")


def marts(home):
    with duckdb.connect(str(home / "marts.duckdb"), read_only=True) as con:
        tables = [row[0] for row in con.execute("select table_name from duckdb_tables() order by 1").fetchall()]
        return {table: con.execute(f'select * from "{table}" order by all').fetchall() for table in tables}


def packets(home):
    return {str(path.relative_to(home)): path.read_bytes() for path in sorted(home.glob("closes/**/*")) if path.is_file()}


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A small home whose nights are in the lake; nothing is built. Never changed by a test."""
    home = tmp_path_factory.mktemp("small") / "home"
    write_home(home, seed=8, practices=2, defects=False)
    house = House(home).prepare()
    take_in(house, {name: practice.time_zone for name, practice in load_practices(house.practices_yaml).items()})
    return home


@pytest.fixture
def taken_in(small, tmp_path):
    """A copy of it."""
    return House(copy(small, tmp_path / "home")).prepare()


@pytest.mark.long
def test_what_was_restored_is_told_to_machines(taken_in, tmp_path):
    made = backup(taken_in, tmp_path / "backups", datetime(2026, 11, 1, tzinfo=UTC))
    proved = json.loads(ccm("restore", f"{made.folder}", "--check", "--json", home=tmp_path / "new").out)
    assert proved == {"snapshot": f"{made.folder}", "is_whole": True}
    done = json.loads(ccm("restore", f"{made.folder}", "--json", home=tmp_path / "new").out)
    assert done == {"snapshot": f"{made.folder}", "home": f"{tmp_path / 'new'}", "files": made.files}


@pytest.mark.long
def test_a_destroyed_demo_comes_back_with_the_same_marts_and_packets(demo, tmp_path):
    home = copy(demo[0], tmp_path / "home")
    before = marts(home), packets(home)
    made = json.loads(ccm("backup", "--to", str(tmp_path / "backups"), "--json", home=home).out)
    shutil.rmtree(home)
    done = ccm("restore", made["folder"], home=home)
    assert done.code == 0, done.err
    # What was published can be read at once; the night makes the warehouse again, and says the same.
    assert (marts(home), packets(home)) == before
    assert not (home / "warehouse.duckdb").exists()
    night = ccm("nightly", home=home)
    assert night.code == 0, night.err
    # Its last landed night had not been taken in; up to the night before everything is as it was.
    assert packets(home) == before[1]
    assert all((path.stat().st_mode & 0o077) == 0 for path in home.rglob("*"))
    rebuilt = ccm("rebuild", "--practice", "hudson", "--month", "2026-09", home=home)
    assert rebuilt.code == 0, rebuilt.out


def test_a_second_backup_costs_what_is_new(taken_in, tmp_path):
    first = backup(taken_in, tmp_path / "backups", datetime(2026, 11, 1, tzinfo=UTC))
    (taken_in.inbox / "new.835").write_text("ISA")
    second = backup(taken_in, tmp_path / "backups", datetime(2026, 11, 2, tzinfo=UTC))
    assert (second.new_files, second.new_bytes) == (1, 3) and second.files == first.files + 1
    same = "home/practices.yaml"
    assert (first.folder / same).samefile(second.folder / same)
    assert snapshots(tmp_path / "backups") == [first.folder, second.folder]
    assert verify(second.folder) == []


@pytest.fixture
def history(taken_in):
    """A database such as Dagster's: written by somebody else, with what was written last beside it."""
    path = taken_in.state / "dagster" / "history" / "runs.db"
    path.parent.mkdir(parents=True)
    with contextlib.closing(sqlite3.connect(path)) as con:
        con.execute("pragma journal_mode=wal")
        con.executescript("create table runs (body text); insert into runs values ('first')")
        yield path, con


def rows(snapshot):
    """What a database of a snapshot holds, asked of a copy."""
    with tempfile.TemporaryDirectory() as folder:
        copied = shutil.copy(snapshot / "home" / ".state" / "dagster" / "history" / "runs.db", folder)
        with contextlib.closing(sqlite3.connect(copied)) as con:
            return [row[0] for row in con.execute("select body from runs")]


def test_a_history_that_nobody_wrote_to_costs_no_room_and_what_stands_beside_it_is_in_the_backup(taken_in, history, tmp_path):
    path, con = history

    def snapshot(minute):
        return backup(taken_in, tmp_path / "backups", datetime(2037, 11, 1, 0, minute, tzinfo=UTC))

    first, second = snapshot(1), snapshot(2)
    assert path.with_name("runs.db-wal").stat().st_size and (second.new_files, second.new_bytes) == (0, 0)
    same = "home/.state/dagster/history/runs.db"
    assert (first.folder / same).samefile(second.folder / same) and rows(second.folder) == ["first"]
    stamp = path.stat()
    con.execute("insert into runs values ('beside it')")
    con.commit()
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (stamp.st_size, stamp.st_mtime_ns)
    third = snapshot(3)
    assert third.new_files == 1 and rows(third.folder) == ["first", "beside it"] and rows(first.folder) == ["first"]
    con.execute("pragma wal_checkpoint(truncate)")  # the same rows, in the file itself
    fourth = snapshot(4)
    assert fourth.new_files == 0 and verify(fourth.folder) == []
    # At rest it is not even read.
    fifth = snapshot(5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("orchestration.operate.backup._taken_of_database", None)
        assert snapshot(6).new_files == 0
    assert verify(fifth.folder) == [] and rows(fifth.folder) == ["first", "beside it"]


def test_a_history_whose_copy_was_spoiled_in_the_backup_before_is_copied_anew(taken_in, history, tmp_path):
    to = tmp_path / "backups"
    first = backup(taken_in, to, datetime(2026, 11, 1, tzinfo=UTC))
    spoiled = first.folder / "home" / ".state" / "dagster" / "history" / "runs.db"
    spoiled.write_bytes(spoiled.read_bytes()[:-1] + b"?")
    second = backup(taken_in, to, datetime(2026, 11, 2, tzinfo=UTC))
    assert second.new_files == 1 and verify(second.folder) == []


def test_a_history_that_is_damaged_and_a_dropped_file_that_is_called_a_database_are_backed_up_as_they_are(taken_in, tmp_path):
    damaged = taken_in.state / "dagster" / "runs.db"
    damaged.parent.mkdir()
    dropped = taken_in.inbox / "answers.db"
    for path in (damaged, dropped):
        path.write_text("no database, but long enough that SQLite reads its head: " + "x" * 200)
    made = backup(taken_in, tmp_path / "backups")
    for path in (damaged, dropped):
        assert (made.folder / "home" / path.relative_to(taken_in.root)).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("folder", ["landing/s8-01/2026-11-07", ".state/dagster/storage"])
def test_a_file_that_gets_another_name_while_the_backup_is_made_stops_nothing(taken_in, tmp_path, monkeypatch, folder):
    for name in ("patients.csv.part", "runs.db"):
        path = taken_in.root / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    found = list(backups._wanted(taken_in, tmp_path / "backups"))

    def wanted(*_):
        for path in found:
            if path.parent == taken_in.root / folder:
                path.rename(path.with_name(f"{path.name}.whole"))
            yield path

    monkeypatch.setattr(backups, "_wanted", wanted)
    made = backup(taken_in, tmp_path / "backups", datetime(2026, 11, 1, tzinfo=UTC))
    assert verify(made.folder) == [] and made.files == len(found) - 2
    assert not list((taken_in.root / folder).glob("*.db"))  # asking for it does not make it
    monkeypatch.undo()
    assert backup(taken_in, tmp_path / "backups", datetime(2026, 11, 2, tzinfo=UTC)).files == len(found)


def test_a_file_of_the_lake_that_is_gone_while_the_backup_is_made_is_named(taken_in, tmp_path, monkeypatch):
    gone = taken_in.lake / "batches" / "000001" / "gone.parquet"
    monkeypatch.setattr(backups, "_wanted", lambda *_: iter([taken_in.practices_yaml, gone]))
    with pytest.raises(HouseError, match=r"gone\.parquet: No such file or directory"):
        backup(taken_in, tmp_path / "backups")
    assert snapshots(tmp_path / "backups") == []


NO_MANIFESTS = ["[]", '"x"', "{}", '{"home": "home", "made_at": "20261101T000000Z", "files": ["a"]}',
                '{"home": "home", "made_at": "20261101T000000Z", "files": {"a": {"size": 1}}}', '{"home": ["home"], "made_at": 1, "files": {}}']  # fmt: skip


def test_a_manifest_of_another_shape_stops_no_new_backup_and_is_refused_by_name(taken_in, tmp_path):
    odd = tmp_path / "backups" / "20261102T000000Z" / "manifest.json"
    odd.parent.mkdir(parents=True)
    for day, content in enumerate(NO_MANIFESTS, start=3):
        odd.write_text(content)
        made = backup(taken_in, tmp_path / "backups", datetime(2026, 11, day, tzinfo=UTC))
        assert verify(made.folder) == []
        with pytest.raises(HouseError, match=r"20261102T000000Z/manifest\.json: .*; take another snapshot"):
            restore(odd.parent, House(tmp_path / "new"))


@pytest.mark.parametrize("content", ["[]", "{}", '{"made_at": "20261124T000000Z"}', '{"made_at": "20261124T000000Z", "folder": 3}'])
def test_a_record_of_backups_of_another_shape_is_told_by_the_doctor(tmp_path, content):
    house = House(tmp_path).prepare()
    (house.state / "backups.json").write_text(content)
    [found] = said(house, "backup")
    assert found.state == "warning" and "backups.json cannot be read" in found.said


def test_a_packets_manifest_of_another_shape_is_told_by_the_doctor(tmp_path):
    house = House(tmp_path).prepare()
    packet = house.closes / "lakeside" / "2026-10" / "v1"
    packet.mkdir(parents=True)
    (packet / "manifest.json").write_text('{"outputs": 3}')
    assert "not as their manifest says: lakeside/2026-10/v1/manifest.json" in [one.said for one in said(house, "closes")]


def test_what_a_link_of_the_home_leads_to_is_backed_up_and_a_link_that_was_dropped_is_not(taken_in, tmp_path):
    away = tmp_path / "other disk"
    away.mkdir()
    wanted = {path.relative_to(taken_in.root): path.read_bytes() for path in taken_in.lake.rglob("*.parquet")}
    shutil.move(taken_in.lake, away / "lake")
    taken_in.lake.symlink_to(away / "lake")
    (away / "lake" / "again").symlink_to(away)  # leads back to where it is
    shutil.move(taken_in.practices_yaml, away / "practices.yaml")
    taken_in.practices_yaml.symlink_to(away / "practices.yaml")
    (taken_in.inbox / "link.835").symlink_to(away / "practices.yaml")
    for day in (1, 2):
        made = backup(taken_in, away / "lake" / "backups", datetime(2026, 11, day, tzinfo=UTC))
    assert made.new_files == 0 and verify(made.folder) == []
    new = House(tmp_path / "new")
    restore(made.folder, new)
    assert {path.relative_to(new.root): path.read_bytes() for path in new.lake.rglob("*.parquet")} == wanted
    assert new.practices_yaml.read_bytes() == (away / "practices.yaml").read_bytes() and not new.practices_yaml.is_symlink()
    assert not (new.inbox / "link.835").exists() and not (new.lake / "backups").exists()


def test_a_landing_on_another_disk_is_in_the_backup_and_comes_back_as_landing_of_the_home(taken_in, tmp_path):
    away = tmp_path / "other disk" / "drops"
    night = sorted(taken_in.landing.glob("*/*"))[-1].relative_to(taken_in.landing)
    left = sorted(path.relative_to(taken_in.landing) for path in taken_in.landing.rglob("*.csv*"))
    shutil.copytree(taken_in.landing, away)
    (away / night / "new.csv").write_text("x")
    (away / night / "link.csv").symlink_to(taken_in.practices_yaml)  # no link that was dropped is read
    (away / left[0]).write_text("as it lies there")
    house = dataclasses.replace(taken_in, landing_folder=away)
    made = backup(house, away / "backups", datetime(2026, 11, 1, tzinfo=UTC))
    assert backup(house, away / "backups", datetime(2026, 11, 2, tzinfo=UTC)).new_files == 0 and verify(made.folder) == []
    new = House(tmp_path / "new")
    restore(made.folder, new)
    assert sorted(path.relative_to(new.landing) for path in new.landing.rglob("*.csv*")) == sorted([*left, night / "new.csv"])
    assert (new.landing / left[0]).read_text() == "as it lies there"
    shutil.move(away, tmp_path / "unmounted")
    with pytest.raises(HouseError, match=r"drops: is not there, and CCM_LANDING says"):
        backup(house, tmp_path / "backups")
    assert snapshots(tmp_path / "backups") == []


def test_homes_that_share_a_folder_of_backups_lose_none_of_each_others(taken_in, tmp_path):
    to = tmp_path / "backups"
    other = House(tmp_path / "other").prepare()
    other.practices_yaml.write_text("practices: []\n")
    mine = [backup(taken_in, to, datetime(2026, 11, day, tzinfo=UTC)) for day in (1, 2)]
    theirs = backup(other, to, datetime(2026, 11, 3, tzinfo=UTC))
    mine.append(backup(taken_in, to, datetime(2026, 11, 4, tzinfo=UTC)))
    assert mine[-1].new_files == 0  # of what it had in its own last one
    assert tidy(other, datetime(2026, 11, 5, tzinfo=UTC), None, None, (to, 1), dry=False).backups == 0
    assert tidy(taken_in, datetime(2026, 11, 5, tzinfo=UTC), None, None, (to, 1), dry=False).backups == 2
    assert snapshots(to) == [theirs.folder, mine[-1].folder]


def test_a_backup_into_a_folder_that_another_homes_is_written_to_waits_and_both_are_whole(taken_in, tmp_path, monkeypatch):
    to = tmp_path / "backups"
    other = House(tmp_path / "other").prepare()
    other.practices_yaml.write_text("practices: []\n")
    copied, second = backups._copied, []

    def meanwhile(source, target):
        done = copied(source, target)
        if not second:
            second.append(pool.submit(backup, other, to, datetime(2026, 11, 2, tzinfo=UTC)))
            with contextlib.suppress(TimeoutError):
                second[0].result(timeout=0.5)
        return done

    monkeypatch.setattr(backups, "_copied", meanwhile)
    with ThreadPoolExecutor() as pool:
        first = backup(taken_in, to, datetime(2026, 11, 1, tzinfo=UTC))
        theirs = second[0].result(timeout=60)
    assert verify(first.folder) == verify(theirs.folder) == [] and snapshots(to) == [first.folder, theirs.folder]


def test_a_backup_of_which_files_are_taken_away_meanwhile_is_none(taken_in, tmp_path, monkeypatch):
    copied = backups._copied

    def taken(source, target):
        done = copied(source, target)
        target.unlink()
        return done

    monkeypatch.setattr(backups, "_copied", taken)
    with pytest.raises(HouseError, match=r"is no whole backup, .* were taken away meanwhile"):
        backup(taken_in, tmp_path / "backups")
    assert snapshots(tmp_path / "backups") == [] and not (taken_in.state / "backups.json").exists()


def test_a_backup_clears_what_a_killed_one_left_and_nothing_of_one_that_lives(taken_in, tmp_path):
    gone = subprocess.Popen(["true"])
    gone.wait()
    left, living = (tmp_path / "backups" / f".20261101T000000Z.{pid}.tmp" for pid in (gone.pid, os.getppid()))
    for folder in (left, living):
        folder.mkdir(parents=True)
    backup(taken_in, tmp_path / "backups", datetime(2026, 11, 2, tzinfo=UTC))
    assert not left.exists() and living.exists()


def test_a_snapshot_is_whole_where_no_hard_link_can_be_made(taken_in, tmp_path, monkeypatch):
    first = backup(taken_in, tmp_path / "backups", datetime(2026, 11, 1, tzinfo=UTC))
    (first.folder / "home" / "practices.yaml").unlink()
    damaged = tmp_path / "backups" / "20261101T010000Z" / "manifest.json"
    damaged.parent.mkdir()
    damaged.write_text("{")
    second = backup(taken_in, tmp_path / "backups", datetime(2026, 11, 2, tzinfo=UTC))
    assert second.new_files == 1 and verify(second.folder) == []

    def refused(*given):
        raise PermissionError(1, "Operation not permitted")  # exFAT, some network drives

    monkeypatch.setattr("orchestration.operate.backup.os.link", refused)
    third = backup(taken_in, tmp_path / "backups", datetime(2026, 11, 3, tzinfo=UTC))
    assert third.new_files == third.files == first.files and verify(third.folder) == []


def test_a_damaged_snapshot_is_not_restored_and_a_home_in_use_is_not_overwritten(taken_in, tmp_path):
    made = backup(taken_in, tmp_path / "backups")
    with pytest.raises(HouseError, match="is not empty"):
        restore(made.folder, taken_in)
    victim = next((made.folder / "home" / "lake").rglob("*.parquet"))
    victim.write_bytes(victim.read_bytes()[:-1] + b"?")
    with pytest.raises(HouseError, match="is damaged, nothing was restored"):
        restore(made.folder, House(tmp_path / "other"))
    assert not (tmp_path / "other").exists()
    with pytest.raises(HouseError, match="inside the home"):
        backup(taken_in, taken_in.root / "backups")


@pytest.mark.parametrize(
    "command", [("status",), ("doctor",), ("nightly",), ("close", "--month", "2026-10")], ids=lambda one: one[0]
)
def test_a_command_on_a_snapshot_is_refused_and_leaves_it_whole(taken_in, tmp_path, command):
    (taken_in.root / "access.jsonl").write_text("{}\n")
    made = backup(taken_in, tmp_path / "backups")
    for place in (made.folder / "home", made.folder):
        ran = ccm(*command, home=place)
        assert ran.code == 1 and f"`ccm restore {made.folder} --home NEW`" in ran.err
    assert verify(made.folder) == [] and {path.name for path in made.folder.iterdir()} == {"home", "manifest.json"}
    # What is no manifest of ours makes no snapshot.
    (tmp_path / "manifest.json").write_text('{"name": "a web application"}')
    assert backups.snapshot_around(taken_in.root) is None


@pytest.mark.long
def test_a_home_is_restored_onto_a_new_disk_of_its_own_and_nowhere_else(taken_in, tmp_path):
    made = backup(taken_in, tmp_path / "backups")
    disk = tmp_path / "mounts" / "disk"
    (disk / "lost+found").mkdir(parents=True)
    (disk / ".restore.4999999.tmp").mkdir()
    disk.chmod(0o755)
    disk.parent.chmod(0o500)  # nothing goes beside it
    (disk / "lost+found").chmod(0o500)
    try:
        done = harness.ccm(disk, "restore", str(made.folder), before=harness.heed_permissions)
    finally:
        disk.parent.chmod(0o700)
    assert done.code == 0, done.err
    wanted = {path.relative_to(made.folder / "home") for path in (made.folder / "home").rglob("*") if path.is_file()}
    there = {path.relative_to(disk) for path in disk.rglob("*") if path.is_file()}
    assert wanted <= there and not list(disk.glob(".*.tmp"))
    assert [one.state for one in said(House(disk), "permissions")] == ["ok"]


def test_a_disk_on_which_a_restore_has_no_room_is_named_and_empty_again(taken_in, tmp_path, monkeypatch):
    made = backup(taken_in, tmp_path / "backups")
    new = House(tmp_path / "new")
    new.root.mkdir()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(backups, "_copied", full)
    with pytest.raises(HouseError, match="could not be restored: a file of the home: No space left on device; make room"):
        restore(made.folder, new)
    assert list(new.root.iterdir()) == []


@pytest.mark.parametrize("renames", [1, 3])
def test_a_restore_that_is_killed_among_its_renames_is_told_and_begins_again(taken_in, tmp_path, renames):
    made = backup(taken_in, tmp_path / "backups")
    whole = House(tmp_path / "whole")
    restore(made.folder, whole)
    disk = House(tmp_path / "disk")
    disk.root.mkdir()
    scratch = disk.root / ".restore.4999999.tmp"
    shutil.copytree(whole.root, scratch)
    for path in sorted(scratch.iterdir(), key=lambda one: one.name == "practices.yaml")[:renames]:
        path.rename(disk.root / path.name)
    left = sorted(disk.root.rglob("*"))
    refused = harness.ccm(disk.root, "status")
    assert refused.code != 0 and "ccm restore SNAPSHOT" in refused.err and sorted(disk.root.rglob("*")) == left
    (disk.landing / "late.csv").parent.mkdir(exist_ok=True)
    (disk.landing / "late.csv").write_text("x")
    with pytest.raises(HouseError, match=r"late\.csv is not of this snapshot"):
        restore(made.folder, disk)
    (disk.landing / "late.csv").unlink()
    restore(made.folder, disk)
    assert verify(made.folder) == [] and not list(disk.root.glob(".*.tmp"))
    wanted = {path.relative_to(whole.root): path.read_bytes() for path in whole.root.rglob("*") if path.is_file()}
    assert {path.relative_to(disk.root): path.read_bytes() for path in disk.root.rglob("*") if path.is_file()} == wanted


def test_a_restore_whose_rename_fails_leaves_the_disk_empty(taken_in, tmp_path, monkeypatch):
    made = backup(taken_in, tmp_path / "backups")
    new = House(tmp_path / "new")
    new.root.mkdir()

    def full(_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(backups, "sync_folder", full)
    with pytest.raises(HouseError, match="could not be restored"):
        restore(made.folder, new)
    assert list(new.root.iterdir()) == []


def test_what_a_disk_keeps_for_itself_is_in_no_backup(taken_in, tmp_path):
    (taken_in.root / "lost+found").mkdir(mode=0o755)
    (taken_in.root / "lost+found" / "#12").write_text("")
    made = backup(taken_in, tmp_path / "backups")
    assert not (made.folder / "home" / "lost+found").exists()
    assert [one.state for one in said(taken_in, "permissions")] == ["ok"]


def test_what_was_restored_is_not_taken_in_again(taken_in, tmp_path):
    made = backup(taken_in, tmp_path / "backups")
    other = House(tmp_path / "other")
    restore(made.folder, other)
    zones = {name: practice.time_zone for name, practice in load_practices(other.practices_yaml).items()}
    assert discover(other, zones) and not pending(other, discover(other, zones), zones)


def said(house, question):
    return [one for one in examine(house, datetime(2026, 11, 24, 12, tzinfo=UTC)) if one.question == question]


def test_the_doctor_finds_nothing_bad_with_a_fresh_demo(demo, tmp_path):
    found = examine(House(copy(demo[0], tmp_path / "home")))
    assert [one for one in found if one.state == "bad"] == []
    assert {one.question for one in found if one.state == "ok"} >= {"permissions", "time zones", "lake", "marts", "closes", "locks"}


def test_the_doctor_names_everything_that_is_broken_and_what_to_do(demo, tmp_path):
    home = copy(demo[0], tmp_path / "home")
    (home / "lake" / "batches" / "000001" / "patients.parquet").unlink()
    next(home.glob("closes/hudson/*/v1/claims.csv")).write_text("claim_id\n")
    (home / "practices.yaml").chmod(0o644)
    (home / "closes" / ".left.123.tmp").mkdir()
    done = ccm("doctor", "--json", home=home)
    assert done.code == 1 and "Traceback" not in done.err
    found = {one["question"]: one for one in json.loads(done.out)}
    assert found["permissions"]["state"] == "bad" and "practices.yaml" in found["permissions"]["said"]
    assert found["permissions"]["remedy"] == f"chmod -R go= {home}"
    assert found["lake"]["state"] == "bad" and "batches without all of their files: 1" in found["lake"]["said"]
    assert found["closes"]["state"] == "bad" and "v1/claims.csv" in found["closes"]["said"]
    assert found["leftovers"]["state"] == "warning" and found["daemon"]["state"] == "warning"
    assert all(one["remedy"] for one in found.values() if one["state"] != "ok")


@pytest.mark.long
def test_the_doctor_names_a_packet_that_is_gone_and_one_whose_manifest_is_damaged_or_another(demo, tmp_path):
    house = House(copy(demo[0], tmp_path / "home"))
    write_configuration(house, load_practices(house.practices_yaml))  # what was read of a packet by this release stands
    shutil.rmtree(house.closes / "hudson" / "2026-09" / "v1")
    (house.closes / "bayview" / "2026-08" / "v1" / "manifest.json").write_bytes(b"")
    (house.closes / "prairie" / "2026-09" / "v1" / "approval.json").write_bytes(b"[]")
    manifest = house.closes / "prairie" / "2026-08" / "v1" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"claims": ', '"claims": 1'))
    unlike, wrong = said(house, "closes")
    assert unlike.state == wrong.state == "bad" and "claimed again" in unlike.remedy
    assert unlike.said == "gone, damaged, or others than were closed: bayview/2026-08/v1, hudson/2026-09/v1, prairie/2026-08/v1"
    assert wrong.said == "not as their manifest says: bayview/2026-08/v1/manifest.json, prairie/2026-09/v1/approval.json"


def test_the_doctor_names_what_is_lost_of_the_payers_answers(tmp_path):
    house = House(tmp_path).prepare()
    ensure_tables(house)
    assert [(one.state, one.said) for one in said(house, "answers")] == [("ok", "0 batches of payers' answers")]
    first = house.lake / "answers" / "batches" / "000000"
    for number in (1, 3):
        shutil.copytree(first, first.with_name(f"{number:06d}"))
    (first.with_name("000001") / "coverage_answers.parquet").unlink()  # a batch of before there were such answers
    (first.with_name("000003") / "claim_payments.parquet").unlink()
    assert [(one.state, one.said) for one in said(house, "answers")] == [
        ("bad", "batches missing: 2; batches without all of their files: 3")
    ]


def test_a_damaged_proposal_stops_nobodys_night_and_the_doctor_names_it_and_a_damaged_record_of_backups(tmp_path):
    house = House(tmp_path).prepare()
    folder = house.closes / "lakeside" / "2026-10" / "proposals"
    folder.mkdir(parents=True)
    whole = {
        "practice_id": "lakeside",
        "month": "2026-10",
        "version": 1,
        "newest_night": "2026-11-03",
        "totals": {},
        "claims": {},
        "held": {},
    }
    (folder / "001.json").write_text(json.dumps(whole))
    for damaged in (b"", b"[]", b'{"practice_id": "lakeside"}', b"\xff"):
        (folder / "002.json").write_bytes(damaged)
        assert [row["proposal"] for row in read_closes(house).proposals] == [1]
        warned = said(house, "closes")[0]
        assert (warned.state, warned.said) == ("warning", "proposals that cannot be read: lakeside/2026-10/proposals/002.json")
    (house.state / "backups.json").write_text("{")
    assert "backups.json cannot be read" in said(house, "backup")[0].said


def test_nothing_is_taken_in_beside_a_batch_that_is_lost(taken_in):
    house = taken_in
    zones = {name: practice.time_zone for name, practice in load_practices(house.practices_yaml).items()}
    folder = house.lake / "batches" / "000001"
    whole = {path.name: path.read_bytes() for path in folder.iterdir()}
    (folder / "services.parquet").unlink()
    with pytest.raises(HouseError, match="batches without all of their files: 1; nothing is taken in"):
        take_in(house, zones)
    folder.rename(folder.with_name("000002"))
    with pytest.raises(HouseError, match="batches missing: 1; nothing is taken in"):
        take_in(house, zones)
    assert said(house, "lake")[0].state == "bad"
    folder.with_name("000002").rename(folder)
    (folder / "services.parquet").write_bytes(whole["services.parquet"])
    assert take_in(house, zones) is None
    assert said(house, "lake")[0].state == "ok"


def test_a_lake_whose_disk_is_not_there_is_not_begun_anew(taken_in):
    house = taken_in
    house.warehouse.touch()
    shutil.rmtree(house.lake / "batches")
    with pytest.raises(HouseError, match="is empty, and this home has had nights; mount the disk"):
        take_in(house, {name: practice.time_zone for name, practice in load_practices(house.practices_yaml).items()})
    assert not (house.lake / "batches").exists()


def test_the_doctor_of_a_home_without_a_configuration_says_so_and_goes_on(taken_in):
    taken_in.practices_yaml.write_text("practices: [{practice_id: x}]\n")
    assert said(taken_in, "practices.yaml")[0].state == "bad"
    assert said(taken_in, "lake")[0].state == "ok"


def test_the_doctor_writes_nothing_also_not_the_configuration_that_the_next_build_will(taken_in):
    for path in (taken_in.warehouse, taken_in.marts):
        duckdb.connect(str(path)).close()
    ensure_tables(taken_in)
    inputs = build_inputs(taken_in)
    assert present_inputs(taken_in) == inputs
    shutil.rmtree(taken_in.lake / "configuration")
    (taken_in.state / "claim_lines.json").unlink()

    def files():
        return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in taken_in.root.rglob("*") if path.is_file()}

    before = files()
    assert {one.question: one.state for one in examine(taken_in)}["marts"] == "warning"
    assert files() == before


def test_a_backup_that_waits_for_a_build_keeps_it_from_no_lock_that_it_may_want(taken_in, tmp_path):
    def is_held(name):
        return is_locked(taken_in.state / f"{name}.lock")

    with ThreadPoolExecutor() as pool:
        with taken_in.lock("warehouse"):
            made = pool.submit(backup, taken_in, tmp_path / "backups")
            while not is_held("run"):
                time.sleep(0.01)
            time.sleep(0.1)
            assert not made.done() and not is_held("lake") and not is_held("answers")
            shutil.rmtree(taken_in.lake / "answers", ignore_errors=True)
            build_inputs(taken_in)  # makes the answers' tables, under their lock
        assert made.result(timeout=60).files


def test_the_doctor_counts_the_nights_that_did_not_come(taken_in):
    name, practice = next(iter(load_practices(taken_in.practices_yaml).items()))
    nights = sorted(path.name for path in (taken_in.landing / name).iterdir())
    noon = datetime.fromisoformat(f"{nights[-1]}T12:00:00").replace(tzinfo=practice.zone) + timedelta(days=4)
    found = [one for one in examine(taken_in, noon) if one.question == "nights" and one.said.startswith(name)]
    missing = (datetime.fromisoformat(nights[-1]) + timedelta(days=2)).date().isoformat()
    assert found[0].state == "warning" and missing in found[0].said


def test_landed_files_go_only_when_the_lake_holds_their_bytes(taken_in, tmp_path):
    before = set(taken_in.landing.rglob("*.*"))
    changed = sorted(before)[0]
    changed.write_bytes(changed.read_bytes() + b"\n")
    done = ccm("tidy", "--landing", "40", "--json", home=taken_in.root)
    assert done.code == 0, done.err
    gone = before - set(taken_in.landing.rglob("*.*"))
    newest = {
        max(path.parent.name for path in before if path.parent.parent.name == name)
        for name in {p.parent.parent.name for p in before}
    }
    assert gone and changed not in gone and not [path for path in gone if path.parent.name in newest]
    assert json.loads(done.out)["landed_files"] == len(gone)
    refused = ccm("tidy", "--landing", "3", home=taken_in.root)
    assert refused.code == 1 and "keeps less than 40 days" in refused.err
