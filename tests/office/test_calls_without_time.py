"""A phone system's call log is a second clock: calls that nobody wrote down are told, and nobody waits for the log."""

from __future__ import annotations

import csv
from datetime import date
from pathlib import Path

import duckdb
import pytest
import yaml

from orchestration.contracts import extract_contracts, optional_tables
from orchestration.gate import verdicts
from orchestration.gate.gate import _by_completeness, _seen
from orchestration.house import DATA_CONTRACTS, House
from orchestration.judge import assets
from orchestration.judge.expectations import UNDOCUMENTED, judge_open_months, months_judged
from orchestration.rules.seeds import SEEDS
from orchestration.take_in.tables import ensure_tables
from orchestration.transform import compiled
from tests.answers.letters import NORTH
from tests.answers.office import load_rules
from tests.take_in.conftest import CHICAGO, Home, csv_of, row

GIVEN = (
    "stg_files",
    "stg_practices",
    "stg_appointments",
    "stg_time_entries",
    "int_members__current",
    "int_patient_months__service",
)


def call(key: str, started_at: str, seconds: int = 600, **more: str) -> dict[str, str]:
    return row(
        "calls",
        **{
            "call_id": key,
            "patient_id": "p",
            "member_id": "rn",
            "started_at": started_at,
            "duration_seconds": str(seconds),
            **more,
        },
    )


def found(folder: Path, calls: list[dict[str, str]], appointments: str = "", entries: str = "") -> list[tuple]:
    """(kind, id, local day, seconds) of contacts without time in October 2026, in Chicago. `appointments`, `entries`: rows as SQL values."""
    home = Home(folder)
    home.land("calls", csv_of("calls", calls), night="2026-11-03")
    home.take_in()
    con = duckdb.connect()
    compiled.prepare(con)
    for sql in (
        f"staging.stg_files as select *, true as is_in_force from '{home.house.lake}/batches/000001/files.parquet'",
        "staging.stg_practices as select 'lakeside' as practice_id, 'America/Chicago' as time_zone",
        "staging.stg_appointments (practice_id varchar, appointment_id varchar, patient_id varchar, member_id varchar, visit_type varchar, status varchar, "
        "scheduled_start timestamp, scheduled_end timestamp, is_current boolean)",
        "staging.stg_time_entries (practice_id varchar, patient_id varchar, member_id varchar, local_day date, voided boolean, "
        "is_current boolean default true)",
        "intermediate.int_members__current as select 'lakeside' as practice_id, m as member_id, c as credential, null::date as active_from, "
        "null::date as active_to "
        "from (values ('rn', 'RN'), ('desk', 'ADMIN')) t (m, c)",
        "intermediate.int_patient_months__service as select 'lakeside' as practice_id, 'p' as patient_id, date '2026-10-01' as month, "
        "date '2026-10-05' as service_starts_on, true as is_consent_in_force, (1::bigint << 31) - 1 as fee_for_service_days, 0::bigint as facility_days, "
        "(1::bigint << 31) - 1 as alive_days",
    ):
        con.execute(f"create table {sql}")
    if appointments:
        con.execute(f"insert into staging.stg_appointments values {appointments}")
    if entries:
        con.execute(
            f"insert into staging.stg_time_entries (practice_id, patient_id, member_id, local_day, voided) values {entries}"
        )
    ordered = compiled.in_order(["int_visits_without_time"], given=GIVEN)
    load_rules(con, "\n".join(model.sql for model in ordered))
    compiled.run(con, home.house.root, ordered)
    return con.execute(
        "select kind, coalesce(call_id, appointment_id), local_day, seconds from intermediate.int_visits_without_time order by all"
    ).fetchall()


def test_a_call_without_a_time_entry_of_its_day_is_told_and_one_with_is_not(tmp_path):
    calls = [
        call("told", "2026-10-07T02:30:00Z"),  # the evening of the 6th in Chicago
        call("logged", "2026-10-08T15:00:00Z"), call("early", "2026-10-02T15:00:00Z"), call("stranger", "2026-10-07T15:00:00Z", patient_id="q"),
        call("desk", "2026-10-07T15:00:00Z", member_id="desk"),
    ]  # fmt: skip
    entries = "('lakeside', 'p', 'rn', date '2026-10-08', false), ('lakeside', 'p', 'rn', date '2026-10-06', true)"
    assert found(tmp_path, calls, entries=entries) == [("call_without_time", "told", date(2026, 10, 6), 600)]


def test_a_call_on_the_day_of_a_completed_contact_is_that_contact(tmp_path):
    planned = "('lakeside', 'a1', 'p', 'rn', 'ccm_call', 'completed', timestamp '2026-10-12 15:00:00', timestamp '2026-10-12 15:20:00', true)"
    calls = [call("same", "2026-10-12T16:00:00Z"), call("a1", "2026-10-13T16:00:00Z", 90)]
    assert found(tmp_path, calls, appointments=planned) == [
        ("call_without_time", "a1", date(2026, 10, 13), 90), ("visit_without_time", "a1", date(2026, 10, 12), 1200),
    ]  # fmt: skip


def test_a_call_over_midnight_is_cut_there_and_one_sent_again_counts_once(tmp_path):
    calls = [
        call("long", "2026-10-21T04:50:00Z", 1200),
        call("twice", "2026-10-22T15:00:00Z", 60),
        call("twice", "2026-10-22T15:00:00Z", 60),
    ]
    assert found(tmp_path, calls) == [
        ("call_without_time", "long", date(2026, 10, 20), 600), ("call_without_time", "long", date(2026, 10, 21), 600),
        ("call_without_time", "twice", date(2026, 10, 22), 60),
    ]  # fmt: skip


def test_a_call_that_is_corrected_in_the_phone_system_is_told_no_more_and_its_item_says_that_a_dismissal_is_no_such_thing(tmp_path):
    calls = [call("moved", "2026-10-22T15:00:00Z"), call("moved", "2026-10-22T15:00:00Z", patient_id="q")]
    assert found(tmp_path, calls) == []
    with (SEEDS / "rules" / "rule_worklist_kinds.csv").open(newline="") as handle:
        (said,) = (row["sentence"] for row in csv.DictReader(handle) if row["kind"] == "call_without_time")
    assert "correct the call" in said and "only puts it off" in said


@pytest.mark.parametrize("seconds", [2**63 - 1, -(2**63), 315_360_001])
def test_a_call_that_is_said_to_last_for_ages_is_told_and_laid_out_nowhere(tmp_path, seconds):
    calls = [call("forever", "2026-10-21T15:00:00Z", seconds), call("short", "2026-10-22T15:00:00Z", 60)]
    assert found(tmp_path, calls) == [
        ("call_without_time", "forever", date(2026, 10, 21), 0), ("call_without_time", "short", date(2026, 10, 22), 60),
    ]  # fmt: skip


def test_a_call_longer_than_any_timer_is_believed_is_told_and_has_no_minutes_that_hold_a_claim(tmp_path):
    calls = [
        call("off the hook", "2026-10-21T15:00:00Z", 999_999),
        call("over", "2026-10-22T15:00:00Z", 10_801),
        call("long", "2026-10-23T15:00:00Z", 10_800),
    ]
    assert found(tmp_path, calls) == [
        ("call_without_time", "long", date(2026, 10, 23), 10_800), ("call_without_time", "off the hook", date(2026, 10, 21), 0),
        ("call_without_time", "over", date(2026, 10, 22), 0),
    ]  # fmt: skip


def test_a_row_of_the_log_that_is_none_is_quarantined(tmp_path):
    home = Home(tmp_path)
    home.land(
        "calls",
        csv_of(
            "calls", [call("a", "2026-10-07T02:30:00Z"), call("b", "yesterday"), call("c", "2026-10-07T02:30:00Z", member_id="")]
        ),
    )
    assert home.take_in().totals["calls"] == {
        "files": 1,
        "rows_received": 3,
        "rows_accepted": 1,
        "rows_quarantined": 2,
        "rows_superseded": 0,
    }
    assert {column for _, column, _ in home.faults()} == {"started_at", "member_id"}


def test_a_home_of_before_there_was_the_extract_reads_on_and_takes_it_in(tmp_path):
    home = Home(tmp_path)
    home.land("care_plans", csv_of("care_plans", [row("care_plans")]))
    home.take_in()
    for batch in home.batches():
        (home.house.lake / "batches" / f"{batch:06d}" / "calls.parquet").unlink()
    ensure_tables(House(home.house.root))
    assert home.ask("select count(*) from {calls}") == [(0,)]
    assert [len(list(path.iterdir())) for path in sorted((home.house.lake / "batches").iterdir())] == [16, 16]
    for batch in home.batches():
        (home.house.lake / "batches" / f"{batch:06d}" / "calls.parquet").unlink()
    home.land("calls", csv_of("calls", [call("a", "2026-10-07T02:30:00Z")]), night="2026-11-03")
    assert home.take_in(CHICAGO).batch == 2
    assert home.ask("select call_id from {calls}") == [("a",)]


def test_nobody_waits_for_an_optional_extract():
    assert optional_tables() == {"calls"}
    assert extract_contracts()["calls"].extract not in {
        extract_contracts()[table].extract for table in extract_contracts() if table != "calls"
    }


@pytest.mark.parametrize(("table", "refuses"), [("calls", False), ("time_entries", True)])
def test_an_old_log_of_calls_refuses_no_close(table, refuses):
    con = duckdb.connect()
    con.execute("create schema staging; create schema intermediate")
    con.execute("create table intermediate.int_months as select 'north' as practice_id, date '2026-10-01' as month")
    con.execute(
        "create table staging.stg_practices as select 'north' as practice_id, date '2026-09-01' as first_night, date '2026-11-03' as newest_night"
    )
    con.execute(
        "create table staging.stg_files as select 'north' as practice_id, $1 as table_name, true as is_in_force, date '2026-10-30' as extract_date",
        [table],
    )
    said = _by_completeness(_seen(con, [NORTH.practice_id], date(2026, 10, 1)), NORTH, date(2026, 10, 1))
    assert any(one.startswith(table) for one in said) is refuses


def test_every_kind_of_undocumented_time_has_its_check_in_the_months_that_may_still_close():
    contract = yaml.safe_load((DATA_CONTRACTS / "marts" / "undocumented_time.odcs.yaml").read_text(encoding="utf-8"))
    (kind,) = (column for column in contract["schema"][0]["properties"] if column["name"] == "kind")
    words = {word for rule in kind["quality"] for word in rule.get("arguments", {}).get("validValues", ())}
    assert "call_without_time" in words and words == set(UNDOCUMENTED) == set(assets._MONTH_CHECK_OF)
    assert set(assets._MONTH_CHECK_OF.values()) == set(assets.MONTH_CHECKS)


def months_of(house: House, newest_night: str, *items: tuple[str, str, str], version: int | None = None) -> None:
    """The north's October as a build leaves it: `items`: patient, decision, worth; each is a call of 12 minutes."""
    house.warehouse.unlink(missing_ok=True)
    with duckdb.connect(str(house.warehouse)) as con:
        con.execute("create schema intermediate; create schema marts")
        con.execute(
            "create table intermediate.int_months__close as select 'north' as practice_id, date '2026-10-01' as month, true as is_open, "
            "date '2026-11-03' as close_opens_on, date '2026-11-25' as close_ends_on, $1::date as newest_night, date '2026-10-27' as overdue_from",
            [newest_night],
        )
        con.execute(
            "create table marts.close_calendar as select 'north' as practice_id, date '2026-10-01' as month, ?::integer as close_version",
            [version],
        )
        con.execute(
            "create table marts.undocumented_time (practice_id text, month date, patient_id text, kind text, minutes bigint, "
            "dollars_at_stake decimal(12, 2))"
        )
        con.execute("create table marts.patient_month_decisions (practice_id text, month date, patient_id text, decision text)")
        for patient_id, decision, worth in items:
            con.execute(
                "insert into marts.undocumented_time values ('north', '2026-10-01', ?, 'call_without_time', 12, ?)",
                [patient_id, worth],
            )
            con.execute("insert into marts.patient_month_decisions values ('north', '2026-10-01', ?, ?)", [patient_id, decision])


@pytest.mark.parametrize(
    ("newest_night", "at_fault"), [("2026-10-20", "call_without_time"), ("2026-10-28", "call_without_time__overdue")]
)
def test_a_call_that_nobody_logged_is_told_by_the_night_and_red_once_the_close_is_near(tmp_path, newest_night, at_fault):
    house = House(tmp_path)
    months_of(house, newest_night, ("A", "held", "49.17"), ("B", "not_claimable", "0"))
    failed = {one.check: one for one in judge_open_months(house) if not one.passed}
    assert failed.keys() == {at_fault} and failed[at_fault].practice_ids == ("north",)
    assert "north 2026-10: 2 items, 24 minutes, $49.17, due 2026-11-02" in failed[at_fault].detail


def test_of_a_month_that_closed_only_what_the_next_version_would_take_is_still_to_be_documented(tmp_path):
    house = House(tmp_path)
    claimed, worthless = ("A", "claimed", "49.17"), ("B", "not_claimable", "0")
    months_of(house, "2026-11-06", claimed, worthless, ("C", "held", "-3.10"), version=2)
    [failed] = [one for one in judge_open_months(house) if not one.passed]
    assert failed.detail.endswith("north 2026-10, of what v2 did not claim: 1 items, 12 minutes, -$3.10, due 2026-11-24")
    months_of(house, "2026-11-06", claimed, worthless, version=2)
    assert all(one.passed for one in judge_open_months(house))


def test_a_close_behind_the_night_is_heeded_when_it_is_asked_what_is_still_to_be_documented(tmp_path):
    house = House(tmp_path).prepare()
    assert months_judged(house) == []
    told = []
    for inputs, version in (("a night", None), ("the same night", 1)):
        months_of(house, "2026-11-06", ("A", "claimed" if version else "claimable", "49.17"), version=version)
        verdicts.save(house, "dbt", inputs, [])
        told.append([one.check for one in months_judged(house) if not one.passed])
    assert told == [["call_without_time__overdue"], []]
    months_of(house, "2026-11-06", ("A", "held", "49.17"))
    assert all(one.passed for one in months_judged(house)), "the same build is not judged twice"
