"""What the commands make of the days and months that are given to them, and how they tell what the answers brought."""

from __future__ import annotations

import json
import sqlite3
import sys
from contextlib import nullcontext
from datetime import date
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import duckdb
import pytest
from typer.testing import CliRunner

from orchestration import access
from orchestration.blanks import is_blank, stated
from orchestration.close import assets
from orchestration.close.closing import Closed
from orchestration.command import closes, main, running
from orchestration.command.answers import print_answers
from orchestration.command.common import app, day_of, night_of
from orchestration.command.months import month_of
from orchestration.command.running import JobResult, Pipeline
from orchestration.house import House, HouseError
from orchestration.operate import living_runs
from orchestration.rules.seeds import SEEDS
from tests.holds.bench import load
from tests.holds.clinic import Clinic, configure


def test_a_day_that_does_not_exist_is_told_from_one_that_is_written_wrong():
    assert (day_of("--until", "2026-02-28"), month_of("2026-02")) == (date(2026, 2, 28), date(2026, 2, 1))
    for read, wrong, said in (
        (night_of, "2026-02-30", "--date '2026-02-30': there is no such day"),
        (night_of, "30.02.2026", "--date '30.02.2026': write the night as YYYY-MM-DD"),
        (month_of, "2026-13", "--month '2026-13': there is no such month"),
        (month_of, "October", "--month 'October': write the month as YYYY-MM, such as 2026-10"),
    ):
        with pytest.raises(HouseError) as refused:
            read(wrong)
        assert str(refused.value) == said


@pytest.mark.parametrize(
    "command",
    [
        "nightly",
        "backfill",
        "close --month 2026-09 --approved-by Ann",
        "respond",
        "deliver",
        "migrate",
        "tidy --runs 30",
        "tidy --landing 30",
    ],
)
def test_a_home_that_is_none_is_refused_by_name_and_nothing_is_made_there(tmp_path, command):
    refused = CliRunner().invoke(app, [*command.split(), "--home", str(tmp_path / "typo")])
    assert isinstance(refused.exception, HouseError)
    assert str(refused.exception).startswith(
        f"{tmp_path}/typo/practices.yaml: there is no practices.yaml; name the home with --home"
    )
    assert list(tmp_path.iterdir()) == []


def test_what_a_file_holds_of_claims_is_not_read_as_what_its_payment_holds(tmp_path, capsys):
    none = Decimal("0.00")
    file = {
        "file": "a.835", "outcome": "held", "kinds": ["835"], "reason": None, "claims_amount": Decimal("46.19"), "posted_amount": none,
        "unmatched_amount": none, "claims_unmatched": 0, "held_amount": Decimal("46.19"),
    }  # fmt: skip
    print_answers(House(tmp_path), [file], {})
    assert "$46.19 of claims held with their payment" in " ".join(capsys.readouterr().out.split())


NO_CODES = (
    "create schema marts; "
    "create table marts.claimable_codes (practice_id text, patient_id text, month date, decision text, allowed_amount decimal(12, 2))"
)


@pytest.mark.parametrize(("version", "said"), [(None, "let nothing go, so nothing of it is recorded"), (2, None)])
def test_a_waiver_that_lets_nothing_go_is_said_to_be_recorded_nowhere(tmp_path, capsys, monkeypatch, version, said):
    none, warehouse = Decimal("0.00"), duckdb.connect()
    warehouse.execute(NO_CODES)
    monkeypatch.setattr(closes, "open_warehouse", lambda _: nullcontext(warehouse))
    outcome = Closed("north", date(2026, 10, 1), version, Path("v2"), 0, none, none, 3, None, Path("held.csv"))
    pipeline = SimpleNamespace(
        house=House(tmp_path), month_end=lambda *_: SimpleNamespace(success=True, outcomes={"north": outcome})
    )
    rows, refused = closes.run_close(pipeline, {"north": None}, outcome.month, "Ann Lee", None, "nurse is away")
    closes.print_close(rows)
    told = " ".join(capsys.readouterr().out.split())
    assert not refused and (said in told if said else "--waive" not in told)
    assert rows[0]["waiver"].startswith("it let nothing go" if said else "recorded")
    rows, _ = closes.run_close(pipeline, {"north": None}, outcome.month, "Ann Lee", None, None)
    assert "waiver" not in rows[0]


def test_a_first_close_without_a_claim_says_how_many_patients_have_the_minutes_of_one_and_why_they_have_none(
    tmp_path, capsys, monkeypatch
):
    warehouse = duckdb.connect()
    load(warehouse.execute(f"create schema rules; {NO_CODES}"), "rules", SEEDS / "rules" / "rule_programs.csv")
    load(warehouse, "rules", SEEDS / "rules" / "rule_bands.csv")
    # What goes beside a base code earns nothing by itself, however few its minutes.
    warehouse.execute("update rules.rule_bands set first_unit_minutes = 10 where procedure_code = '99439'")
    warehouse.execute(
        """
        create table marts.patient_month_minutes as select 'north' as practice_id, patient_id, month, credited_minutes
        from (values ('A', 25), ('B', 20), ('C', 19), ('D', 29), ('E', 60), ('F', 45)) as t (patient_id, credited_minutes)
        cross join (values (date '2026-10-01'), (date '2026-09-01')) as months (month);
        create table marts.patient_month_evidence as select practice_id, patient_id, month, case patient_id when 'D' then 'pcm' else 'ccm' end as program
        from marts.patient_month_minutes;
        create table marts.patient_month_decisions as select practice_id, patient_id, month,
            case patient_id when 'F' then 'held' else 'not_claimable' end as decision,
            case patient_id when 'E' then 'no_consent' when 'F' then 'undocumented_time' else 'practitioner_not_eligible' end as reason
        from marts.patient_month_minutes
        """
    )
    monkeypatch.setattr(closes, "open_warehouse", lambda _: nullcontext(warehouse))
    none, month = Decimal("0.00"), date(2026, 10, 1)

    def told(claims: int, version: int | None = 1) -> str:
        outcome = Closed("north", month, version, Path("v1"), claims, none, none, 1, None, Path("held.csv"))
        ended = SimpleNamespace(success=True, outcomes={"north": outcome})
        pipeline = SimpleNamespace(house=House(tmp_path), month_end=lambda *_: ended)
        closes.print_close(closes.run_close(pipeline, {"north": None}, month, "Ann Lee", None, None)[0])
        return " ".join(capsys.readouterr().out.split())

    said = "no claim at all, though 3 patients have the minutes of a first code: practitioner_not_eligible 2, no_consent 1"
    assert said in told(claims=0)
    assert "no claim at all" not in told(claims=1) + told(claims=0, version=None)

    def taken(_: House) -> None:
        raise HouseError("warehouse.duckdb: cannot be opened; another command may hold it")

    # It stands whoever has the warehouse open by now.
    monkeypatch.setattr(closes, "open_warehouse", taken)
    assert "closed v1, 0 claims" in told(claims=0)


@pytest.mark.parametrize("version", [1, None], ids=["the first close", "a close with nothing new"])
def test_a_close_of_a_month_without_fees_names_them_and_how_they_are_loaded(tmp_path, capsys, monkeypatch, version):
    warehouse = duckdb.connect()
    warehouse.execute(NO_CODES)
    warehouse.execute(
        """
        insert into marts.claimable_codes values
            ('north', 'A', '2027-01-01', 'claimable', null), ('north', 'A', '2027-01-01', 'claimable', null),
            ('north', 'B', '2027-01-01', 'claimable', null), ('north', 'C', '2027-01-01', 'held', null),
            ('north', 'D', '2027-02-01', 'claimable', null), ('south', 'A', '2027-01-01', 'claimable', null)
        """
    )
    monkeypatch.setattr(closes, "open_warehouse", lambda _: nullcontext(warehouse))
    none, month = Decimal("0.00"), date(2027, 1, 1)
    outcome = Closed("north", month, version, Path("v1"), 0, none, none, 3, None, Path("held.csv"))
    pipeline = SimpleNamespace(
        house=House(tmp_path), month_end=lambda *_: SimpleNamespace(success=True, outcomes={"north": outcome})
    )
    rows, _ = closes.run_close(pipeline, {"north": None}, month, "Ann Lee", None, None)
    closes.print_close(rows)
    told = " ".join(capsys.readouterr().out.split())
    assert rows[0]["unpriced"] == 2 and "unclaimed" not in rows[0]
    assert "2 claims wait for a price: the fee schedule that is loaded has none of 2027-01" in told
    assert "`ccm rules load-fees FILE... --write`" in told and "no claim at all" not in told


def test_what_came_before_is_not_called_no_x12(tmp_path, capsys):
    file = {"file": "again.835", "outcome": "repeated", "reason": "the same content came before"}
    print_answers(House(tmp_path), [file], {})
    assert capsys.readouterr().out.splitlines()[:2] == ["again.835: repeated", "   the same content came before"]


@pytest.mark.parametrize(
    ("asked", "option"),
    [
        (["close", "--month", "2026-10", "--practice", "a", "--practice=b", "--approved-by", "x"], "--practice"),
        (["worklist", "--month", "2026-10", "--month", "2026-11"], "--month"),
        (["map", "try", "a.csv", "--mapping", "m", "-m", "n"], "--mapping"),
    ],
)
def test_an_option_of_one_value_that_is_given_twice_is_refused(tmp_path, asked, option):
    done = CliRunner(env={"CCM_HOME": str(tmp_path), "COLUMNS": "200"}).invoke(app, asked)
    assert done.exit_code == 2 and option in done.output and "is given 2 times" in done.output


@pytest.mark.parametrize("given", [["--approved-by", "\u200b"], ["--approved-by", "Ann Lee", "--waive", "\ufeff \u2060"]])
def test_what_cannot_be_seen_approves_and_waives_nothing(tmp_path, given):
    configure(tmp_path, [Clinic("alpha", 1)])
    done = CliRunner(env={"CCM_HOME": str(tmp_path)}).invoke(app, ["close", "--month", "2026-10", *given])
    assert isinstance(done.exception, HouseError) and str(done.exception).startswith(given[-2])


def test_blanks_are_blank_whatever_they_are_of():
    assert is_blank(None) and is_blank("") and is_blank(" \t\u200b\ufeff\u180e\u00a0") and not is_blank("\u200bx")
    assert (stated(None), stated("\u2060"), stated(" Ann Lee ")) == ("", "", "Ann Lee")


OCTOBER = date(2026, 10, 1)


class Broken:
    """A pipeline whose month-end breaks off behind a packet, or comes to this."""

    def __init__(self, house, *outcomes, success=False):
        self.house = house
        self.result = JobResult(
            success, {one.practice_id: one for one in outcomes}, [] if success else ["close__posted_claims: no room"]
        )

    def month_end(self, *_):
        for name in ("lakeside", "silent"):
            packet = self.house.closes / name / "2026-10" / "v3"
            packet.mkdir(parents=True, exist_ok=True)
            (packet / "manifest.json").write_text("{}")
        return self.result


def closed(folder, version, claims):
    file = folder / "claims.837" if version and claims else None
    return Closed("lakeside", OCTOBER, version, version and folder, claims, Decimal(claims), Decimal(claims), 0, file)


def test_a_close_that_breaks_off_behind_a_packet_names_its_claim_file_and_then_what_is_wrong(tmp_path, monkeypatch, capsys):
    house = House(tmp_path / "home").prepare()
    configure(house.root, [Clinic("lakeside", 1)])
    packet = house.closes / "lakeside" / "2026-10" / "v3"
    monkeypatch.setattr(running, "Pipeline", lambda _: Broken(house, closed(packet, 3, 2)))
    given = ["ccm", "close", "--month", "2026-10", "--approved-by", "Ann Lee", "--home", str(house.root)]
    monkeypatch.setattr(sys, "argv", given)
    assert main._run() == 1
    said = capsys.readouterr()
    assert "lakeside 2026-10: closed v3, 2 claims" in said.out and str(packet / "claims.837") in said.out
    assert "did not finish; what is closed stands, its claims are to be sent:" in said.err and "no room" in said.err
    assert f"{house.closes / 'silent' / '2026-10' / 'v3'}: is closed" in said.err and f"{packet}: is closed" not in said.err
    monkeypatch.setattr(sys, "argv", [*given, "--json"])
    assert main._run() == 1
    access.finish(1)
    assert json.loads(capsys.readouterr().out)[0]["claim_file"] == str(packet / "claims.837")


def test_a_month_with_nothing_new_to_close_names_the_newest_claim_file(tmp_path, capsys):
    house = House(tmp_path).prepare()
    for version in (9, 10):
        packet = house.closes / "lakeside" / "2026-10" / f"v{version}"
        packet.mkdir(parents=True)
        (packet / "manifest.json").write_text("{}")
        (packet / "claims.837").write_text("ISA")
    practices = {"lakeside": None}
    rows, _ = closes.run_close(Broken(house, closed(packet, None, 0), success=True), practices, OCTOBER, "Ann Lee", None, None)
    closes.print_close(rows)
    assert f"the newest is {packet / 'claims.837'}" in capsys.readouterr().out and rows[0]["claim_file"] is None


def test_what_went_out_is_told_where_dagster_cannot_write_down_what_its_run_did(tmp_path, monkeypatch):
    house = House(tmp_path).prepare()
    configure(house.root, [Clinic("lakeside", 1)])
    monkeypatch.setenv("CCM_HOME", str(house.root))
    out = closed(house.closes / "lakeside" / "2026-10" / "v3", 3, 2)

    class Job:
        def execute_in_process(self, run_id, **_):
            assets._found[run_id] = {"lakeside": out}
            raise sqlite3.OperationalError("database or disk is full")

    pipeline = object.__new__(Pipeline)
    pipeline.house, pipeline._defs = house, SimpleNamespace(resolve_job_def=lambda _: Job())
    monkeypatch.setattr(running, "opened", nullcontext)
    monkeypatch.setattr(living_runs, "bury_the_dead", lambda *_, **__: None)
    result = pipeline._run("respond", {}, None)
    assert not result.success and result.outcomes == {"lakeside": out} and result.errors
