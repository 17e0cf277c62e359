"""`ccm diff` tells what was claimed, kept back and is owed, not only what was drafted, and what did it."""

from __future__ import annotations

import json
from contextlib import ExitStack
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orchestration.answer.difference import Change, compare
from orchestration.answer.explain.source import Source
from orchestration.house import House

MONTH = date(2026, 9, 1)
PRACTICE = {"close": {"first_day": 3, "final_day": 20}}
TABLES = """
create table patient_month_decisions (practice_id text, patient_id text, month date, decision text, reason text, track text, allowed_amount decimal(12, 2));
create table patient_month_minutes (practice_id text, patient_id text, month date, credited_seconds bigint);
create table claimable_codes (practice_id text, patient_id text, month date, procedure_code text, units bigint);
create table patient_month_evidence (practice_id text, patient_id text, month date, newest_night date, billing_practitioner_id text,
    practitioner_credential text, practitioner_npi text, payment_share decimal(3, 2));
create table undocumented_time (practice_id text, patient_id text, month date, item_id text, kind text, entry_id text, appointment_id text,
    minutes bigint, dollars_at_stake decimal(12, 2));
create table minute_ledger (practice_id text, patient_id text, month date, entry_id text, disposition text, seconds bigint);
create table time_entry_facts (practice_id text, entry_id text, file_id bigint);
create table landed_files (practice_id text, file_id bigint, landed_path text, sha256 text);
create table patient_facts (practice_id text, patient_id text, file_id bigint, table_name text, starts_on date);
create table claim_history (practice_id text, patient_id text, month date, claim_id text, close_version bigint, status text);
create table claim_line_payments (practice_id text, month date, claim_id text, procedure_code text, units bigint, allowed_amount decimal(12, 2));
create table post_close_changes (practice_id text, patient_id text, month date, claim_id text, kind text, claimed_codes text[],
    claimed_service_date date, claimed_amount decimal(12, 2), codes_now text[], service_date_now date, amount_now decimal(12, 2), reasons text[],
    found_on date, due_on date);
"""


class Home:
    """Patient P of practice `p` by several states of September."""

    def __init__(self, root: Path, stack: ExitStack) -> None:
        self.house, self.stack = House(root), stack

    def state(
        self,
        decision: str,
        reason: str,
        night: str,
        *,
        version: int | None = None,
        claimed: str | None = None,
        held: str | None = None,
        waiver: str | None = None,
        history: tuple[tuple[str, int, str], ...] = (),
        credential: str = "MD",
        visit: bool = False,
    ) -> Source:
        con = self.stack.enter_context(duckdb.connect())
        con.execute(TABLES)
        own = ["p", "P", MONTH]
        con.execute("insert into patient_month_decisions values (?, ?, ?, ?, ?, 'ccm', 66.13)", [*own, decision, reason])
        con.execute("insert into patient_month_minutes values (?, ?, ?, 1500)", own)
        con.execute("insert into claimable_codes values (?, ?, ?, '99490', 1)", own)
        con.execute("insert into patient_month_evidence values (?, ?, ?, ?, 'D1', ?, '1245319599', 1)", [*own, night, credential])
        if visit:
            con.execute(
                "insert into undocumented_time values (?, ?, ?, 'visit_without_time:A3:2026-09', 'visit_without_time', null, 'A3', 25, 49)",
                own,
            )
        for claim_id, of, status in history:
            con.execute("insert into claim_history values (?, ?, ?, ?, ?, ?)", [*own, claim_id, of, status])
        con.execute("create view claims as from claim_history")
        if version is None:
            return Source(self.house, con, PRACTICE, "marts.duckdb")
        packet = self.house.closes / "p" / "2026-09" / f"v{version}"
        packet.mkdir(parents=True)
        (packet / "approval.json").write_text(json.dumps({"waiver": waiver}))
        (packet / "claims.csv").write_text("claim_id,patient_id\n" + (f"{claimed},P\n" if claimed else ""))
        row = f"P,2026-09-01,{held},the card is wrong,66.13\n" if held else ""
        (packet / "held.csv").write_text("patient_id,month,reason,detail,dollars_at_stake\n" + row)
        return Source(self.house, con, PRACTICE, f"v{version}", packet, {"version": version})


@pytest.fixture
def home(tmp_path: Path):
    with ExitStack() as stack:
        yield Home(tmp_path, stack)


def change(before: Source, after: Source) -> Change | None:
    found = compare(before, after, "p", MONTH).changes
    return found[0] if found else None


def causes(before: Source, after: Source) -> tuple[str, ...]:
    found = change(before, after)
    assert found is not None
    return found.causes


def test_a_claim_that_went_out_as_it_was_drafted_is_no_difference(home: Home) -> None:
    first = home.state("claimable", "ok", "2026-10-04", version=1, claimed="X")
    live = home.state("claimed", "already_claimed", "2026-10-06", history=(("X", 1, "paid"),))
    assert change(first, live) is None


def test_a_claim_that_stands_is_worth_what_it_went_out_for_whatever_its_codes_are_worth_by_now(home: Home) -> None:
    first = home.state("claimable", "ok", "2026-10-04", version=1, claimed="X")
    live = home.state("claimed", "already_claimed", "2026-11-06", history=(("X", 1, "paid"),), credential="NP")
    live.connection.execute("update patient_month_decisions set allowed_amount = 56.21")
    live.connection.execute("insert into claim_line_payments values ('p', '2026-09-01', 'X', '99490', 1, 66.13)")
    assert change(first, live) is None
    assert compare(first, live, "p", MONTH).totals["allowed"] == (Decimal("66.13"), Decimal("66.13"))


def test_a_claim_that_one_version_kept_back_and_the_next_sent_is_told(home: Home) -> None:
    first = home.state("claimable", "ok", "2026-10-04", version=1, held="claim_error")
    second = home.state("claimable", "ok", "2026-10-05", version=2, claimed="X")
    found = change(first, second)
    assert found is not None and (found.before["claim_id"], found.after["claim_id"]) == (None, "X")
    assert found.causes == ("v2 claimed it", "v1: the close kept it back, claim_error: the card is wrong")
    assert "v1 is of before v2 claimed it" in causes(second, first)


def test_a_claim_that_the_payer_turned_back_and_a_later_version_sent_anew_is_told(home: Home) -> None:
    first = home.state("claimable", "ok", "2026-10-04", version=1, claimed="X")
    rejected = (("X", 1, "rejected"),)
    between = home.state("claimable", "ok", "2026-10-04", history=rejected)
    second = home.state("claimable", "ok", "2026-10-04", version=2, claimed="Y", history=rejected)
    assert causes(first, between) == ("the payer turned its claim back unprocessed",)
    assert causes(first, second) == ("v2 claimed it anew, the payer had turned X back unprocessed",)


def test_a_claim_that_a_waiver_let_go_is_told_with_the_waiver(home: Home) -> None:
    second = home.state("held", "undocumented_time", "2026-10-06", version=2)
    third = home.state("held", "undocumented_time", "2026-10-06", version=3, claimed="X", waiver="owner says go")
    assert causes(second, third) == ("v3 claimed it under the waiver: owner says go",)


def test_a_refund_of_a_claim_whose_codes_still_compute_is_told_with_its_dollars(home: Home) -> None:
    first = home.state("claimable", "ok", "2026-10-04", version=1, claimed="X")
    live = home.state("claimed", "already_claimed", "2026-10-21", history=(("X", 1, "paid"),))
    live.connection.execute(
        """
        insert into post_close_changes values ('p', 'P', '2026-09-01', 'X', 'refund', ['99490 x 1'], '2026-09-30', 66.13, [], null, 0,
            ['other_practitioner_billed'], '2026-10-21', '2026-12-20')
        """
    )
    found = change(first, live)
    assert found is not None and (found.dollars, found.after["codes"]) == (Decimal("-66.13"), [])
    assert any(
        "nothing may be (other_practitioner_billed); refund of $66.13, found on 2026-10-21" in cause for cause in found.causes
    )
    assert compare(first, live, "p", MONTH).totals["allowed"] == (Decimal("66.13"), Decimal(0))


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ({"night": "2026-10-04", "visit": True}, {"night": "2026-10-06"}, "visit_without_time A3 is gone: 25 minutes"),
        ({"night": "2026-10-04", "visit": True}, {"night": "2026-10-21"}, "visit_without_time A3 is gone: 25 minutes"),
        ({"night": "2026-10-04", "visit": True}, {"night": "2026-10-21", "visit": True}, "the newest night went from 2026-10-04 to 2026-10-21"),
    ],
    ids=["before the final day", "after it", "by the final day alone"],
)  # fmt: skip
def test_the_night_is_named_only_where_it_is_what_let_the_claim_go(
    home: Home, before: dict[str, Any], after: dict[str, Any], said: str
) -> None:
    first = home.state("held", "undocumented_time", version=1, **before)
    found = causes(first, home.state("claimable", "ok", **after))
    assert len(found) == 1 and found[0].startswith(said)


def test_another_credential_of_the_billing_practitioner_is_named(home: Home) -> None:
    first = home.state("not_claimable", "practitioner_not_eligible", "2026-10-04", version=1, credential="RN")
    assert causes(first, home.state("claimable", "ok", "2026-10-04")) == ("care_team D1: practitioner_credential RN -> MD",)
