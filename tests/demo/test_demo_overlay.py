"""The overlay on given charts, as an importer calls it."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from datetime import date

import pytest

from orchestration.demo.history import History
from orchestration.demo.overlay import Habits, Overlay, Shares, overlay_months_of_care
from orchestration.demo.tables import COLUMNS, Row

TEAM: list[Row] = [
    {"member_id": "m1", "name": "Ada Abbott", "credential": "MD", "npi": "1234567893", "taxonomy_code": "207Q00000X"},
    {"member_id": "m2", "name": "Bo Brandt", "credential": "RN", "active_from": "2019-01-01"},
    {"member_id": "m3", "name": "Cy Castillo", "credential": "ADMIN"},
]


def _given(size: int = 40) -> dict[str, Sequence[Row]]:
    ids = [f"p{number:03d}" for number in range(size)]
    return {
        "care_team": TEAM,
        "patients": [
            {
                "patient_id": one, "first_name": "A", "last_name": "B", "birth_date": "1948-02-03", "sex": "F",
                "billing_practitioner_id": "m1",
            }
            for one in ids
        ],
        "conditions": [
            {
                "condition_id": f"{one}-{code}", "patient_id": one, "icd10_code": code, "clinical_status": "active",
                "recorded_date": "2020-01-01",
            }
            for one in ids
            for code in ("I10", "E11.9")
        ],
        "services": [
            {
                "service_id": f"{one}-v", "patient_id": one, "member_id": "m1", "procedure_code": "99214",
                "service_date": "2026-02-03", "units": 1, "billed_by": "own_practice",
            }
            for one in ids
        ],
        "coverages": [
            {"patient_id": "p000", "coverage_type": "commercial", "priority": 1, "effective_date": "2020-01-01"},
            {"patient_id": "p001", "coverage_type": "medicare_part_b", "effective_date": "2013-02-01"},
        ],
        "care_plans": [{"care_plan_id": "x", "patient_id": "p002", "established_on": "2024-01-01"}],
        "stays": [
            {"stay_id": "s", "patient_id": "p003", "stay_type": "inpatient", "admitted_on": "2026-08-03",
             "discharged_on": "2026-08-09"}
        ],
        "appointments": [],
    }  # fmt: skip


def _overlay(given: dict[str, Sequence[Row]], **more: object) -> Overlay:
    arguments: dict[str, object] = {
        "practice_id": "town", "time_zone": "America/New_York", "first_day": date(2026, 7, 1),
        "last_day": date(2026, 9, 30), "seed": 5,
    }  # fmt: skip
    return overlay_months_of_care(given, **(arguments | more))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def overlay() -> Overlay:
    return _overlay(_given())


def test_the_given_rows_are_not_changed() -> None:
    given = _given()
    before = deepcopy(given)
    _overlay(given)
    assert given == before


def test_the_same_arguments_give_the_same_history(overlay: Overlay) -> None:
    again = _overlay(_given())
    assert again.history.versions == overlay.history.versions
    assert again.cases == overlay.cases


def test_all_made_rows_have_the_columns_of_the_contract(overlay: Overlay) -> None:
    for table, keyed in overlay.history.versions.items():
        assert all(set(row) <= set(COLUMNS[table]) for kept in keyed.values() for _, row in kept if row)


def test_what_no_public_source_has_is_made(overlay: Overlay) -> None:
    tables = overlay.history.as_of(date(2026, 10, 1))
    for table in ("consents", "outreach", "care_plans", "assessments", "appointments", "time_entries", "coverages"):
        assert tables[table], table
    assert {row["visit_type"] for row in tables["appointments"]} == {"ccm_call"}
    assert len(tables["consents"]) > 20
    assert any(row["ccm_discussed"] for row in tables["services"] if row.get("ccm_discussed"))


def test_given_coverage_is_believed(overlay: Overlay) -> None:
    coverages = overlay.history.as_of(date(2026, 10, 1))["coverages"]
    assert {row["coverage_type"] for row in coverages if row["patient_id"] == "p000"} == {"commercial"}
    (part_b,) = [r for r in coverages if r["patient_id"] == "p001" and r["coverage_type"] == "medicare_part_b"]
    assert len(part_b["member_id"]) == 11
    assert not any(r["patient_id"] == "p001" and r["coverage_type"] == "medicare_part_a" for r in coverages)


def test_facts_are_known_from_their_day_on(overlay: Overlay) -> None:
    stay = overlay.history.versions["stays"]["s",]
    assert [(on, row and row["discharged_on"]) for on, row in stay] == [
        (date(2026, 8, 3), None),
        (date(2026, 8, 9), "2026-08-09"),
    ]


def test_a_clean_house_can_be_asked_for() -> None:
    habits = Habits(**dict.fromkeys(Habits.__dataclass_fields__, 0.0) | {"enrolled": 1.0})
    shares = Shares(**dict.fromkeys(Shares.__dataclass_fields__, 0.0))
    overlay = _overlay(_given(), habits=habits, shares=shares)
    assert {case.kind for case in overlay.cases} <= {"month_split", "employer_plan_first"}  # the latter is given
    tables = overlay.history.as_of(date(2026, 10, 1))
    assert len(tables["consents"]) == 39  # all but the one with a commercial plan alone
    assert all(row["note_text"] and row["ended_at"] for row in tables["time_entries"])


def test_patients_who_arrive_are_unknown_before() -> None:
    overlay = _overlay(_given(), arrivals={"p010": date(2026, 8, 10)})
    for day, known in ((date(2026, 8, 9), False), (date(2026, 8, 10), True)):
        tables = overlay.history.as_of(day)
        for table in ("patients", "conditions", "coverages"):
            assert any(row["patient_id"] == "p010" for row in tables[table]) == known


def test_a_row_with_an_unknown_column_is_refused() -> None:
    with pytest.raises(ValueError, match="stays has no column colour"):
        History().learn("stays", {"stay_id": "1", "colour": "red"}, date(2026, 7, 1))
