"""`ccm explain` answers "why?" with rows that are really there."""

from __future__ import annotations

import csv
import hashlib
import json
from datetime import date
from decimal import Decimal

import pytest

from orchestration.answer.difference import _where
from orchestration.answer.explain import of_marts, of_packet, tell
from orchestration.answer.explain.page import page as printed_page
from orchestration.answer.explain.source import claimed_in
from orchestration.answer.explain.text import changed, lines
from orchestration.house import House
from orchestration.mapping.sql import ROWS_OF_A_LINE
from orchestration.money import price
from tests.pipeline.homes import ccm, copy, rows

pytestmark = pytest.mark.xdist_group("explain")


def explain(home, row, *more):
    ran = ccm(
        "explain",
        "--practice",
        row["practice_id"],
        "--patient",
        row["patient_id"],
        "--month",
        f"{row['month']:%Y-%m}",
        *more,
        home=home,
    )
    assert ran.code == 0, ran.err
    return ran.out


def one_of(home, where):
    found = rows(home, f"from patient_month_decisions where {where} order by practice_id, patient_id, month limit 1")
    assert found, where
    return found[0]


@pytest.mark.parametrize(
    "where",
    [
        "decision = 'claimed' and list_contains(flags, 'staff_overlap')",
        pytest.param("decision = 'claimable'", marks=pytest.mark.long),
        pytest.param("decision = 'held' and reason = 'undocumented_time'", marks=pytest.mark.long),
        "decision = 'held' and reason = 'unresolved_time'",
        "decision = 'not_claimable' and reason = 'below_threshold'",
        pytest.param("decision = 'not_claimable' and reason = 'no_initiating_visit'", marks=pytest.mark.long),
    ],
)
def test_a_story_adds_up_and_points_at_landed_rows(demo, where):
    home, _ = demo
    row = one_of(home, where)
    story = json.loads(explain(home, row, "--json", "--live"))
    assert (story["decision"], story["reason"]) == (row["decision"], row["reason"])
    deciding = [gate for gate in story["gates"] if gate["decides"]]
    assert [gate["reason"] for gate in deciding] == [row["reason"]] and deciding[0]["applies"] and deciding[0]["citation"]
    for gate in story["gates"][: story["gates"].index(deciding[0])]:
        assert not gate["applies"] or row["decision"] == "claimed", gate["reason"]
    ledger = {
        (r["entry_id"], r["disposition"]): r["seconds"]
        for r in rows(
            home,
            f"from minute_ledger where practice_id = '{row['practice_id']}' and patient_id = '{row['patient_id']}' and month = '{row['month']}'",
        )
    }
    assert {(e["entry_id"], p["disposition"]): p["seconds"] for e in story["entries"] for p in e["seconds"]} == ledger
    assert story["minutes"]["logged_seconds"] == sum(s for (_, d), s in ledger.items() if d != "voided")
    in_question = rows(
        home,
        "select item_id, detail from worklist where kind in ('staff_overlap', 'runaway_timer') "
        f"and practice_id = '{row['practice_id']}' and patient_id = '{row['patient_id']}' and month = '{row['month']}' order by item_id",
    )
    assert [item["item_id"] for item in story["unresolved"]] == [item["item_id"] for item in in_question]
    assert in_question or row["reason"] != "unresolved_time"
    said = " ".join(explain(home, row, "--live").split())
    assert all(" ".join(item["detail"].split()) in said for item in in_question)
    chosen = [track for track in story["candidates"] if track["is_chosen"]]
    if row["track"]:
        assert chosen[0]["allowed_amount"] == f"{row['allowed_amount']:.2f}"
        for code in chosen[0]["codes"]:
            assert f"{float(code['arithmetic'].rsplit(' = ', 1)[1]) * code['units']:.2f}" == code["allowed_amount"]
            parts = code["arithmetic"].rsplit(" = ", 1)[0].replace(" x ", "*")
            assert abs(eval(parts) - float(code["unit_amount"])) <= 0.0051
    else:
        assert not chosen
    pointed = [e["landed"] | {"id": e["entry_id"]} for e in story["entries"]]
    pointed += [f["landed"] | {"id": f["fact_id"]} for g in story["gates"] for f in g["evidence"] if "landed" in f]
    assert pointed
    for landed in pointed:
        path = home / "landing" / landed["file"]
        assert hashlib.sha256(path.read_bytes()).hexdigest() == landed["sha256"]
        if ":" in landed["id"]:
            continue  # coverages have no key: the line is in the id
        with path.open(encoding="utf-8", newline="") as handle:
            reader = csv.reader(handle)
            cells = next(cells for number, cells in enumerate(reader, 1) if number == landed["line"])
        assert landed["id"] in cells


def test_where_no_visit_qualifies_every_visit_that_is_shown_is_short_of_something(demo):
    home, _ = demo
    shown = 0
    for row in rows(
        home, "from patient_month_decisions where reason = 'no_initiating_visit' and practice_id = 'bayview' order by all limit 20"
    ):
        with of_marts(House(home), row["practice_id"]) as source:
            story = tell(source, row["practice_id"], row["patient_id"], row["month"])
        (gate,) = [gate for gate in story["gates"] if gate["decides"]]
        visits = [fact for fact in gate["evidence"] if not fact["is_decisive"] and fact["kind"].endswith(" own_practice")]
        assert all(fact["short_of"] for fact in visits)
        shown += len(visits)
    assert shown


def test_a_claimed_month_is_told_from_its_frozen_packet_and_live_on_request(demo):
    home, _ = demo
    row = one_of(home, "decision = 'claimed'")
    frozen = json.loads(explain(home, row, "--json"))
    assert (frozen["decision"], frozen["reason"]) == ("claimable", "ok")
    assert frozen["source"].startswith("closes/") and frozen["close"]["approved_by"] == "Demo Approver"
    manifest = json.loads((home / frozen["source"] / "manifest.json").read_text())
    assert frozen["close"]["claim_file_sha256"] == manifest["outputs"]["claims.837"]
    assert sum(float(line["allowed_amount"]) for line in frozen["claim"]["lines"]) == pytest.approx(float(frozen["allowed_amount"]))
    assert json.loads(explain(home, row, "--json", "--live"))["source"] == "marts.duckdb"


@pytest.mark.parametrize("status", ["denied", *(pytest.param(status, marks=pytest.mark.long) for status in ("rejected", "paid"))])
def test_what_the_payer_said_of_a_claim_is_told_live_and_apart_on_the_page_of_its_packet(demo, tmp_path, status):
    home, _ = demo
    row = rows(home, f"from claims where status = '{status}' order by practice_id, patient_id, month limit 1")[0]
    said = f"claim {row['claim_id']} of close v{row['close_version']} {status} on {row['answered_on']}"
    story = json.loads(explain(home, row, "--json", "--live"))
    assert [claim["status"] for claim in story["answers"]] == [status] and story["answers_since"] == []
    assert said in explain(home, row, "--live")
    causes = {one["likely_cause"] for one in rows(home, f"from claim_denials where claim_id = '{row['claim_id']}'")}
    assert {cause["likely_cause"] for cause in story["answers"][0]["causes"]} == causes and (causes or status == "paid")
    page = tmp_path / "audit.html"
    text = explain(home, row, "--version", str(row["close_version"]), "--html", str(page))
    assert said in text.partition("answers since")[2]
    shown = " ".join(page.read_text().split())
    assert "What the payer answered" in shown and f"<th>since</th><td>{said}" in shown and "13. Attestations" in shown


@pytest.mark.long
def test_what_changed_after_a_claim_went_out_is_told_live_and_with_its_packet(demo, tmp_path):
    home, _ = demo
    changes = {change["kind"]: change for change in rows(home, "from post_close_changes order by practice_id, patient_id, month")}
    assert set(changes) == {"reopen", "refund"}
    for kind, change in changes.items():
        owed = f"{kind} of {price(abs(change['amount_now'] - change['claimed_amount']))}"
        page = tmp_path / f"{kind}.html"
        for how in (("--html", str(page)), ("--live",)):
            (told,) = [line for line in explain(home, change, *how).splitlines() if line.startswith("changed since:")]
            assert f"; {owed}, found on {change['found_on']}" in told and all(
                code in told for code in change["claimed_codes"] + change["reasons"]
            )
        assert f"; {owed}, found on {change['found_on']}" in page.read_text()
        assert json.loads(explain(home, change, "--json"))["changed_since"]["due_on"] == f"{change['due_on']}"
    unchanged = one_of(
        home,
        "decision = 'claimed' and (practice_id, patient_id, month) not in (select (practice_id, patient_id, month) from post_close_changes)",
    )
    assert "changed since" not in explain(home, unchanged)


def test_a_claim_that_is_wrongly_dated_by_what_is_known_now_is_told_with_both_days():
    change = {
        "claimed_codes": ["99490 x 1"], "codes_now": ["99490 x 1"], "claimed_service_date": date(2026, 10, 31), "service_date_now": date(2026, 10, 12),
        "claimed_amount": Decimal("66.13"), "amount_now": Decimal("66.13"), "reasons": [], "kind": "reopen", "found_on": date(2026, 11, 20),
        "due_on": date(2027, 11, 20),
    }  # fmt: skip
    assert (
        changed(change)
        == "99490 x 1 on 2026-10-31 claimed, 99490 x 1 on 2026-10-12 may be; reopen, found on 2026-11-20, due by 2027-11-20"
    )


@pytest.mark.long
def test_a_claim_that_a_later_close_kept_back_says_so_on_the_screen_and_on_the_page(demo, tmp_path):
    home = copy(demo[0], tmp_path / "home", without=["landing"])
    row = rows(
        home,
        """
        from patient_month_decisions where decision = 'claimable' and (practice_id, month) in (
            select (practice_id, month) from close_calendar where state = 'closed'
        ) order by practice_id, patient_id, month limit 1
        """,
    )[0]
    packet = sorted((home / "closes" / row["practice_id"] / f"{row['month']:%Y-%m}").glob("v*"))[-1]
    header = (packet / "held.csv").read_text().splitlines()[0]
    held = f"{header}\n{row['patient_id']},{row['month']},claim_error,the street is missing,66.13\n"
    (packet.parent / f"held_after_{packet.name}.csv").write_text(held)
    page = tmp_path / "audit.html"
    text = explain(home, row, "--live", "--html", str(page))
    for said in (text, page.read_text()):
        assert "the close kept it back: claim_error, the street is missing" in said and "Nothing stands against" not in said


def test_facts_of_mapped_files_stand_under_their_table_and_on_the_files_own_line(demo):
    """A mapped file's name says nothing of its table, and the further rows of a line have numbers of their own in the lake."""
    home, _ = demo
    row = one_of(home, "decision = 'claimed'")
    house = House(home)
    packet = claimed_in(house, row["practice_id"], row["patient_id"], row["month"])
    with of_packet(house, packet) as source:
        for table in ("landed_files", "patient_facts", "time_entry_facts"):
            source.connection.execute(f"create table copied as from {table}")
            source.connection.unregister(table)
            source.connection.execute(f"alter table copied rename to {table}")
        source.connection.execute("update landed_files set landed_path = 'small/2026-11-06/Report ' || file_id || '.csv'")
        for table in ("patient_facts", "time_entry_facts"):
            source.connection.execute(f"update {table} set line_number = line_number + 2 * {ROWS_OF_A_LINE}")
        story = tell(source, row["practice_id"], row["patient_id"], row["month"])
    facts = [fact for gate in story["gates"] for fact in gate["evidence"] if "landed" in fact]
    assert {"patients", "coverages", "conditions", "consents", "care_plans", "services"} <= {fact["table"] for fact in facts}
    text = "\n".join(line for _, line in lines(story))
    printed = printed_page(story)
    for section in ("coverages", "consents", "care_plans"):
        assert f"\n{section}\n" in text
    for title in ("2. Coverage", "3. Chronic conditions", "5. Consent", "6. Care plan"):
        assert "none in the extracts" not in printed.partition(f"<h2>{title}")[2].partition("</tbody>")[0], title
    assert all(fact["landed"]["line"] < ROWS_OF_A_LINE for fact in [*facts, *story["entries"]])
    assert _where({"landed_path": "a.csv", "line_number": ROWS_OF_A_LINE + 2, "sha256": None}) == "a.csv line 2 (sha256 none)"


def test_what_was_held_at_a_close_is_told_as_it_was_then(demo):
    home, _ = demo
    with (home / "closes" / "hudson" / "2026-09" / "v1" / "held.csv").open() as handle:
        held = next(csv.DictReader(handle))
    ran = ccm(
        "explain",
        "--practice",
        "hudson",
        "--patient",
        held["patient_id"],
        "--month",
        "2026-09",
        "--version",
        "1",
        "--json",
        home=home,
    )
    story = json.loads(ran.out)
    assert story["close"]["held"]["reason"] == held["reason"]


def test_the_printed_story_names_gate_rule_seconds_and_arithmetic(demo):
    home, _ = demo
    text = explain(home, one_of(home, "decision = 'held' and reason = 'undocumented_time'"))
    for words in (
        "held (undocumented_time)",
        "STOPS",
        "R-DOC-1",
        "credited: counts",
        "undocumented: no note",
        "to mend by",
        "sha256",
    ):
        assert words in text, words


def test_the_audit_packet_is_one_private_page_that_asks_nobody_and_names_no_patient(demo, tmp_path):
    home, _ = demo
    row = one_of(home, "decision = 'claimed'")
    page = tmp_path / "audit.html"
    explain(home, row, "--html", str(page))
    text = page.read_text()
    assert page.stat().st_mode & 0o077 == 0
    assert "http" not in text.lower().replace("http-equiv", "") and "<script" not in text
    for words in ("Gates, in the order", "Attestations", "significant risk", "approved by", "frozen inputs", "NPI"):
        assert words in text, words
    patients = sorted((home / "landing" / row["practice_id"]).glob("*/patients.csv"))[-1]
    with patients.open(encoding="utf-8") as handle:
        person = next(r for r in csv.DictReader(handle) if r["patient_id"] == row["patient_id"])
    for name in ("last_name", "birth_date", "phone", "address_line1"):
        assert person[name] not in text, name


def test_a_patient_month_that_does_not_exist_is_a_clear_error(demo):
    ran = ccm("explain", "--practice", "hudson", "--patient", "nobody", "--month", "2026-10", home=demo[0])
    assert ran.code == 1 and "no patient-month nobody 2026-10 of hudson" in ran.err and "Traceback" not in ran.err
