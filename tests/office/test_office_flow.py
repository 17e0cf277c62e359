"""What happens to the work list when someone works with it: put off, back again, kept back by the scrub."""

from __future__ import annotations

import csv
import json
import stat
from datetime import date

import pytest
from openpyxl import load_workbook

from orchestration.answer.dismissals import dismiss
from orchestration.answer.worklist import work_items
from orchestration.house import House, HouseError
from tests.pipeline.homes import ccm, copy, rows

pytestmark = pytest.mark.xdist_group("office_days")

PRACTICE, LATE = "hudson", "highpines"


@pytest.fixture(scope="module")
def flow(office, tmp_path_factory):
    """A copy of the home whose next night is landed and waits."""
    return copy(office, tmp_path_factory.mktemp("flow") / "home")


def listed(home, **wanted):
    return {item.item_id: item for item in work_items(House(home), PRACTICE, **wanted)}


def newest(home, practice=PRACTICE):
    return rows(home, f"select newest_night from practice_nights where practice_id = '{practice}'")[0]["newest_night"]


def test_names_and_phones_come_only_into_a_private_file_that_was_asked_for(flow):
    night = newest(flow)
    ran = ccm("worklist", "--practice", PRACTICE, "--kind", "missing_note", "--with-names", home=flow)
    assert ran.code == 0, ran.err
    files = [flow / "worklists" / PRACTICE / f"{night}-with-names.{kind}" for kind in ("xlsx", "csv")]
    assert ran.out.split() == [str(path) for path in files]
    landed = sorted((flow / "landing" / PRACTICE).glob("*/patients.csv"))
    with next(path for path in reversed(landed) if path.parent.name <= str(night)).open(encoding="utf-8") as handle:
        patients = {row["patient_id"]: row for row in csv.DictReader(handle)}
    header, *body = load_workbook(files[0])["All"].iter_rows(values_only=True)
    assert body
    for line in body:
        row = dict(zip(header, line, strict=True))
        patient = patients[row["Patient"]]
        assert row["Name"].startswith(f"{patient['last_name']}, {patient['first_name']}")
        assert (row["Phone"] or "") == patient["phone"]
        assert patient["last_name"] not in ran.out + ran.err
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in files)
    with (flow / "worklists" / PRACTICE / f"{night}.csv").open(encoding="utf-8") as handle:
        assert "Name" not in next(csv.reader(handle))


def test_a_dismissal_that_cannot_be_says_why_and_records_nothing(flow):
    item_id, night = next(iter(listed(flow))), newest(flow)
    for items, until, why, complaint in (
        (["nonsense"], date(2027, 1, 1), "x", "no such item"),
        ([item_id, "nonsense"], date(2027, 1, 1), "x", "no such item"),
        ([item_id], night, "x", "is not after"),
        ([item_id], date(2027, 1, 1), " ", "say why"),
    ):
        with pytest.raises(HouseError, match=complaint):
            dismiss(House(flow), items, until, why, PRACTICE)
    ran = ccm("worklist", "dismiss", item_id, "--until", "soon", "--why", "x", home=flow)
    assert ran.code == 1 and "YYYY-MM-DD" in ran.err
    assert not (flow / "worklists" / "dismissals.jsonl").exists()


@pytest.mark.long
def test_items_put_off_and_claims_kept_back_leave_the_list_and_come_back(flow):
    before = listed(flow)
    notes = [item for item in before.values() if item.kind == "missing_note" and item.month == date(2026, 10, 1)]
    by_date, by_facts, kept = [item.item_id for item in notes[:3]]
    night = newest(flow)
    landed = sorted(path.name for path in (flow / "landing" / PRACTICE).iterdir())
    next_night = landed[landed.index(str(night)) + 1]
    for items, until in (((by_date,), next_night), ((by_facts, kept), "2027-01-01")):
        ran = ccm("worklist", "dismiss", *items, "--until", until, "--why", "asked the nurse", "--by", "Ann Lee", home=flow)
        assert ran.code == 0, ran.err
    away = {by_date, by_facts, kept}
    assert before.keys() - listed(flow).keys() == away == listed(flow, dismissed=True).keys()
    # The mart still has the rows; the night's file leaves them out; the record says who and why.
    marked = rows(flow, "select item_id from worklist where dismissed_until is not null")
    assert {row["item_id"] for row in marked} == away
    with (flow / "worklists" / PRACTICE / f"{night}.csv").open(encoding="utf-8") as handle:
        assert {row["Item"] for row in csv.DictReader(handle)} == listed(flow).keys()
    report = (flow / "reports" / PRACTICE / f"{night}.html").read_text(encoding="utf-8")
    assert not [item_id for item_id in away if item_id in report]
    record = flow / "worklists" / "dismissals.jsonl"
    entries = [json.loads(line) for line in record.read_text().splitlines()]
    assert [entry["item_id"] for entry in entries] == [by_date, by_facts, kept]
    assert {(entry["by"], entry["why"]) for entry in entries} == {("Ann Lee", "asked the nurse")}
    assert stat.S_IMODE(record.stat().st_mode) == 0o600

    # In the next night the second entry lasts 11 minutes, still without a note; and a patient's MBI is none.
    entry_id = by_facts.split(":")[1]
    versions = []
    for path in sorted((flow / "landing" / PRACTICE).glob("*/time_entries.csv")):
        with path.open(encoding="utf-8", newline="") as handle:
            versions += [row for row in csv.DictReader(handle) if row["entry_id"] == entry_id]
    assert before[by_facts].minutes != 11
    longer = dict(
        versions[-1], started_at="", ended_at="2026-10-20T15:00:00Z", duration_seconds="660", updated_at=f"{next_night}T01:00:00Z"
    )
    with (flow / "landing" / PRACTICE / next_night / "time_entries.csv").open("a", encoding="utf-8", newline="") as handle:
        csv.DictWriter(handle, list(longer), lineterminator="\n").writerow(longer)
    patient = rows(
        flow,
        f"select patient_id, allowed_amount from patient_month_decisions where practice_id = '{LATE}' and month = '2026-10-01' "
        "and decision = 'claimable' and allowed_amount > 0 order by patient_id",
    )[0]
    coverages = flow / "landing" / LATE / next_night / "coverages.csv"
    with coverages.open(encoding="utf-8", newline="") as handle:
        table = list(csv.DictReader(handle))
    with coverages.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, list(table[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(
            {**row, "member_id": "NOMBI" if row["patient_id"] == patient["patient_id"] else row["member_id"]} for row in table
        )
    ran = ccm("nightly", home=flow)
    assert ran.code == 0, ran.err
    assert "Document before the close" in ran.out
    after = listed(flow)
    assert {by_date, by_facts} <= after.keys() and kept not in after
    assert after[by_facts].minutes == 11
    assert (flow / "worklists" / PRACTICE / f"{next_night}.xlsx").exists()

    # Overdue undocumented time refuses no close; the claim without an MBI is kept back, and is on the list at once.
    closed = ccm("close", "--month", "2026-10", "--practice", LATE, "--approved-by", "Ann Lee", "--json", home=flow)
    assert closed.code == 0, closed.err + closed.out
    (item,) = work_items(House(flow), kind="claim_error")
    assert (item.practice_id, item.patient_id) == (LATE, patient["patient_id"])
    assert item.item_id == f"claim_error:{patient['patient_id']}:2026-10"
    assert item.dollars_at_stake == patient["allowed_amount"] and "NOMBI" not in item.detail and item.member_id is None
    status = rows(
        flow,
        f"select stage, stalled_reason from enrollment_status where patient_id = '{patient['patient_id']}' and month = '2026-10-01'",
    )
    assert status == [{"stage": "claimable", "stalled_reason": "claim_error"}]
    with (flow / "worklists" / LATE / f"{next_night}.csv").open(encoding="utf-8") as handle:
        assert item.item_id in {row["Item"] for row in csv.DictReader(handle)}
