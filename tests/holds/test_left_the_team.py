"""A billing practitioner who left the care team before a month bills none of it, and the packet knows when it was."""

from __future__ import annotations

import json
from datetime import date

import duckdb
import pytest

from orchestration.close import acceptances
from orchestration.close.manners import EVERY_MANNER, Manner
from orchestration.close.rebuild import rebuild
from orchestration.house import House
from orchestration.transform.compiled import models, prepare

from ..second_opinion.landing import Landing
from .bench import build, rows
from .clinic import FIRST_NIGHT, NEWEST_NIGHT, Clinic, configure, nights, npi, path_of, write
from .test_drift import OCTOBER
from .test_quarantined_facts import MODELS, close, put_packet, table

pytestmark = pytest.mark.xdist_group("holds")


LEFT = {"member_id": "1-LEFT", "name": "Ann Poe, MD", "credential": "MD", "npi": npi(3001), "taxonomy_code": "207Q00000X"}


def land_team(home, teams):
    """Two patients, the second of whom 1-LEFT bills for; of each night the last of `teams` up to it, and that night itself has a team's file."""
    clinic = Clinic("alpha", 1, patients=2)
    configure(home, [clinic])
    clinic.land(home)
    patients = [
        {**row, "billing_practitioner_id": "1-LEFT"} if row["patient_id"] == "1-P02" else row for row in clinic.panel()["patients"]
    ]
    write(home, "alpha", NEWEST_NIGHT, "patients", patients)
    for night in nights(FIRST_NIGHT, NEWEST_NIGHT):
        if f"{night}" in teams or path_of(home, "alpha", night, "care_team").exists():
            write(home, "alpha", night, "care_team", teams[max(one for one in teams if one <= f"{night}")])


@pytest.mark.long
@pytest.mark.parametrize(
    ("gone_on", "reasons"),
    [("2026-10-06", ["ok", "ok"]), ("2026-09-29", ["ok", "practitioner_not_eligible"])],
    ids=["in October", "before October"],
)
def test_who_left_the_care_team_before_a_month_bills_none_of_it_now_and_from_the_packet(tmp_path, gone_on, reasons):
    home, team = tmp_path / "home", Clinic("alpha", 1).panel()["care_team"]
    land_team(home, {f"{FIRST_NIGHT}": [*team, LEFT], gone_on: team})
    with build(home, (*MODELS, "worklist")) as con:
        packet = put_packet(close(home, con), tmp_path / "packet")
        found = rows(con, "select month, reason from marts.patient_month_decisions where patient_id = '1-P02' order by month")
        (said,) = rows(
            con,
            "select practitioner_seen_on, practitioner_gone_on from marts.patient_month_evidence "
            f"where patient_id = '1-P02' and month = '{OCTOBER}'",
        )
        asked = rows(
            con, "select month, detail, dollars_at_stake, member_id from marts.worklist where kind = 'practitioner_cannot_bill'"
        )
        # As packets were before their evidence said so.
        older = put_packet(close(home, con, manners=EVERY_MANNER - {Manner.DEPARTURES}), tmp_path / "older")
    assert [row["reason"] for row in found if row["month"] < date(2026, 11, 1)] == reasons
    # Of October, whose minutes are there; November's are not yet.
    assert [row["month"] for row in asked] == [OCTOBER for reason in reasons[1:] if reason != "ok"]
    assert all(
        "1-LEFT, not in the care team" in row["detail"] and row["dollars_at_stake"] > 0 and not row["member_id"] for row in asked
    )
    assert list(said.values()) == ([None, None] if reasons[1] == "ok" else [FIRST_NIGHT, date(2026, 9, 29)])
    claimed = {row["patient_id"] for row in table((packet / "claims.csv").read_bytes())}
    assert claimed == ({"1-P01", "1-P02"} if reasons[1] == "ok" else {"1-P01"})
    assert rebuild(packet).is_same
    assert "departures" not in json.loads((older / "manifest.json").read_text())
    assert rebuild(older).is_same


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        pytest.param({**LEFT, "active_from": "03/14/2016"}, "ok", marks=pytest.mark.long),
        pytest.param({**LEFT, "member_id": "", "name": ""}, "ok", marks=pytest.mark.long),
        pytest.param(
            {"member_id": "1-NEW", "name": "Eve Roe", "credential": "DDS"}, "practitioner_not_eligible", marks=pytest.mark.long
        ),
    ],
    ids=["their own", "nobody knows whose", "another's"],
)
def test_a_team_with_a_row_in_quarantine_that_may_be_theirs_proves_of_nobody_that_they_left_and_the_next_whole_one_does(
    tmp_path, bad, reason
):
    home, team = tmp_path / "home", Clinic("alpha", 1).panel()["care_team"]
    land_team(home, {f"{FIRST_NIGHT}": [*team, LEFT], "2026-09-29": [*team, bad], "2026-10-06": team})
    with build(home, MODELS) as con:
        packet = put_packet(close(home, con), tmp_path / "packet")
        found = rows(con, "select month, reason from marts.patient_month_decisions where patient_id = '1-P02' order by month")
        (gone,) = rows(con, "select gone_on from intermediate.int_members__current where member_id = '1-LEFT'")
    assert [row["reason"] for row in found if row["month"] == OCTOBER] == [reason]
    assert found[-1]["reason"] == "practitioner_not_eligible", "gone before November, whoever they were"
    assert gone["gone_on"] == (date(2026, 10, 6) if reason == "ok" else date(2026, 9, 29))
    assert rebuild(packet).is_same
    opinion = Landing(home / "landing" / "alpha", "America/Chicago")
    assert opinion.is_on_the_team("1-LEFT", OCTOBER) == (reason == "ok")


def test_who_left_the_care_team_owns_no_work():
    model = models()["int_members__present"]
    with duckdb.connect() as con:
        prepare(con)
        con.execute("create table staging.stg_practices as select 'p' as practice_id, date '2026-11-04' as newest_night")
        con.execute(
            "create table intermediate.int_members__current as select 'p' as practice_id, * from (values "
            "('here', null, null), ('left', null, date '2026-10-20'), ('retired', date '2026-10-31', null)) as t (member_id, active_to, gone_on)"
        )
        con.execute("alter table intermediate.int_members__current add column active_from date")
        assert con.execute(f"select member_id from ({model.sql})").fetchall() == [("here",)]


@pytest.mark.parametrize(("left", "owner"), [(["1-LEFT"], "1-RN"), pytest.param(["1-LEFT", "1-RN"], None, marks=pytest.mark.long)])
def test_the_work_of_a_billing_practitioner_who_left_is_whose_work_with_the_patient_it_usually_is_or_nobodys(tmp_path, left, owner):
    home, team = tmp_path / "home", [*Clinic("alpha", 1).panel()["care_team"], LEFT]
    land_team(home, {f"{FIRST_NIGHT}": team, f"{NEWEST_NIGHT}": [one for one in team if one["member_id"] not in left]})
    plans = [
        {"care_plan_id": f"{patient}-L", "patient_id": patient, "established_on": "2024-08-10"} for patient in ("1-P01", "1-P02")
    ]
    write(home, "alpha", NEWEST_NIGHT, "care_plans", plans)
    clinic = Clinic("alpha", 1, patients=2)
    entries = clinic.log(NEWEST_NIGHT) or clinic.log(date(2026, 11, 3))
    for entry, member in zip(entries, ("1-MD", "1-LEFT"), strict=True):
        entry.update(entry_id=f"OPEN-{member}", member_id=member, note_id="")
    write(home, "alpha", NEWEST_NIGHT, "time_entries", entries)
    with build(home, ("worklist",)) as con:
        items = rows(con, "select patient_id, kind, member_id from marts.worklist where month = '2026-11-01'")
    asked = {(row["patient_id"], row["kind"]): row["member_id"] for row in items}
    assert asked["1-P01", "care_plan_review_due"] == "1-MD"
    assert asked["1-P02", "care_plan_review_due"] == owner  # the practitioner's
    assert asked["1-P02", "care_plan_copy_missing"] == owner  # the care team's
    assert ("1-P02", "practitioner_cannot_bill") not in asked  # nothing is earned yet
    # A note only who did the work can write; of who left the office asks.
    assert (asked["1-P01", "missing_note"], asked["1-P02", "missing_note"]) == ("1-MD", None)


@pytest.mark.long
def test_whose_row_stays_in_quarantine_has_not_left_though_it_was_accepted(tmp_path):
    home, team = tmp_path / "home", Clinic("alpha", 1).panel()["care_team"]
    bad = {**LEFT, "active_from": "03/14/2016"}
    land_team(home, {f"{FIRST_NIGHT}": [*team, LEFT], "2026-09-29": [*team, bad]})
    with build(home, (*MODELS, "close_holds")) as con:
        (hold,) = rows(con, "from marts.close_holds where table_name = 'care_team'")
    acceptances.record(House(home), "alpha", [{"hold_id": hold["hold_id"], "by": "R. Roe", "why": "a date in another form"}])
    with build(home, MODELS) as con:
        packet = put_packet(close(home, con), tmp_path / "packet")
        found = rows(con, "select reason from marts.patient_month_decisions where patient_id = '1-P02' and month = '2026-11-01'")
    assert {row["patient_id"] for row in table((packet / "claims.csv").read_bytes())} == {"1-P01", "1-P02"}
    assert found != [{"reason": "practitioner_not_eligible"}]
    assert rebuild(packet).is_same
    assert Landing(home / "landing" / "alpha", "America/Chicago").is_on_the_team("1-LEFT", date(2026, 11, 1))
