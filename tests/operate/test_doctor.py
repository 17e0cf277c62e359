"""`ccm doctor`: what one question cannot answer keeps no other from being asked. And what any command could not foresee is kept in its home."""

from __future__ import annotations

import json
import re
import sys
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfoNotFoundError

import duckdb
import pytest
import typer.main

from orchestration import access
from orchestration.command import main
from orchestration.command.common import app
from orchestration.house import PROJECT_ROOT, House, HouseError
from orchestration.operate import doctor
from orchestration.operate.instance import opened, prepare_environment
from orchestration.operate.tidy import tidy
from orchestration.payers.inbox import take_in_answers
from orchestration.practices import load_practices
from orchestration.take_in.lake import take_in
from tests.faults.harness import ccm, heed_permissions
from tests.holds.clinic import Clinic, configure

NAME = "Doe, Jane"


@pytest.fixture
def house(tmp_path, monkeypatch):
    monkeypatch.setenv("CCM_HOME", str(tmp_path / "home"))
    return House(tmp_path / "home").prepare()


@pytest.mark.parametrize(
    ("function", "question"), [("_versions", "versions"), ("_configured", "practices.yaml"), ("_closes", "closes")]
)
def test_a_question_that_fails_of_something_unexpected_is_bad_and_the_others_are_still_asked(
    house, monkeypatch, function, question
):
    before = {one.question for one in doctor.examine(house)}

    def fails(*_):
        raise ValueError(NAME)

    monkeypatch.setattr(doctor, function, fails)
    found = doctor.examine(house)
    [bad] = [one for one in found if one.question == question]
    log = house.state / "ccm-errors.log"
    assert (bad.state, bad.said) == (
        "bad",
        f"ValueError: this is a defect of ccm, not of your data; the details are in {log}",
    )
    assert bad.remedy and "in fails" in log.read_text() and NAME not in log.read_text()
    assert {one.question for one in found} >= before - {"time zones"}


def test_an_impossible_date_of_practices_yaml_is_one_finding_among_the_others(house):
    house.practices_yaml.write_text("practices:\n  - practice_id: lakeside\n    attestations: {access_24_7: 2026-02-30}\n")
    found = {one.question: one for one in doctor.examine(house)}
    assert found["practices.yaml"].state == "bad"
    assert "practice lakeside, key attestations.access_24_7: " in found["practices.yaml"].said
    assert found.keys() >= {"versions", "disk", "lake", "closes", "records", "backup"}


def test_a_fee_of_a_code_that_is_not_billed_here_is_told(house):
    configure(house.root, [Clinic("alpha", 1, settings={"charges": {"99490": 95.0, "99940": 95.0}}), Clinic("beta", 2)])
    [charges] = [one for one in doctor.examine(house) if one.question == "charges"]
    assert (charges.state, charges.said) == ("warning", "alpha: 99940: no code of care management")
    configure(house.root, [Clinic("alpha", 1, settings={"charges": {"99490": 95.0}})])
    assert not [one for one in doctor.examine(house) if one.question == "charges"]


def test_a_practice_folder_that_is_a_link_is_told(house):
    configure(house.root, [Clinic("alpha", 1), Clinic("beta", 2)])
    (house.landing / "alpha").symlink_to(house.landing / "beta")
    said = [one.said for one in doctor.examine(house) if one.question == "nights"]
    assert said == [
        "alpha: landing/alpha is a link, nothing in it is taken in",
        "alpha: no night has been taken in",
        "beta: no night has been taken in",
    ]


def test_nights_of_which_every_file_was_rejected_have_come_and_are_told_with_what_to_do(house):
    configure(house.root, [Clinic("alpha", 1), Clinic("beta", 2)])
    nights = {"alpha": ("2026-11-03", "2026-11-04"), "beta": ("2026-11-04",)}
    for name, landed in nights.items():
        for night in landed:
            folder = house.landing / name / night
            folder.mkdir(parents=True)
            (folder / "patients.csv").write_text("no column of ours\n1\n")
    Clinic("beta", 2).land_night(house.root, date(2026, 11, 3))
    practices = load_practices(house.practices_yaml)
    take_in(house, {name: practice.time_zone for name, practice in practices.items()})
    found = [one for one in doctor._nights(house, practices, datetime(2026, 11, 5, 15, tzinfo=UTC)) if "rejected" in one.said]
    assert [one.said for one in found] == [
        "alpha: every file that landed was rejected, of 2026-11-04, 2026-11-03",
        "beta: of 1 of the last 2 nights every file was rejected: 2026-11-04",
    ]
    assert all(one.state == "warning" and "`ccm nightly`" in one.remedy and "`ccm check FILE`" in one.remedy for one in found)


def test_answers_that_nobody_posted_are_told_once_every_try_is_over(house):
    answer = house.inbox / "answer.835"
    answer.write_text("ISA")
    came = datetime.fromtimestamp(answer.stat().st_ctime, UTC)
    [fresh] = doctor._inbox(house, came + timedelta(minutes=119))
    [stale] = doctor._inbox(house, came + timedelta(minutes=121))
    assert fresh.state == "ok" and stale.state == "warning" and "`ccm respond`" in stale.remedy
    assert stale.said == f"1 files of inbox/ are not posted, the oldest since {came:%Y-%m-%d %H:%M} UTC"
    assert next(one for one in doctor.examine(house, came + timedelta(days=1)) if one.question == "inbox").state == "warning"
    take_in_answers(house)
    [posted] = doctor._inbox(house, came + timedelta(days=1))
    assert posted.state == "ok"


def test_the_frames_of_a_defect_are_in_the_home_that_the_command_was_given(house, tmp_path, monkeypatch, capsys):
    def fails(*_):
        raise ValueError(NAME)

    monkeypatch.setattr(doctor, "examine", fails)
    given = House(tmp_path / "given").prepare()
    monkeypatch.setattr(sys, "argv", ["ccm", "doctor", "--home", str(given.root)])
    assert main._run() == 1
    access.finish(1)
    assert f"the details are in {given.state / 'ccm-errors.log'}" in capsys.readouterr().err
    assert (given.state / "ccm-errors.log").exists() and not (house.state / "ccm-errors.log").exists()


def test_what_is_to_be_done_about_disk_and_time_zones_is_what_the_runbook_says_and_works(house, monkeypatch):
    page = (PROJECT_ROOT / "docs" / "runbook" / "installation.md").read_text(encoding="utf-8")
    monkeypatch.setattr(doctor, "LEAST_FREE_BYTES", 2**80)
    [full] = doctor._disk(house)
    command = re.findall("`ccm (.*?)`", full.remedy)[0]
    assert full.state == "bad" and f"`ccm {command}`" in page
    asked = typer.main.get_command(app).commands["tidy"].make_context("tidy", command.split()[1:]).params
    assert asked["dry_run"] and asked["runs"] and asked["landing"]  # without any of these it says what to ask instead

    def no_zone(_):
        raise ZoneInfoNotFoundError("No time zone found with key America/New_York")

    monkeypatch.setattr(doctor, "ZoneInfo", no_zone)
    [unknown] = doctor._time_zones({})
    assert unknown.state == "bad" and unknown.remedy in page and "pip install" not in unknown.remedy


@pytest.mark.long
def test_a_home_that_may_only_be_read_is_told_first_and_looked_at_all_the_same(house, monkeypatch):
    configure(house.root, [Clinic("alpha", 1)])
    for path in (house.warehouse, house.marts):
        duckdb.connect(str(path)).close()
    (house.root / "access.jsonl").touch()
    for name in ("DAGSTER_HOME", "DBT_SEND_ANONYMOUS_USAGE_STATS", "DO_NOT_TRACK", "GX_ANALYTICS_ENABLED"):
        monkeypatch.setenv(name, "")
    prepare_environment(house)
    with opened() as instance, house.lock("warehouse"):
        instance.get_runs()
    folders = [house.root, *(path for path in house.root.rglob("*") if path.is_dir())]
    for path in (*folders, *(path for path in house.root.rglob("*") if path.is_file())):
        path.chmod(0o500 if path.is_dir() else 0o400)
    try:
        done = ccm(house.root, "doctor", "--json", before=heed_permissions)
    finally:
        for folder in folders:
            folder.chmod(0o700)
    found = {one["question"]: one for one in json.loads(done.out)}
    assert done.code == 1 and found["home"]["state"] == "bad" and f"cannot be written: {house.root}" in found["home"]["said"]
    assert found["locks"]["state"] == "ok" and "cannot be looked at" not in done.out and "this is a defect" not in done.out
    assert found["marts"]["said"] == "something is newer than the published marts"
    assert "make room or give access" in found["runs"]["said"] and "send that file" not in found["runs"]["remedy"]
    assert next(one for one in doctor.examine(house) if one.question == "home").state == "ok"


def test_a_folder_of_backups_that_is_not_there_is_refused_before_anything_goes(house, tmp_path):
    with pytest.raises(HouseError, match=r"--backups .*nowhere: there is no such folder"):
        tidy(house, datetime(2026, 11, 5, tzinfo=UTC), None, None, (tmp_path / "nowhere", 30), dry=True)
