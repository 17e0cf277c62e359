"""Who did what, when, on whose data: every access has its lines, whatever becomes of it."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from types import SimpleNamespace

import dagster as dg
import pytest

from orchestration import access
from orchestration.access import append, read, since
from orchestration.close.calendar import CLOSES, key_of, register
from orchestration.discretion import discreet
from orchestration.house import House
from tests.pipeline.homes import ccm

pytestmark = pytest.mark.xdist_group("access")


def lines(home):
    return [json.loads(line) for line in (home / "access.jsonl").read_text().splitlines()]


@pytest.fixture
def home(tmp_path):
    (tmp_path / "home" / "landing").mkdir(parents=True, mode=0o700)
    return tmp_path / "home"


def test_a_command_has_a_line_when_it_starts_and_one_with_its_result(home):
    before = datetime.now(UTC)
    assert ccm("explain", "--practice", "lakeside", "--patient", "P1", "--month", "2026-09", home=home).code == 1
    start, end = lines(home)
    assert (start["event"], end["event"], end["exit"]) == ("start", "end", 1) and start["run"] == end["run"]
    assert (start["command"], start["practice_id"], start["patient_id"], start["month"]) == ("explain", "lakeside", "P1", "2026-09")
    assert start["user"] == access.user()
    assert before.isoformat() <= start["at"] <= end["at"] <= datetime.now(UTC).isoformat()
    assert stat.S_IMODE((home / "access.jsonl").stat().st_mode) == 0o600


def test_who_approves_or_puts_off_is_named_and_free_text_is_left_out(home):
    ccm("close", "--month", "2026-09", "--approved-by", "Ann Lee", "--waive", "the daughter of Zqxvjk called", home=home)
    ccm("worklist", "dismiss", "item:1", "--until", "2026-11-01", "--why", "Zqxvjk is away", "--by", "Kim", home=home)
    recorded = lines(home)
    assert [(line["command"], line["by"]) for line in recorded if line["event"] == "start"] == [
        ("close", "Ann Lee"),
        ("worklist dismiss", "Kim"),
    ]
    assert "Zqxvjk" not in (home / "access.jsonl").read_text()


def test_every_command_that_takes_a_home_is_recorded():
    """Each asks `house_of` for it, where the record is written, itself or by `settled`; none makes its own."""
    from orchestration.house import PROJECT_ROOT

    for path in sorted((PROJECT_ROOT / "orchestration" / "command").glob("*.py")):
        text = path.read_text(encoding="utf-8")
        takes = len(re.findall(r"home: Home = None", text))
        assert len(re.findall(r"(house_of|settled)\(", text)) - (path.name == "common.py") >= takes, path.name
        if takes:
            assert "from_environment()" not in text or path.name == "common.py", path.name


def test_the_demo_has_a_record_of_its_making(demo):
    own = [entry for entry in read(demo[0] / "access.jsonl")[0] if entry.command == "demo"]
    assert [entry.result for entry in own] == ["exit 0"]


def test_a_home_that_is_only_made_by_the_command_has_both_lines(tmp_path):
    one = access.Access(House(tmp_path / "new"), "demo", {}).start()
    assert not (tmp_path / "new").exists()
    (tmp_path / "new").mkdir()
    access.Access(House(tmp_path / "new"), "restore", {}).start()
    assert not list((tmp_path / "new").iterdir())
    (tmp_path / "new" / "landing").mkdir()
    one.end(0)
    assert [line["event"] for line in lines(tmp_path / "new")] == ["start", "end"]


def test_what_was_killed_has_no_end(home):
    code = "import os, signal\nfrom orchestration import access\nfrom orchestration.house import House\n"
    code += (
        f"access.begin(House(__import__('pathlib').Path({str(home)!r})), 'nightly', {{}})\nos.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGKILL
    assert [(entry.command, entry.result) for entry in read(home / "access.jsonl")[0]] == [("nightly", "no end")]


def test_many_at_once_never_mix_their_lines(home):
    house, long = House(home), "x" * 9_000
    with ThreadPoolExecutor(8) as pool:
        list(
            pool.map(
                lambda number: append(house, {"run": f"r{number}", "event": "done", "at": "2026-10-01", "long": long}), range(200)
            )
        )
    assert sorted(line["run"] for line in lines(home)) == sorted(f"r{number}" for number in range(200))


def test_a_line_that_a_power_cut_broke_spoils_no_other(home):
    house = House(home)
    append(house, {"run": "a", "event": "done", "at": "2026-10-01T10:00:00+00:00", "command": "status"})
    with (home / "access.jsonl").open("a") as record:
        record.write('{"run": "b", "ev')
    append(house, {"run": "c", "event": "done", "at": "2026-10-02T10:00:00+00:00", "command": "status"})
    entries, damaged = read(home / "access.jsonl")
    assert (len(entries), damaged) == (2, 1)
    ran = ccm("access", home=home)
    assert ran.code == 0 and "1 lines cannot be read" in ran.err


def test_a_link_in_its_place_is_not_followed(home, tmp_path):
    (home / "access.jsonl").symlink_to(tmp_path / "elsewhere")
    ran = ccm("worklist", home=home)
    assert "could not be recorded" in ran.err and not (tmp_path / "elsewhere").exists()


def test_it_is_shown_by_practice_and_day(home):
    house = House(home)
    for run, day, practice in (("a", "2026-10-01", "lakeside"), ("b", "2026-10-02", "hudson"), ("c", "2026-10-03", None)):
        append(house, {"run": run, "event": "done", "at": f"{day}T10:00:00+00:00", "command": run, "practice_id": practice})
    entries, _ = read(home / "access.jsonl")
    assert [one.command for one in since(entries, date(2026, 10, 2), None)] == ["b", "c"]
    # What names no practice touched them all.
    assert [one.command for one in since(entries, None, "hudson")] == ["b", "c"]
    shown = json.loads(ccm("access", "--practice", "lakeside", "--since", "2026-10-01", "--json", home=home).out)
    assert [one["command"] for one in shown] == ["a", "c", "access"]
    assert "hudson" in ccm("access", home=home).out


def test_a_home_that_may_only_be_read_is_read_all_the_same(home, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(access.os, "open", refuse)
    one = access.Access(House(home), "status", {}).start()
    assert one.trouble is not None and "could not be recorded (Permission denied)" in one.trouble
    one.end(0)
    assert access.note(House(home), "dashboard", page="overview") is not None


def test_a_step_that_dagster_started_by_itself_is_recorded_and_one_of_a_command_is_not_twice(home, monkeypatch):
    monkeypatch.setenv("CCM_HOME", str(home))
    context = SimpleNamespace(run=SimpleNamespace(job_name="nightly", run_id="r1"))

    @discreet
    def take_in(context):
        yield 1

    @discreet
    def breaking(context):
        raise ValueError("Zqxvjk")

    assert list(take_in(context)) == [1]
    with pytest.raises(Exception, match="this is a defect of ccm"):
        breaking(context)
    entries, _ = read(home / "access.jsonl")
    assert [(one.command, one.about["step"], one.result) for one in entries] == [
        ("dagster nightly", "take_in", "exit 0"),
        ("dagster nightly", "breaking", "exit 1"),
    ]
    access.begin(House(home), "nightly", {})
    try:
        list(take_in(context))
    finally:
        access.finish(0)
    assert len(read(home / "access.jsonl")[0]) == 3 and os.environ["CCM_HOME"] == str(home)


def ran(home, monkeypatch, tags, op="close__packets", **config):
    """The record of a step of a run that Dagster started."""
    monkeypatch.setenv("CCM_HOME", str(home))
    run = SimpleNamespace(job_name="month_end", run_id="r1", tags=tags, run_config={"ops": {op: {"config": config}}})
    with access.step(House(home), "step", SimpleNamespace(run=run, op_def=SimpleNamespace(name="take_in"))):
        pass
    return read(home / "access.jsonl")[0][-1]


def test_a_step_that_dagster_started_names_practices_month_and_approver_as_they_were_asked_for(home, monkeypatch):
    tags = {
        "dagster/partition": "2026-10|lakeside",
        "dagster/partition/month": "2026-10",
        "dagster/partition/practice": "lakeside",
    }
    entry = ran(home, monkeypatch, tags, approved_by="Ann Lee", practice_ids=None, waiver="the daughter of Zqxvjk called")
    assert {**entry.about} == {"step": "step", "dagster_run": "r1", "practice_id": "lakeside", "month": "2026-10", "by": "Ann Lee"}
    several = ran(home, monkeypatch, tags, approved_by=None, practice_ids=["lakeside", "hudson"], standing_approvers=True)
    assert (several.about["practice_ids"], several.about["by"]) == (["lakeside", "hudson"], "standing approvers")
    night = ran(home, monkeypatch, {"dagster/partition": "2026-11-04"}, "take_in", practice_ids=["hudson"])
    assert (night.about["night"], night.about["practice_id"]) == ("2026-11-04", "hudson")
    # Another step of that night works for all.
    everybody = ran(home, monkeypatch, {"dagster/partition": "2026-11-04"}, "another", practice_ids=["hudson"])
    assert "practice_id" not in everybody.about
    entries, _ = read(home / "access.jsonl")
    assert since(entries, None, "lakeside") == [entry, several, everybody]
    assert since(entries, None, "hudson") == [several, night, everybody]
    shown = ccm("access", home=home).out
    assert "lakeside, hudson" in shown and "Ann Lee" in shown and "Zqxvjk" not in (home / "access.jsonl").read_text()


def test_a_real_run_of_dagster_says_its_partition_and_its_configuration(home, monkeypatch):
    monkeypatch.setenv("CCM_HOME", str(home))

    @dg.asset(partitions_def=CLOSES, config_schema=dg.Permissive())
    @discreet
    def packets(context): ...

    @dg.asset(partitions_def=dg.DailyPartitionsDefinition("2026-11-01"), config_schema=dg.Permissive())
    @discreet
    def take_in(context): ...

    with dg.DagsterInstance.ephemeral() as instance:
        register(instance, ["lakeside"], [date(2026, 10, 1)])
        for asset, partition, config in (
            (packets, key_of("lakeside", date(2026, 10, 1)), {"approved_by": "Ann Lee"}),
            (take_in, "2026-11-04", {"practice_ids": ["lakeside"]}),
        ):
            asked = {"ops": {asset.op.name: {"config": config}}}
            assert dg.materialize([asset], partition_key=partition, run_config=asked, instance=instance).success
    close, night = read(home / "access.jsonl")[0]
    assert (close.about["practice_id"], close.about["month"], close.about["by"]) == ("lakeside", "2026-10", "Ann Lee")
    assert (night.about["practice_id"], night.about["night"]) == ("lakeside", "2026-11-04")
