"""Proposed, closed, supplemented, changed afterwards: every step leaves a record, and every change names the row that did it."""

from __future__ import annotations

import csv
import io
import json
import shutil
from contextlib import ExitStack
from datetime import date

import pyarrow.parquet as pq
import pytest

from orchestration.answer.difference import compare
from orchestration.answer.explain import of_marts, of_packet
from orchestration.close.versions import packet_folder
from orchestration.command import closes
from orchestration.command.common import Screen
from orchestration.house import House
from tests.pipeline.homes import ccm, copy, rows

pytestmark = pytest.mark.xdist_group("close_states")


def lines(packet):
    with (packet / "claims.csv").open() as handle:
        return list(csv.DictReader(handle))


def transitions(home, practice):
    return [json.loads(line) for line in (home / "closes" / practice / "transitions.jsonl").read_text().splitlines()]


def payments(home):
    """claim_id -> dates (YYYYMMDD) of the payments that decided it, from the 835s in the inbox."""
    found = {}
    for path in home.glob("inbox/*.835"):
        paid_on = None
        for segment in path.read_text().split("~"):
            elements = segment.strip().split("*")
            if elements[0] == "BPR":
                paid_on = elements[16]
            elif elements[0] == "CLP" and elements[2] != "22":
                found.setdefault(elements[1], set()).add(paid_on)
    return found


def test_every_close_of_the_demo_is_recorded_once_with_who_when_and_hashes(demo):
    home, _ = demo
    for folder in home.glob("closes/[a-z]*"):
        recorded = [(t["month"], t["version"]) for t in transitions(home, folder.name) if t["to"] == "closed"]
        assert sorted(recorded) == sorted((p.parents[1].name, int(p.parent.name[1:])) for p in folder.glob("*/v*/manifest.json"))
        for entry in transitions(home, folder.name):
            assert entry["who"] and entry["at"] and entry["hashes"]


def test_what_a_supplement_releases_says_how_it_was_released(demo):
    home, _ = demo
    seen = set()
    for folder in home.glob("closes/[a-z]*"):
        for closed in (t for t in transitions(home, folder.name) if t["to"] == "closed"):
            packet, first = (folder / closed["month"] / f"v{version}" for version in (closed["version"], 1))
            held = {row["patient_id"]: row["reason"] for row in csv.DictReader((first / "held.csv").open())}
            claimed = {line["patient_id"] for line in lines(packet)} if packet != first else set()
            assert {one["patient_id"]: one["was"] for one in closed["released"]} == {p: held[p] for p in held.keys() & claimed}
            # The demo's supplements are of after the final day and none is waived: whose time still stands, that day let go.
            assert not closed["released"] or json.loads((packet / "manifest.json").read_text())["is_waived"] is False
            stands = left_of(packet, "undocumented_time") & left_of(first, "undocumented_time")
            stands |= {
                (p, "unresolved") for p, what in left_of(packet, "minute_ledger") if what in ("staff_overlap", "runaway_timer")
            }
            for one in closed["released"]:
                mine = {what for patient_id, what in stands if patient_id == one["patient_id"]}
                is_left = mine if one["was"] == "unresolved_time" else mine - {"unresolved"}
                assert one["by"] == ("final_day" if is_left else "documented"), one
                seen.add((one["was"], one["by"]))
    assert seen == {("undocumented_time", "documented"), ("undocumented_time", "final_day"), ("unresolved_time", "final_day")}


def left_of(packet, table):
    """(patient, item or disposition) of a packet's undocumented time or ledger."""
    what = "item_id" if table == "undocumented_time" else "disposition"
    return {(row["patient_id"], row[what]) for row in pq.read_table(packet / f"{table}.parquet").to_pylist()}


@pytest.mark.long
def test_a_proposal_writes_nothing_but_itself_and_is_what_the_close_then_sends(next_night, tmp_path):
    home = copy(next_night, tmp_path / "home")

    def files():
        kept = (p for p in home.rglob("*") if p.is_file() and ".state" not in p.parts and p.name != "access.jsonl")
        return {p: p.read_bytes() for p in kept if "warehouse" not in p.name}

    before = files()
    ran = ccm("close", "--month", "2026-10", "--practice", "highpines", "--propose", "--json", home=home)
    assert ran.code == 0, ran.out + ran.err
    proposed = json.loads(ran.out)[0]
    after = files()
    assert {p.name for p in after.keys() - before.keys()} <= {"001.json", "transitions.jsonl"}
    assert all(after[p] == before[p] for p in before if p.name != "transitions.jsonl")
    assert not list(home.glob("closes/highpines/2026-10/v*"))
    assert "for the approver" not in ran.err and proposed["totals"]["claims"] > 0
    # A second look at the same data proposes nothing new.
    assert (
        json.loads(ccm("close", "--month", "2026-10", "--practice", "highpines", "--propose", "--json", home=home).out)[0]["is_new"]
        is False
    )
    closed = json.loads(
        ccm("close", "--month", "2026-10", "--practice", "highpines", "--approved-by", "Ann Lee", "--json", home=home).out
    )[0]
    assert (
        f"{closed['allowed_amount']}" == proposed["totals"]["allowed_amount"] and closed["claims"] == proposed["totals"]["claims"]
    )
    assert [t["to"] for t in transitions(home, "highpines") if t["month"] == "2026-10"] == ["proposed", "closed"]
    state = rows(home, "select state, close_version from close_calendar where practice_id = 'highpines' and month = '2026-10-01'")
    assert state == [{"state": "closed", "close_version": 1}]


def test_a_proposal_that_is_printed_says_why_a_claim_is_held(monkeypatch):
    screen = Screen(file=io.StringIO(), width=200)
    monkeypatch.setattr(closes, "out", screen)
    held = {
        "P1": {"reason": "claim_error", "detail": "no street in the address", "dollars_at_stake": "66.30"},
        "P2": {"reason": "undocumented_time", "detail": "", "dollars_at_stake": "0.00"},
    }
    totals = {"claims": 1, "allowed_amount": "66.30", "held": 2}
    row = {"practice_id": "hudson", "month": "2026-10", "outcome": "proposed", "version": 1, "totals": totals, "held": held}
    closes.print_close([{**row, "changes": {}, "proposal": "001.json"}])
    said = screen.file.getvalue()
    assert "held P1: claim_error (no street in the address), $66.30 at stake" in said
    assert "held P2: undocumented_time, $0.00 at stake" in said


@pytest.mark.long
def test_a_waiver_needs_an_approver_and_no_proposal_takes_one(demo):
    home, _ = demo
    assert "--propose takes no waiver" in ccm("close", "--month", "2026-10", "--propose", "--waive", "x", home=home).err
    assert "needs the name of a person" in ccm("close", "--month", "2026-10", home=home).err


@pytest.mark.long
def test_what_became_claimable_after_its_months_close_is_on_the_work_list_until_a_further_close_sends_it(next_night, tmp_path):
    home = copy(next_night, tmp_path / "home", without=["landing"])
    months = "select practice_id, patient_id, month, allowed_amount from patient_month_decisions where decision = 'claimable'"
    claimable = {(r["practice_id"], f"{r['month']:%Y-%m}", r["patient_id"]): r["allowed_amount"] for r in rows(home, months)}
    closed = {(p.parents[2].name, p.parents[1].name) for p in home.glob("closes/*/*/v*/manifest.json")}

    def listed(*kinds):
        found = [r for r in rows(home, "from worklist") if r["kind"] in kinds]
        return {(r["practice_id"], f"{r['month']:%Y-%m}", r["patient_id"]): r for r in found}

    late, turned_back = listed("late_claim"), listed("claim_error", "rejected_claim")
    assert late.keys() == {of for of in claimable if of[:2] in closed} - turned_back.keys()
    assert {of: item["dollars_at_stake"] for of, item in late.items()} == {of: claimable[of] for of in late}
    assert all(item["member_id"] is None and "close the month again" in item["detail"] for item in late.values())

    practice, month = next(of[:2] for of in sorted(late) if of[:2] not in {other[:2] for other in turned_back})
    ran = ccm("close", "--month", month, "--practice", practice, "--approved-by", "Ann Lee", "--json", home=home)
    (made,) = json.loads(ran.out)
    sent = {row["patient_id"] for row in lines(home / "closes" / practice / month / f"v{made['version']}")}
    assert made["outcome"] == "closed" and sent == {of[2] for of in late if of[:2] == (practice, month)}
    assert listed("late_claim").keys() == {of for of in late if of[:2] != (practice, month)}


def test_the_calendar_has_every_practice_month_with_its_state(demo):
    home, _ = demo
    states = {(r["practice_id"], f"{r['month']:%Y-%m}"): r["state"] for r in rows(home, "from close_calendar")}
    assert (
        states["highpines", "2026-10"] == "due"
        and states["hudson", "2026-10"] == "closed"
        and states["hudson", "2026-11"] == "open"
    )
    grid = rows(home, "select count(*) as n from (select distinct practice_id, month from eligibility)")[0]["n"]
    assert len(states) == grid


def said(change):
    """The codes as claimed and as they are now, with their days where these differ."""
    codes = [", ".join(change[name]) or "nothing" for name in ("claimed_codes", "codes_now")]
    days = [change["claimed_service_date"], change["service_date_now"]]
    return codes if days[1] in (None, days[0]) else [f"{text} on {day}" for text, day in zip(codes, days, strict=True)]


@pytest.mark.long
def test_late_facts_about_a_claimed_month_show_as_money_to_reopen_or_refund_and_never_as_a_claim(demo):
    home, _ = demo
    changes = rows(home, "from post_close_changes")
    # Both are somebody's work, by their own day; of a denied claim nothing is owed.
    denied = {row["claim_id"] for row in rows(home, "from claims where status = 'denied'")}
    paid = {row["claim_id"]: row["paid_amount"] for row in rows(home, "from claims")}
    assert {
        f"{'refund' if change['kind'] == 'refund' else 'reopening'}_due:{change['claim_id']}": (
            -paid[change["claim_id"]]
            if change["claimed_codes"] == change["codes_now"]
            else change["amount_now"] - change["claimed_amount"],
            change["due_on"],
            " claimed, ".join(said(change)) + " may be",
        )
        for change in changes
        if change["claim_id"] not in denied
    } == {
        row["item_id"]: (row["dollars_at_stake"], row["due_on"], row["detail"].partition("(")[2].partition(")")[0])
        for row in rows(home, "from worklist where kind in ('refund_due', 'reopening_due')")
        if f"by {row['last_day']}" in row["detail"]
    }
    decided = payments(home)
    assert {"reopen", "refund"} == {change["kind"] for change in changes}
    assert any(change["claim_id"] in decided for change in changes if change["kind"] == "reopen")
    closed = {
        (r["practice_id"], f"{r['month']:%Y-%m}", r["close_version"])
        for r in rows(home, "select practice_id, month, close_version from claims")
    }
    told: dict[tuple[str, ...], dict[str, dict]] = {}
    for change in changes:
        key = change["practice_id"], f"{change['month']:%Y-%m}"
        packet = next(
            home / "closes" / key[0] / key[1] / f"v{v}"
            for p, m, v in closed
            if (p, m) == key and change["claim_id"] in {line["claim_id"] for line in lines(home / "closes" / p / m / f"v{v}")}
        )
        claimed = [line for line in lines(packet) if line["claim_id"] == change["claim_id"]]
        assert sum(float(line["allowed_amount"]) for line in claimed) == pytest.approx(float(change["claimed_amount"]))
        is_another_day = change["claimed_codes"] == change["codes_now"]
        assert (change["amount_now"] > change["claimed_amount"] or is_another_day) == (change["kind"] == "reopen")
        night = json.loads((packet / "manifest.json").read_text())["newest_night"]
        assert str(change["found_on"]) > night
        if change["kind"] == "refund":
            assert (change["due_on"] - change["found_on"]).days == 60
            assert (change["investigation_until_on"] - change["found_on"]).days == 180
            assert (change["latest_due_on"] - change["found_on"]).days == 240
        else:
            determined = min(decided.get(change["claim_id"], {night.replace("-", "")}))
            assert f"{change['latest_due_on']:%Y%m%d}" == f"{int(determined[:4]) + 1}{determined[4:]}"
            assert change["due_on"] == change["latest_due_on"] or (
                is_another_day and (change["due_on"] - change["found_on"]).days == 60
            )
        # The row that did it is named.
        asked = ("--month", key[1], "--from", packet.name, "--practice", key[0])
        if asked not in told:
            ran = ccm("diff", *asked, "--json", home=home)
            assert ran.code == 0, ran.err
            told[asked] = {c["patient_id"]: c for c in json.loads(ran.out)[0]["changes"]}
        found = told[asked][change["patient_id"]]
        assert any(cause.startswith("entry ") and ".csv line " in cause for cause in found["causes"])
        assert float(found["dollars"]) == pytest.approx(float(change["amount_now"] - change["claimed_amount"]))


def test_a_paid_month_is_dated_by_the_payment_that_stands(demo):
    home, _ = demo
    decided = payments(home)
    paid = rows(
        home,
        """
        select claims.claim_id, strftime(stages.stage_since, '%Y%m%d') as since
        from enrollment_status as stages inner join claims using (practice_id, patient_id, month) where stages.stage = 'paid'
        """,
    )
    assert paid and all(row["since"] in decided[row["claim_id"]] for row in paid)
    steps = rows(home, "select patients, share_of_previous, median_days from stage_durations where stage = 'paid'")
    assert any(step["patients"] > 0 and step["median_days"] > 0 for step in steps)


@pytest.mark.long
def test_a_diff_of_a_version_with_itself_is_empty(demo):
    ran = ccm("diff", "--month", "2026-09", "--from", "v1", "--to", "v1", "--json", home=demo[0])
    differences = json.loads(ran.out)
    assert differences
    for difference in differences:
        assert difference["changes"] == difference["rules"] == difference["settings"] == []


def changes_of(home, practice, month, before, after):
    """patient_id -> what `ccm diff` says of it; asked of its function, as many are asked for."""
    house, day = House(home), date.fromisoformat(f"{month}-01")
    with ExitStack() as stack:
        sides = [
            stack.enter_context(
                of_marts(house, practice)
                if side == "live"
                else of_packet(house, packet_folder(house, practice, day, int(side[1:])))
            )
            for side in (before, after)
        ]
        return {change.patient_id: change for change in compare(*sides, practice, day).changes}


@pytest.mark.long
def test_a_diff_says_that_the_payer_turned_a_claim_back_and_that_a_later_close_claimed_it(demo):
    home, _ = demo
    rejected = rows(
        home,
        "select practice_id, patient_id, month, close_version from claims inner join patient_month_decisions using (practice_id, patient_id, month) "
        "where status = 'rejected' and close_version = 1 and decision = 'claimable' and month = '2026-09-01'",
    )
    assert rejected
    for row in rejected:
        turned_back = changes_of(home, row["practice_id"], "2026-09", "v2", "live")[row["patient_id"]]
        assert turned_back.causes == ("the payer turned its claim back unprocessed",)
        not_yet = changes_of(home, row["practice_id"], "2026-09", "v2", "v1")[row["patient_id"]]
        assert any("before a close claimed it" in cause for cause in not_yet.causes)


@pytest.mark.long
def test_a_diff_names_the_final_day_where_it_released_what_was_held_whatever_else_changed(demo):
    home, _ = demo
    seen = set()
    for practice in sorted(folder.name for folder in home.glob("closes/[a-z]*")):
        for change in changes_of(home, practice, "2026-07", "v1", "live").values():
            if change.before["decision"] == "held" and change.after["decision"] == "claimable":
                is_by_day = any(cause.startswith("the newest night went from ") for cause in change.causes)
                # Of what was documented meanwhile the note is what released it.
                assert is_by_day or any("is_documented False -> True" in cause for cause in change.causes)
                assert is_by_day or change.before["credited_seconds"] != change.after["credited_seconds"]
                seen |= {(is_by_day, cause.split()[0]) for cause in change.causes}
    assert {(True, "care_plans"), (False, "entry")} <= seen  # a review of the care plan released nothing


@pytest.mark.long
def test_a_diff_leaves_out_practices_that_lack_a_version_that_others_have(demo, tmp_path):
    home = copy(demo[0], tmp_path / "home", without=["landing"])
    shutil.rmtree(home / "closes" / "bayview" / "2026-09" / "v2")
    ran = ccm("diff", "--month", "2026-09", "--from", "v1", "--to", "v2", "--json", home=home)
    assert ran.code == 0, ran.err
    assert [one["practice_id"] for one in json.loads(ran.out)] == ["highpines", "hudson", "prairie"]
    assert "bayview" in ran.err and "v2" in ran.err
    ran = ccm("diff", "--month", "2026-09", "--from", "v1", "--to", "v3", home=home)
    assert ran.code == 1 and "no practice has" in ran.err


def test_a_claim_line_leads_to_its_seconds_and_an_entry_back_to_its_lines(demo):
    home, _ = demo
    packet = home / "closes" / "hudson" / "2026-09" / "v1"
    line = next(line for line in lines(packet) if line["procedure_code"] == "99439")
    ran = ccm("why", line["line_id"], "--json", home=home)
    assert ran.code == 0, ran.err
    told = json.loads(ran.out)[0]
    assert told["lines"] == [line] and told["answers"][0]["claim_id"] == line["claim_id"]
    credited = [e for e in told["story"]["entries"] if any(p["disposition"] == "credited" for p in e["seconds"])]
    assert (
        sum(p["seconds"] for e in credited for p in e["seconds"] if p["disposition"] == "credited")
        == told["story"]["minutes"]["credited_seconds"]
    )
    back = json.loads(ccm("why", credited[0]["entry_id"], "--entry", "--practice", "hudson", "--json", home=home).out)
    assert line["line_id"] in {row["line_id"] for row in back}
    assert ccm("why", "CCM0000NOSUCHLINE01", home=home).code == 1
