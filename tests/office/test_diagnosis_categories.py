"""A diagnosis that no payer takes is told of while its month is open: the claim would be turned back for it."""

from __future__ import annotations

from datetime import date

import pytest

from tests.holds.bench import build, rows
from tests.holds.clinic import Clinic, configure, nights

pytestmark = pytest.mark.xdist_group("holds")

ITEMS = "select * from marts.worklist where kind = 'diagnosis_category' order by item_id"
CLAIMABLE = "select patient_id, allowed_amount from marts.patient_month_decisions where month = '2026-10-01' and allowed_amount > 0"


def problem_list(codes: dict[str, list[str]]):
    """The panel's conditions with these codes of some patients in the place of theirs."""

    def spoil(table):
        kept = [row for row in table if row["patient_id"] not in codes]
        for patient, own in codes.items():
            for code in own:
                condition = {
                    "condition_id": f"{patient}-{code}",
                    "patient_id": patient,
                    "icd10_code": code,
                    "clinical_status": "active",
                }
                kept.append({**condition, "recorded_date": "2024-01-05"})
        return kept

    return {"conditions": spoil}


def test_a_category_on_a_claims_problem_list_is_told_with_its_code_and_its_worth_until_the_full_code_is_there(tmp_path):
    home, clinic = tmp_path / "home", Clinic("alpha", 1, patients=5)
    configure(home, [clinic])
    codes = {
        "1-P01": ["E11", "I10"],
        "1-P02": ["N18.3", "i50", "E11.9"],
        "1-P03": ["E11.9", "I10", "M54"],  # a category, but no condition that counts: it is on no claim
        "1-P04": ["E11.9", "I10", "N18.30"],
    }
    for night in nights(date(2026, 9, 22), date(2026, 10, 28)):
        clinic.land_night(home, night, problem_list(codes))
    with build(home, ("worklist", "patient_month_decisions")) as con:
        found = {row["item_id"]: row for row in rows(con, ITEMS)}
        worth = {row["patient_id"]: row["allowed_amount"] for row in rows(con, CLAIMABLE)}
    of_october = {key.split(":")[1]: row for key, row in found.items() if row["month"] == date(2026, 10, 1)}
    assert found.keys() >= {"diagnosis_category:1-P01:2026-10", "diagnosis_category:1-P02:2026-10"}
    assert of_october.keys() == {"1-P01", "1-P02"}
    assert (
        "would carry E11, which" in of_october["1-P01"]["detail"]
        and "would carry I50, N183, which" in of_october["1-P02"]["detail"]
    )
    assert all(row["member_id"] == clinic.md and row["due_on"] == date(2026, 11, 2) for row in of_october.values())
    assert all(row["dollars_at_stake"] == worth[patient] > 0 for patient, row in of_october.items())

    clinic.land_night(home, date(2026, 10, 29), problem_list(codes | {"1-P01": ["E11.9", "I10"]}), as_panel=True)
    with build(home, ("worklist",)) as con:
        assert {row["patient_id"] for row in rows(con, ITEMS)} == {"1-P02"}
