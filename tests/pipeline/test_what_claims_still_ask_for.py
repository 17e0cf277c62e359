"""What a claim that went out is on the work list for: the model alone, over its tables as a few rows. A whole claim's life: test_after_the_close.py."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from orchestration.rules.seeds import SEEDS
from orchestration.transform import compiled
from tests.holds.bench import load

BASE, ADD_ON = Decimal("65.00"), Decimal("49.00")
SHARE = Decimal("0.784")
TABLES = """
    create table staging.stg_practices as select 'p' as practice_id, date '2027-03-01' as newest_night;
    create table intermediate.int_months__close as
        select 'p' as practice_id, date '2026-10-01' as month, date '2026-11-04' as close_opens_on, date '2027-03-01' as newest_night;
    create table intermediate.int_work_items (
        practice_id varchar, patient_id varchar, month date, kind varchar, subject_id varchar, dollars_at_stake decimal(12, 2), fact varchar
    );
    create table intermediate.int_quarantined_facts (
        practice_id varchar, patient_id varchar, table_name varchar, row_told varchar, first_month_held date, last_month_held date, is_accepted boolean
    );
    create table intermediate.int_claim_lines__sent (claim_id varchar, line_id varchar, service_date date);
    create table intermediate.int_claims__answered (claim_id varchar, determined_on date);
    create table intermediate.int_claims__standing (claim_id varchar, payment_on date, paid_amount decimal(12, 2));
    create table intermediate.int_lines__noticed (claim_id varchar, line_id varchar, noticed_on date);
    create table intermediate.int_claims__unclear (practice_id varchar, claim_id varchar, status_on date, open_codes varchar[]);
    create table intermediate.int_claim_postings (
        practice_id varchar default 'p', claim_id varchar, kind varchar, posting varchar, payment_on date, paid_amount decimal(12, 2)
    );
    create table intermediate.int_claims__denials (practice_id varchar, claim_id varchar, cause varchar, fix varchar, is_appealable boolean);
    create table marts.claims (
        practice_id varchar, patient_id varchar, month date, claim_id varchar, status varchar, submitted_on date, answered_on date
    );
    create table marts.claim_line_payments (
        practice_id varchar, patient_id varchar, month date, claim_id varchar, line_id varchar, procedure_code varchar, status varchar,
        allowed_amount decimal(12, 2), paid_amount decimal(12, 2), deductible_amount decimal(12, 2), difference_amount decimal(12, 2),
        other_amount decimal(12, 2), added_amount decimal(12, 2), denial_codes varchar[]
    );
    create table marts.claim_aging (
        practice_id varchar, patient_id varchar, month date, claim_id varchar, status varchar, submitted_on date, days_waiting integer,
        expected_payment decimal(12, 2)
    );
    create table marts.post_close_changes (
        practice_id varchar, patient_id varchar, month date, claim_id varchar, kind varchar, claimed_amount decimal(12, 2), amount_now decimal(12, 2),
        claimed_codes varchar[], codes_now varchar[], claimed_service_date date, service_date_now date, due_on date, latest_due_on date,
        reasons varchar[]
    );
    create table intermediate.int_post_close_changes__of_today (practice_id varchar, claim_id varchar, said varchar);
    -- Another claim of the practice has been paid: its payer's answers are brought.
    insert into marts.claims values ('p', 'other', date '2026-10-01', 'O', 'paid', date '2026-11-05', date '2026-11-20');
"""
CODES = ["99439 x 1", "99490 x 1"]


def paid_of(allowed: Decimal) -> Decimal:
    return (allowed * SHARE).quantize(Decimal("0.01"))


@dataclass
class Desk:
    con: duckdb.DuckDBPyConnection
    home: Path

    def claim(
        self,
        status: str,
        paid: dict[str, Decimal],
        denied: tuple[str, ...] = (),
        deductible: Decimal = Decimal(0),
        claim_id: str = "C",
    ) -> None:
        """A base code and an add-on, claimed for October, with what has been paid of each."""
        of = ("p", "x", date(2026, 10, 1), claim_id)
        self.con.execute("insert into marts.claims values (?, ?, ?, ?, ?, date '2026-11-05', date '2026-11-20')", [*of, status])
        for number, (code, allowed) in enumerate((("99490", BASE), ("99439", ADD_ON)), 1):
            line, got = f"{claim_id}0{number}", paid.get(code, Decimal(0))
            own = deductible if code == "99490" else Decimal(0)
            difference = None if status in ("submitted", "reopened") else got - paid_of(max(allowed - own, Decimal(0)))
            state = "open" if difference is None else "denied" if code in denied else "paid"
            self.con.execute("insert into intermediate.int_claim_lines__sent values (?, ?, date '2026-10-31')", [claim_id, line])
            self.con.execute(
                "insert into marts.claim_line_payments values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, ?)",
                [*of, line, code, state, allowed, got, own, difference, ["CO-151"] if code in denied else []],
            )
        if status in ("paid", "denied"):
            self.con.execute("insert into intermediate.int_claims__answered values (?, date '2026-11-20')", [claim_id])
            self.con.execute(
                "insert into intermediate.int_claims__standing values (?, date '2026-11-20', ?)", [claim_id, sum(paid.values())]
            )
            self.posted(claim_id, "decision", date(2026, 11, 20), sum(paid.values(), Decimal(0)))
            self.con.execute(
                "insert into intermediate.int_lines__noticed select claim_id, line_id, date '2026-11-20' "
                "from marts.claim_line_payments where claim_id = ?",
                [claim_id],
            )
        else:
            self.con.execute("insert into marts.claim_aging values (?, ?, ?, ?, ?, date '2026-11-05', 116, 89.37)", [*of, status])
        if denied:
            worth = sum((ADD_ON if code == "99439" else BASE for code in denied), Decimal(0))
            self.con.execute(
                "insert into intermediate.int_work_items values (?, ?, ?, 'denied_claim', ?, ?, 'CO-151')", [*of, worth]
            )

    def posted(self, claim_id: str, kind: str, on: date, paid: Decimal) -> None:
        self.con.execute(
            "insert into intermediate.int_claim_postings (claim_id, kind, posting, payment_on, paid_amount) values (?, ?, 'posted', ?, ?)",
            [claim_id, kind, on, paid],
        )

    def name_as_added(self, amount: str, others: str = "0") -> None:
        """So much of the base code's payment is beside the fee schedule, and adjustments of other reasons come to `others`."""
        self.con.execute(
            "update marts.claim_line_payments set added_amount = $1, difference_amount = difference_amount - $1, other_amount = $2 - $1 "
            "where procedure_code = '99490'",
            [Decimal(amount), Decimal(others)],
        )

    def change(
        self, kind: str, now: list[str], amount: Decimal, day: date = date(2026, 10, 31), reasons: tuple[str, ...] = ()
    ) -> None:
        """What may be billed by what is known now."""
        self.con.execute(
            "insert into marts.post_close_changes values ('p', 'x', date '2026-10-01', 'C', ?, 114, ?, ?, ?, date '2026-10-31', ?, "
            "date '2027-02-01', date '2027-11-20', ?)",
            [kind, amount, CODES, now, day, list(reasons)],
        )

    def asks(self) -> dict[str, Decimal]:
        self.con.execute(
            "create or replace table intermediate.int_post_close_changes as "
            "select practice_id, patient_id, month, claimed_codes, reasons from marts.post_close_changes"
        )
        models = ("int_post_close_changes__evidence", "int_claims__paid_by_day", "int_claims__unsettled")
        compiled.run(self.con, self.home, [compiled.models()[name] for name in models])
        return dict(
            self.con.execute("select kind, dollars from intermediate.int_claims__unsettled where claim_id <> 'O'").fetchall()
        )


@pytest.fixture
def desk(tmp_path):
    con = duckdb.connect()
    compiled.prepare(con)
    for name in (
        "rule_limits",
        "rule_office_limits",
        "rule_aging_buckets",
        "rule_decision_reasons",
        "rule_apcm_levels",
    ):
        load(con, "rules", next(SEEDS.rglob(f"{name}.csv")))
    con.execute(TABLES)
    return Desk(con, tmp_path)


WHOLE = {"99490": paid_of(BASE), "99439": paid_of(ADD_ON)}
LESS = {"99490": paid_of(BASE)}


def test_of_a_claim_paid_as_it_should_be_nothing_is_asked(desk):
    desk.claim("paid", WHOLE)
    assert desk.asks() == {}


def test_a_refund_is_asked_for_until_no_more_is_paid_than_may_be_billed_now_and_what_was_paid_back_is_not_asked_for_again(desk):
    desk.claim("paid", WHOLE)
    desk.change("refund", ["99490 x 1"], BASE)
    assert desk.asks() == {"refund_due": -ADD_ON}
    desk.con.execute(
        "update marts.claim_line_payments set paid_amount = 0, difference_amount = -38.42 where procedure_code = '99439'"
    )
    assert desk.asks() == {}


AS_OF_NOW = " The panel says so as of now and may have said otherwise when the claim went out: see what changed (ccm diff) before you pay back."
OTHERWISE = " The panel and the care team said otherwise when the claim went out (billing practitioner D1 -> D3): see what changed (ccm diff) before you "


@pytest.mark.parametrize(
    ("of_today", "fix"), [([], ""), ([None], AS_OF_NOW), (["billing practitioner D1 -> D3"], OTHERWISE + "pay back.")]
)
def test_a_refund_for_nothing_but_facts_without_a_day_asks_to_look_before_paying_back(desk, of_today, fix):
    desk.claim("paid", WHOLE)
    desk.change("refund", [], Decimal(0), reasons=("no_initiating_visit",))
    for said in of_today:
        desk.con.execute("insert into intermediate.int_post_close_changes__of_today values ('p', 'C', ?)", [said])
    assert desk.asks() == {"refund_due": Decimal(-114)}
    (told,) = desk.con.execute("select fact, fix from intermediate.int_claims__unsettled where claim_id = 'C'").fetchall()
    assert told == ("99439 x 1, 99490 x 1 claimed, nothing may be: no_initiating_visit", fix)


def test_a_reopening_for_nothing_but_facts_without_a_day_asks_to_look_before_asking(desk):
    desk.claim("paid", WHOLE)
    desk.change("reopen", ["99439 x 2", "99490 x 1"], BASE + 2 * ADD_ON)
    desk.con.execute("insert into intermediate.int_post_close_changes__of_today values ('p', 'C', 'billing practitioner D1 -> D3')")
    assert desk.asks() == {"reopening_due": ADD_ON}
    assert desk.con.execute("select fix from intermediate.int_claims__unsettled where claim_id = 'C'").fetchone() == (
        OTHERWISE + "ask.",
    )
    with (SEEDS / "rules" / "rule_worklist_kinds.csv").open() as file:
        assert {row["kind"] for row in csv.DictReader(file) if row["sentence"].endswith("{fix}")} >= {"refund_due", "reopening_due"}


@pytest.mark.parametrize(
    ("claimed", "reasons", "table", "is_said"),
    [
        (["G0557 x 1"], (), "conditions", True),
        (CODES, (), "conditions", False),
        (CODES, (), "coverages", True),
        (CODES, (), "stays", False),
        (CODES, ("below_threshold",), "coverages", True),
        (CODES, ("no_care_plan",), "coverages", False),
    ],
)
def test_a_refund_that_a_row_in_quarantine_may_have_made_says_to_look_at_it_first_with_a_reason_and_without(
    desk, claimed, reasons, table, is_said
):
    desk.claim("paid", WHOLE)
    desk.change("refund", [], Decimal(0), reasons=reasons)
    desk.con.execute("update marts.post_close_changes set claimed_codes = ?", [claimed])
    desk.con.execute(
        "insert into intermediate.int_quarantined_facts values ('p', 'x', $1, $1 || ' of 2026-11-20 line 2', null, null, false)",
        [table],
    )
    desk.asks()
    ((fix,),) = desk.con.execute("select fix from intermediate.int_claims__unsettled where claim_id = 'C'").fetchall()
    assert (f"may say otherwise ({table} of 2026-11-20 line 2): correct it" in (fix or "")) == is_said


@pytest.mark.parametrize(
    ("reason", "is_said"),
    [("no_initiating_visit", True), ("conflict_g0181", False)],
    ids=["a visit counts from then on", "a month's own"],
)
def test_a_row_of_an_earlier_month_may_have_made_a_refund_where_its_like_counts_for_later_months(desk, reason, is_said):
    desk.claim("paid", WHOLE)
    desk.change("refund", [], Decimal(0), reasons=(reason,))
    desk.con.execute(
        "insert into intermediate.int_quarantined_facts values "
        "('p', 'x', 'services', 'services of 2026-03-20 line 2', date '2026-02-01', date '2026-03-01', false)"
    )
    desk.asks()
    ((fix,),) = desk.con.execute("select fix from intermediate.int_claims__unsettled where claim_id = 'C'").fetchall()
    assert ("services of 2026-03-20 line 2" in (fix or "")) == is_said


@pytest.mark.parametrize("status", ["reopened", "denied"])
def test_of_a_claim_of_which_nothing_may_be_billed_and_nothing_is_paid_nobody_asks_for_a_decision_an_appeal_or_a_refund(
    desk, status
):
    desk.claim(status, {}, denied=("99490", "99439") if status == "denied" else ())
    desk.change("refund", [], Decimal(0))
    assert desk.asks() == {}


def test_a_claim_that_waits_for_the_payer_is_told_with_what_of_it_may_not_be_billed(desk):
    desk.claim("submitted", {})
    desk.change("refund", ["99490 x 1"], BASE)
    assert desk.asks() == {"unanswered_claim": Decimal("89.37"), "refund_due": -ADD_ON}


@pytest.mark.parametrize(
    ("paid_before", "now", "dollars"),
    [
        (Decimal("89.38"), None, Decimal("89.38")),
        (Decimal("89.38"), BASE, paid_of(BASE)),  # the rest is not owed
        (Decimal("40.00"), None, Decimal("40.00")),  # of the deductible nobody pays it again
        (Decimal(0), None, sum(WHOLE.values(), Decimal(0))),  # a denial that was taken back
    ],
)
def test_a_claim_that_the_payer_took_back_is_told_at_once_with_what_it_had_paid_and_until_when_to_appeal(
    desk, paid_before, now, dollars
):
    desk.claim("reopened", {})
    desk.con.execute("insert into intermediate.int_claims__answered values ('C', date '2026-11-20')")
    desk.posted("C", "decision", date(2026, 11, 20), paid_before)
    desk.posted("C", "reversal", date(2027, 2, 20), -paid_before)
    if now:
        desk.change("refund", ["99490 x 1"], now)
    assert desk.asks() == {"taken_back_claim": dollars}
    (told,) = desk.con.execute("select fact, due_on, last_day, ways from intermediate.int_claims__unsettled").fetchall()
    assert told == (
        f"2027-02-20 (${paid_before})" if paid_before else "2027-02-20", date(2027, 3, 23), date(2027, 11, 20),
        "appeal by 2027-06-25, reopening by 2027-11-20",
    )  # fmt: skip


def test_what_the_payer_took_back_line_by_line_is_all_asked_for(desk):
    desk.claim("reopened", {})
    desk.con.execute("insert into intermediate.int_claims__answered values ('C', date '2026-11-20')")
    desk.posted("C", "decision", date(2026, 11, 20), sum(WHOLE.values(), Decimal(0)))
    for day, amount in ((12, WHOLE["99490"]), (20, WHOLE["99439"])):
        desk.posted("C", "reversal", date(2027, 2, day), -amount)
    assert desk.asks() == {"taken_back_claim": sum(WHOLE.values(), Decimal(0))}


@pytest.mark.parametrize("kind", ["denied_claim", "underpaid_claim"])
def test_a_line_that_was_taken_back_or_denied_after_a_year_can_be_appealed_from_that_day_on(desk, kind):
    desk.claim("paid", LESS, denied=("99439",) if kind == "denied_claim" else ())
    desk.con.execute("update staging.stg_practices set newest_night = date '2028-01-05'")
    desk.con.execute("update intermediate.int_months__close set newest_night = date '2028-01-05'")
    desk.con.execute("update intermediate.int_lines__noticed set noticed_on = date '2027-12-10' where line_id = 'C02'")
    assert desk.asks() == {kind: ADD_ON if kind == "denied_claim" else paid_of(ADD_ON)}
    (told,) = desk.con.execute("select last_day, ways from intermediate.int_claims__unsettled").fetchall()
    assert told == (date(2028, 4, 13), "appeal by 2028-04-13")


def test_a_claim_that_the_payer_has_already_or_cannot_find_is_told_from_that_day_on_and_once(desk):
    desk.claim("submitted", {})
    desk.con.execute("delete from marts.claims where claim_id = 'O'")  # whether others are decided or not
    assert desk.asks() == {}
    desk.con.execute("insert into intermediate.int_claims__unclear values ('p', 'C', date '2026-11-08', ['A7:78'])")
    desk.con.execute("insert into intermediate.int_claims__denials values ('p', 'C', 'a duplicate', 'look for the first', false)")
    assert desk.asks() == {"unanswered_claim": Decimal("89.37")}
    (told,) = desk.con.execute("select fact, cause, fix, due_on, last_day from intermediate.int_claims__unsettled").fetchall()
    assert told == (
        "2026-11-05, answered with A7:78 on 2026-11-08", " (a duplicate)", "look for the first", date(2026, 11, 8), date(2027, 10, 31),
    )  # fmt: skip
    desk.con.execute(
        "insert into marts.claims values ('p', 'other', date '2026-10-01', 'O', 'paid', date '2026-11-05', date '2026-11-20')"
    )
    assert len(desk.asks()) == 1


def test_a_refund_of_a_month_that_was_paid_twice_counts_both_claims(desk):
    desk.claim("paid", WHOLE)
    desk.claim("rejected", WHOLE, claim_id="B")
    desk.con.execute("delete from marts.claims where claim_id = 'B'; delete from marts.claim_aging")
    desk.change("refund", CODES, Decimal(114))
    desk.con.execute("update marts.post_close_changes set claimed_amount = 228, claimed_codes = claimed_codes || claimed_codes")
    assert desk.asks() == {"refund_due": Decimal(-114)}


def test_the_deductible_that_the_payer_took_is_no_money_to_pay_back(desk):
    desk.claim("paid", {"99439": paid_of(ADD_ON)}, deductible=BASE)
    desk.change("refund", ["99490 x 1"], BASE)
    # What is left is less than the deductible: all that was paid is too much.
    assert desk.asks() == {"refund_due": -ADD_ON}


def test_what_went_wholly_to_the_deductible_and_may_not_be_billed_is_a_refund_until_the_payer_has_corrected_it(desk):
    desk.claim("paid", {"99439": Decimal(0)}, deductible=BASE)
    desk.con.execute(
        "update marts.claim_line_payments set deductible_amount = 49, difference_amount = 0 where procedure_code = '99439'"
    )
    desk.change("refund", [], Decimal(0))
    assert desk.asks() == {"refund_due": Decimal(-114)}
    ((fix,),) = desk.con.execute("select fix from intermediate.int_claims__unsettled where claim_id = 'C'").fetchall()
    assert fix.startswith(" Medicare left $114.00 of it to the patient's deductible: ask for a reopening")
    desk.con.execute("update marts.claim_line_payments set deductible_amount = 0")
    assert desk.asks() == {}


@pytest.mark.parametrize(
    "paid", [{"99490": paid_of(BASE), "99439": paid_of(ADD_ON)}, {}], ids=["and the other was paid", "as did the other"]
)
def test_a_month_of_which_one_claim_went_to_the_deductible_is_paid_twice(desk, paid):
    desk.claim("paid", {}, deductible=BASE, claim_id="FIRST")
    desk.con.execute("delete from marts.claims where claim_id = 'FIRST'")  # which has one of each patient-month
    desk.claim("paid", paid, deductible=Decimal(0) if paid else BASE)
    desk.con.execute(
        "update marts.claim_line_payments set deductible_amount = 49, difference_amount = 0 where procedure_code = '99439' and paid_amount = 0"
    )
    desk.change("refund", CODES, BASE + ADD_ON)
    desk.con.execute("update marts.post_close_changes set claimed_amount = 228, claimed_codes = claimed_codes || claimed_codes")
    assert desk.asks() == {"refund_due": Decimal(-114)}


def test_a_deductible_that_what_may_be_billed_now_would_have_taken_as_well_is_no_refund(desk):
    desk.claim("paid", {}, deductible=BASE)
    desk.change("refund", ["99490 x 1"], BASE)
    assert desk.asks() == {}


def test_a_denied_line_that_may_not_be_billed_now_was_denied_rightly_and_of_a_whole_denial_what_may_be_is_asked_for(desk):
    desk.claim("paid", LESS, denied=("99439",))
    desk.change("refund", ["99490 x 1"], BASE)
    assert desk.asks() == {}
    desk.con.execute(
        "update marts.claims set status = 'denied' where claim_id = 'C'; update marts.claim_line_payments set paid_amount = 0"
    )
    desk.con.execute("update intermediate.int_work_items set dollars_at_stake = 114")
    assert desk.asks() == {"denied_claim": BASE}


def test_a_whole_denial_is_worth_what_was_claimed_whatever_the_practices_prices_are_by_now(desk):
    desk.claim("denied", {}, denied=("99490", "99439"))
    desk.con.execute("update intermediate.int_work_items set dollars_at_stake = 88.01")
    assert desk.asks() == {"denied_claim": BASE + ADD_ON}
    desk.change("reopen", ["99439 x 2", "99490 x 1"], BASE + 2 * ADD_ON)
    assert desk.asks() == {"denied_claim": BASE + 2 * ADD_ON}


def test_a_claim_that_was_denied_without_a_reason_is_listed_once(desk):
    desk.claim("denied", {})
    assert desk.asks() == {}, "the item of denied claims is all"


def test_a_reopening_is_asked_for_until_what_it_brings_is_paid(desk):
    desk.claim("paid", WHOLE)
    desk.change("reopen", ["99439 x 2", "99490 x 1"], BASE + 2 * ADD_ON)
    assert desk.asks() == {"reopening_due": ADD_ON}
    desk.con.execute(
        "update marts.claim_line_payments set paid_amount = 76.84, difference_amount = 38.42 where procedure_code = '99439'"
    )
    assert desk.asks() == {}
    # The time that was reopened for is taken back: what has been paid for it is too much.
    desk.con.execute("delete from marts.post_close_changes")
    assert desk.asks() == {"overpaid_claim": -paid_of(ADD_ON)}


def test_a_claim_paid_on_two_checks_is_paid_too_much_and_due_sixty_days_from_the_last(desk):
    desk.claim("paid", {code: 2 * amount for code, amount in WHOLE.items()})
    twice = 2 * sum(WHOLE.values(), Decimal(0))
    desk.con.execute("update intermediate.int_claim_postings set paid_amount = ?", [twice / 2])
    desk.con.execute("insert into intermediate.int_claims__standing values ('C', date '2027-01-10', ?)", [twice / 2])
    desk.posted("C", "decision", date(2027, 1, 10), twice / 2)
    assert desk.asks() == {"overpaid_claim": -twice / 2}
    told = "select fact, due_on, last_day from intermediate.int_claims__unsettled"
    since = ("2027-01-10", date(2027, 3, 11), date(2027, 3, 11))
    assert desk.con.execute(told).fetchone() == since
    # That the payer has the claim already, or adds a cent, gives nobody more days.
    desk.con.execute(
        "insert into intermediate.int_claims__standing values ('C', date '2027-02-15', 0), ('C', date '2027-02-20', 0.01)"
    )
    desk.posted("C", "decision", date(2027, 2, 15), Decimal(0))
    desk.posted("C", "decision", date(2027, 2, 20), Decimal("0.01"))
    desk.asks()
    assert desk.con.execute(told).fetchone() == ("2027-02-20", *since[1:])


@pytest.mark.parametrize(("named", "too_much"), [("4.28", None), ("1.00", "3.20"), ("0.00", "4.20")])
def test_an_incentive_that_the_payer_names_is_nothing_to_pay_back(desk, named, too_much):
    desk.claim("paid", {**WHOLE, "99490": WHOLE["99490"] + Decimal("4.20")})
    desk.name_as_added(named)
    assert desk.asks() == ({"overpaid_claim": -Decimal(too_much)} if too_much else {})


@pytest.mark.parametrize(
    ("others", "asked"),
    [("0", {"underpaid_claim": Decimal("2.01")}), ("1.50", {}), ("-2.01", {"underpaid_claim": Decimal("2.01")})],
    ids=["no reason", "a penalty of all but 51 cents", "more that no reason is known for"],
)
def test_an_incentive_hides_no_underpayment(desk, others, asked):
    """Of the fee schedule's amount $2.01 are missing, and as much is paid beside it."""
    desk.claim("paid", WHOLE)
    desk.name_as_added("2.01", others)
    assert desk.asks() == asked


def test_an_incentive_does_not_hide_what_a_refund_or_a_reopening_is_still_for(desk):
    desk.claim("paid", {**LESS, "99490": WHOLE["99490"] + Decimal("4.20")})
    desk.name_as_added("4.28")
    desk.change("refund", ["99490 x 1"], BASE)
    assert desk.asks() == {}  # the add-on is paid back
    desk.con.execute(
        "update marts.post_close_changes set kind = 'reopen', codes_now = claimed_codes || ['99437 x 1'], amount_now = 70"
    )
    assert "reopening_due" in desk.asks()


def test_of_a_claim_on_a_day_that_may_not_be_billed_all_that_was_paid_is_at_stake_until_the_payer_may_no_longer_be_asked(desk):
    desk.claim("paid", WHOLE)
    desk.change("reopen", CODES, Decimal(114), day=date(2026, 10, 12))
    assert desk.asks() == {"reopening_due": -sum(WHOLE.values(), Decimal(0))}
    (told,) = desk.con.execute("select fact, due_on, last_day from intermediate.int_claims__unsettled").fetchall()
    assert told == (
        "99439 x 1, 99490 x 1 on 2026-10-31 claimed, 99439 x 1, 99490 x 1 on 2026-10-12 may be", date(2027, 2, 1), date(2027, 11, 20),
    )  # fmt: skip


def test_a_claim_that_was_taken_back_waits_since_then_and_another_since_it_went_out(desk):
    desk.con.execute("""
        drop table marts.claim_aging;
        create table intermediate.int_claims__current as
            select 'p' as practice_id, 'x' as patient_id, date '2026-10-01' as month, claim_id, status, date '2026-11-05' as claimed_on,
                date '2027-02-20' as answered_on, 142.50 as billed_amount
            from (values ('R', 'reopened'), ('S', 'submitted'), ('P', 'paid')) as claims (claim_id, status);
        alter table intermediate.int_claim_lines__sent add column expected_payment decimal(12, 2);
        insert into intermediate.int_claim_lines__sent by name select claim_id, 89.37 as expected_payment from intermediate.int_claims__current;
    """)
    compiled.run(desk.con, desk.home, [compiled.models()["claim_aging"]])
    told = desk.con.execute("select claim_id, submitted_on, days_waiting, bucket from marts.claim_aging order by 1").fetchall()
    assert told == [("R", date(2026, 11, 5), 9, "within the payment floor"), ("S", date(2026, 11, 5), 116, "long overdue")]
