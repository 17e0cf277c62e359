"""Which changes behind a claim rest on nothing but facts of the panel that have no day: the model alone, over its tables as a few rows."""

from __future__ import annotations

from datetime import date

import duckdb
import pytest

from orchestration.rules.seeds import SEEDS
from orchestration.transform import compiled
from tests.holds.bench import load

CLOSED, LATER = date(2026, 11, 5), date(2026, 11, 20)
TABLES = """
    create table intermediate.int_post_close_changes (
        practice_id varchar, patient_id varchar, month date, claim_id varchar, closed_as_of date, reasons varchar[]
    );
    create table staging.stg_patients (practice_id varchar, patient_id varchar, extract_date date, billing_practitioner_id varchar);
    create table staging.stg_care_team (
        practice_id varchar, member_id varchar, extract_date date, credential varchar, active_from date, active_to date
    );
    create table staging.stg_time_entries (
        practice_id varchar, patient_id varchar, member_id varchar, local_day date, last_local_day date, is_current boolean
    );
    insert into staging.stg_time_entries values
        ('p', 'x', 'N1', date '2026-10-14', date '2026-10-14', true), ('p', 'x', 'N2', date '2026-10-03', date '2026-10-03', false),
        ('p', 'x', 'N2', date '2026-11-03', date '2026-11-03', true), ('p', 'y', 'N2', date '2026-10-14', date '2026-10-14', true);
"""
Member = tuple[str, date | None, date | None]


@pytest.fixture
def con() -> duckdb.DuckDBPyConnection:
    made = duckdb.connect()
    compiled.prepare(made)
    for name in ("rule_decision_reasons", "rule_conflicts", "rule_credentials"):
        load(made, "rules", next(SEEDS.rglob(f"{name}.csv")))
    made.execute(TABLES)
    return made


def told(
    con: duckdb.DuckDBPyConnection,
    home,
    reasons: list[str],
    practitioners: tuple[str, str] = ("D1", "D1"),
    nurse: tuple[Member | None, Member] = (("RN", None, None), ("RN", None, None)),
    other_nurse: tuple[Member, Member] = (("RN", None, None), ("RN", None, None)),
) -> list[str | None]:
    """What is said of a claim of October where the panel and the care team were so at the close, and are so now."""
    con.execute(
        "insert into intermediate.int_post_close_changes values ('p', 'x', date '2026-10-01', 'C', ?, ?)", [CLOSED, reasons]
    )
    for number, night in enumerate((CLOSED, LATER)):
        con.execute("insert into staging.stg_patients values ('p', 'x', ?, ?)", [night, practitioners[number]])
        for name, member in (("N1", nurse[number]), ("N2", other_nurse[number])):
            if member is not None:
                con.execute("insert into staging.stg_care_team values ('p', ?, ?, ?, ?, ?)", [name, night, *member])
    con.execute("create table intermediate.int_patients__current as from staging.stg_patients where extract_date = ?", [LATER])
    compiled.run(con, home, [compiled.models()["int_post_close_changes__of_today"]])
    return [said for (said,) in con.execute("select said from intermediate.int_post_close_changes__of_today").fetchall()]


@pytest.mark.parametrize(
    ("reasons", "is_said"),
    [
        (["no_initiating_visit"], True),
        (["no_initiating_visit", "practitioner_not_eligible"], True),
        (["deceased", "no_initiating_visit"], False),  # the day of a death is one
        (["below_threshold"], False),
        ([], False),
    ],
)
def test_reasons_of_today_are_so_by_themselves_and_other_minutes_are_not(con, tmp_path, reasons, is_said):
    assert told(con, tmp_path, reasons) == [None] * is_said


@pytest.mark.parametrize(
    ("reasons", "is_said"),
    [([], True), (["below_threshold"], True), (["conflict_g0181"], True), (["conflict_apcm"], False), (["hospice"], False)],
)
def test_another_billing_practitioner_than_at_the_close_is_told_where_the_change_may_go_by_it(con, tmp_path, reasons, is_said):
    assert told(con, tmp_path, reasons, practitioners=("D1", "D3")) == ["billing practitioner D1 -> D3"] * is_said


@pytest.mark.parametrize(
    ("then", "now", "said"),
    [
        (("RN", None, None), ("ADMIN", None, None), "N1 RN -> ADMIN"),
        (("RN", None, None), ("LPN", None, None), None),
        (("RN", None, None), ("RN", date(2026, 11, 1), None), "N1 RN -> RN from 2026-11-01"),
        (("RN", None, date(2026, 10, 31)), ("RN", date(2026, 10, 14), None), None),
        (("RN", None, None), ("RN", None, date(2026, 10, 13)), "N1 RN -> RN to 2026-10-13"),
        (None, ("RN", None, None), "N1 not in the care team -> RN"),
    ],
    ids=["promoted", "of the same role", "renewed", "the day is in both", "left before", "came late"],
)
@pytest.mark.parametrize("reasons", [[], ["below_threshold"]], ids=["less", "nothing"])
def test_who_logged_the_time_and_counts_otherwise_than_at_the_close_is_told(con, tmp_path, reasons, then, now, said):
    assert told(con, tmp_path, reasons, nurse=(then, now)) == ([said] if said else [])


def test_a_colleagues_bill_goes_by_who_bills_and_not_by_who_logged_the_time(con, tmp_path):
    assert told(con, tmp_path, ["conflict_g0182"], nurse=(("RN", None, None), ("ADMIN", None, None))) == []


def test_who_logged_nothing_of_the_month_is_none_of_it(con, tmp_path):
    assert told(con, tmp_path, [], other_nurse=(("RN", None, None), ("ADMIN", None, None))) == []
