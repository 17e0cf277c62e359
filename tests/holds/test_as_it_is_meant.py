"""What the rules ask of a service and of an entry is asked of what the export means, however it writes it."""

from __future__ import annotations

from datetime import date

import pytest

from .bench import build, rows
from .clinic import NEWEST_NIGHT, Clinic, configure, nights, write

pytestmark = pytest.mark.xdist_group("holds")


def service(clinic, number, code, day="2026-10-15", **said):
    return {
        "service_id": f"X{number}-{code.strip()}", "patient_id": clinic.id(number), "member_id": clinic.md, "procedure_code": code,
        "service_date": day, "units": "1", "billed_by": "own_practice", "updated_at": f"{day}T20:00:00Z", **said,
    }  # fmt: skip


@pytest.fixture(scope="module")
def decided(tmp_path_factory):
    """October's decision of each patient: of services and entries in odd writing, and of services that were taken back."""
    home, clinic = tmp_path_factory.mktemp("meant"), Clinic("alpha", 1)
    configure(home, [clinic])
    clinic.land(home)
    # The same service as the clinic's own, as a new patient's visit at which CCM was not spoken of.
    new_patient = [
        {**row, "procedure_code": "99204", "ccm_discussed": "false", "updated_at": "2026-08-11T20:00:00Z"}
        for row in clinic.visits()
        if row["patient_id"] in (clinic.id(4), clinic.id(5), clinic.id(6))
    ]
    write(home, "alpha", date(2026, 10, 16), "services", [
        service(clinic, 1, "g0181\t"), service(clinic, 2, "\u200b 99490 ", billed_by="other_practice"), service(clinic, 3, "99214\u00a0\r"),
        *new_patient, service(clinic, 4, "WITHDRAWN", "2026-03-01"), service(clinic, 5, "withdrawn \t", "2026-03-01"),
        service(clinic, 6, "36415", "2026-03-01"),
        service(clinic, 8, "g0182 gv"), service(clinic, 9, "99490-25:59", billed_by="other_practice"), service(clinic, 10, "99490 recall"),
    ])  # fmt: skip
    for night in nights(date(2026, 10, 1), date(2026, 10, 31)):
        if log := clinic.log(night):
            blank = [{**entry, "note_id": " \t\u200b"} if entry["patient_id"] == clinic.id(7) else entry for entry in log]
            write(home, "alpha", night, "time_entries", blank)
    with build(home, ("patient_month_decisions", "int_files__logged")) as con:
        found = rows(con, "select patient_id, reason from marts.patient_month_decisions where month = date '2026-10-01'")
        logged = rows(con, "select sum(entries_without_note) as blank from intermediate.int_files__logged")
    return {**{row["patient_id"]: row["reason"] for row in found}, "blank": logged[0]["blank"]}


def test_a_code_in_small_letters_or_with_blanks_around_it_bars_what_it_bars(decided):
    assert decided["1-P01"] == "conflict_g0181"
    assert decided["1-P02"] == "other_practitioner_billed"
    assert decided["1-P03"] == "ok"


def test_a_code_with_its_modifiers_is_the_code(decided):
    assert decided["1-P08"] == "conflict_g0182"
    assert decided["1-P09"] == "other_practitioner_billed"
    assert decided["1-P10"] == "ok", "of another word nobody knows what it means"


@pytest.mark.long
@pytest.mark.parametrize(
    ("taxonomy", "reason"),
    [(" ", "no_initiating_visit"), ("207Q00000X", "ok")],
    ids=["blank", "there"],
)
def test_two_of_whom_nobody_says_the_specialty_are_no_colleagues(tmp_path, taxonomy, reason):
    clinic = Clinic("alpha", 1, patients=1)
    configure(tmp_path, [clinic])
    clinic.land(tmp_path)
    team = [*clinic.panel()["care_team"], {"member_id": "1-NP", "name": "Eve Roe", "credential": "NP"}]
    write(tmp_path, "alpha", NEWEST_NIGHT, "care_team", [{**row, "taxonomy_code": taxonomy} for row in team])
    visit = {**clinic.visits()[0], "member_id": "1-NP", "updated_at": "2026-08-11T20:00:00Z"}
    write(tmp_path, "alpha", date(2026, 10, 16), "services", [visit])
    with build(tmp_path, ("patient_month_decisions",)) as con:
        found = rows(con, "select reason from marts.patient_month_decisions where month = date '2026-10-01'")
    assert found == [{"reason": reason}]


def test_a_service_that_was_taken_back_makes_nobody_an_established_patient(decided):
    assert decided["1-P04"] == decided["1-P05"] == "no_initiating_visit"
    assert decided["1-P06"] == "ok"


def test_a_note_id_of_blanks_documents_nothing(decided):
    assert decided["1-P07"] == "undocumented_time"
    assert decided["blank"] == len([night for night in nights(date(2026, 10, 1), date(2026, 10, 31)) if night.weekday() in (1, 3)])


@pytest.mark.parametrize(
    ("code", "reason"), [("WITHDRAWN", "no_initiating_visit"), pytest.param("36415", "ok", marks=pytest.mark.long)]
)
def test_a_service_that_was_taken_back_is_none_that_apcm_can_look_back_on(tmp_path, code, reason):
    clinic = Clinic("alpha", 1, patients=1)
    configure(tmp_path, [clinic])
    clinic.land(tmp_path)
    visit = {
        **clinic.visits()[0],
        "procedure_code": code,
        "ccm_discussed": "false",
        "updated_at": "2026-08-11T20:00:00Z",
        "service_date": "2026-03-01",
    }
    write(tmp_path, "alpha", date(2026, 10, 16), "services", [visit])
    consents = [{**row, "program": "apcm"} for row in clinic.panel()["consents"]]
    write(tmp_path, "alpha", NEWEST_NIGHT, "consents", consents)
    with build(tmp_path, ("patient_month_decisions",)) as con:
        (found,) = rows(con, "select reason from marts.patient_month_decisions where month = date '2026-10-01'")
    assert found["reason"] == reason


def test_apcm_is_dated_on_no_day_before_the_start_of_service(tmp_path):
    clinic = Clinic("alpha", 1, patients=3)
    configure(tmp_path, [clinic])
    clinic.land(tmp_path)
    consented = ("2026-10-25", "2026-10-10", "2026-10-25")
    consents = [
        {**row, "program": "apcm", "consented_on": day} for row, day in zip(clinic.panel()["consents"], consented, strict=True)
    ]
    write(tmp_path, "alpha", NEWEST_NIGHT, "consents", consents)
    advantage = [
        {**row, "coverage_type": "medicare_advantage", "effective_date": "2026-10-21"} for row in clinic.panel()["coverages"][:2]
    ]
    write(tmp_path, "alpha", NEWEST_NIGHT, "coverages", [*clinic.panel()["coverages"], *advantage])
    with build(tmp_path, ("int_decisions",)) as con:
        found = rows(
            con,
            "select reason, cast(service_date as text) as day from intermediate.int_decisions where month = date '2026-10-01' order by patient_id",
        )
    assert [(row["reason"], row["day"]) for row in found] == [("below_threshold", None), ("ok", "2026-10-20"), ("ok", "2026-10-31")]
