"""A consent that names another billing practitioner than the panel is to be renewed, once."""

from __future__ import annotations

from datetime import date

import pytest

from tests.holds.bench import build, rows
from tests.holds.clinic import Clinic, configure

pytestmark = pytest.mark.xdist_group("holds")

NIGHT = date(2026, 10, 28)


def test_who_has_a_new_documented_consent_for_the_practitioner_of_now_is_not_asked_for_another(tmp_path):
    home, clinic = tmp_path / "home", Clinic("alpha", 1, patients=5)
    configure(home, [clinic])
    renewals = {
        "1-P02": {},
        "1-P03": {"documented": "false"},
        "1-P04": {"consented_on": "2026-09-01", "revoked_on": "2026-09-30"},
        "1-P05": {"consented_on": "2026-10-30"},
    }

    def consents(table):
        of_another = [{**row, "billing_practitioner_id": "another"} for row in table]
        return of_another + [
            {**row, "consent_id": f"{row['consent_id']}2", "billing_practitioner_id": clinic.md, "consented_on": "2026-10-20", **renewals[row["patient_id"]]}
            for row in table
            if row["patient_id"] in renewals
        ]  # fmt: skip

    clinic.land_night(home, NIGHT, {"consents": consents}, as_panel=True)
    with build(home, ("worklist",)) as con:
        asked = rows(con, "select patient_id, detail from marts.worklist where kind = 'consent_renewal' order by patient_id")
    assert [row["patient_id"] for row in asked] == ["1-P01", "1-P03", "1-P04", "1-P05"]
    assert all("The consent of 2026-08-10 names another billing practitioner" in row["detail"] for row in asked)
