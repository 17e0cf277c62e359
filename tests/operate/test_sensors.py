"""What starts runs by itself: ticks of the sensors on real folders, missed and repeated ones too."""

from __future__ import annotations

import os
import subprocess
import time
from datetime import UTC, date, datetime, timedelta

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dagster._core.test_utils import create_run_for_test

from orchestration.close.calendar import CLOSES, key_of, register
from orchestration.command.nights import _came_in_part
from orchestration.house import House
from orchestration.lake_batches import batch_folder
from orchestration.operate import doctor, sensors
from orchestration.operate.drops import due_night, gaps, late_extracts
from orchestration.practices import load_practices
from orchestration.schedules.jobs import nightly_job
from orchestration.take_in.assets import take_in_assets
from orchestration.take_in.lake import take_in
from orchestration.take_in.ledger import SCHEMA
from tests.properties.strategies import write_home

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
NIGHT = "2026-11-23"


@pytest.fixture
def house(tmp_path, monkeypatch):
    """Two configured practices and an empty landing folder; the sensors' clock stands at NOW."""
    root = tmp_path / "home"
    write_home(root, seed=8, practices=2, defects=False)
    house = House(root).prepare()
    for practice in house.landing.iterdir():
        practice.rename(tmp_path / practice.name)
    monkeypatch.setenv("CCM_HOME", str(root))
    monkeypatch.setattr(sensors, "now", lambda: NOW)
    return house


@pytest.fixture
def practices(house):
    return load_practices(house.practices_yaml)


def drop(house, practice_id, night=NIGHT, table="care_team", minutes_ago=60, text="member_id,name,credential\nm1,Jane Doe,RN\n"):
    path = house.landing / practice_id / night / f"{table}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    aged(path, minutes_ago)
    return path


def aged(path, minutes_ago):
    """A file's times as of so many minutes before NOW. Its change time cannot be set: the sensor's clock moves instead."""
    stamp = (NOW - timedelta(minutes=minutes_ago)).timestamp()
    os.utime(path, (stamp, stamp))
    os.utime(path.parent, (stamp, stamp))


# As much of the graph as the sensors name: the whole of it would want dbt's manifest.
DEFINITIONS = dg.Definitions(assets=[take_in_assets], asset_checks=[sensors.extracts_came_in_time], jobs=[nightly_job])


def tick(sensor, instance=None, cursor=None):
    repository = DEFINITIONS.get_repository_def()
    with dg.build_sensor_context(
        instance=instance or dg.DagsterInstance.ephemeral(), cursor=cursor, repository_def=repository
    ) as context:
        return sensor.evaluate_tick(context)


@pytest.fixture
def quiet(monkeypatch):
    """The clock so much later than the files were written that everything is quiet."""
    later = datetime.now(UTC) + timedelta(hours=1)
    monkeypatch.setattr(sensors, "now", lambda: later)
    return later


def nights(now):
    return (now - timedelta(days=1)).date().isoformat()


def test_a_night_starts_when_its_folder_says_that_it_is_complete(house, practices, monkeypatch):
    just_now = datetime.now(UTC) + timedelta(seconds=5)
    monkeypatch.setattr(sensors, "now", lambda: just_now)
    name, night = next(iter(practices)), nights(just_now)
    path = house.landing / name / night / "care_team.csv"
    path.parent.mkdir(parents=True)
    path.write_text("member_id,name,credential\nm1,Jane Doe,RN\n")
    assert f"still dropping: {name}" in tick(sensors.landing_sensor).skip_message
    (path.parent / "_SUCCESS").touch()
    request = tick(sensors.landing_sensor).run_requests[0]
    assert request.partition_key == night
    assert request.run_config["ops"]["take_in"]["config"] == {"practice_ids": [name], "up_to": night}
    # A repeated tick asks for the same run, which Dagster starts once.
    assert tick(sensors.landing_sensor).run_requests[0].run_key == request.run_key
    # A file that comes after the mark makes the night incomplete again.
    later = path.with_name("patients.csv")
    later.write_text("patient_id\n")
    stamp = just_now.timestamp() + 60
    os.utime(later, (stamp, stamp))
    assert "still dropping" in tick(sensors.landing_sensor).skip_message


def test_a_night_that_no_command_began_sweeps_what_a_killed_one_left_and_nothing_that_may_be_in_use(house):
    """The daemon's container does not see the processes of the dashboard's: what was written to a moment ago stays."""
    drop(house, "highpines")
    gone = subprocess.Popen(["true"])
    gone.wait()
    left, young, living = (
        house.state / f".{name}.{pid}.tmp" for name, pid in (("spill-1", gone.pid), ("spill-2", gone.pid), ("spill-3", os.getpid()))
    )
    record = house.state / f".published.json.{gone.pid}.tmp"
    for folder in (left, young, living):
        folder.mkdir()
        (folder / "duckdb_temp_storage_DEFAULT-0.tmp").write_bytes(b"rows")
    record.write_text("{")
    long_ago = time.time() - timedelta(hours=7).total_seconds()
    for path in (*left.iterdir(), left, young, *living.iterdir(), living, record):
        os.utime(path, (long_ago, long_ago))

    def night(**config):
        config = {"ops": {"take_in": {"config": {"up_to": NIGHT, **config}}}}
        assert dg.materialize(
            [take_in_assets], partition_key=NIGHT, run_config=config, instance=dg.DagsterInstance.ephemeral()
        ).success

    night(is_delivered=True)  # a command's, which swept before it
    assert left.exists() and record.exists()
    night()
    assert not left.exists() and not record.exists()
    assert list(young.iterdir()) and list(living.iterdir())


def test_a_night_without_a_mark_starts_once_nothing_changes_and_another_practice_that_drops_delays_only_itself(
    house, practices, quiet
):
    done, dropping = sorted(practices)
    night = nights(quiet)
    drop(house, done, night)
    other = drop(house, dropping, night)
    both = tick(sensors.landing_sensor).run_requests[0]
    assert both.run_config["ops"]["take_in"]["config"]["practice_ids"] == [done, dropping]
    now = quiet.timestamp()
    os.utime(other, (now, now))
    one = tick(sensors.landing_sensor).run_requests[0]
    assert one.run_config["ops"]["take_in"]["config"]["practice_ids"] == [done] and one.run_key != both.run_key
    take_in(house, {name: practice.time_zone for name, practice in practices.items()})
    assert "nothing new" in tick(sensors.landing_sensor).skip_message


def test_a_mark_that_was_copied_before_its_files_with_a_time_of_its_own_marks_nothing_complete(house, practices, monkeypatch):
    just_now = datetime.now(UTC) + timedelta(seconds=5)
    monkeypatch.setattr(sensors, "now", lambda: just_now)
    name, night = next(iter(practices)), nights(just_now)
    mark = house.landing / name / night / "_SUCCESS"
    mark.parent.mkdir(parents=True)
    mark.touch()
    stamp = just_now.timestamp() - 3600
    os.utime(mark, (stamp, stamp))
    time.sleep(0.05)  # the system's clock for files ticks every few milliseconds
    (mark.parent / "care_team.csv").write_text("member_id,name,credential\nm1,Jane Doe,RN\n")
    os.utime(mark.parent / "care_team.csv", (stamp - 60, stamp - 60))
    assert f"still dropping: {name}" in tick(sensors.landing_sensor).skip_message


def test_a_file_with_a_time_ahead_of_the_clock_keeps_no_night_and_no_answer_waiting(house, practices, quiet, monkeypatch):
    name, stamp = next(iter(practices)), (quiet + timedelta(days=365)).timestamp()
    os.utime(drop(house, name, nights(quiet)), (stamp, stamp))
    assert tick(sensors.landing_sensor).run_requests
    answer = house.inbox / "answer.835"
    answer.write_text("ISA")
    os.utime(answer, (stamp, stamp))
    assert "written less than" in tick(sensors.inbox_sensor).skip_message
    monkeypatch.setattr(sensors.time, "time", quiet.timestamp)
    assert tick(sensors.inbox_sensor).run_requests


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED])
def test_drops_that_are_complete_while_a_night_has_yet_to_end_are_asked_for_together_behind_it(
    house, practices, quiet, monkeypatch, status
):
    first, second = sorted(practices)
    drop(house, first, nights(quiet))
    with dg.instance_for_test() as instance:
        run = create_run_for_test(instance, "nightly", status=status)
        assert "yet to end" in tick(sensors.landing_sensor, instance).skip_message
        drop(house, second, nights(quiet))
        with monkeypatch.context() as hours_later:
            # Its process died and nobody noticed.
            hours_later.setattr(sensors, "now", lambda: quiet + timedelta(hours=7))
            assert tick(sensors.landing_sensor, instance).run_requests
        instance.delete_run(run.run_id)
        create_run_for_test(instance, "nightly", status=dg.DagsterRunStatus.SUCCESS)
        (request,) = tick(sensors.landing_sensor, instance).run_requests
        assert request.run_config["ops"]["take_in"]["config"]["practice_ids"] == [first, second]


def test_the_mark_of_a_complete_night_is_no_unknown_file(house, practices):
    name = next(iter(practices))
    (drop(house, name).parent / "_SUCCESS").touch()
    report = take_in(house, {name: practices[name].time_zone})
    assert not report.notes and [file.table_name for file in report.files] == ["care_team"]


def test_a_failed_night_is_tried_again_later_and_later_and_then_given_up_loudly(house, monkeypatch):
    start = datetime.now(UTC)

    def at(minutes):
        monkeypatch.setattr(sensors, "now", lambda: start + timedelta(minutes=minutes))

    with dg.DagsterInstance.ephemeral() as instance:
        run = create_run_for_test(
            instance, "nightly", status=dg.DagsterRunStatus.FAILURE, run_config={"ops": {}}, tags={"dagster/partition": NIGHT}
        )
        first = run.run_id
        for attempt, wait in enumerate((5, 20, 60)):
            at(wait - 1)
            assert not tick(sensors.retry_sensor, instance).run_requests, "too early"
            at(wait + 1)
            request = tick(sensors.retry_sensor, instance).run_requests[0]
            assert (request.partition_key, request.run_key) == (NIGHT, f"retry {run.run_id}")
            assert (request.tags[sensors.FIRST_RUN], request.tags[sensors.ATTEMPT]) == (first, str(attempt + 1))
            # A tick that was missed loses nothing, a repeated one starts nothing twice: the key names the failed run.
            assert tick(sensors.retry_sensor, instance).run_requests[0].run_key == request.run_key
            run = create_run_for_test(
                instance, "nightly", status=dg.DagsterRunStatus.FAILURE, run_config={"ops": {}},
                tags={"dagster/partition": NIGHT, **request.tags},
            )  # fmt: skip
        at(1000)
        data = tick(sensors.retry_sensor, instance)
        assert not data.run_requests and first in data.cursor
        record = instance.event_log_storage.get_asset_check_execution_history(sensors.NIGHT_FINISHED, limit=1)[0]
        assert record.event.dagster_event.event_specific_data.passed is False
        # Loudly, but once.
        assert not tick(sensors.retry_sensor, instance, data.cursor).run_requests
        assert len(instance.event_log_storage.get_asset_check_execution_history(sensors.NIGHT_FINISHED, limit=9)) == 1


def test_a_night_that_went_well_since_makes_good_for_a_failed_one(house, monkeypatch):
    monkeypatch.setattr(sensors, "now", lambda: datetime.now(UTC) + timedelta(hours=9))
    with dg.DagsterInstance.ephemeral() as instance:
        create_run_for_test(instance, "nightly", status=dg.DagsterRunStatus.FAILURE, tags={"dagster/partition": NIGHT})
        create_run_for_test(instance, "nightly", status=dg.DagsterRunStatus.SUCCESS, tags={"dagster/partition": NIGHT})
        assert "no failed night" in tick(sensors.retry_sensor, instance).skip_message


def test_a_night_that_went_well_for_others_makes_good_for_nobody_else(house, practices, monkeypatch):
    """Nights are each time zone's own: the east's has failed at two, the west's succeeds three hours later."""
    first, second = sorted(practices)

    def ran(instance, status, *practice_ids):
        config = {"ops": {"take_in": {"config": {"practice_ids": list(practice_ids)}}}}
        create_run_for_test(instance, "nightly", status=status, run_config=config, tags={"dagster/partition": NIGHT})

    later = datetime.now(UTC) + timedelta(hours=9)
    monkeypatch.setattr(sensors, "now", lambda: later)
    with dg.instance_for_test() as instance:
        ran(instance, dg.DagsterRunStatus.FAILURE, first, "has left")
        ran(instance, dg.DagsterRunStatus.SUCCESS, second)
        (request,) = tick(sensors.retry_sensor, instance).run_requests
        assert request.run_config["ops"]["take_in"]["config"]["practice_ids"][0] == first
        ran(instance, dg.DagsterRunStatus.SUCCESS, first)
        assert not tick(sensors.retry_sensor, instance).run_requests


def ended(instance, job="respond", *, by=None, **tags):
    """A run that was interrupted, by its service going down or by somebody."""
    run = create_run_for_test(instance, job, tags={"dagster/partition": NIGHT, **tags} if job == "nightly" else tags)
    if by:
        instance.report_run_canceling(run)
    instance.report_run_canceled(run)
    return instance.get_run_by_id(run.run_id)


def test_a_run_of_answers_that_ended_with_its_service_or_failed_is_tried_again_and_then_given_up_loudly(house, monkeypatch):
    start, told = datetime.now(UTC), []
    monkeypatch.setattr(sensors, "tell", lambda house, practices, notice: told.append(notice))

    def at(minutes):
        monkeypatch.setattr(sensors, "now", lambda: start + timedelta(minutes=minutes))

    with dg.instance_for_test() as instance:
        run = ended(instance)
        first = run.run_id
        for attempt, wait in enumerate((5, 20, 60)):
            at(wait - 1)
            assert not tick(sensors.retry_answers_sensor, instance).run_requests, "too early"
            at(wait + 1)
            (request,) = tick(sensors.retry_answers_sensor, instance).run_requests
            assert request.run_key == f"retry {run.run_id}"
            assert (request.tags[sensors.FIRST_RUN], request.tags[sensors.ATTEMPT]) == (first, str(attempt + 1))
            run = create_run_for_test(instance, "respond", status=dg.DagsterRunStatus.FAILURE, tags=request.tags)
        at(1000)
        data = tick(sensors.retry_answers_sensor, instance)
        assert not data.run_requests and first in data.cursor
        record = instance.event_log_storage.get_asset_check_execution_history(sensors.ANSWERS_POSTED, limit=1)[0]
        assert record.event.dagster_event.event_specific_data.passed is False
        tick(sensors.retry_answers_sensor, instance, data.cursor)
        (notice,) = told
        assert notice.kind == "answers_failed" and run.run_id in notice.lines[0] and "ccm respond" in notice.lines[0]
        create_run_for_test(instance, "respond", status=dg.DagsterRunStatus.SUCCESS)
        ended(instance, "nightly")
        assert "no failed run of payers' answers" in tick(sensors.retry_answers_sensor, instance).skip_message


def test_a_night_that_ended_with_its_service_is_tried_again_and_one_that_somebody_stopped_is_not(house, monkeypatch):
    monkeypatch.setattr(sensors, "now", lambda: datetime.now(UTC) + timedelta(hours=1))
    with dg.instance_for_test() as instance:
        ended(instance, "nightly", by="somebody")
        ended(instance, "nightly", **{sensors.FROM_SHELL: "yes"})
        assert not tick(sensors.retry_sensor, instance).run_requests
        run = ended(instance, "nightly")
        assert [one.run_key for one in tick(sensors.retry_sensor, instance).run_requests] == [f"retry {run.run_id}"]


def test_answers_that_could_not_be_read_are_asked_for_again_once_their_rights_are_mended(house, quiet, monkeypatch):
    monkeypatch.setattr(sensors.time, "time", quiet.timestamp)
    answer = house.inbox / "answer.835"
    answer.write_text("ISA")
    (before,) = tick(sensors.inbox_sensor).run_requests
    time.sleep(0.05)  # the system's clock for files ticks every few milliseconds
    answer.chmod(0o640)
    (after,) = tick(sensors.inbox_sensor).run_requests
    assert after.run_key != before.run_key


def test_a_night_dated_ahead_of_the_clock_is_named_and_started_by_nobody(house, practices, quiet):
    """A mistyped year would be the practice's today, and the months before it too late to file."""
    name = min(practices)
    drop(house, name, "2041-11-23")
    assert (
        tick(sensors.landing_sensor).skip_message
        == f"dated ahead of the clock, `ccm nightly` takes it in if that is right: {name} 2041-11-23"
    )
    tomorrow = (quiet + timedelta(days=1)).astimezone(practices[name].zone).date().isoformat()
    drop(house, name, tomorrow)
    (request,) = tick(sensors.landing_sensor).run_requests
    assert request.run_config["ops"]["take_in"]["config"]["up_to"] == tomorrow


def test_an_extract_that_did_not_come_by_its_hour_is_a_red_check_with_its_practice(house, practices):
    name, other = sorted(practices)
    for practice_id in practices:
        for table in ("care_team", "appointments", "time_entries"):
            drop(house, practice_id, "2026-11-23" if practice_id == name or table != "time_entries" else "2026-11-22", table)
    take_in(house, {name: practice.time_zone for name, practice in practices.items()})
    # Headers alone: only the care team's file is accepted, so that scheduling and time log are missing altogether.
    late = late_extracts(house, practices, NOW)
    assert {(one.practice_id, one.extract) for one in late} == {(n, e) for n in practices for e in ("scheduling", "time_log")}
    with dg.DagsterInstance.ephemeral() as instance:
        data = tick(sensors.late_extracts_sensor, instance)
        event = data.asset_events[0]
        assert not event.passed and event.metadata["practices"].value == f"{name}, {other}"
        assert tick(sensors.late_extracts_sensor, instance, data.cursor).skip_message == "4 extracts late, as before"
    assert not sensors.extracts_came_in_time().passed


PANEL = ("care_plans", "care_team", "conditions", "consents", "coverages", "patients", "stays")
FIRST, NOON = date(2026, 11, 3), NOW + timedelta(hours=6)


def taken_in(house, came, rejected=None):
    """A lake whose ledger alone is there. `came`, `rejected`: practice, table -> the nights of such files, as days after FIRST."""
    rows = [
        {"practice_id": name, "table_name": table, "extract_date": FIRST + timedelta(days=day), "outcome": outcome}
        for outcome, files in (("accepted", came), ("rejected", rejected or {}))
        for (name, table), days in files.items()
        for day in days
    ]
    folder = batch_folder(house, 1)
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(
        pa.Table.from_pylist([{**dict.fromkeys(SCHEMA.names), **row} for row in rows], schema=SCHEMA), folder / "files.parquet"
    )


def every_night(practices, *without, nights=21):
    tables = (*PANEL, "appointments", "services", "time_entries")
    return {(name, table): range(nights) for name in practices for table in tables if table not in without}


def test_tables_that_a_night_lacks_and_that_usually_come_are_named_once_by_their_extract(house, practices, monkeypatch):
    monkeypatch.setattr(sensors, "now", lambda: NOON)
    name, other = sorted(practices)
    came = every_night(practices)  # up to the night of 2026-11-23, which is due at NOON
    for table in ("patients", "coverages", "services"):
        came[name, table] = range(20)
    taken_in(house, came)
    assert [str(one) for one in late_extracts(house, practices, NOON)] == [
        f"{name}: panel of 2026-11-23 lacks coverages, patients; the rest is of 2026-11-23",
        f"{name}: scheduling of 2026-11-23 lacks services; the rest is of 2026-11-23",
    ]
    with dg.DagsterInstance.ephemeral() as instance:
        event = tick(sensors.late_extracts_sensor, instance).asset_events[0]
    assert not event.passed and event.metadata["practices"].value == name
    # They are told for as long as they stay away, also once nearly none of the last nights had them; and a whole extract is told as before.
    for table in ("patients", "coverages", "services"):
        came[name, table] = range(8)
    came[other, "time_entries"] = range(20)
    taken_in(house, came)
    assert [(one.practice_id, one.extract, one.lacks) for one in late_extracts(house, practices, NOON)] == [
        (name, "panel", ("coverages", "patients")),
        (name, "scheduling", ("services",)),
        (other, "time_log", ()),
    ]


def test_tables_that_come_weekly_or_on_weekdays_or_to_a_new_practice_or_the_night_after_are_not_missed(house, practices):
    name, other = sorted(practices)
    came = every_night(practices)
    came[name, "stays"] = range(0, 20, 7)
    came[name, "conditions"] = [day for day in range(20) if (FIRST + timedelta(days=day)).weekday() < 5]
    came[name, "patients"] = [day for day in range(22) if day != 20]  # not on the night that is due: on the one behind it
    came[other, "outreach"] = [19]  # once
    came |= {(other, table): range(17, 20 if table == "patients" else 21) for table in PANEL}
    taken_in(house, came)
    assert late_extracts(house, practices, NOON) == []


def test_a_table_that_missed_one_night_of_ten_is_missed_again(house, practices):
    name = min(practices)
    came = every_night(practices)
    came[name, "patients"] = [day for day in range(20) if day != 14]
    taken_in(house, came)
    assert [one.lacks for one in late_extracts(house, practices, NOON)] == [("patients",)]
    assert [(gap.night.day, gap.what) for gap in gaps(house, FIRST)] == [(17, "patients"), (23, "patients")]


def test_a_night_says_what_its_newest_nights_lack(house, practices):
    name, other = sorted(practices)
    came = every_night(practices)
    came |= {(name, table): range(20) for table in ("coverages", "time_entries")} | {(other, "patients"): [*range(18), 19, 20]}
    taken_in(house, came)
    newest = FIRST + timedelta(days=20)
    assert _came_in_part(house, dict.fromkeys(practices, newest)) == [
        f"{name} {newest}: without coverages, time_log, which usually come; they may land late, else ask the sender"
    ]
    assert _came_in_part(house, {}) == []


def test_the_doctor_names_the_nights_that_came_in_part_and_does_not_count_a_night_of_which_nothing_was_accepted(house, practices):
    name, other = sorted(practices)
    came = every_night(practices)
    came |= {(name, table): [day for day in range(21) if day != 12] for table in ("patients", "time_entries")}
    came |= {key: [day for day in days if day != 15] for key, days in came.items() if key[0] == other}
    taken_in(house, came, rejected={(other, "patients"): [15], (name, "patients"): [12]})
    assert [(one.state, one.said) for one in doctor._nights(house, practices, NOON)] == [
        ("warning", f"{name}: 1 of the last 21 nights came without what usually comes: 2026-11-15 (patients, time_log)"),
        ("warning", f"{other}: of 1 of the last 21 nights every file was rejected: 2026-11-18"),
    ]


def test_the_night_that_is_due_follows_the_local_hour_and_the_practice_s_weekdays(practices):
    practice = next(iter(practices.values())).model_copy(update={"time_zone": "America/Chicago"})
    weekdays = practice.model_copy(update={"operations": practice.operations.model_copy(update={"nights": "weekdays"})})
    before, after = datetime(2026, 11, 24, 12, 59, tzinfo=UTC), datetime(2026, 11, 24, 13, 0, tzinfo=UTC)
    assert (due_night(practice, before), due_night(practice, after)) == (date(2026, 11, 22), date(2026, 11, 23))
    assert due_night(weekdays, before) == date(2026, 11, 20)
    # The hour is the wall's: it moves with daylight saving time.
    assert due_night(practice, datetime(2026, 7, 1, 12, 0, tzinfo=UTC)) == date(2026, 6, 30)


def test_a_new_practice_and_a_new_month_appear_in_the_grid_by_themselves(house, practices):
    with dg.DagsterInstance.ephemeral() as instance:
        added = tick(sensors.calendar_sensor, instance).dynamic_partitions_requests
        assert [list(one.partition_keys) for one in added] == [sorted(practices)]
        register(instance, practices, [date(2026, 10, 1)])
        assert tick(sensors.calendar_sensor, instance).skip_message == "nothing new"
        with dg.partition_loading_context(dynamic_partitions_store=instance):
            assert set(CLOSES.get_partition_keys()) == {key_of(name, date(2026, 10, 1)) for name in practices}
