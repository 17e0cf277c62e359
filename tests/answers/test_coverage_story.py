"""`ccm explain` names the payer's answer that a reason rests on."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import duckdb
import pytest

from orchestration.answer.explain import story, text
from orchestration.answer.explain.source import Source, coverage_answers
from orchestration.close.freeze import Frozen, parquet
from orchestration.house import House
from tests.answers.office import load_rules

KEY = ["north", "p", date(2026, 10, 1)]
ANSWERS = """
create table marts.answer_files as select 1000000 as file_id, repeat('ab', 32) as sha256;
create table marts.coverage_answers as select * from (values
    ('north', 'p', 100000000001, 1, 'part_a', true, date '2013-03-01', null::date, date '2026-11-02', true),
    ('north', 'p', 100000000001, 2, 'medicare_advantage', true, date '2026-10-01', null, date '2026-11-02', true),
    ('north', 'p', 100000000001, 3, 'medicare_advantage', true, date '2027-01-01', null, date '2026-11-02', true),
    ('north', 'p', 100000000002, 1, 'medicare_advantage', true, date '2026-01-01', null, date '2026-09-02', false),
    ('north', 'q', 100000000002, 2, 'medicare_advantage', true, date '2025-01-01', null, date '2026-11-02', true)
) as said (practice_id, patient_id, transaction_id, position, meaning, is_covered, starts_on, ends_on, answered_on, is_in_force);
"""


def told(con: duckdb.DuckDBPyConnection, packet: Path | None, *findings: str) -> list[str]:
    source = Source(House(Path("nowhere")), con, {}, "marts.duckdb", packet)
    gates = story._gates(
        source, {"findings": findings, "newest_night": None, "billing_practitioner_id": None, "practitioner_credential": None, "practitioner_npi": None},
        {"reason": findings[0]}, {}, [], {"credited_minutes": 0}, story._answers(source, KEY), {},
    )  # fmt: skip
    lines = [line for _, line in text._gates({"gates": gates, "days": {}, "month": "2026-10", "coverage_answers": []})]
    return [lines[place - 1].split()[1] + ": " + line.strip() for place, line in enumerate(lines) if "the payer says" in line]


def test_under_a_gate_that_applies_stands_what_the_payer_says_and_in_which_answer(tmp_path):
    with duckdb.connect() as con:
        for schema in ("marts", "rules"):
            con.execute(f"create schema {schema}")
        load_rules(con, "rule_decision_reasons")
        con.execute(f"set search_path = 'marts,rules'; {ANSWERS}")
        assert told(con, None, "medicare_advantage") == [
            "medicare_advantage: the payer says medicare advantage 2026-10-01 to ...  [271 of 2026-11-02, sha256 abababababab]"
        ]
        assert told(con, None, "no_part_b") == [
            "no_part_b: the payer says part a 2013-03-01 to ...  [271 of 2026-11-02, sha256 abababababab]"
        ]
        assert told(con, None, "below_threshold") == []


DIED = "the payer says deceased 2026-10-10  [271 of 2026-11-02, sha256 cdcdcdcdcdcd]"


@pytest.mark.parametrize("is_there", [True, False], ids=["with answers", "of a practice that had none"])
def test_a_packet_shows_what_the_payers_had_said_by_its_close(tmp_path, is_there):
    with duckdb.connect() as con:
        rows = con.execute(
            """
            select 'north' as practice_id, 'p' as patient_id, 'deceased' as meaning, true as is_covered, date '2026-10-10' as starts_on,
                null::date as ends_on, null::varchar as plan_id, date '2026-11-02' as answered_on, repeat('cd', 32) as file_sha256
            """
        ).to_arrow_table()
        coverage_answers(con, Frozen({"coverage_answers.parquet": parquet(rows)} if is_there else {}))
        said = story._answers(Source(House(Path("nowhere")), con, {}, "v1", tmp_path), KEY)
    assert text.said_of_coverage(said) == ([DIED] if is_there else [])


def test_what_a_payer_says_of_days_inside_the_month_stands_under_its_days_and_its_flags():
    answers = [
        {
            "meaning": meaning, "is_covered": True, "starts_on": date(2026, 10, 10), "ends_on": None, "answered_on": date(2026, 11, 2),
            "file_sha256": "cd" * 32,
        }
        for meaning in ("deceased", "home_health")
    ]  # fmt: skip
    with duckdb.connect() as con:
        con.execute("create table rule_flags as select 'after_death_time' as flag, 'Time after death' as meaning, 'R' as citation")
        (flag,) = story._flags(Source(House(Path("nowhere")), con, {}, "marts.duckdb"), ["after_death_time"], answers)
    assert text.said_of_coverage(flag["answers"]) == [DIED]
    told = [
        line
        for _, line in text._gates({"gates": [], "days": {"alive": "1-10"}, "month": "2026-10", "coverage_answers": answers[:1]})
    ]
    assert told[-2:] == ["  alive: 1-10", f"  {DIED}"]
