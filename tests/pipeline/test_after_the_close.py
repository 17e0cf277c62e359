"""What becomes known after a claim went out: nobody is claimed a second time under another name, and nothing that was owed or held goes untold."""

from __future__ import annotations

import csv
import json
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from tests.answers.letters import Pay, claim_statuses, file, remittance
from tests.holds.clinic import Clinic, Row, Spoil, configure, mbi
from tests.pipeline.homes import ccm, rows

pytestmark = pytest.mark.xdist_group("close_states")

PANEL, NEWEST, LATER, LAST = date(2026, 10, 5), date(2026, 11, 6), date(2026, 11, 10), date(2026, 11, 12)


def entry(clinic: Clinic, n: int, day: str, minutes: int = 25, updated_at: str | None = None) -> Row:
    end = f"{day}T15:{minutes:02d}:00Z"
    return {
        "entry_id": f"{clinic.id(n)}-T", "patient_id": clinic.id(n), "member_id": clinic.rn, "program": "ccm", "activity": "care_coordination",
        "started_at": f"{day}T15:00:00Z", "ended_at": end, "entry_method": "timer", "face_to_face": "false", "note_id": f"N{n}",
        "recorded_at": end, "updated_at": updated_at or end, "voided": "false",
    }  # fmt: skip


def land(home: Path, clinic: Clinic, night: date, entries: list[Row], **spoilt: Spoil) -> None:
    spoil: dict[str, Spoil] = {"time_entries": lambda _: entries, "services": lambda _: clinic.visits(), **spoilt}
    clinic.land_night(home, night, spoil, as_panel=True)


def of(clinic: Clinic, n: int, **values: str) -> Spoil:
    """Other values in the rows of one patient."""
    return lambda given: [{**row, **values} if row["patient_id"] == clinic.id(n) else row for row in given]


def without(clinic: Clinic, n: int, code: str = "") -> Spoil:
    """Without the rows of one patient, or those of one code."""
    return lambda given: [row for row in given if not (row["patient_id"] == clinic.id(n) and code in row.get("icd10_code", ""))]


def held(home: Path, practice: str, file: str, month: str = "2026-10") -> dict[str, str]:
    with (home / "closes" / practice / month / file).open(newline="") as handle:
        return {row["patient_id"]: row["detail"] for row in csv.DictReader(handle)}


def claimed(home: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for path in sorted(home.glob("closes/*/2026-10/v*/claims.csv")):
        with path.open(newline="") as handle:
            found.setdefault(path.parts[-4], []).extend(sorted(row["patient_id"] for row in csv.DictReader(handle)))
    return found


def close(home: Path) -> dict[str, dict[str, object]]:
    ran = ccm("close", "--month", "2026-10", "--approved-by", "Ann Lee", "--json", home=home)
    assert ran.code in (0, 3), ran.out + ran.err
    return {row["practice_id"]: row for row in json.loads(ran.out)}


@pytest.mark.long
def test_nobody_is_claimed_twice_under_another_name_and_what_a_later_close_holds_or_owes_is_told(tmp_path: Path) -> None:
    names = ("small", "capital", "newtax", "reissued", "moved", "left", "faulty", "late")
    clinics = {name: Clinic(name, number, patients=2) for number, name in enumerate(names, 1)}
    small, capital, newtax, reissued, moved, left, faulty, late = clinics.values()
    small.settings["submitter_id"], capital.settings["submitter_id"] = "abc01", "ABC01"
    configure(tmp_path, clinics.values())
    for clinic in (small, capital, newtax, reissued, late):
        land(tmp_path, clinic, PANEL, [])
        land(tmp_path, clinic, NEWEST, [entry(clinic, 1, "2026-10-13")])
    for clinic in (moved, left):  # the first night is after the month: only time makes it one of theirs
        land(tmp_path, clinic, date(2026, 11, 4), [])
        land(tmp_path, clinic, NEWEST, [entry(clinic, 1, "2026-10-13")])
    # One beneficiary under two ids, of which one cannot be sent.
    same = mbi(100 * faulty.number + 1)
    one_mbi: dict[str, Spoil] = {"coverages": of(faulty, 2, member_id=same), "patients": of(faulty, 1, address_line1="")}
    land(tmp_path, faulty, PANEL, [], **one_mbi)
    land(tmp_path, faulty, NEWEST, [entry(faulty, 1, "2026-10-13"), entry(faulty, 2, "2026-10-14")], **one_mbi)
    assert ccm("nightly", home=tmp_path).code == 0
    close(tmp_path)
    firsts = {name: [clinic.id(1)] for name, clinic in clinics.items()}
    assert claimed(tmp_path) == {**firsts, "faulty": [faulty.id(2)]}
    assert list(held(tmp_path, "faulty", "v1/held.csv")) == [faulty.id(1)]
    # In a claim file a submitter has capitals: the two are one, and no number of theirs repeats.
    numbers = [
        json.loads((tmp_path / f"closes/{name}/2026-10/v1/manifest.json").read_text())["control_number"] for name in names[:2]
    ]
    assert sorted(numbers) == [1, 2]

    content = yaml.safe_load((tmp_path / "practices.yaml").read_text())
    next(one for one in content["practices"] if one["practice_id"] == "newtax")["tax_id"] = "987654321"
    (tmp_path / "practices.yaml").write_text(yaml.safe_dump(content))
    for clinic in (small, capital):
        land(tmp_path, clinic, LATER, [])
    land(tmp_path, newtax, LATER, [entry(newtax, 2, "2026-10-14")], coverages=of(newtax, 2, member_id=mbi(100 * newtax.number + 1)))
    new = {"member_id": mbi(100 * reissued.number + 9)}
    land(
        tmp_path, reissued, LATER, [entry(reissued, 2, "2026-10-14")],
        coverages=lambda given: of(reissued, 1, **new)(of(reissued, 2, **new)(given)),
    )  # fmt: skip
    land(tmp_path, late, LATER, [entry(late, 2, "2026-10-14")], patients=of(late, 2, address_line1=""))
    land(tmp_path, moved, LATER, [entry(moved, 1, "2026-11-03", updated_at="2026-11-09T15:00:00Z")])
    land(tmp_path, left, LATER, [], conditions=without(left, 1, "I10"))
    land(tmp_path, left, LAST, [], patients=without(left, 1), conditions=without(left, 1))
    assert ccm("nightly", home=tmp_path).code == 0
    closed = close(tmp_path)
    # Of one the extracts know no October any more: it has nothing to close there, and its claim is still somebody's to pay back (below).
    assert {name: row["outcome"] for name, row in closed.items()} == {
        name: "refused" if name == "moved" else "nothing new" for name in names
    }
    assert claimed(tmp_path) == {**firsts, "faulty": [faulty.id(2)]}
    for clinic in (newtax, reissued, late):
        assert closed[clinic.practice_id]["held_file"] == str(
            tmp_path / "closes" / clinic.practice_id / "2026-10" / "held_after_v1.csv"
        )
    why = {
        clinic.practice_id: held(tmp_path, clinic.practice_id, "held_after_v1.csv")[clinic.id(2)]
        for clinic in (newtax, reissued, late)
    }
    assert all(f"is claimed as {name} CCM" in why[name] for name in ("newtax", "reissued")) and "address" in why["late"]
    items = rows(tmp_path, "select practice_id, patient_id from worklist where kind = 'claim_error' order by all")
    assert [(item["practice_id"], item["patient_id"]) for item in items] == [
        (clinic.practice_id, clinic.id(n)) for clinic, n in ((faulty, 1), (late, 2), (newtax, 2), (reissued, 2))
    ]
    changes = rows(tmp_path, "select practice_id, kind, amount_now, reasons from post_close_changes order by practice_id")
    assert [(row["practice_id"], row["kind"], row["amount_now"], row["reasons"]) for row in changes] == [
        ("left", "refund", 0, ["fewer_than_two_conditions"]),
        ("moved", "refund", 0, []),
    ]
    # A further close that holds the same writes nothing again.
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("closes/*/2026-10/held_after*")}
    assert len(before) == 4 and all(path.stat().st_mode & 0o777 == 0o600 for path in before)
    close(tmp_path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("closes/*/2026-10/held_after*")} == before


def respond(home: Path, *texts: str) -> None:
    for text in texts:
        (home / "inbox" / f"{len(list((home / 'inbox').iterdir()))}.x12").write_text(text)
    ran = ccm("respond", home=home)
    assert ran.code == 0, ran.out + ran.err


@pytest.mark.long
def test_what_was_turned_back_denied_in_part_or_never_answered_is_somebodys_work_and_what_was_paid_twice_is_owed_back(
    tmp_path: Path,
) -> None:
    clinic = Clinic("small", 1, patients=3)
    configure(tmp_path, [clinic])
    land(tmp_path, clinic, PANEL, [])
    land(tmp_path, clinic, NEWEST, [entry(clinic, n, f"2026-10-{12 + n}", minutes=45) for n in (1, 2, 3)])
    assert ccm("nightly", home=tmp_path).code == 0
    close(tmp_path)
    with (tmp_path / "closes/small/2026-10/v1/claims.csv").open(newline="") as handle:
        lines = list(csv.DictReader(handle))
    first, second, third = (next(line["claim_id"] for line in lines if line["patient_id"] == clinic.id(n)) for n in (1, 2, 3))
    submitter = json.loads((tmp_path / "closes/small/2026-10/v1/manifest.json").read_text())["submitter_id"]
    of_second = [line for line in lines if line["claim_id"] == second]
    assert [line["procedure_code"] for line in of_second] == ["99490", "99439"]
    base, add_on = of_second
    charge = str(sum(Decimal(line["charge_amount"]) for line in of_second))
    in_part = Pay(
        second, charge, "50",
        (
            (base["line_id"], "99490", base["charge_amount"], "50", (("CO", "45", str(Decimal(base["charge_amount"]) - 50)),), ()),
            (add_on["line_id"], "99439", add_on["charge_amount"], "0", (("CO", "97", add_on["charge_amount"]),), ()),
        ),
    )  # fmt: skip
    respond(
        tmp_path,
        file("277", claim_statuses("0", [(first, "A7:164:QC", "U")], on="20261108"), submitter=submitter, on="261108"),
        file("835", remittance(in_part, on="20261109"), submitter=submitter, on="261109"),
    )
    worth = {
        row["patient_id"]: row["allowed_amount"]
        for row in rows(tmp_path, "from patient_month_decisions where month = '2026-10-01'")
    }
    items = rows(tmp_path, "select kind, item_id, dollars_at_stake, detail from worklist where kind like '%ed_claim' order by kind")
    assert [(item["kind"], item["item_id"], item["dollars_at_stake"]) for item in items] == [
        ("denied_claim", f"denied_claim:{second}", Decimal(add_on["allowed_amount"])),
        ("rejected_claim", f"rejected_claim:{first}", worth[clinic.id(1)]),
    ]
    assert items[0]["detail"] == (
        "The payer denied it (CO-97). Likely cause: included in another service that was paid (remark codes MA01). What helps: look for the other "
        "service of that patient and month. Still possible: appeal by 2027-03-14, reopening by 2027-11-09."
    )
    assert items[1]["detail"] == (
        "The payer turned the claim back unprocessed (A7:164). Likely cause: rejected for invalid information. What helps: correct what the status code "
        "names; the next close sends it as a new claim unless something else stands against it. Close the month again by 2027-10-31 at the latest."
    )
    assert rows(
        tmp_path, f"select stalled_reason from enrollment_status where patient_id = '{clinic.id(1)}' and month = '2026-10-01'"
    ) == [{"stalled_reason": "rejected_claim"}]
    close(tmp_path)
    with (tmp_path / "closes/small/2026-10/v2/claims.csv").open(newline="") as handle:
        (again,) = {line["claim_id"] for line in csv.DictReader(handle)}
    assert rows(tmp_path, "from worklist where kind = 'rejected_claim'") == []
    # The payer had the first after all.
    respond(
        tmp_path,
        file(
            "835",
            remittance(Pay(first, charge, "90"), Pay(again, charge, "90"), check="EFT2", on="20261120"),
            submitter=submitter,
            on="261120",
        ),
    )
    (change,) = rows(tmp_path, "select claim_id, kind, claimed_amount, amount_now, found_on, due_on from post_close_changes")
    assert (change["claim_id"], change["kind"], change["claimed_amount"], change["amount_now"]) == (
        again, "refund", 2 * worth[clinic.id(1)], worth[clinic.id(1)],
    )  # fmt: skip
    assert (change["found_on"], change["due_on"]) == (date(2026, 11, 20), date(2026, 11, 20) + timedelta(days=60))

    def owed() -> list[tuple[object, ...]]:
        kinds = "('unanswered_claim', 'refund_due', 'reopening_due')"
        found = rows(tmp_path, f"select item_id, due_on, dollars_at_stake from worklist where kind in {kinds} order by item_id")
        return [tuple(row.values()) for row in found]

    refund = (f"refund_due:{again}", change["due_on"], -worth[clinic.id(1)])
    assert owed() == [refund]
    # Of the third nothing was heard: a payer decides within 30 days.
    november = [{**entry(clinic, 3, "2026-11-16"), "entry_id": "NOVEMBER"}]
    for days, asked_for in ((30, []), (31, [third]), (61, [third])):
        land(tmp_path, clinic, NEWEST + timedelta(days=days), november if days == 30 else [])
        assert ccm("nightly", home=tmp_path).code == 0
        if days == 30:
            # That the payer has a month twice by now is a finding, and keeps no other month from closing.
            (finding,) = rows(tmp_path, "from claim_audit")
            assert (finding["finding"], finding["claim_id"]) == ("resent_duplicate", again)
            assert ccm("close", "--month", "2026-11", "--approved-by", "Ann Lee", home=tmp_path).code == 0
        (waits,) = rows(tmp_path, f"select expected_payment from claim_aging where claim_id = '{third}'")
        expected = [(f"unanswered_claim:{one}", NEWEST + timedelta(days=31), waits["expected_payment"]) for one in asked_for]
        assert owed() == [refund, *expected]
    # A denial outlives the days on which its month could be filed: it can be appealed for 120 days from its notice, reopened for a year.
    for night, ways in ((date(2027, 11, 9), "reopening by 2027-11-09."), (date(2027, 11, 10), None)):
        land(tmp_path, clinic, night, [])
        assert ccm("nightly", home=tmp_path).code == 0
        denied = [row["detail"] for row in rows(tmp_path, "select detail from worklist where kind = 'denied_claim'")]
        assert [detail.partition("Still possible: ")[2] for detail in denied] == ([ways] if ways else [])
    # One that says nothing of why.
    denial = remittance(Pay(third, charge, "0", status="4"), check="EFT3", on="20271110")
    respond(tmp_path, file("835", denial, submitter=submitter, on="271110"))
    (item,) = rows(tmp_path, "select detail from worklist where kind = 'denied_claim'")
    assert str(item["detail"]).startswith("The payer denied it (without a reason code).")


@pytest.mark.long
def test_a_claim_that_became_claimable_before_the_years_fees_are_there_is_listed_with_no_dollars_and_closes(tmp_path: Path) -> None:
    clinic = Clinic("small", 1, patients=2)
    configure(tmp_path, [clinic])
    land(tmp_path, clinic, date(2027, 1, 5), [])
    land(tmp_path, clinic, date(2027, 2, 4), [entry(clinic, 1, "2027-01-13")])
    assert ccm("nightly", home=tmp_path).code == 0
    assert ccm("close", "--month", "2027-01", "--approved-by", "Ann Lee", home=tmp_path).code == 0
    land(tmp_path, clinic, date(2027, 2, 6), [entry(clinic, 2, "2027-01-14")])
    ran = ccm("nightly", home=tmp_path)
    assert ran.code == 0 and "Check failed" not in ran.out
    listed = rows(tmp_path, "select patient_id, dollars_at_stake from worklist where kind = 'late_claim'")
    assert listed == [{"patient_id": clinic.id(2), "dollars_at_stake": Decimal(0)}]
    assert ccm("worklist", home=tmp_path).code == 0
    assert ccm("close", "--month", "2027-01", "--approved-by", "Ann Lee", home=tmp_path).code == 0
    assert held(tmp_path, "small", "held_after_v1.csv", "2027-01").keys() == {clinic.id(1), clinic.id(2)}


@pytest.mark.long
def test_what_a_claim_would_be_by_other_facts_is_priced_where_it_was_claimed_whatever_the_practice_moved_to_since(
    tmp_path: Path,
) -> None:
    """A clinic moves into a hospital, and to another state: what comes to light of October was done where October was."""
    clinics = {name: Clinic(name, number, patients=2) for number, name in enumerate(("stayed", "moved", "away"), 1)}
    configure(tmp_path, clinics.values())
    for clinic in clinics.values():
        land(tmp_path, clinic, PANEL, [])
        land(tmp_path, clinic, NEWEST, [entry(clinic, 1, "2026-10-13"), entry(clinic, 2, "2026-10-14", 45)])
    assert ccm("nightly", home=tmp_path).code == 0
    close(tmp_path)
    content = yaml.safe_load((tmp_path / "practices.yaml").read_text())
    of_name = {one["practice_id"]: one for one in content["practices"]}
    of_name["moved"]["place_of_service"] = of_name["away"]["place_of_service"] = "22"
    of_name["away"] |= {"mac": "14212", "locality": "01", "gpci_state": "MA"}
    (tmp_path / "practices.yaml").write_text(yaml.safe_dump(content))
    # One has a code more that was not on the claim, the other one less.
    for clinic in clinics.values():
        less = {**entry(clinic, 2, "2026-10-14", updated_at="2026-11-09T15:00:00Z")}
        land(tmp_path, clinic, LATER, [{**entry(clinic, 1, "2026-10-20"), "entry_id": f"{clinic.id(1)}-U"}, less])
    assert ccm("nightly", home=tmp_path).code == 0
    changes = rows(
        tmp_path,
        "select practice_id, kind, codes_now, amount_now, amount_now - claimed_amount as owed from post_close_changes order by patient_id",
    )
    now = {name: [{**row, "practice_id": ""} for row in changes if row["practice_id"] == name] for name in clinics}
    assert [(row["kind"], row["codes_now"]) for row in now["stayed"]] == [
        ("reopen", ["99439 x 1", "99490 x 1"]), ("refund", ["99490 x 1"]),
    ]  # fmt: skip
    assert now["moved"] == now["stayed"] == now["away"]
