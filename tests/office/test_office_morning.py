"""The office's morning on the demo home, through the command and the files that a user has."""

from __future__ import annotations

import csv
import json
import stat
from concurrent.futures import ProcessPoolExecutor
from datetime import date, timedelta
from decimal import Decimal

import holidays
import pytest
from openpyxl import load_workbook

from orchestration.answer import worklist_files
from orchestration.house import House
from orchestration.judge.expectations import judge_open_months
from orchestration.practices import load_practices, next_month
from tests.pipeline.homes import ccm, rows

pytestmark = pytest.mark.xdist_group("office_days")

TIME_KINDS = (
    "missing_note",
    "open_timer",
    "visit_without_time",
    "staff_overlap",
    "runaway_timer",
    "quarantined_time",
    "quarantined_row",
)


def nights(home):
    return {row["practice_id"]: row["newest_night"] for row in rows(home, "from practice_nights")}


def test_every_practice_has_one_private_workbook_and_one_csv_of_its_newest_night_with_the_items_of_the_mart(office):
    listed = {}
    for row in rows(office, "from worklist"):
        listed.setdefault(row["practice_id"], {})[row["item_id"]] = row
    assert sum(len(items) for items in listed.values()) > 30
    for practice_id, night in nights(office).items():
        folder = office / "worklists" / practice_id
        assert {f"{night}.xlsx", f"{night}.csv"} <= {path.name for path in folder.iterdir()}
        assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in folder.iterdir())
        sheet = load_workbook(folder / f"{night}.xlsx")["All"]
        header, *body = sheet.iter_rows(values_only=True)
        shown = [dict(zip(header, line, strict=True)) for line in body]
        items = listed.get(practice_id, {})
        assert {line["Item"] for line in shown} == items.keys()
        assert [line["Worth"] for line in shown] == sorted((line["Worth"] for line in shown), key=abs, reverse=True)
        with (folder / f"{night}.csv").open(encoding="utf-8", newline="") as handle:
            plain = {line["Item"]: line for line in csv.DictReader(handle)}
        for line in shown:
            item = items[line["Item"]]
            assert (
                Decimal(str(line["Worth"])).quantize(Decimal("0.01"))
                == item["dollars_at_stake"]
                == Decimal(plain[line["Item"]]["Worth"])
            )
            assert (line["What to do"], line["Minutes"]) == (item["detail"], item["minutes"])
            assert line["Days left"] == (min(item["due_on"], item["last_day"]) - night).days
            assert line["Last day"].date() == item["last_day"] == date.fromisoformat(plain[line["Item"]]["Last day"])


@pytest.mark.long
def test_the_lists_of_many_practices_are_written_by_several_processes_and_are_the_same(office, tmp_path, monkeypatch):
    home = tmp_path / "home"
    (home / ".state").mkdir(parents=True)
    (home / "marts.duckdb").symlink_to(office / "marts.duckdb")
    submitted = []
    submit = ProcessPoolExecutor.submit
    monkeypatch.setattr(ProcessPoolExecutor, "submit", lambda pool, *given: submitted.append(given) or submit(pool, *given))
    monkeypatch.setattr(worklist_files.os, "cpu_count", lambda: 2)
    monkeypatch.setattr(worklist_files, "A_PART", 2)
    written = worklist_files.write_worklists(House(home))
    assert len(submitted) == -(-len(written) // 2) > 1 and all(one.is_new for one in written)
    assert [one.practice_id for one in written] == sorted(nights(office))
    for one in written:
        for path in one.files:
            assert path.read_bytes() == (office / path.relative_to(home)).read_bytes()
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not any(one.is_new for one in worklist_files.write_worklists(House(home)))


def test_no_sentence_has_an_unfilled_place_and_every_item_but_what_a_claim_owes_is_due_the_day_before_its_month_may_close(office):
    practices = load_practices(office / "practices.yaml")
    for row in rows(office, "from worklist"):
        assert "{" not in row["detail"] and row["detail"].strip()
        if row["kind"] not in ("unanswered_claim", "taken_back_claim", "refund_due", "reopening_due"):
            assert row["due_on"] == practices[row["practice_id"]].first_close_day(row["month"]) - timedelta(days=1)


def test_items_are_of_months_that_can_still_be_mended(office):
    practices, newest = load_practices(office / "practices.yaml"), nights(office)
    kinds = set()
    for row in rows(office, "from worklist"):
        night, month = newest[row["practice_id"]], row["month"]
        kinds.add(row["kind"])
        if row["kind"] in (
            "denied_claim",
            "rejected_claim",
            "late_claim",
            "claim_error",
            "unanswered_claim",
            "taken_back_claim",
            "underpaid_claim",
            "overpaid_claim",
            "refund_due",
            "reopening_due",
        ):
            assert month <= night.replace(day=1)
            continue
        if row["kind"] not in TIME_KINDS:
            assert (night.year, night.month) == (month.year, month.month), row["kind"]
            continue
        final_day = next_month(month) + timedelta(days=practices[row["practice_id"]].close.final_day - 1)
        if night >= final_day:
            assert row["dollars_at_stake"] > 0
    assert len(kinds) >= 14


def a_year_later(day: date) -> date:
    return day.replace(year=day.year + 1, day=min(day.day, 28) if day.month == 2 else day.day)


def test_every_item_says_its_last_day_and_is_on_the_list_no_longer(office):
    practices, newest = load_practices(office / "practices.yaml"), nights(office)
    decisions = {
        (row["practice_id"], row["patient_id"], row["month"]): row["decision"]
        for row in rows(office, "from patient_month_decisions")
    }
    service_dates = {
        (row["practice_id"], row["patient_id"], row["month"]): row["service_date"] for row in rows(office, "from claimable_codes")
    }
    of_claims = {row["claim_id"]: row for row in rows(office, "from claims")}
    of_months = {(row["practice_id"], row["patient_id"], row["month"]): row for row in of_claims.values()}
    changes = {row["claim_id"]: row for row in rows(office, "from post_close_changes")}
    seen = set()
    for row in rows(office, "from worklist"):
        of = (row["practice_id"], row["patient_id"], row["month"])
        month_end = next_month(row["month"]) - timedelta(days=1)
        seen.add(row["kind"])
        if row["kind"] in ("denied_claim", "underpaid_claim"):
            claim = of_claims[row["item_id"].partition(":")[2]]
            last_day = max(a_year_later(claim["answered_on"]), claim["answered_on"] + timedelta(days=125))
            if claim["reversals"]:  # the year goes from the first decision, and that was before
                assert claim["answered_on"] < row["last_day"] < last_day
                continue
        elif row["kind"] in ("refund_due", "overpaid_claim"):
            last_day = row["due_on"]
        elif row["kind"] == "reopening_due":
            last_day = changes[row["item_id"].partition(":")[2]]["latest_due_on"]
        elif row["kind"] in ("late_claim", "rejected_claim", "claim_error"):
            last_day = a_year_later(service_dates[of])
        elif row["kind"] not in TIME_KINDS:
            last_day = month_end
        elif decisions[of] != "claimed" and row["dollars_at_stake"] > 0:
            last_day = a_year_later(month_end)
        elif row["dollars_at_stake"] > 0 and (claim := of_months.get(of)):
            # Documented after its claim went out it is had by a reopening; the year goes from the first decision, where there is one.
            last_day = a_year_later(claim["submitted_on"])
            if claim["answered_on"]:
                assert last_day <= row["last_day"] <= a_year_later(claim["answered_on"])
                continue
        else:
            last_day = next_month(row["month"]) + timedelta(days=practices[of[0]].close.final_day - 2)
        assert (row["item_id"], row["last_day"]) == (row["item_id"], last_day)
        assert row["kind"] in ("refund_due", "overpaid_claim") or newest[of[0]] <= row["last_day"]
    assert {"denied_claim", "late_claim", "rejected_claim", "refund_due", "underpaid_claim"} < seen


def test_a_denied_or_rejected_claim_says_the_likely_cause_and_what_helps(office):
    why = {}
    for row in rows(office, "from claim_denials"):
        why.setdefault(row["claim_id"], []).append(row)
    found = rows(office, "from worklist where kind in ('denied_claim', 'rejected_claim')")
    assert {row["kind"] for row in found} == {"denied_claim", "rejected_claim"}
    for row in found:
        for reason in why[row["item_id"].partition(":")[2]]:
            assert all(reason[told] in row["detail"] for told in ("denial_code", "likely_cause", "fix"))
            assert all(code in row["detail"] for code in reason["remark_codes"])


def test_a_claim_paid_less_than_the_fee_schedule_says_is_listed_with_what_is_missing(office):
    missing = {}
    for line in rows(office, "from claim_line_payments where status = 'paid'"):
        if not line["denial_codes"] and set(line["adjustment_codes"]) <= {"CO-45", "CO-253", "PR-2"}:
            missing[line["claim_id"]] = missing.get(line["claim_id"], 0) + line["expected_payment"] - line["paid_amount"]
    listed = {row["item_id"]: row["dollars_at_stake"] for row in rows(office, "from worklist where kind = 'underpaid_claim'")}
    assert listed and listed == {f"underpaid_claim:{claim}": dollars for claim, dollars in missing.items() if dollars >= 1}


def test_a_patients_enrollment_dollars_are_counted_once(office):
    found = rows(
        office,
        """
        select practice_id, patient_id, count(*) filter (where dollars_at_stake > 0) as worth
        from worklist
        where kind in ('undocumented_consent', 'missing_initiating_visit', 'missing_care_plan', 'eligible_not_contacted', 'stalled_outreach')
        group by all
        """,
    )
    assert found and max(row["worth"] for row in found) == 1


def test_near_threshold_and_no_time_yet_say_the_minutes_to_go_and_what_the_first_code_brings(office):
    found = rows(
        office,
        """
        select items.kind, items.minutes, items.dollars_at_stake, months.credited_minutes, months.logged_seconds, decisions.reason, funnel.program
        from worklist as items
        inner join patient_month_minutes as months using (practice_id, patient_id, month)
        inner join patient_month_decisions as decisions using (practice_id, patient_id, month)
        inner join eligibility as funnel using (practice_id, patient_id, month)
        where items.kind in ('near_threshold', 'no_time_yet')
        """,
    )
    assert found
    for row in found:
        assert row["reason"] == "below_threshold"
        assert row["minutes"] + row["credited_minutes"] == {"ccm": 20, "pcm": 30}[row["program"]]
        assert row["dollars_at_stake"] > 20
        if row["kind"] == "no_time_yet":
            assert row["logged_seconds"] == 0
        else:
            assert 15 <= row["credited_minutes"] < 20


def test_the_command_filters_and_sorts_and_names_what_it_does_not_know(office):
    everything = json.loads(ccm("worklist", "--json", home=office).out)
    assert len(everything) == rows(office, "select count(*) as n from worklist")[0]["n"]
    worth = [abs(Decimal(item["dollars_at_stake"])) for item in everything]
    assert worth == sorted(worth, reverse=True)
    first = everything[0]
    arguments = ("--practice", first["practice_id"], "--kind", first["kind"], "--month", first["month"][:7])
    some = json.loads(ccm("worklist", "--json", *arguments, home=office).out)
    assert some == [i for i in everything if all(i[name] == first[name] for name in ("practice_id", "kind", "month"))]
    shown = ccm("worklist", *arguments, home=office)
    assert shown.code == 0 and first["detail"].split()[0] in shown.out
    wrong = ccm("worklist", "--kind", "nonsense", home=office)
    assert wrong.code == 1 and "missing_note" in wrong.err
    for more, said in (((), "no practice has"), (("--practice", first["practice_id"]), f"{first['practice_id']} does not have")):
        nobodys = ccm("worklist", "--month", "2040-01", *more, home=office)
        assert nobodys.code == 0 and nobodys.out == f"2040-01: {said} this month; `ccm status` lists the months there are\n"
    assert json.loads(ccm("worklist", "--json", "--month", "2040-01", home=office).out) == []


def test_undocumented_time_is_a_warning_first_and_overdue_from_five_business_days_before_the_close_may_begin(office):
    federal = holidays.country_holidays("US")
    practices, newest = load_practices(office / "practices.yaml"), nights(office)

    def overdue_from(practice, month):
        day, left = practice.first_close_day(month), 5
        while left:
            day -= timedelta(days=1)
            left -= day.weekday() < 5 and day not in federal
        return day

    wanted: dict[str, set[str]] = {}
    # Of a month that closed, what no claim went out for and would bring something.
    for row in rows(
        office,
        """
        select practice_id, month, kind from undocumented_time
        inner join patient_month_decisions using (practice_id, patient_id, month)
        inner join close_calendar using (practice_id, month)
        qualify close_version is null or (decision <> 'claimed' and sum(dollars_at_stake) over (partition by practice_id, patient_id, month) <> 0)
        """,
    ):
        practice, month = practices[row["practice_id"]], row["month"]
        night = newest[row["practice_id"]]
        if night < next_month(month) + timedelta(days=practice.close.final_day - 1):
            late = night >= overdue_from(practice, month)
            wanted.setdefault(row["kind"] + "__overdue" * late, set()).add(row["practice_id"])
    # The night's own verdict is of before the closes.
    verdict = judge_open_months(House(office))
    found = {one.check: set(one.practice_ids) for one in verdict if not one.passed}
    assert found == wanted
    assert all((one.severity == "error") == one.check.endswith("__overdue") for one in verdict)
    assert {"missing_note", "missing_note__overdue"} <= found.keys()
    # Red, by name, with what it is worth; and no ground to refuse a close.
    told = next(one for one in verdict if one.check == "missing_note__overdue")
    assert all(f"{practice_id} 20" in told.detail for practice_id in told.practice_ids) and "due 20" in told.detail
    gate = json.loads((office / ".state" / "verdicts" / "great_expectations.json").read_text())
    assert not any("overdue" in finding["check"] for finding in gate["findings"])


def test_the_trend_of_a_practice_is_the_sum_of_its_members(office):
    found = rows(
        office,
        """
        select practice_id, month, sum(items) filter (where scope = 'member') as of_members, sum(items) filter (where scope = 'practice') as of_practice,
            max(undocumented_share) as share
        from undocumented_trend group by all
        """,
    )
    assert any(row["share"] and 0 < row["share"] < 1 for row in found)
    assert all((row["of_members"] or 0) == row["of_practice"] for row in found)
    items = rows(office, "select count(*) as n from undocumented_time")[0]["n"]
    assert sum(row["of_practice"] for row in found) == items > 0


def test_revenue_at_50_100_and_200_patients_is_the_practices_own_base_code(office):
    base = {
        row["practice_id"]: row["amount"]
        for row in rows(
            office, "select practice_id, arg_max(base_code_amount, month) as amount from enrollment_benchmark group by practice_id"
        )
    }
    table = rows(office, "from revenue_table")
    assert {row["patients"] for row in table} == {50, 100, 200}
    for row in table:
        assert row["monthly_revenue"] == row["patients"] * base[row["practice_id"]]
        assert row["yearly_revenue"] == 12 * row["monthly_revenue"]


def test_the_waterfall_starts_at_the_revenue_gaps_eligible_patients_and_bills_what_the_packets_say(office):
    gap = {
        (row["practice_id"], row["month"]): row["dollars"]
        for row in rows(office, "select practice_id, month, sum(dollars) as dollars from revenue_gap group by all")
    }
    rejected = {row["claim_id"] for row in rows(office, "select claim_id from claims where status = 'rejected'")}
    billed: dict[tuple[str, date], Decimal] = {}
    for path in office.glob("closes/*/*/v*/claims.csv"):
        with path.open(encoding="utf-8", newline="") as handle:
            for line in csv.DictReader(handle):
                if line["claim_id"] in rejected:
                    continue  # turned back unprocessed: it claims nothing
                key = (path.parent.parent.parent.name, date.fromisoformat(line["month"]))
                billed[key] = billed.get(key, Decimal(0)) + Decimal(line["allowed_amount"])
    assert billed
    steps = rows(office, "from revenue_waterfall")
    assert {row["step"] for row in steps} == {"potential", "enrolled", "earned", "billed", "paid"}
    for row in steps:
        if row["step"] == "potential":
            assert row["dollars"] == gap[row["practice_id"], row["month"]]
        if row["step"] == "billed":
            assert row["dollars"] == billed.get((row["practice_id"], row["month"]), 0)


def test_what_is_reachable_this_month_keeps_within_the_care_teams_minutes(office):
    teams = {row["practice_id"]: row for row in rows(office, "from capacity")}
    newest = nights(office)
    assert teams.keys() == newest.keys()
    federal = holidays.country_holidays("US")
    for practice_id, night in newest.items():
        day, left = night, 0
        while (day := day + timedelta(days=1)).month == night.month:
            left += day.weekday() < 5 and day not in federal
        assert teams[practice_id]["business_days_left"] == left
    plan = rows(office, "from capacity_plan order by practice_id, place")
    assert plan
    for row in plan:
        team = teams[row["practice_id"]]
        assert row["is_reachable"] == (row["minutes_so_far"] <= team["minutes_left"])
        assert row["month"] == newest[row["practice_id"]].replace(day=1)
    for practice_id, team in teams.items():
        own = [row for row in plan if row["practice_id"] == practice_id and row["is_reachable"]]
        assert team["reachable_amount"] == sum(row["allowed_amount"] for row in own)
        assert [row["dollars_per_minute"] for row in own] == sorted((row["dollars_per_minute"] for row in own), reverse=True)
