"""What a line that is set aside means where rows are versions of one another: it takes back what its key said before, or is no version of it at all."""

from __future__ import annotations

from datetime import date, datetime

import pytest

from orchestration.house import HouseError
from orchestration.mapping import choice
from tests.holds.bench import build, rows
from tests.holds.clinic import Clinic, configure
from tests.take_in.conftest import csv_of, row

from .conftest import shipped
from .test_mapped_files import TIMER_HEAD, ledger, reasons, timer_line

NIGHT = {"2026-02-03": "task_timer_20260203.csv", "2026-02-04": "task_timer_20260204.csv"}


def internal(task: str, modified: str, chart: str = "p1") -> str:
    """A task of the team's own, of a kind that no mapping has to know."""
    changed = timer_line(task, "a while", modified).replace("CCM", "Internal").replace("Care plan review", "Meeting")
    return changed.replace(";p1;", f";{chart};").replace(";Timer;Phone;", ";?;?;")


def versions(home) -> list[tuple]:
    return home.ask(
        "select entry_id, extract_date, voided, activity from {time_entries} order by entry_id, updated_at, extract_date"
    )


@pytest.mark.parametrize("order", [("2026-02-03", "2026-02-04"), ("2026-02-04", "2026-02-03"), None])
def test_a_task_that_is_internal_now_takes_back_the_version_that_was_sent_as_ccm_in_whatever_order_the_nights_come(home, order):
    nights = {"2026-02-03": timer_line("t1", "900", "3 16:00:00"), "2026-02-04": internal("t1", "4 08:00:00")}
    for night in order or nights:
        home.drop(NIGHT[night], TIMER_HEAD + nights[night], night)
        if order:
            home.take_in(mapped=home.chosen(time_entries="task_timer"))
    if not order:
        home.take_in(mapped=home.chosen(time_entries="task_timer"))
    assert versions(home) == [
        ("t1", date(2026, 2, 3), False, "care_plan_review"), ("t1", date(2026, 2, 4), True, "WITHDRAWN"),
    ]  # fmt: skip
    # It stands where the time stood that it takes back, whatever else of it nobody can read.
    assert home.ask(
        "select patient_id, member_id, started_at, duration_seconds, program, entry_method from {time_entries} where voided"
    ) == [("p1", "m01", datetime(2026, 2, 3, 15), None, "other", "manual")]
    assert sorted(ledger(home)) == [(1, 0, 1, 1, 0, 0)] * 2 and reasons(home) == []


def test_in_one_file_the_newer_of_two_versions_stands_whichever_line_comes_first(home):
    lines = [internal("t1", "4 08:00:00", chart=""), timer_line("t1", "900", "3 16:00:00")]
    lines += [internal("t2", "3 08:00:00"), timer_line("t2", "900", "4 16:00:00")]
    home.drop(NIGHT["2026-02-04"], TIMER_HEAD + "".join(lines), "2026-02-04")
    home.take_in(mapped=home.chosen(time_entries="task_timer"))
    assert home.ask("select entry_id, patient_id, voided from {time_entries} order by all") == [
        ("t1", "WITHDRAWN", True), ("t2", "p1", False),
    ]  # fmt: skip
    assert ledger(home) == [(4, 0, 4, 2, 0, 2)]


def test_what_takes_back_without_its_key_or_time_is_counted_and_with_a_time_that_cannot_be_read_it_is_quarantined(home):
    lines = [internal("", "4 08:00:00"), internal("t1", "4 08:00:00").replace("2026-02-04 08:00:00Z", ""), internal("t2", "4 0800")]
    home.drop(NIGHT["2026-02-04"], TIMER_HEAD + "".join(lines), "2026-02-04")
    home.take_in(mapped=home.chosen(time_entries="task_timer"))
    assert ledger(home) == [(3, 2, 1, 0, 1, 0)]
    assert [(line, column) for line, column, *_ in reasons(home)] == [(4, "Modified (UTC)")]


def test_a_voided_charge_is_withdrawn_and_a_payment_of_the_same_number_takes_nothing_back(home):
    head = "Charges\n\nCharge No,Line,Line Type,Patient MRN,Rendering,CPT/Mods,DOS,Units,Appt Id,CCM Discussed,Posted\n"

    def charge(number: str, kind: str, code: str, posted: str) -> str:
        return f"{number},1,{kind},442,Doe (D1),{code},02/02/2026,1,,Yes,{posted} 5:00:00 PM CST\n"

    sent = charge("C1", "Charge", "99214-25", "02/02/2026") + charge("C2", "Charge", "99490", "02/02/2026")
    home.drop("Charges_02-02-2026.csv", head + sent, "2026-02-02")
    later = (
        charge("C1", "Payment", "", "02/03/2026")
        + charge("C2", "Void", "", "02/03/2026")
        + charge("C3", "Void", "99490", "02/03/2026")
    )
    home.drop("Charges_02-03-2026.csv", head + later, "2026-02-03")
    home.take_in(mapped=home.chosen(services="practice_management"))
    assert home.ask("select service_id, procedure_code, service_date from {services} order by service_id, updated_at") == [
        ("C1-1", "99214", date(2026, 2, 2)), ("C2-1", "99490", date(2026, 2, 2)), ("C2-1", "WITHDRAWN", date(2026, 2, 2)),
        ("C3-1", "WITHDRAWN", date(2026, 2, 2)),
    ]  # fmt: skip
    assert ledger(home)[1] == (3, 1, 2, 2, 0, 0)


def test_an_appointment_that_has_become_a_block_is_cancelled_and_a_block_without_a_time_of_change_is_counted(home):
    head = "Appointments\n\nAppt Id,Patient MRN,Resource,Appt Type,Appt Status,Appt Date,Start,End,Last Changed\n"
    lines = "A1,442,Doe (D1),CCM call,Confirmed,02/09/2026,9:00 AM,9:20 AM,02/02/2026 5:00:00 PM CST\n"
    lines += "A1,,Room 1,Block,,02/09/2026,,,02/03/2026 5:00:00 PM CST\nB1,,Room 1,Lunch,,02/09/2026,,,\n"
    home.drop("Appointments_02-03-2026.csv", head + lines, "2026-02-03")
    home.take_in(mapped=home.chosen(appointments="practice_management"))
    assert home.ask("select appointment_id, status, patient_id from {appointments}") == [("A1", "cancelled", "WITHDRAWN")]
    assert ledger(home) == [(3, 1, 2, 1, 0, 1)]


OWN = """
system: charges of another system
tables:
  services:
{said}
    columns: {service_id: No, patient_id: Chart, procedure_code: Code, service_date: Day, billed_by: {constant: own_practice}, updated_at: Posted}
"""
DROP = "    drop: {Kind: [Void]}"
KEEP = "    keep: {Kind: [Charge]}"


@pytest.mark.parametrize("said", [DROP, KEEP, "    any_of: [Code]"])
def test_a_line_that_may_be_a_version_is_not_set_aside_before_the_mapping_says_what_it_is(said):
    with pytest.raises(HouseError) as told:
        choice.parse(OWN.replace("{said}", said), "own.yaml")
    assert "own.yaml, line 5: services: rows are versions of one another" in str(told.value)
    assert "in withdraw (instead of drop)" in str(told.value) and "set_aside: other_things" in str(told.value)
    choice.parse(OWN.replace("{said}", f"{said}\n    set_aside: other_things"), "own.yaml")


def test_all_that_is_not_kept_takes_back_where_the_mapping_says_so(home):
    home.write("own", OWN.replace("{said}", f"{KEEP}\n    set_aside: withdrawn"))
    head = "No,Chart,Code,Day,Posted,Kind\n"
    home.drop("services.csv", head + "1,p1,99214,2026-02-01,2026-02-01T10:00:00Z,Charge\n1,,,,2026-02-01T11:00:00Z,\n")
    home.take_in(mapped=home.chosen(services="own"))
    assert home.ask("select service_id, procedure_code, patient_id, service_date from {services}") == [
        ("1", "WITHDRAWN", "WITHDRAWN", date(2026, 2, 1))
    ]


def test_what_takes_back_with_a_moment_without_end_takes_back_all_the_same(home):
    columns = "{appointment_id: No, patient_id: Chart, member_id: Who, visit_type: Type, status: State, scheduled_start: Start, "
    columns += "scheduled_end: End, updated_at: Posted}"
    home.write("own", f"system: x\ntables:\n  appointments:\n    withdraw: {{State: [gone]}}\n    columns: {columns}\n")
    line = "1,p1,m1,visit,{},{},2026-02-01T10:15:00Z,2026-02-01T{}:00:00Z\n"
    lines = line.format("scheduled", "2026-02-01T10:00:00Z", "10") + line.format("gone", "infinity", "11")
    home.drop("appointments.csv", "No,Chart,Who,Type,State,Start,End,Posted\n" + lines)
    home.take_in(mapped=home.chosen(appointments="own"))
    assert reasons(home) == []
    assert home.ask("select status, scheduled_start from {appointments}") == [("cancelled", datetime(2026, 2, 1, 11))]


@pytest.mark.parametrize(
    ("table", "said", "what"),
    [
        ("stays", "withdraw: {Kind: [x]}", "its rows are no versions of one another, so that what is not there any more is gone; use drop"),
        ("stays", "set_aside: other_things", "its rows are no versions of one another"),
        ("calls", "withdraw: {Kind: [x]}", "cannot be taken back; write drop, with set_aside: other_things beside it"),
    ],
)  # fmt: skip
def test_a_table_that_takes_nothing_back_says_what_to_write_instead(table, said, what):
    with pytest.raises(HouseError) as told:
        choice.parse(f"system: x\ntables:\n  {table}:\n    {said}\n    columns: {{}}\n", "own.yaml")
    assert f"own.yaml, line 4: {table}: " in str(told.value) and what in str(told.value)


def test_the_shipped_mappings_leave_no_version_in_force_in_silence():
    for name in ("task_timer", "practice_management"):
        for table, rule in choice.parse(shipped(name), name).tables.items():
            assert rule.withdraw and not rule.keep, table


@pytest.mark.long
def test_an_entry_of_which_every_version_takes_back_is_none_and_one_that_takes_back_another_is_voided(tmp_path):
    clinic = Clinic("alpha", 1)
    configure(tmp_path, [clinic])
    clinic.land(tmp_path)

    def entry(key: str, at: str, **values: str) -> dict[str, str]:
        return row("time_entries", entry_id=key, updated_at=f"2026-10-15T{at}:00Z", **values)

    taken_back = {"activity": "WITHDRAWN", "voided": "true", "patient_id": "WITHDRAWN"}
    night = sorted((tmp_path / "landing" / "alpha").iterdir())[-1]
    (night / "time_entries.csv").write_text(
        csv_of("time_entries", [entry("sent", "11:00", **taken_back), entry("own", "11:00", **taken_back)])
    )
    with build(tmp_path, ("time_entry_facts",)) as con:
        facts = "select entry_id, is_voided, versions from marts.time_entry_facts where entry_id in ('sent', 'own', 'word')"
        assert rows(con, facts) == []
    # Another night, taken in later, has what was sent: it is taken back all the same. One that is not voided counts, whatever its activity is called.
    before = night.with_name("2026-10-15")
    before.mkdir(exist_ok=True)
    sent = [entry("sent", "10:00", voided="false"), entry("word", "10:00", activity="WITHDRAWN", voided="false")]
    (before / "time_entries.csv").write_text(csv_of("time_entries", sent))
    with build(tmp_path, ("time_entry_facts",)) as con:
        assert rows(con, f"{facts} order by all") == [
            {"entry_id": "sent", "is_voided": True, "versions": 2}, {"entry_id": "word", "is_voided": False, "versions": 1},
        ]  # fmt: skip
