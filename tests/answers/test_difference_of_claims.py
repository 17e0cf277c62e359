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
from orchestration.command.differences import _print
from orchestration.house import House

MONTH = date(2026, 9, 1)
PRACTICE = {
    "close": {"first_day": 3, "final_day": 20},
    "mac": "01182", "address": {"state": "CA"}, "locality": "18", "qualifying_apm_participant": False,
}  # fmt: skip
TABLES = """
create table patient_month_decisions (practice_id text, patient_id text, month date, decision text, reason text, track text, allowed_amount decimal(12, 2));
create table patient_month_minutes (practice_id text, patient_id text, month date, credited_seconds bigint);
create table claimable_codes (practice_id text, patient_id text, month date, procedure_code text, units bigint);
create table patient_month_evidence (practice_id text, patient_id text, month date, newest_night date, billing_practitioner_id text,
    practitioner_credential text, practitioner_npi text, payment_share decimal(3, 2), practitioner_gone_on date);
create table practice_nights (practice_id text, newest_night date);
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


RULES = """
create table rule_rvus (procedure_code text, release text, work_rvu decimal(9, 2), effective_from date, effective_to date, citation text);
create table rule_gpcis (mac text, state text, locality text, release text, work_gpci decimal(9, 3), effective_from date, effective_to date, citation text);
create table rule_conversion_factors (qualifying_apm_participant boolean, release text, conversion_factor decimal(9, 4), effective_from date,
    effective_to date, citation text);
create table rule_fee_files (release text, sha256 text, effective_from date, effective_to date, citation text);
create table rule_caps (procedure_code text, max_units bigint, effective_from date, effective_to date, citation text);
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
        gone_on: str | None = None,
        visit: bool = False,
    ) -> Source:
        con = self.stack.enter_context(duckdb.connect())
        con.execute(TABLES)
        own = ["p", "P", MONTH]
        con.execute("insert into patient_month_decisions values (?, ?, ?, ?, ?, 'ccm', 66.13)", [*own, decision, reason])
        con.execute("insert into patient_month_minutes values (?, ?, ?, 1500)", own)
        con.execute("insert into claimable_codes values (?, ?, ?, '99490', 1)", own)
        con.execute(
            "insert into patient_month_evidence values (?, ?, ?, ?, 'D1', ?, '1245319599', 1, ?)",
            [*own, night, credential, gone_on],
        )
        con.execute("insert into practice_nights values ('p', ?)", [night])
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
        return Source(self.house, con, PRACTICE, f"v{version}", packet, {"version": version, "newest_night": night})


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


def test_a_month_that_no_extract_speaks_of_any_more_is_compared_and_its_claims_are_told(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    first = home.state("claimable", "ok", "2026-10-04", version=1, claimed="X")
    live = home.state("claimed", "already_claimed", "2026-11-06", history=(("X", 1, "paid"),))
    for table in ("patient_month_decisions", "patient_month_minutes", "claimable_codes", "patient_month_evidence"):
        live.connection.execute(f"delete from {table}")
    live.connection.execute(
        """
        insert into post_close_changes values ('p', 'P', '2026-09-01', 'X', 'refund', ['99490 x 1'], '2026-09-30', 66.13, [], null, 0, [],
            '2026-11-06', '2027-01-05')
        """
    )
    found = compare(first, live, "p", MONTH)
    assert found.nights == (date(2026, 10, 4), date(2026, 11, 6))
    (only,) = found.changes
    assert (only.after["decision"], only.after["claim_id"], only.dollars) == (None, "X", Decimal("-66.13"))
    assert only.causes[0] == "marts.duckdb has nothing of the month: no extract speaks of it"
    assert len(only.causes) == 2 and "nothing may be; refund of $66.13" in only.causes[1]
    _print(found)
    assert "claimable (ok) -> in no extract" in capsys.readouterr().out


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


def with_rules(source: Source, *releases: tuple[str, str, str], cap_until: str | None = None) -> Source:
    """The rules of a state: per release (name, first day, last day) three codes, three localities and both factors; one cap."""
    con = source.connection
    con.execute(RULES)
    for dated in releases:
        for code in ("99490", "99491", "G0511"):
            con.execute("insert into rule_rvus values ($1, $2, 1, $3, $4, $2)", [code, *dated])
        for mac, state, locality in (("01182", "CA", "18"), ("01182", "CA", "26"), ("10112", "AL", "00")):
            con.execute("insert into rule_gpcis values ($1, $2, $3, $4, 1.040, $5, $6, $4)", [mac, state, locality, *dated])
        for is_qualifying in (False, True):
            con.execute("insert into rule_conversion_factors values ($1, $2, 33.4, $3, $4, $2)", [is_qualifying, *dated])
        con.execute("insert into rule_fee_files values ($1, $1, $2, $3, $1)", list(dated))
    con.execute("insert into rule_caps values ('99490', 1, '2019-01-01', ?, 'x')", [cap_until])
    return source


OF_2026, OF_2027 = ("RVU26C", "2026-01-01", "2026-12-31"), ("RVU27A", "2027-01-01", "2027-12-31")


def test_what_became_too_late_was_done_by_the_night_and_by_no_row_of_another_year(home: Home) -> None:
    first = with_rules(home.state("claimable", "ok", "2026-10-04", version=1, held="claim_error"), OF_2026)
    live = with_rules(home.state("not_claimable", "timely_filing", "2027-10-04"), OF_2026, OF_2027, cap_until="2026-12-31")
    live.connection.execute("update patient_month_decisions set allowed_amount = 0")
    live.connection.execute("delete from claimable_codes")
    found = causes(first, live)
    assert found[0].startswith("the newest night went from 2026-10-04 to 2027-10-04")
    assert found[1:] == ("v1: the close kept it back, claim_error: the card is wrong",)
    assert compare(first, live, "p", MONTH).rules == ()


def test_a_price_that_came_is_told_by_the_rows_of_the_practice_and_the_code_alone(home: Home) -> None:
    first = with_rules(home.state("claimable", "ok", "2026-10-04", version=1, held="claim_error"))
    first.connection.execute("update patient_month_decisions set allowed_amount = null")
    second = with_rules(home.state("claimable", "ok", "2026-10-05", version=2, claimed="X"), OF_2026)
    found = [cause for cause in causes(first, second) if cause.startswith("rules: ")]
    assert tuple(found) == compare(first, second, "p", MONTH).rules
    factor, locality, values = found
    assert "with rule_conversion_factors" in factor and "qualifying_apm_participant False" in factor
    assert "with rule_gpcis" in locality and "locality 18, mac 01182" in locality
    assert "with rule_rvus" in values and "procedure_code 99490" in values


def test_a_rule_row_that_ends_is_told_once_and_one_that_had_ended_is_no_cause_beside_another(home: Home) -> None:
    first = with_rules(home.state("claimable", "ok", "2026-10-04", version=1))
    live = with_rules(home.state("not_claimable", "below_threshold", "2026-10-04"), cap_until="2026-08-31")
    live.connection.execute(
        "insert into rule_caps values ('99490', 2, '2026-09-01', null, 'x'), ('G0506', 1, '2017-01-01', '2025-12-31', 'x')"
    )
    new = "rules: with rule_caps (effective_from 2026-09-01, max_units 2, procedure_code 99490)"
    moved = "rules: rule_caps (effective_from 2019-01-01, max_units 1, procedure_code 99490): effective_to none -> 2026-08-31"
    ended = "rules: with rule_caps (effective_from 2017-01-01, effective_to 2025-12-31, max_units 1, procedure_code G0506)"
    assert causes(first, live) == (moved, new)
    assert compare(first, live, "p", MONTH).rules == (moved, new, ended)
    # Where it is all there is, it is what did it.
    live.connection.execute("update rule_caps set effective_to = null where procedure_code = '99490' and max_units = 1")
    live.connection.execute("delete from rule_caps where max_units = 2")
    assert causes(first, live) == (ended,)


def test_a_release_that_changes_no_figure_of_the_month_or_prices_nothing_of_it_is_not_told(home: Home) -> None:
    first = with_rules(home.state("claimable", "ok", "2026-10-04", version=1), OF_2026)
    older, newer, october = (("RVU26B", *OF_2026[1:]), ("RVU26D", *OF_2026[1:]), ("RVU26D", "2026-10-01", "2026-12-31"))
    second = with_rules(home.state("claimable", "ok", "2026-10-04", version=2), OF_2026, newer)
    assert compare(first, second, "p", MONTH).rules == ()
    for number, late in enumerate((older, october), 3):
        third = home.state("claimable", "ok", "2026-10-04", version=number)
        with_rules(third, OF_2026, late)
        third.connection.execute("update rule_rvus set work_rvu = 9 where release <> 'RVU26C'")
        assert compare(first, third, "p", MONTH).rules == ()
    third.connection.execute("update rule_rvus set effective_from = '2026-01-01' where release = 'RVU26D'")
    without, present = compare(first, third, "p", MONTH).rules
    assert "without rule_rvus" in without and "release RVU26C" in without
    assert "with rule_rvus" in present and "release RVU26D, work_rvu 9.00" in present


def test_a_release_that_newer_ones_replace_between_them_prices_nothing_and_is_not_told(home: Home) -> None:
    halves = ("RVU26C", "2026-01-01", "2026-09-15"), ("RVU26D", "2026-09-16", "2026-12-31")
    first = with_rules(home.state("claimable", "ok", "2026-10-04", version=1), *halves)
    second = with_rules(home.state("claimable", "ok", "2026-10-04", version=2), ("RVU26B", *OF_2026[1:]), *halves)
    second.connection.execute("update rule_rvus set work_rvu = 9 where release = 'RVU26B'")
    assert compare(first, second, "p", MONTH).rules == ()


def test_another_price_is_told_beside_an_entry_that_is_new(home: Home) -> None:
    first = with_rules(home.state("claimable", "ok", "2026-10-04", version=1, visit=True), OF_2026)
    second = with_rules(home.state("claimable", "ok", "2026-10-05", version=2), OF_2026, ("RVU26D", *OF_2026[1:]))
    second.connection.execute("update rule_rvus set work_rvu = 1.10 where release = 'RVU26D'")
    second.connection.execute("update patient_month_decisions set allowed_amount = 70")
    visit, *rules = causes(first, second)
    assert visit.startswith("visit_without_time A3 is gone") and ["rule_rvus" in said for said in rules] == [True, True]


def test_of_a_billing_practitioner_who_left_the_care_team_the_day_is_named(home: Home) -> None:
    first = home.state("claimable", "ok", "2026-10-04", version=1)
    now = home.state("not_claimable", "practitioner_not_eligible", "2026-10-04", gone_on="2026-08-31")
    assert causes(first, now) == ("care_team D1: practitioner_gone_on None -> 2026-08-31",)
