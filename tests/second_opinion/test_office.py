"""The office's marts of the second opinion, on practices small enough to work out by hand."""

import csv
import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from .judge import Opinion, evaluate
from .landing import COLUMNS
from .office import Between, OneOf
from .office_marts import projection_differences, worklist_differences
from .releases import seeds_up_to

SEEDS = Path(__file__).parents[2] / "dbt_project" / "seeds"
Row = dict[str, Any]
OCTOBER = date(2026, 10, 1)
PRACTICE = {
    "practice_id": "hand",
    "npi": "1234567893",
    "tax_id": "123456789",
    "address": {"state": "NY"},
    "time_zone": "America/New_York",
    "place_of_service": "11",
    "mac": "13202",
    "locality": "01",
}
PATIENT = {"first_name": "Ada", "last_name": "Lee", "birth_date": "1940-05-01", "sex": "F", "billing_practitioner_id": "DR1"}
TEAM = [
    {"member_id": "DR1", "name": "Kim", "credential": "MD", "npi": "1234567893", "taxonomy_code": "207Q00000X"},
    {"member_id": "RN1", "name": "Roe", "credential": "RN"},
]


class Chart:
    """Rows of one patient who is eligible and nothing more; what a test adds is the case."""

    def __init__(self, patient_id: str = "P1"):
        self.patient_id = patient_id
        self.tables: dict[str, list[Row]] = {table: [] for table in COLUMNS}
        self.add("patients", **PATIENT)
        self.add("coverages", coverage_type="medicare_part_b", effective_date="2019-01-01")
        for code in ("I10", "E11.9"):
            self.add("conditions", icd10_code=code, clinical_status="active", recorded_date="2020-01-01")

    def add(self, table: str, **values: Any) -> "Chart":
        key = next(iter(COLUMNS[table]))
        rows = self.tables[table]
        rows.append({key: f"{self.patient_id}-{table}-{len(rows)}", "patient_id": self.patient_id, **values})
        return self

    def consent(self, day: str, **values: Any) -> "Chart":
        return self.add("consents", **{"program": "ccm", "consented_on": day, "method": "verbal", "documented": "true", **values})

    def visit(self, day: str = "2026-08-03", code: str = "99214", **values: Any) -> "Chart":
        row = {"member_id": "DR1", "procedure_code": code, "service_date": day, "billed_by": "own_practice"}
        return self.add("services", **{**row, "updated_at": "2026-10-01T00:00:00Z", **values})

    def plan(self, day: str, **values: Any) -> "Chart":
        return self.add("care_plans", established_on=day, **values)

    def call(self, day: str, outcome: str) -> "Chart":
        return self.add("outreach", attempted_at=f"{day}T10:00:00", channel="phone", outcome=outcome)

    def time(self, day: str, minutes: int, **values: Any) -> "Chart":
        row = {"member_id": "RN1", "program": "ccm", "activity": "call", "entry_method": "timer", "face_to_face": "false"}
        start, end = f"{day}T10:00:00", f"{day}T{10 + minutes // 60:02d}:{minutes % 60:02d}:00"
        row |= {"started_at": start, "ended_at": end, "note_id": "N", "recorded_at": end, "updated_at": end, "voided": "false"}
        return self.add("time_entries", **{**row, **values})

    def enrolled(self) -> "Chart":
        return self.consent("2026-08-05").visit()


def judged(home: Path, charts: list[Chart], nights: tuple[str, ...] = ("2026-10-25",)) -> Opinion:
    (home / "practices.yaml").write_text(json.dumps({"practices": [PRACTICE]}), encoding="utf-8")
    for night in nights:
        folder = home / "landing" / "hand" / night
        folder.mkdir(parents=True)
        for table, columns in COLUMNS.items():
            rows = TEAM if table == "care_team" else [row for chart in charts for row in chart.tables[table]]
            with (folder / f"{table}.csv").open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, list(columns))
                writer.writeheader()
                writer.writerows({name: row.get(name) for name in columns} for row in rows)
    return evaluate(home, seeds_up_to(2026, SEEDS, home / "seeds"))


def status(opinion: Opinion, month: date = OCTOBER) -> Row:
    return next(row for row in opinion.enrollment_status if row["month"] == month)


def kinds(opinion: Opinion, must: bool = True, month: date = OCTOBER) -> set[str]:
    return {row["kind"] for row in opinion.worklist if row["month"] == month and (row["must"] or not must)}


def test_an_item_of_a_member_who_is_there_is_theirs_and_one_of_a_member_who_is_gone_the_offices(tmp_path: Path) -> None:
    there = judged(tmp_path, [Chart().enrolled()]).members_there
    assert [one["member_id"] for one in there] == ["DR1", "RN1"]
    item = dict.fromkeys(("month", "patient_id", "minutes", "dollars_at_stake", "due_on"), 1)
    item |= {"practice_id": "hand", "item_id": "missing_note:E1", "kind": "missing_note", "month": OCTOBER, "member_id": "RN1"}
    for now_there, owner, is_right in ((there, "RN1", True), (there, None, False), ([], None, True), ([], "RN1", False)):
        assert (worklist_differences([], [{**item, "member_id": owner}], [item], {"hand": OCTOBER}, now_there) == []) is is_right


def causes(opinion: Opinion, month: date = OCTOBER) -> dict[str, Between]:
    return {row["cause"]: row["patients"] for row in opinion.revenue_gap if row["month"] == month and row["patients"].high}


ELSEWHERE = {"code": "99490", "day": "2026-10-09", "billed_by": "other_practice", "member_id": None}
STATES = [
    ("not_enrolled", Chart()),
    ("not_enrolled", Chart().call("2026-10-02", "declined").call("2026-10-09", "no_answer")),
    ("not_enrolled", Chart().consent("2026-09-01", documented="false")),
    ("declined", Chart().call("2026-10-02", "callback").call("2026-10-09", "declined")),
    ("unenrolled", Chart().consent("2026-08-01", revoked_on="2026-09-30").call("2026-10-09", "declined")),
    ("enrolled", Chart().consent("2026-08-01", revoked_on="2026-10-01")),
    ("enrolled_elsewhere", Chart().consent("2026-08-01").visit(**ELSEWHERE)),
    ("ineligible", Chart().consent("2026-08-01").add("coverages", coverage_type="medicare_advantage", effective_date="2026-10-01")),
]


@pytest.mark.parametrize(("state", "chart"), STATES)
def test_the_first_state_that_applies_is_the_patients(tmp_path: Path, state: str, chart: Chart) -> None:
    assert status(judged(tmp_path, [chart]))["state"] == state


STAGES = [
    ("eligible", {"eligible_not_contacted"}, {date(2026, 10, 1)}, Chart()),
    ("contacted", {"stalled_outreach", None}, {date(2026, 10, 9)}, Chart().call("2026-10-09", "callback").visit()),
    ("contacted", {"missing_initiating_visit"}, {date(2026, 8, 1)}, Chart().consent("2026-08-01")),
    ("contacted", {"undocumented_consent"}, {date(2026, 8, 5)}, Chart().visit().consent("2026-08-05", documented="false")),
    ("consented", {"missing_care_plan"}, {date(2026, 8, 3), date(2026, 8, 5)}, Chart().enrolled()),
    ("care_plan", {"no_time_yet"}, {date(2026, 8, 20)}, Chart().enrolled().plan("2026-08-20")),
    ("active", None, {date(2026, 10, 7)}, Chart().enrolled().plan("2026-08-20").time("2026-10-07", 16)),
]


@pytest.mark.parametrize(("stage", "stalled", "since", "chart"), STAGES)
def test_the_furthest_stage_has_its_evidence_and_what_bars_the_next(
    tmp_path: Path, stage: str, stalled: set[str | None] | None, since: set[date], chart: Chart
) -> None:
    row = status(judged(tmp_path, [chart]))
    assert row["stage"] == stage
    assert row["stage_since"] == OneOf(since)
    assert stalled is None or row["stalled_reason"] == OneOf(stalled)


def test_without_evidence_a_stage_is_held_since_the_first_of_its_unbroken_months(tmp_path: Path) -> None:
    chart = Chart()
    chart.add("coverages", coverage_type="medicare_advantage", effective_date="2026-08-01", termination_date="2026-08-31")
    opinion = judged(tmp_path, [chart], ("2026-07-10", "2026-10-25"))
    found = {
        month: (status(opinion, month)["stage"], status(opinion, month)["stage_since"])
        for month in (date(2026, m, 1) for m in (7, 8, 9, 10))
    }
    assert found == {
        date(2026, 7, 1): ("eligible", OneOf({date(2026, 7, 1)})),
        date(2026, 8, 1): ("panel", OneOf({date(2026, 8, 1)})),
        date(2026, 9, 1): ("eligible", OneOf({date(2026, 9, 1)})),
        date(2026, 10, 1): ("eligible", OneOf({date(2026, 9, 1)})),
    }


def test_whoever_left_the_panel_has_no_stage(tmp_path: Path) -> None:
    opinion = judged(tmp_path, [Chart()], ("2026-09-10",))
    folder = tmp_path / "landing" / "hand" / "2026-10-20"
    folder.mkdir()
    (folder / "patients.csv").write_text(
        "patient_id,first_name,last_name,birth_date,sex,billing_practitioner_id\nP2,Bo,Lee,1940-01-01,M,DR1\n", encoding="utf-8"
    )
    opinion = evaluate(tmp_path, SEEDS)
    row = next(row for row in opinion.enrollment_status if row["patient_id"] == "P1" and row["month"] == OCTOBER)
    assert (row["stage"], row["stage_since"], row["stalled_reason"], row["state"]) == (None, None, None, "ineligible")


RENEWED = Chart().consent("2026-08-05", billing_practitioner_id="MD2").consent("2026-10-20", billing_practitioner_id="DR1").visit()
RENEWED.plan("2026-08-20")
ON_THE_LIST = [
    ("eligible_not_contacted", Chart()),
    ("stalled_outreach", Chart().call("2026-09-23", "left_message")),
    ("undocumented_consent", Chart().visit().consent("2026-08-05", documented="false")),
    ("missing_initiating_visit", Chart().consent("2026-08-05")),
    ("missing_care_plan", Chart().enrolled()),
    ("no_time_yet", Chart().enrolled().plan("2026-08-20")),
    ("near_threshold", Chart().enrolled().plan("2026-08-20").time("2026-10-07", 15)),
    ("care_plan_review_due", Chart().enrolled().plan("2025-10-01", last_reviewed_on="2025-10-20")),
    ("care_plan_copy_missing", Chart().enrolled().plan("2026-08-20")),
    ("consent_renewal", Chart().consent("2026-08-05", billing_practitioner_id="MD2").visit().plan("2026-08-20")),
]


@pytest.mark.parametrize(("kind", "chart"), ON_THE_LIST)
def test_what_the_office_has_to_do_this_month_is_on_its_list(tmp_path: Path, kind: str, chart: Chart) -> None:
    assert kind in kinds(judged(tmp_path, [chart]))


NOT_ON_THE_LIST = [
    ("eligible_not_contacted", Chart().call("2026-10-20", "no_answer")),
    ("stalled_outreach", Chart().call("2026-09-26", "left_message")),
    ("stalled_outreach", Chart().call("2026-08-01", "declined")),
    ("undocumented_consent", Chart().enrolled()),
    ("missing_initiating_visit", Chart().enrolled()),
    ("missing_care_plan", Chart().enrolled().plan("2026-08-20")),
    ("no_time_yet", Chart().enrolled().plan("2026-08-20").time("2026-10-07", 1)),
    ("near_threshold", Chart().enrolled().plan("2026-08-20").time("2026-10-07", 14)),
    ("near_threshold", Chart().enrolled().plan("2026-08-20").time("2026-10-07", 20)),
    ("care_plan_review_due", Chart().enrolled().plan("2025-10-01", last_reviewed_on="2025-11-20")),
    ("care_plan_copy_missing", Chart().enrolled().plan("2026-08-20", copy_given_on="2026-08-20")),
    ("consent_renewal", Chart().enrolled().plan("2026-08-20")),
    ("consent_renewal", RENEWED),
]


@pytest.mark.parametrize(("kind", "chart"), NOT_ON_THE_LIST)
def test_what_is_done_is_not_on_the_list(tmp_path: Path, kind: str, chart: Chart) -> None:
    assert kind not in kinds(judged(tmp_path, [chart]), must=False)


def test_the_list_is_due_the_day_before_the_month_may_close(tmp_path: Path) -> None:
    opinion = judged(tmp_path, [Chart()])
    assert {row["due_on"] for row in opinion.worklist if row["month"] == OCTOBER} == {date(2026, 11, 2)}


CAUSES = [
    ("declined", Chart().call("2026-10-09", "declined")),
    ("not_contacted", Chart()),
    ("not_contacted", Chart().call("2026-10-09", "no_answer")),
    ("contacted_not_consented", Chart().call("2026-10-09", "agreed")),
    ("contacted_not_consented", Chart().consent("2026-08-05")),
    ("contacted_not_consented", Chart().visit().consent("2026-08-05", documented="false")),
    ("no_care_plan", Chart().enrolled().time("2026-10-07", 30)),
    ("conflict", Chart().enrolled().plan("2026-08-20").visit("2026-10-09", "G0181")),
    ("conflict", Chart().enrolled().plan("2026-08-20").visit(**ELSEWHERE)),
    ("conflict", Chart().enrolled().plan("2026-08-20").visit("2026-10-09", "99490")),
    ("no_time", Chart().enrolled().plan("2026-08-20")),
    ("no_time", Chart().enrolled().plan("2026-08-20").time("2026-10-07", 30, voided="true")),
    ("undocumented_time", Chart().enrolled().plan("2026-08-20").time("2026-10-07", 30, note_id=None)),
    ("undocumented_time", Chart().enrolled().plan("2026-08-20").time("2026-10-07", 181)),
    ("below_threshold", Chart().enrolled().plan("2026-08-20").time("2026-10-07", 19)),
    ("captured", Chart().enrolled().plan("2026-08-20").time("2026-10-07", 20)),
    ("other", Chart().enrolled().plan("2026-08-20").time("2026-10-07", 20).add(
        "coverages", coverage_type="commercial", priority="1", effective_date="2026-01-01"
    )),
]  # fmt: skip


@pytest.mark.parametrize(("cause", "chart"), CAUSES)
def test_the_first_cause_that_applies_takes_the_patient(tmp_path: Path, cause: str, chart: Chart) -> None:
    assert causes(judged(tmp_path, [chart])) == {cause: Between(1, 1)}


def test_a_cause_that_two_readings_name_differently_may_be_either(tmp_path: Path) -> None:
    """Another insurer pays first and a service conflicts: by the decision's reason it is `other`, by the fact a conflict."""
    chart = Chart().enrolled().plan("2026-08-20").time("2026-10-07", 20).visit("2026-10-09", "G0181")
    chart.add("coverages", coverage_type="commercial", priority="1", effective_date="2026-01-01")
    assert causes(judged(tmp_path, [chart])) == {"conflict": Between(0, 1), "other": Between(0, 1)}


def test_every_cause_has_a_row_at_the_base_codes_value_without_the_85_percent(tmp_path: Path) -> None:
    chart = Chart()
    opinion = judged(tmp_path, [chart])
    rows = [row for row in opinion.revenue_gap if row["month"] == OCTOBER]
    assert len(rows) == 10
    assert {row["eligible"] for row in rows} == {1}
    (value,) = {row["base_amount"] for row in rows}
    assert Decimal("66.13") < value < Decimal("80")  # New York City's indices are above the nation's


def projected(newest: date, start: int, step: Decimal, value: Decimal) -> list[Row]:
    rows = []
    for basis, by in (("history", step), ("pace", Decimal(10))):
        for ahead in range(1, 25):
            year, month = divmod(newest.year * 12 + newest.month - 1 + ahead, 12)
            enrolled = round(start + by * ahead)
            rows.append(
                {
                    "practice_id": "hand",
                    "month": date(year, month + 1, 1),
                    "basis": basis,
                    "enrolled": enrolled,
                    "monthly_revenue": enrolled * value,
                }
            )
    return rows


@pytest.mark.parametrize("night", ["2026-10-25", "2026-10-31"])  # a month is open to its last day
def test_the_projection_goes_on_from_the_newest_month_with_the_mean_of_three_complete_ones(tmp_path: Path, night: str) -> None:
    charts = [
        Chart(f"P{n}").consent(day) for n, day in enumerate(("2026-06-20", "2026-07-05", "2026-08-09", "2026-08-30", "2026-10-02"))
    ]
    opinion = judged(tmp_path, charts, ("2026-06-25", night))
    (facts,) = opinion.enrollment_projection
    assert list(facts["enrolled"].values()) == [1, 2, 4, 4, 5]
    value = facts["base_amounts"][OCTOBER]
    # complete: July to September, which brought 1 + 2 + 0
    assert projection_differences([facts], projected(OCTOBER, 5, Decimal(1), value)) == []
    assert len(projection_differences([facts], projected(OCTOBER, 5, Decimal(2), value))) == 24
    assert projection_differences([facts], projected(OCTOBER, 4, Decimal(1), value)) != []
    assert len(projection_differences([facts], projected(OCTOBER, 5, Decimal(1), value)[:-1])) == 1


def test_the_projection_has_each_months_own_amount_and_behind_the_last_release_the_last_one_known(tmp_path: Path) -> None:
    # the releases that these seeds know end with 2026 (`judged`); before 2024 there is none
    def amounts(night: str) -> list[Decimal]:
        opinion = judged(tmp_path / night, [Chart().consent(night)], (night,))
        return list(opinion.enrollment_projection[0]["base_amounts"].values())

    for night in ("2025-11-20", "2026-11-20", "2027-01-20", "2023-11-20"):
        (tmp_path / night).mkdir()
    later = amounts("2025-11-20")
    assert later[0] == later[1] != later[2]  # 2025's for two months, then 2026's
    assert set(amounts("2026-11-20")) == set(amounts("2027-01-20")) == {later[2]}
    before = amounts("2023-11-20")
    assert before[0] == before[1] == before[2] != later[0] and before[-1] == later[0]


def test_a_claimed_month_stays_live_and_counts_as_captured(tmp_path: Path) -> None:
    chart = Chart().enrolled().plan("2026-08-20").time("2026-10-07", 41)
    chart.tables["patients"][0]["deceased_date"] = "2026-09-30"
    judged(tmp_path, [chart], ("2026-11-10",))
    opinion = evaluate(tmp_path, SEEDS, [("hand", "P1", OCTOBER)])
    (row,) = [row for row in opinion.patient_month_decisions if row["month"] == OCTOBER]
    assert (row["decision"], row["reason"]) == ("claimed", "already_claimed")
    assert [r["decision"] for r in opinion.claimable_codes if r["month"] == OCTOBER] == []  # nothing counts after the death
    assert causes(opinion) == {}  # and the patient is not eligible
    alive = Chart().enrolled().plan("2026-08-20").time("2026-10-07", 41)
    (tmp_path / "alive").mkdir()
    judged(tmp_path / "alive", [alive], ("2026-11-10",))
    opinion = evaluate(tmp_path / "alive", SEEDS, [("hand", "P1", OCTOBER)])
    assert {(r["procedure_code"], r["units"], r["decision"]) for r in opinion.claimable_codes if r["month"] == OCTOBER} == {
        ("99490", 1, "claimed"),
        ("99439", 1, "claimed"),
    }
    assert causes(opinion) == {"captured": Between(1, 1)}
    assert status(opinion)["stage"] == "claimed"
