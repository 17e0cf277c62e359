"""A disk that gives back other bytes of what one practice closed, accepted or put off: nobody else's night, close or report waits for it."""

from __future__ import annotations

import csv
import json
import shutil
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from orchestration.answer.report import write_reports
from orchestration.answer.status import months_status
from orchestration.close import transitions
from orchestration.command.nights import _night_summary
from orchestration.gate.gate import rule_on_all
from orchestration.house import House, HouseError
from orchestration.operate.doctor import examine
from orchestration.practices import load_practices
from orchestration.transform.configuration import write_configuration
from orchestration.transform.office import dismissals_in_force, dismissals_path, held_rows
from tests.pipeline.homes import DATABASES, ccm, copy

pytestmark = pytest.mark.xdist_group("close_states")

OCTOBER = date(2026, 10, 1)
AT_FAULT = "hudson"


@pytest.fixture
def house(demo, tmp_path) -> House:
    return House(copy(demo[0], tmp_path / "home", without=["landing", *DATABASES]))


@pytest.fixture
def published(demo, tmp_path) -> House:
    """With its marts."""
    return House(copy(demo[0], tmp_path / "home", without=["landing", "warehouse.duckdb"]))


def said(house: House, question: str) -> list[tuple[str, str]]:
    return [(one.state, one.said) for one in examine(house) if one.question == question]


@pytest.mark.parametrize(
    "damage",
    [
        b"\xff\xfe\x00 no line",
        pytest.param(b"[]\n7\n", marks=pytest.mark.long),
        pytest.param(b'{"to": "closed"}\n', marks=pytest.mark.long),
        pytest.param(b"", marks=pytest.mark.long),
    ],
    ids=["bytes", "lists", "object", "empty"],
)
def test_a_damaged_record_of_closes_is_written_again_from_the_packets_and_stops_nobody(house, damage):
    path = transitions.path_of(house, AT_FAULT)
    was = {(one["month"], one["version"]) for one in transitions.read(house, AT_FAULT) if one["to"] == "closed"}
    path.write_bytes(damage)
    assert said(house, "records")[0][0] == ("warning" if damage else "ok")
    rulings = rule_on_all(house, list(load_practices(house.practices_yaml).values()), OCTOBER, "of other inputs")
    assert len(rulings) == 4 and not any("is gone" in text for one in rulings for text in one.refusals)
    transitions.record_closes(house, AT_FAULT)
    assert {(one["month"], one["version"]) for one in transitions.read(house, AT_FAULT)} == was and was


@pytest.mark.long
def test_a_packet_without_its_line_that_cannot_be_read_is_named(house):
    transitions.path_of(house, AT_FAULT).unlink()
    (house.closes / AT_FAULT / "2026-09" / "v1" / "approval.json").write_bytes(b"")
    with pytest.raises(HouseError, match=r"hudson/2026-09/v1: cannot be read; restore this packet"):
        transitions.record_closes(house, AT_FAULT)


@pytest.mark.parametrize(
    "damage",
    [pytest.param(b"\xff\xfe\x00", marks=pytest.mark.long), b"patient_id,month\nP,x\n", pytest.param(None, marks=pytest.mark.long)],
    ids=["bytes", "columns", "gone"],
)
def test_of_a_damaged_held_csv_what_was_read_before_stands(house, damage):
    name = write_configuration(house, load_practices(house.practices_yaml))
    held = held_rows(house)
    assert any(row["practice_id"] == AT_FAULT for row in held)
    for path in house.closes.glob(f"{AT_FAULT}/*/v*/held.csv"):
        path.unlink() if damage is None else path.write_bytes(damage)
    assert held_rows(house) == held
    assert write_configuration(house, load_practices(house.practices_yaml)) == name
    assert [state for state, _ in said(house, "closes")] == ["bad"]


@pytest.mark.long
def test_a_dismissal_that_cannot_be_read_puts_nothing_off_and_the_next_one_names_its_line(published):
    path = dismissals_path(published)
    path.parent.mkdir(exist_ok=True)
    one = {"practice_id": AT_FAULT, "item_id": "x", "fact_fingerprint": "f", "until": "2026-12-01"}
    path.write_bytes(json.dumps(one).encode() + b"\n\xff\xfe\n" + json.dumps(one | {"item_id": "y", "until": 7}).encode() + b"\n")
    assert [row["item_id"] for row in dismissals_in_force(published)] == ["x"]
    write_configuration(published, load_practices(published.practices_yaml))
    assert said(published, "records") == [
        ("warning", "cannot be read: worklists/dismissals.jsonl line 2, worklists/dismissals.jsonl line 3")
    ]
    item = pq.read_table(published.lake / "configuration" / "dismissals.parquet").to_pylist()
    assert [row["item_id"] for row in item] == ["x"]
    shown = json.loads(ccm("worklist", "--practice", AT_FAULT, "--json", home=published.root).out)
    ran = ccm("worklist", "dismiss", shown[0]["item_id"], "--until", "2027-01-01", "--why", "waits", home=published.root)
    assert ran.code == 1 and "dismissals.jsonl, line 2: is no record of a dismissal" in ran.err.replace("\n", " "), ran.err


@pytest.mark.long
def test_a_night_says_which_packets_keep_their_practice_from_closing(published):
    practices = load_practices(published.practices_yaml)
    write_configuration(published, practices)
    assert _night_summary(published, practices, None)["packets_lost"] == []
    for lost in ("hudson/2026-09/v1", "prairie"):
        shutil.rmtree(published.closes / lost)
    write_configuration(published, practices)
    practices.pop("prairie")  # one that left, and what it had closed with it
    assert _night_summary(published, practices, None)["packets_lost"] == ["hudson/2026-09/v1"]


@pytest.mark.parametrize(
    "name", ["manifest.json", *(pytest.param(name, marks=pytest.mark.long) for name in ("claims.csv", "held.csv"))]
)
@pytest.mark.long
def test_a_damaged_packet_keeps_nobody_else_from_a_report(published, name):
    shutil.rmtree(published.reports)
    whole = {(one.practice_id, one.month, one.close_version) for one in write_reports(published)}
    shutil.rmtree(published.reports)
    packet = next(Path(published.closes).glob(f"{AT_FAULT}/2026-09/v1"))
    (packet / name).write_bytes(b"\xff\xfe,\n\xff")
    assert {(one.practice_id, one.month, one.close_version) for one in write_reports(published)} == whole - {
        (AT_FAULT, date(2026, 9, 1), 1)
    }


@pytest.mark.long
@pytest.mark.parametrize("name", ["claims.csv", "inputs.zip", "decisions.parquet"])
def test_whoever_asks_about_a_damaged_packet_is_told_which_one_and_about_others_is_answered(published, name):
    lines = {}
    for practice in (AT_FAULT, "prairie"):
        with (published.closes / practice / "2026-09" / "v1" / "claims.csv").open(newline="") as handle:
            lines[practice] = next(csv.DictReader(handle))
    (published.closes / AT_FAULT / "2026-09" / "v1" / name).write_bytes(b"\xff\xfe,\n\xff")
    asked = {practice: ("why", line["line_id"]) for practice, line in lines.items()}
    told = ("explain", "--practice", AT_FAULT, "--patient", lines[AT_FAULT]["patient_id"], "--month", "2026-09")
    assert ccm(*asked["prairie"], home=published.root).code == 0
    for command in (asked[AT_FAULT], told):
        ran = ccm(*command, home=published.root)
        said = "".join(ran.err.split())
        assert ran.code == 1 and "hudson/2026-09/v1:cannotberead;restorethispacketfromthebackup" in said, ran.err
    assert ccm(*told, "--live", home=published.root).code == 0


@pytest.mark.long
def test_copies_beside_packets_keep_nobody_from_reports_and_no_claim_file_is_listed_twice(published):
    practices = load_practices(published.practices_yaml)
    reports, months = write_reports(published), months_status(published, practices)
    for one, beside in (("2026-09/v1", "2026-09/v1.bak"), ("2026-09", "2026-09.bak")):
        shutil.copytree(published.closes / AT_FAULT / one, published.closes / AT_FAULT / beside)
    shutil.copytree(published.closes / AT_FAULT, published.closes / f"{AT_FAULT}-old")
    again = write_reports(published)
    assert [one.path for one in again] == [one.path for one in reports] and months_status(published, practices) == months
