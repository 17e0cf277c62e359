"""What is out of the ordinary in a night's file is found, told with its numbers, and holds what it may harm."""

from __future__ import annotations

import csv
import random
from datetime import date, timedelta

import pytest

from orchestration.close import acceptances
from orchestration.gate.gate import _by_holds, _holds
from orchestration.house import DBT_PROJECT, PROJECT_ROOT, House
from orchestration.practices import load_practices

from .bench import build, rows
from .clinic import FIRST_NIGHT, NEWEST_NIGHT, Clinic, configure, nights, path_of, put, write

pytestmark = pytest.mark.xdist_group("holds")

OCTOBER, SEPTEMBER = date(2026, 10, 1), date(2026, 9, 1)


def half_a_panel(clinic, home):
    write(home, clinic.practice_id, NEWEST_NIGHT, "patients", clinic.panel()["patients"][:5])


def a_quiet_tracker(clinic, home):
    for night in nights(date(2026, 10, 20), date(2026, 10, 28)):
        write(home, clinic.practice_id, night, "time_entries", [])


def minutes_for_seconds(clinic, home):
    for night in nights(date(2026, 10, 22), NEWEST_NIGHT):
        rows = clinic.log(night)
        changed = [{**row, "started_at": "", "ended_at": "", "duration_seconds": "10"} for row in rows]
        write(home, clinic.practice_id, night, "time_entries", changed)


def other_ids(clinic, home):
    for night in nights(date(2026, 10, 22), NEWEST_NIGHT):
        write(
            home, clinic.practice_id, night, "time_entries", [{**r, "patient_id": "X" + r["patient_id"]} for r in clinic.log(night)]
        )


def no_more_notes(clinic, home):
    for night in nights(date(2026, 10, 22), NEWEST_NIGHT):
        write(home, clinic.practice_id, night, "time_entries", [{**row, "note_id": ""} for row in clinic.log(night)])


def a_torn_last_line(clinic, home):
    path = path_of(home, clinic.practice_id, NEWEST_NIGHT, "coverages")
    path.write_bytes(path.read_bytes()[:-30])


def a_renamed_column(clinic, home):
    write(
        home,
        clinic.practice_id,
        NEWEST_NIGHT,
        "consents",
        clinic.panel()["consents"],
        without=("revoked_on",),
        extra="revocation_date",
    )


def a_column_that_decides_nothing_gone(clinic, home):
    write(home, clinic.practice_id, NEWEST_NIGHT, "patients", clinic.panel()["patients"], without=("middle_name",))


def dates_as_in_america(clinic, home):
    write(
        home,
        clinic.practice_id,
        NEWEST_NIGHT,
        "coverages",
        [{**r, "effective_date": "01/01/2020"} for r in clinic.panel()["coverages"]],
    )


def a_new_word(clinic, home):
    stays = clinic.panel()["stays"]
    write(home, clinic.practice_id, NEWEST_NIGHT, "stays", [{**stays[0], "stay_type": "rehab"}, *stays[1:]])


def files_of_nothing(clinic, home):
    put(home, clinic.practice_id, date(2026, 10, 8), "time_entries", b"")
    put(home, clinic.practice_id, date(2026, 10, 20), "conditions", b"")
    put(home, clinic.practice_id, NEWEST_NIGHT, "stays", b"")


def a_team_saved_by_a_spreadsheet(clinic, home):
    write(home, clinic.practice_id, NEWEST_NIGHT, "care_team", [{**r, "npi": "1.23457E+09"} for r in clinic.panel()["care_team"]])


def an_npi_left_out(clinic, home):
    write(home, clinic.practice_id, NEWEST_NIGHT, "care_team", [{**r, "npi": ""} for r in clinic.panel()["care_team"]])


def a_doctor_whose_row_nobody_can_read(clinic, home):
    doctor, nurse = clinic.panel()["care_team"]
    write(home, clinic.practice_id, NEWEST_NIGHT, "care_team", [{**doctor, "credential": "PHYSICIAN"}, nurse])


def a_doctor_without_an_npi_beside_a_row_of_nobody(clinic, home):
    an_npi_left_out(clinic, home)
    path = path_of(home, clinic.practice_id, NEWEST_NIGHT, "care_team")
    path.write_bytes(path.read_bytes() + b"torn\n")


def practitioners_with_new_ids(clinic, home):
    renamed = [{**r, "billing_practitioner_id": "1" + r["billing_practitioner_id"]} for r in clinic.panel()["patients"]]
    write(home, clinic.practice_id, NEWEST_NIGHT, "patients", renamed)
    path_of(home, clinic.practice_id, NEWEST_NIGHT, "care_team").unlink()


def a_nurse_with_an_odd_npi(clinic, home):
    doctor, nurse = clinic.panel()["care_team"]
    write(home, clinic.practice_id, NEWEST_NIGHT, "care_team", [doctor, {**nurse, "npi": "none"}])


def one_of_twelve_has_a_new_doctor(clinic, home):
    first, *others = clinic.panel()["patients"]
    write(home, clinic.practice_id, NEWEST_NIGHT, "patients", [{**first, "billing_practitioner_id": "new"}, *others])


def the_log_of_tuesday_again(clinic, home):
    write(home, clinic.practice_id, date(2026, 10, 22), "time_entries", clinic.log(date(2026, 10, 20)))


def a_list_of_services_that_is_sent_whole(clinic, home):
    visits = clinic.visits()
    more = [*visits, {**visits[0], "service_id": "one more"}]
    for night, sent in ((date(2026, 10, 6), more), (date(2026, 10, 20), more), (NEWEST_NIGHT, visits)):
        write(home, clinic.practice_id, night, "services", sent)


def the_first_list_of_services_again(clinic, home):
    write(home, clinic.practice_id, NEWEST_NIGHT, "services", clinic.visits())


def nothing(clinic, home):
    pass


# practice -> what happened there, and what is found: (measure, table, column, is it harmful)
CASES = {
    "steady": (nothing, set()),
    "panel": (half_a_panel, {("rows", "patients", "", True)}),
    "quiet": (a_quiet_tracker, {("rows_in_week", "time_entries", "", True)}),
    "units": (minutes_for_seconds, {("minutes_per_staff_day", "time_entries", "", True)}),
    "ids": (other_ids, {("unknown_patients", "time_entries", "", True)}),
    "notes": (no_more_notes, {("entries_without_note", "time_entries", "", False)}),
    "torn": (a_torn_last_line, {("rows_of_nobody", "coverages", "", True)}),
    "renamed": (a_renamed_column, {("missing_column", "consents", "revoked_on", True), ("new_column", "consents", "", False)}),
    "nameless": (a_column_that_decides_nothing_gone, {("missing_column", "patients", "middle_name", False)}),
    "retyped": (
        dates_as_in_america,
        {("retyped_column", "coverages", "effective_date", True), ("quarantined_share", "coverages", "", True)},
    ),
    "word": (a_new_word, {("unknown_word", "stays", "stay_type", False)}),
    "spreadsheet": (
        a_team_saved_by_a_spreadsheet,
        {("who_may_bill", "care_team", "", True), ("wrong_npi", "care_team", "npi", False)},
    ),
    "npi": (an_npi_left_out, {("who_may_bill", "care_team", "", True)}),
    "unread": (
        a_doctor_whose_row_nobody_can_read,
        {("rows_of_nobody", "care_team", "", True), ("unknown_word", "care_team", "credential", False)},
    ),
    "beside": (
        a_doctor_without_an_npi_beside_a_row_of_nobody,
        {("rows_of_nobody", "care_team", "", True), ("who_may_bill", "care_team", "", True)},
    ),
    "practitioners": (practitioners_with_new_ids, {("who_may_bill", "patients", "", True)}),
    "nurse": (a_nurse_with_an_odd_npi, set()),
    "doctor": (one_of_twelve_has_a_new_doctor, {("who_may_bill", "care_team", "", False)}),
    "again": (the_log_of_tuesday_again, {("same_file_again", "time_entries", "", True)}),
    "whole": (a_list_of_services_that_is_sent_whole, set()),
    "first": (the_first_list_of_services_again, set()),
    "rejected": (files_of_nothing, {("rejected_file", t, "", True) for t in ("time_entries", "conditions", "stays")}),
}


def land(home, names=tuple(CASES)):
    clinics = [Clinic(name, number % 10, patients=12) for number, name in enumerate(names, 1)]
    for number, clinic in enumerate(clinics, 1):
        clinic.number = number + 10
        clinic.settings["tax_id"] = f"{123456780 + number}"
    configure(home, clinics)
    for clinic in clinics:
        clinic.land(home)
        CASES[clinic.practice_id][0](clinic, home)
    return clinics


@pytest.fixture(scope="module")
def spoiled(tmp_path_factory):
    home = tmp_path_factory.mktemp("drift") / "home"
    land(home)
    with build(home) as con:
        yield home, con


def findings(con, practice):
    return rows(con, f"select * from marts.extract_drift where practice_id = '{practice}' order by all")


@pytest.mark.parametrize("practice", CASES)
def test_each_kind_of_drift_is_found_and_nothing_else(spoiled, practice):
    found = {(f["measure"], f["table_name"], f["column_name"], f["is_harmful"]) for f in findings(spoiled[1], practice)}
    harmful = {one for one in found if one[3]}
    assert harmful == {one for one in CASES[practice][1] if one[3]}
    assert CASES[practice][1] <= found
    # Before it is harmful it was worth a look: no other measure is.
    assert {one[0] for one in found} == {one[0] for one in CASES[practice][1]}


def test_the_numbers_are_told(spoiled):
    (panel,) = findings(spoiled[1], "panel")
    assert (panel["extract_date"], panel["value"], panel["usual"]) == (NEWEST_NIGHT, 5, 12)
    assert panel["explanation"] == "5 patients on the panel; the most of the nights before was 12"
    first = next(f for f in findings(spoiled[1], "quiet") if f["is_harmful"])
    assert (first["value"], first["usual"], first["extract_date"]) == (0, 24, date(2026, 10, 22))
    renamed = next(f for f in findings(spoiled[1], "renamed") if f["measure"] == "missing_column")
    assert renamed["explanation"].endswith("perhaps the same under another name: revocation_date")


def test_who_may_bill_and_a_file_sent_again_are_told_with_their_numbers(spoiled):
    told = {f["measure"]: f["explanation"] for name in ("spreadsheet", "again") for f in findings(spoiled[1], name)}
    assert told == {
        "who_may_bill": "0% of the panel's patients have a billing practitioner who may bill, in the care team with a valid npi; "
        "the most of the nights before was 100%",
        "wrong_npi": "1 members whose credential may bill have no such npi as there is, ten digits with a right check digit (line 2)",
        "same_file_again": "byte for byte the file of 2026-10-20; 12 of its rows are in no other, and what this night had to bring did not come",
    }
    (again,) = holds(spoiled[1], "again")
    assert (again["extract_date"], again["last_month_held"]) == (date(2026, 10, 22), OCTOBER)


def refusals(con, practice, month):
    return _by_holds(_holds(con, [practice.practice_id], month), practice)


def test_the_gate_says_what_holds_and_how_to_accept_it(spoiled):
    home, con = spoiled
    practices = load_practices(home / "practices.yaml")
    assert refusals(con, practices["steady"], OCTOBER) == []
    (said,) = refusals(con, practices["panel"], OCTOBER)
    assert said == (
        "patients of 2026-11-04: 5 patients on the panel; the most of the nights before was 12 (rows); land the file as it should be and run "
        "`ccm nightly`, or if it is right: `ccm accept --practice panel --night 2026-11-04 --table patients --measure rows --by NAME --reason TEXT`"
    )
    for harmless in ("notes", "nameless", "word"):
        assert refusals(con, practices[harmless], OCTOBER) == []
    quiet = refusals(con, practices["quiet"], OCTOBER)
    assert quiet and all("rows_in_week" in said for said in quiet)


def test_what_a_log_left_out_holds_its_month_and_those_before_but_no_later_one(spoiled):
    home, con = spoiled
    quiet = load_practices(home / "practices.yaml")["quiet"]
    assert refusals(con, quiet, OCTOBER) and refusals(con, quiet, SEPTEMBER)
    assert refusals(con, quiet, date(2026, 11, 1)) == []


def test_a_rejected_log_file_can_be_accepted_as_lost_and_a_panel_file_only_be_landed(spoiled):
    home, con = spoiled
    practice = load_practices(home / "practices.yaml")["rejected"]
    log, panel = sorted(refusals(con, practice, OCTOBER), key=lambda said: "stays" in said)
    assert log.startswith("time_entries of 2026-10-08 stands rejected (") and log.endswith(
        "--table time_entries --by NAME --reason TEXT`"
    )
    assert panel.startswith("stays of 2026-11-04 stands rejected (") and "ccm accept" not in panel


def accept(home, practice, found):
    acceptances.record(House(home), practice, [{"hold_id": hold["hold_id"], "by": "R. Roe", "why": "is right"} for hold in found])


def holds(con, practice):
    return rows(con, f"select * from marts.close_holds where practice_id = '{practice}' and not is_accepted order by all")


@pytest.mark.long
def test_the_right_team_or_log_lets_the_close_go_and_an_accepted_team_is_the_new_usual(tmp_path):
    home = tmp_path / "home"
    clinics = {clinic.practice_id: clinic for clinic in land(home, ("npi", "spreadsheet", "practitioners", "again"))}
    accept(home, "npi", holds(build(home), "npi"))
    later = NEWEST_NIGHT + timedelta(days=1)
    for table in ("patients", "care_team"):
        write(home, "npi", later, table, [{**row, "npi": ""} for row in clinics["npi"].panel()[table]])
    write(home, "spreadsheet", later, "care_team", clinics["spreadsheet"].panel()["care_team"])
    renamed = [
        {**row, "member_id": "1" + row["member_id"] if row["member_id"] == clinics["practitioners"].md else row["member_id"]}
        for row in clinics["practitioners"].panel()["care_team"]
    ]
    write(home, "practitioners", later, "care_team", renamed)
    # That the night of which it is a copy has other content by now says nothing of the copy.
    write(home, "again", date(2026, 10, 20), "time_entries", clinics["again"].log(date(2026, 10, 20))[1:])
    assert [hold["practice_id"] for hold in rows(build(home), "from marts.close_holds")] == ["again"]
    write(home, "again", date(2026, 10, 22), "time_entries", clinics["again"].log(date(2026, 10, 22)))
    assert rows(build(home), "from marts.close_holds") == []


def test_a_team_of_which_a_row_could_not_be_read_for_a_night_makes_nobody_the_new_usual(tmp_path):
    home = tmp_path / "home"
    clinic = Clinic("left", 1)
    configure(home, [clinic])

    def land_later(days: int, panel: list[dict[str, str]], torn: bytes = b"") -> None:
        night = NEWEST_NIGHT + timedelta(days=days)
        write(home, "left", night, "patients", panel)
        write(home, "left", night, "care_team", clinic.panel()["care_team"])
        path = path_of(home, "left", night, "care_team")
        path.write_bytes(path.read_bytes() + torn)

    # A third of the panel has had a practitioner whom the care team never had.
    strangers = [
        {**row, "billing_practitioner_id": "elsewhere"} if n % 3 == 0 else row for n, row in enumerate(clinic.panel()["patients"])
    ]
    for day in range(3):
        land_later(day, strangers, b"torn\n" if day == 1 else b"")
    with build(home) as con:
        assert [(f["measure"], f["extract_date"]) for f in findings(con, "left")] == [
            ("rows_of_nobody", NEWEST_NIGHT + timedelta(days=1))
        ]
        assert holds(con, "left") == []  # the row is mended
    # Who cannot be read is not gone: that night is measured by the nights before, and so is the one on which they are.
    land_later(3, clinic.panel()["patients"])
    land_later(4, [{**row, "billing_practitioner_id": "elsewhere"} for row in clinic.panel()["patients"]], b"torn\n")
    land_later(5, [{**row, "billing_practitioner_id": "elsewhere"} for row in clinic.panel()["patients"]])
    with build(home) as con:
        found = {
            (f["extract_date"] - NEWEST_NIGHT).days: f["usual"] for f in findings(con, "left") if f["measure"] == "who_may_bill"
        }
    assert found == {5: 1.0}


@pytest.mark.long
def test_an_acceptance_holds_for_its_content_and_is_the_new_usual_and_other_content_waits_again(tmp_path):
    home = tmp_path / "home"
    (clinic, _) = land(home, ("panel", "rejected"))
    con = build(home)
    (waiting,) = holds(con, "panel")
    accept(home, "panel", [waiting])
    lost = [hold for hold in holds(con, "rejected") if hold["is_acceptable"]]
    accept(home, "rejected", holds(con, "rejected"))
    con = build(home)
    assert holds(con, "panel") == []
    (accepted,) = rows(con, "select accepted_by, accepted_why from intermediate.int_close_holds where practice_id = 'panel'")
    assert accepted == {"accepted_by": "R. Roe", "accepted_why": "is right"}
    assert [hold["table_name"] for hold in holds(con, "rejected")] == ["stays"] and len(lost) == 1  # a panel file is not let go
    # The next night's panel of five is as usual; one of two is not.
    later = NEWEST_NIGHT + timedelta(days=1)
    write(home, "panel", later, "patients", clinic.panel()["patients"][:5])
    assert holds(build(home), "panel") == []
    # The same night with other content, and another torn file in the place of the lost one.
    write(home, "panel", NEWEST_NIGHT, "patients", clinic.panel()["patients"][:4])
    path_of(home, "panel", later, "patients").unlink()
    put(home, "rejected", date(2026, 10, 8), "time_entries", b"entry_id\n")
    clinic.land_night(home, NEWEST_NIGHT + timedelta(days=2), as_panel=False)
    con = build(home)
    assert [hold["table_name"] for hold in holds(con, "rejected") if hold["is_acceptable"]] == ["time_entries"]
    assert {f["measure"] for f in findings(con, "panel") if f["extract_date"] == NEWEST_NIGHT} >= {"rows", "landed_again"}


@pytest.mark.long
def test_in_whatever_order_the_nights_are_taken_in_the_findings_are_the_same(tmp_path):
    names = ("panel", "quiet", "rejected", "renamed")
    query = "select * from {} order by all"
    at_once, in_turn = tmp_path / "at_once", tmp_path / "in_turn"
    land(at_once, names)
    with build(at_once) as con:
        wanted = [rows(con, query.format(f"marts.{mart}")) for mart in ("extract_drift", "close_holds")]
    land(in_turn, names)
    every = [path for path in (in_turn / "landing").glob("*/*") if path.is_dir()]
    random.Random(6).shuffle(every)
    away = tmp_path / "away"
    for folder in every:
        (away / folder.parent.name).mkdir(parents=True, exist_ok=True)
        folder.rename(away / folder.parent.name / folder.name)
    con = None
    for part in range(3):
        for folder in every[part::3]:
            (folder.parent).mkdir(parents=True, exist_ok=True)
            (away / folder.parent.name / folder.name).rename(folder)
        con = build(in_turn)
    assert con is not None
    assert [rows(con, query.format(f"marts.{mart}")) for mart in ("extract_drift", "close_holds")] == wanted
    assert len(wanted[0]) > 5 and FIRST_NIGHT < NEWEST_NIGHT


def test_the_pages_say_of_quarantine_what_the_limit_says():
    limits = {
        (row["measure"], row["table_name"]): row
        for row in csv.DictReader((DBT_PROJECT / "settings" / "drift_limits.csv").read_text().splitlines())
    }
    assert limits["quarantined_share", "*"]["harmful_above"] == limits["retyped_column", "*"]["harmful_above"] == "0.5"
    docs = PROJECT_ROOT / "docs"
    assert "**Means** more than half of a file's rows are in quarantine" in (docs / "runbook" / "drift.md").read_text()
    assert "More than half of the rows are drift" in (docs / "runbook" / "extracts.md").read_text()
    [row] = [line for line in (docs / "holds.md").read_text().splitlines() if line.startswith("| `quarantined_share`")]
    assert "| more than half of the rows;" in row
