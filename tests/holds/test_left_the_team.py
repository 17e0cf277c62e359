"""A billing practitioner who left the care team before a month bills none of it, and the packet knows when it was."""

from __future__ import annotations

from datetime import date

import pytest

from orchestration.close.rebuild import rebuild

from .bench import build, rows
from .clinic import FIRST_NIGHT, NEWEST_NIGHT, Clinic, configure, nights, npi, path_of, write
from .test_quarantined_facts import MODELS, close, put_packet, table

pytestmark = pytest.mark.xdist_group("holds")


@pytest.mark.parametrize(
    ("gone_on", "reasons"),
    [("2026-10-06", ["ok", "ok"]), ("2026-09-29", ["ok", "practitioner_not_eligible"])],
    ids=["in October", "before October"],
)
def test_who_left_the_care_team_before_a_month_bills_none_of_it_now_and_from_the_packet(tmp_path, gone_on, reasons):
    home, clinic = tmp_path / "home", Clinic("alpha", 1, patients=2)
    configure(home, [clinic])
    clinic.land(home)
    left = {"member_id": "1-LEFT", "name": "Ann Poe, MD", "credential": "MD", "npi": npi(3001), "taxonomy_code": "207Q00000X"}
    patients = [
        {**row, "billing_practitioner_id": "1-LEFT"} if row["patient_id"] == "1-P02" else row for row in clinic.panel()["patients"]
    ]
    write(home, "alpha", NEWEST_NIGHT, "patients", patients)
    team = clinic.panel()["care_team"]
    for night in nights(FIRST_NIGHT, NEWEST_NIGHT):
        if f"{night}" == gone_on or path_of(home, "alpha", night, "care_team").exists():
            write(home, "alpha", night, "care_team", team if f"{night}" >= gone_on else [*team, left])
    with build(home, MODELS) as con:
        packet = put_packet(close(home, con), tmp_path / "packet")
        found = rows(con, "select month, reason from marts.patient_month_decisions where patient_id = '1-P02' order by month")
    assert [row["reason"] for row in found if row["month"] < date(2026, 11, 1)] == reasons
    claimed = {row["patient_id"] for row in table((packet / "claims.csv").read_bytes())}
    assert claimed == ({"1-P01", "1-P02"} if reasons[1] == "ok" else {"1-P01"})
    assert rebuild(packet).is_same
