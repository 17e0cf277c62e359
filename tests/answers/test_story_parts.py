"""Parts of a patient-month's story, told of a few rows."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pytest

from orchestration.answer.explain.source import Source, counted_dispositions
from orchestration.answer.explain.story import _arithmetic, _gates, _local, _nearest
from orchestration.answer.explain.text import _gates as gates_told
from orchestration.answer.explain.text import _shown_facts, of_track
from orchestration.house import House
from tests.answers.office import load_rules

CHICAGO = ZoneInfo("America/Chicago")


@pytest.mark.parametrize(
    ("instant", "said"),
    [
        ("0001-01-01 00:00:00", "0001-01-01 00:00:00 UTC"),
        ("0001-12-31 (BC) 10:00:00", "0001-12-31 (BC) 10:00:00 UTC"),
        ("2026-10-05 15:00:00", "2026-10-05 10:00:00-05:00"),
    ],
    ids=["a null date", "a null date east of Greenwich", "a real one"],
)
def test_an_instant_that_no_wall_clock_shows_is_told_in_utc(instant: str, said: str) -> None:
    with duckdb.connect() as con:
        ((read,),) = con.execute("select cast(? as timestamp)", [instant]).fetchall()
    assert _local(read, CHICAGO) == said


@pytest.mark.parametrize(
    ("lacking", "said"),
    [
        (("work_gpci",), "the GPCIs of MAC 12202 DC 01 lack"),
        (("work_rvu", "conversion_factor"), "its RVUs and the conversion factor lack"),
    ],
)
def test_a_code_without_a_price_says_which_part_of_it_lacks(lacking: tuple[str, ...], said: str) -> None:
    parts = dict.fromkeys(("work_rvu", "work_gpci", "conversion_factor"), 1)
    practice = {"mac": "12202", "address": {"state": "DC"}, "locality": "01"}
    told = _arithmetic({**parts, **dict.fromkeys(lacking), "unit_amount": None}, practice)
    assert told == f"no fee schedule release covers this date: {said}"


@pytest.mark.parametrize(
    ("basis", "track", "said"),
    [
        ("practitioner", "ccm_practitioner", [False, False, True, True]),
        ("credited", "ccm", [True, False, True, False]),
        (None, "apcm", [False, False, False, False]),
    ],
)
def test_the_story_of_a_claim_says_which_seconds_its_track_counts(basis: str | None, track: str, said: list[bool]) -> None:
    told = [
        (what, what in counted_dispositions(basis, is_practitioner))
        for is_practitioner in (False, True)
        for what in ("credited", "concurrent")
    ]
    assert [is_counted for _, is_counted in told] == said
    for what, is_counted in told:
        shown = of_track(track, {"disposition": what, "is_counted": is_counted})
        assert shown == (
            f"  <- track {track} counts them"
            if is_counted
            else f"  <- track {track} does not count them"
            if what == "credited"
            else ""
        )
    assert of_track(None, {"disposition": "credited", "is_counted": False}) == "", "no track, no claim"


NO_CONSENT, CONSENTED = None, date(2026, 9, 10)
FACTS = """
create table patient_facts (practice_id text, patient_id text, table_name text, fact_id text, kind text, starts_on date, ends_on date,
    is_affirmed boolean, member_id text, condition_groups text[], file_id bigint, line_number bigint);
insert into patient_facts by position
    select 'p', 'x', *, [], 1, 2 from (values
    ('services', 'OLD', '99203 own_practice', date '2024-01-05', null::date, null::boolean, 'D1'),
    ('services', 'LATE', '99214 own_practice', date '2026-09-20', null, false, 'D1'),
    ('services', 'OTHERS', '99214 own_practice', date '2026-09-01', null, null, 'D2'),
    ('services', 'LAB', '80053 own_practice', date '2026-09-02', null, null, 'D1'),
    ('services', 'AWAY', '99214 other_practice', date '2026-09-02', null, null, null),
    ('services', 'NEXT', '99214 own_practice', date '2026-10-02', null, true, 'D1'),
    ('coverages', 'ENDED', 'medicare_part_b', date '2013-03-01', date '2026-05-31', true, null),
    ('coverages', 'BEFORE', 'medicare_part_b', date '2001-03-01', date '2012-05-31', true, null),
    ('coverages', 'A', 'medicare_part_a', date '2013-03-01', date '2026-06-30', true, null),
    ('care_plans', 'COMING', 'last reviewed never', date '2026-10-05', null, false, null));
"""


def nearest(finding: str, consented_on: date | None = NO_CONSENT, program: str = "ccm") -> dict[str, list[str]]:
    evidence = {"findings": [finding], "consented_on": consented_on, "program": program, "billing_practitioner_id": "D1"}
    files = {1: {"extract_date": None, "landed_path": "f.csv", "sha256": "ab"}}
    with duckdb.connect() as con:
        con.execute("create schema rules")
        load_rules(con, "rule_initiating_visits rule_programs")
        con.execute(f"set search_path = 'main,rules'; {FACTS}")
        source = Source(House(Path("nowhere")), con, {}, "marts.duckdb")
        found = _nearest(source, ["p", "x", date(2026, 9, 1)], evidence, files)
    return {fact["fact_id"]: fact["short_of"] for fact in found.get(finding, ())}


def test_where_no_visit_qualifies_the_practices_own_are_shown_with_what_each_is_short_of() -> None:
    assert nearest("no_initiating_visit", CONSENTED) == {
        "OLD": ["more than 365 days before the consent of 2026-09-10", "of a patient new to the practice, and care management was not discussed at it"],
        "OTHERS": ["by D2, where D1 bills (a colleague of the same specialty may do)"],
        "LATE": ["after the consent of 2026-09-10, and care management was not discussed at it"],
        "NEXT": ["after the month"],
    }  # fmt: skip


def test_without_a_consent_the_months_end_is_what_a_visit_is_held_against() -> None:
    assert nearest("no_initiating_visit")["OLD"][0] == "more than 365 days before the month's end (there is no consent)"


def test_a_consent_of_the_null_date_is_a_day_that_visits_are_held_against_like_any_other() -> None:
    found = nearest("no_initiating_visit", date(1, 1, 1))
    assert found.keys() >= {"OLD", "LATE"} and not any("days before" in lacking for lacking in found["OLD"])
    assert found["LATE"] == ["after the consent of 0001-01-01, and care management was not discussed at it"]


def test_where_the_program_looks_back_farther_a_visit_is_held_against_that() -> None:
    assert not any("days before" in lacking for lacking in nearest("no_initiating_visit", CONSENTED, "apcm")["OLD"])


def test_where_a_row_is_missing_the_last_that_ended_and_the_first_that_is_to_come_are_shown() -> None:
    assert nearest("no_part_b") == {"ENDED": ["ended before the month"]}
    assert nearest("no_care_plan") == {"COMING": ["begins after the month"]}
    assert nearest("no_consent") == {} == nearest("below_threshold")


def test_what_a_fact_is_short_of_is_told_once_by_the_gate_that_asks_first() -> None:
    fact = {"table": "services", "fact_id": "S1", "kind": "99214 own_practice", "from": date(2026, 9, 1), "to": None, "affirmed": None,
        "condition_groups": [], "is_decisive": False, "landed": {"file": "f.csv", "line": 2, "sha256": "ab"}}  # fmt: skip
    gates = [{"evidence": [fact | {"short_of": ["by D2, where D1 bills"]}]}, {"evidence": [fact | {"short_of": []}]}]
    (told,) = _shown_facts({"gates": gates})["services"]
    assert "<- will not do: by D2, where D1 bills" in told


@pytest.mark.parametrize(
    ("left", "said"),
    [
        (
            {"practitioner_seen_on": date(2026, 9, 22), "practitioner_gone_on": date(2026, 9, 29)},
            [
                "DR1 was in the care team of 2026-09-22 [north/2026-09-22/care_team.csv] for the last time, and not in that of 2026-09-29"
            ],
        ),
        ({"practitioner_seen_on": None, "practitioner_gone_on": None}, []),
        ({}, []),
    ],
    ids=["gone", "there", "a packet of before evidence said so"],
)
def test_the_gate_of_a_practitioner_who_left_says_by_which_care_teams(left: dict[str, date | None], said: list[str]) -> None:
    with duckdb.connect() as con:
        con.execute("create schema rules")
        load_rules(con, "rule_decision_reasons")
        con.execute("set search_path = 'main,rules'")
        con.execute(
            "create table landed_files as select 'north' as practice_id, 'care_team' as table_name, date '2026-09-22' as extract_date, "
            "'north/2026-09-22/care_team.csv' as landed_path, true as is_in_force"
        )
        source = Source(House(Path("nowhere")), con, {}, "marts.duckdb", None)
        evidence = {
            "practice_id": "north", "findings": ["practitioner_not_eligible"], "newest_night": None, "billing_practitioner_id": "DR1",
            "practitioner_credential": "MD", "practitioner_npi": "1", **left,
        }  # fmt: skip
        gates = _gates(source, evidence, {"reason": "practitioner_not_eligible"}, {}, [], {"credited_minutes": 0}, [], {})
    lines = [line.strip() for _, line in gates_told({"gates": gates, "days": {}, "month": "2026-10", "coverage_answers": []})]
    place = next(n for n, line in enumerate(lines) if line.startswith("STOPS"))
    assert [line for line in lines[place + 1 : place + 2] if line.startswith("DR1")] == said
