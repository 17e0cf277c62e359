"""What the payers' answers make of our claims: by the models themselves, over files taken in by the code that takes them in."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise, permutations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestration.payers import inbox
from orchestration.payers.waiting import waiting
from tests.answers.letters import (
    NORTH,
    SOUTH,
    Line,
    Pay,
    Sent,
    acknowledgment,
    claim_statuses,
    denied,
    file,
    orders,
    paid_in_full,
    remittance,
    taken_back,
    transaction,
)
from tests.answers.office import Office

pytestmark = pytest.mark.xdist_group("answers")

A, B, C, D, E, F = "CCM2609A", "CCM2609B", "CCM2609C", "CCM2609D", "CCM2609E", "CCM2609F"
SENT = (Sent(A), Sent(B), Sent(C, transaction=2), Sent(D, SOUTH))


@pytest.fixture
def office(tmp_path):
    return Office(tmp_path / "home", SENT)


# --- acknowledgments --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "rejected"),
    [
        (acknowledgment(7, {1: "A", 2: "A"}, "A"), set()),
        (acknowledgment(7, {1: "A", 2: "E"}, "E"), set()),
        (acknowledgment(7, {1: "A", 2: "R*5"}, "P"), {C}),
        (acknowledgment(7, {1: "R*5", 2: "A"}, "P"), {A, B}),
        (acknowledgment(7, {}, "R"), {A, B, C}),
        (acknowledgment(7, {1: "A", 2: "A"}, "R"), {A, B, C}),
        (acknowledgment(8, {1: "R*5"}, "R"), set()),
        (acknowledgment(7, {1: "R*5"}, "R", functional="HS"), set()),
    ],
    ids=["accepted", "with errors", "second ST", "first ST", "group alone", "group over its STs", "another file", "no claims"],
)
def test_a_999_turns_back_the_claims_of_the_transactions_that_it_names_and_no_others(office, answer, rejected):
    office.deliver(file("999", answer))
    assert {claim for claim, status in office.statuses().items() if status == "rejected"} == rejected
    assert {status for claim, status in office.statuses().items() if claim not in rejected} == {"submitted"}


@pytest.mark.long
def test_a_999_for_another_submitter_with_the_same_control_number_touches_only_that_submitters_claims(office):
    office.deliver(file("999", acknowledgment(7, {1: "R*5"}, "R"), submitter="SOUTH01"))
    assert office.statuses() == {A: "submitted", B: "submitted", C: "submitted", D: "rejected"}
    office.deliver(file("999", acknowledgment(7, {1: "R*5"}, "R"), submitter="STRANGER9"))
    assert office.statuses() == {A: "submitted", B: "submitted", C: "submitted", D: "rejected"}
    assert [row["outcome"] for row in office.see("select outcome from answer_files order by file_id")] == ["posted", "unmatched"]


def test_a_ta1_that_turns_the_interchange_back_turns_all_its_claims_back(office):
    office.deliver(file("999", extra=["TA1*000000007*261003*0900*R*006"]))
    assert office.statuses() == {A: "rejected", B: "rejected", C: "rejected", D: "submitted"}
    assert office.claim(A)["rejection_codes"] == ["TA1:006"]


def _of_another_guide() -> list[str]:
    return [segment.replace("X222A1", "X223A2") for segment in acknowledgment(7, {1: "R*5"}, "R")]


BATCH_REJECTED = claim_statuses("0000000070001", [], receiver="A8:21:41")
FOREIGN = {
    "a 999 of before": file("999", acknowledgment(7, {1: "R*5"}, "R"), on="261001"),
    "a 999 of the institutional guide": file("999", _of_another_guide(), on="261005"),
    "a 999 to a test": file("999", acknowledgment(7, {1: "R*5"}, "R"), on="261005", usage="T"),
    "a TA1 of before": file("999", extra=["TA1*000000007*260202*0900*R*006"], on="260202"),
    "a TA1 to a test": file("999", extra=["TA1*000000007*261005*0900*R*006"], on="261005", usage="T"),
    "a 277CA of before": file("277", BATCH_REJECTED, on="261001"),
    "a 277CA to a test": file("277", claim_statuses("0000000070001", [(A, "A7:562:85", "U")]), on="261005", usage="T"),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_an_acknowledgment_that_cannot_be_of_our_file_is_kept_as_an_answer_of_nobody(tmp_path, name):
    office = Office(tmp_path / "home", [Sent(A, usage="P" if "test" in name else "T"), Sent(B, control_number=8)])
    office.deliver(FOREIGN[name])
    assert set(office.statuses().values()) == {"submitted"} and office.claim(A)["answered_on"] is None
    (told,) = office.see("select outcome, transactions_posted, reason from answer_files")
    assert (told["outcome"], told["transactions_posted"]) == ("unmatched", 1) and "must fit" in told["reason"]


@pytest.mark.parametrize(
    ("answer", "usage"),
    [
        (file("999", acknowledgment(7, {1: "R*5"}, "R"), on="261002"), "T"),
        (file("999", ["AK1*HC*7", "AK9*R*1*1*0"], on="261005"), "T"),
        (file("999", acknowledgment(7, {1: "R*5"}, "R"), on="261005", usage="P"), "T"),
        (file("999", acknowledgment(7, {1: "R*5"}, "R"), on="261005", usage="P"), "P"),
        (file("277", BATCH_REJECTED, on="261002"), "T"),
    ],
    ids=["a day behind", "no guide named", "production to a test", "production", "277CA a day behind"],
)
def test_an_acknowledgment_a_day_behind_without_a_guide_or_of_production_is_ours(tmp_path, answer, usage):
    office = Office(tmp_path / "home", [Sent(A, usage=usage)])
    office.deliver(answer)
    assert office.claim(A)["status"] == "rejected"


def test_what_anothers_acknowledgment_said_in_the_same_words_is_no_repetition_of_ours(office):
    ours, foreign = (
        file("999", acknowledgment(7, {1: "R*5"}, "R"), on=on, number=n) for n, on in ((901, "261005"), (12, "260302"))
    )
    office.deliver(foreign)
    office.deliver(ours)
    assert office.claim(A)["status"] == "rejected"
    assert [row["outcome"] for row in office.see("select outcome from answer_files order by file_id")] == ["unmatched", "posted"]


def test_an_acceptance_of_another_systems_file_takes_no_rejection_of_ours_back(office):
    office.deliver(file("999", acknowledgment(7, {1: "R*5"}, "R"), on="261005"))
    office.deliver(file("999", acknowledgment(7, {1: "A"}, "A"), on="260301", number=12))
    assert office.claim(A)["status"] == "rejected"


@pytest.mark.parametrize("is_first", [True, False])
def test_a_ta1_that_took_the_interchange_in_leaves_turned_back_what_a_999_turned_back(office, is_first):
    turned_back = file("999", acknowledgment(7, {1: "R*5", 2: "A"}, "P"), on="261005")
    arrived = file("999", extra=["TA1*000000007*261003*0900*A*000"], number=901, on="261006")
    for one in (turned_back, arrived) if is_first else (arrived, turned_back):
        office.deliver(one)
    assert office.statuses() == {A: "rejected", B: "rejected", C: "submitted", D: "submitted"}
    assert office.claim(A)["rejection_codes"] == ["999:5"]
    # One of two STs: it is not said that the whole file was turned back.
    assert {row["likely_cause"] for row in office.see("select likely_cause from claim_denials")} == {
        "the receiver turned back the file that it is in, or the part of it (ST)"
    }


@pytest.mark.parametrize(
    "answer",
    [
        ["AK1*HC*7*005010X222A1", "AK9*R*2*2*0*19"],
        ["AK1*HC*7*005010X222A1", "AK2*837*0001*005010X222A1", "IK5*R", "AK9*R*2*2*0*19"],
        acknowledgment(7, {1: "R*23", 2: "R*23"}, "R"),
    ],
    ids=["group", "group and its STs", "STs"],
)
def test_a_999_that_calls_the_file_a_duplicate_turns_nothing_back(office, answer):
    office.deliver(file("999", answer, on="261006"))
    assert set(office.statuses().values()) == {"submitted"}
    office.deliver(file("999", acknowledgment(7, {1: "R*5"}, "P"), on="261005", number=901))
    assert office.statuses() == {A: "rejected", B: "rejected", C: "submitted", D: "submitted"}


# --- statuses ---------------------------------------------------------------------------------------------------------


def test_a_277ca_takes_claims_in_or_turns_them_back_one_by_one(office):
    office.deliver(
        file("277", claim_statuses("0000000070001", [(A, "A2:20:PR", "WQ"), (B, "A7:164:QC", "U"), ("STRANGER1", "A3:78", "U")]))
    )
    assert office.statuses() == {A: "accepted", B: "rejected", C: "submitted", D: "submitted"}
    assert office.claim(B)["rejection_codes"] == ["A7:164"]
    why = office.see(f"select * from claim_denials where claim_id = '{B}' order by line_id")
    assert [(row["denial_code"], row["is_rejection"], row["amount"]) for row in why] == [
        ("A7:164", True, Decimal("95.00")), ("A7:164", True, Decimal("75.00")),
    ]  # fmt: skip
    assert "new claim" in why[0]["fix"]


def test_a_status_in_lower_case_is_read_as_the_same_code(office):
    office.deliver(file("277", claim_statuses("0000000070001", [(A, "a7:562:85", "U"), (B, "A2:20:PR", "WQ")])))
    assert office.statuses() == {A: "rejected", B: "accepted", C: "submitted", D: "submitted"}
    assert office.claim(A)["rejection_codes"] == ["A7:562"]


@pytest.mark.parametrize(
    ("said", "codes", "cause"),
    [
        ("A7:78", ["A7:78"], "a duplicate of a claim"),
        ("A4:35", ["A4:35"], "cannot find"),
        ("A4", ["A4"], "cannot find"),
        ("P3:21", ["P3:21"], "does not know yet"),
        ("A0:16", [], None),
        ("A2:20", [], None),
    ],
)
def test_what_a_277_says_that_decides_nothing_is_shown_with_what_helps_unless_it_is_only_passed_on(office, said, codes, cause):
    office.deliver(file("277", claim_statuses("0000000070001", [(A, said, "U")])))
    assert office.claim(A)["status"] in ("submitted", "accepted")
    told = office.see(f"select line_id, denial_code, is_rejection, likely_cause, amount from claim_denials where claim_id = '{A}'")
    assert sorted({row["denial_code"] for row in told}) == codes and len(told) == 2 * len(codes)
    assert all(cause in row["likely_cause"] and not row["is_rejection"] and row["amount"] == 0 for row in told)


@pytest.mark.long
def test_that_a_claim_which_was_taken_in_came_twice_is_shown_to_nobody_and_a_later_word_replaces_an_earlier(office):
    first = file("277", claim_statuses("0000000070001", [(A, "A2:20:PR", "WQ"), (B, "A4:35", "U")], on="20261006"), number=901)
    again = file("277", claim_statuses("0000000070001", [(A, "A3:78", "U"), (B, "A0:16", "WQ")], on="20261008"), number=902)
    office.deliver(first)
    assert {row["claim_id"] for row in office.see("select claim_id from claim_denials")} == {B}
    office.deliver(again)
    assert office.see("select claim_id from claim_denials") == []
    office.deliver(file("277", claim_statuses("0000000070001", [], receiver="A3:746", on="20261010"), number=903))
    assert {row["claim_id"] for row in office.see("select claim_id from claim_denials")} == {B}, "A was taken in"
    office.deliver(file("835", remittance(paid_in_full(B))))
    assert office.see("select claim_id from claim_denials") == []


@pytest.mark.parametrize("category", ["A0", "A4", "P3", "F2", "ZZ"])
def test_a_status_that_says_neither_yes_nor_no_decides_nothing(office, category):
    office.deliver(file("277", claim_statuses("0000000070001", [(A, f"{category}:20", "WQ")])))
    assert office.claim(A)["status"] == "submitted"


def test_a_277ca_that_turns_the_whole_batch_back_turns_back_its_claims_and_what_it_says_of_a_claim_itself_comes_first(office):
    office.deliver(file("277", claim_statuses("0000000070001", [], receiver="A8:21:41")))
    assert office.statuses() == {A: "rejected", B: "rejected", C: "submitted", D: "submitted"}
    office.deliver(file("277", claim_statuses("0000000070001", [(A, "A2:20:PR", "WQ")], receiver="A8:21:41", on="20261006")))
    assert office.statuses() == {A: "accepted", B: "rejected", C: "submitted", D: "submitted"}


def test_the_newest_277ca_counts_whichever_came_first_and_comes_before_any_999(office):
    newer = file("277", claim_statuses("0000000070001", [(A, "A2:20:PR", "WQ")], on="20261008"))
    older = file("277", claim_statuses("0000000070001", [(A, "A3:21", "U")], on="20261006"), number=901)
    office.deliver(newer)
    office.deliver(older)
    office.deliver(file("999", acknowledgment(7, {1: "R*5"}, "P"), number=902))
    assert office.statuses() == {A: "accepted", B: "rejected", C: "submitted", D: "submitted"}


@pytest.mark.long
def test_the_answer_to_a_file_that_was_sent_twice_turns_nothing_back(office):
    """B5: the same claim again is turned back as a duplicate. The payer has the first; sent once more it would be claimed twice."""
    office.deliver(file("999", acknowledgment(7, {1: "A", 2: "A"}, "A")))
    office.deliver(file("999", extra=["TA1*000000007*261006*0900*R*025"], number=901))
    office.deliver(file("277", claim_statuses("0000000070001", [(A, "A2:20:PR", "WQ")], on="20261005"), number=902))
    office.deliver(file("277", claim_statuses("0000000070001", [(A, "A3:78", "U"), (B, "A8:78", "U")], on="20261006"), number=903))
    assert office.statuses() == {A: "accepted", B: "submitted", C: "submitted", D: "submitted"}
    # 78 says that the other is being processed, 54 that it was.
    office.deliver(file("277", claim_statuses("0000000070001", [(C, "A3:54", "U"), (D, "A8:54", "U")], on="20261006"), number=905))
    assert office.statuses() == {A: "accepted", B: "submitted", C: "submitted", D: "submitted"}
    # Another code beside that one says more of it; of a whole batch it is 746.
    detailed = [(A, "A3:54", "U"), (A, "A3:187", "U"), (B, "A3:187", "U"), (B, "A3:78", "U")]
    office.deliver(file("277", claim_statuses("0000000070001", detailed, on="20261006"), number=906))
    for number, status in enumerate(("A3:746:41", "A8:746:41"), 907):
        office.deliver(file("277", claim_statuses("0000000070001", [], receiver=status, on="20261006"), number=number))
    assert office.statuses() == {A: "accepted", B: "submitted", C: "submitted", D: "submitted"}
    office.deliver(file("277", claim_statuses("0000000070001", [(B, "A3:21", "U")], on="20261007"), number=904))
    assert office.statuses()[B] == "rejected"


@pytest.mark.parametrize("is_first", [True, False])
def test_a_file_that_a_999_took_in_stays_in_whatever_became_of_its_second_sending(office, is_first):
    taken = file("999", acknowledgment(7, {1: "A", 2: "R*5"}, "P"), on="261005")
    turned_back = file("999", extra=["TA1*000000007*261006*0900*R*006"], number=901, on="261006")
    for one in (taken, turned_back) if is_first else (turned_back, taken):
        office.deliver(one)
    assert office.statuses() == {A: "submitted", B: "submitted", C: "rejected", D: "submitted"}


@pytest.mark.long
def test_a_batch_of_more_than_9999_transactions_is_known_by_its_whole_number(tmp_path):
    office = Office(tmp_path / "home", [Sent(A, transaction=1000), Sent(B, transaction=10001), Sent(C, transaction=10005)])
    office.deliver(file("277", claim_statuses("0000000071000", [], receiver="A8:21:41")))
    assert office.statuses() == {A: "rejected", B: "submitted", C: "submitted"}
    office.deliver(file("277", claim_statuses("00000000710001", [], receiver="A8:21:41"), number=901))
    assert office.statuses() == {A: "rejected", B: "rejected", C: "submitted"}
    assert {row["outcome"] for row in office.see("select outcome from answer_files")} == {"posted"}


# --- payments ---------------------------------------------------------------------------------------------------------


def test_a_payment_is_posted_line_by_line_with_its_adjustments_and_held_against_what_was_expected(office):
    office.deliver(file("835", remittance(paid_in_full(A))))
    claim = office.claim(A)
    assert (claim["status"], claim["paid_amount"], claim["denial_codes"], claim["check_number"]) == (
        "paid",
        Decimal("91.39"),
        [],
        "EFT1",
    )
    lines = office.see(f"select * from claim_line_payments where claim_id = '{A}' order by line_id")
    assert [
        (row["paid_amount"], row["expected_payment"], row["contractual_amount"], row["sequestration_amount"], row["patient_amount"])
        for row in lines
    ] == [
        (Decimal("51.85"), Decimal("51.85"), Decimal("28.87"), Decimal("1.05"), Decimal("13.23")),
        (Decimal("39.54"), Decimal("39.54"), Decimal("24.56"), Decimal("0.81"), Decimal("10.09")),
    ]
    assert [row["difference_amount"] for row in lines] == [Decimal("0.00"), Decimal("0.00")]
    assert lines[0]["adjustment_codes"] == ["CO-253", "CO-45", "PR-2"] and not lines[0]["is_shared"]


def test_of_a_fee_below_the_fee_schedule_no_more_is_expected_than_medicare_pays_of_the_fee(tmp_path):
    cheap = Sent(A, lines=(Line("99490", "50.00", "66.13"), Line("99439", "75.00", "50.44")))
    office = Office(tmp_path, [cheap])
    full = paid_in_full(A).lines[1]
    base = (f"{A}01", "99490", "50", "39.20", (("CO", "253", ".8"), ("PR", "2", "10")), ())
    office.deliver(file("835", remittance(Pay(A, "125", "78.74", (base, full)))))
    lines = office.see("select expected_payment, difference_amount from claim_line_payments order by line_id")
    assert [tuple(line.values()) for line in lines] == [(Decimal("51.85"), Decimal("0.00")), (Decimal("39.54"), Decimal("0.00"))]


def test_what_the_deductible_takes_is_paid_by_the_patient_and_no_denial(office):
    line = ((f"{A}01", "99490", "95", "0", (("CO", "45", "28.87"), ("PR", "1", "66.13")), ()),)
    office.deliver(
        file(
            "835",
            remittance(
                Pay(A, "170", "0", (*line, (f"{A}02", "99439", "75", "0", (("CO", "45", "24.56"), ("PR", "1", "50.44")), ())))
            ),
        )
    )
    claim = office.claim(A)
    assert (claim["status"], claim["paid_amount"], claim["denial_codes"]) == ("paid", Decimal("0.00"), [])
    rows = office.see(
        f"select deductible_amount, difference_amount, status from claim_line_payments where claim_id = '{A}' order by line_id"
    )
    assert [tuple(row.values()) for row in rows] == [
        (Decimal("66.13"), Decimal("0.00"), "paid"),
        (Decimal("50.44"), Decimal("0.00"), "paid"),
    ]
    assert office.see("select * from claim_denials") == []


@pytest.mark.parametrize(
    ("pay", "status", "codes", "cause"),
    [
        (denied(A), "denied", ["CO-B20"], "another practice"),
        (denied(A, "CO", "18"), "denied", ["CO-18"], "duplicate"),
        (denied(A, "PR", "27"), "denied", ["PR-27"], "coverage ended"),
        (denied(A, "CO", "16", "MA130", ("N290",)), "rejected", ["CO-16"], "not processed"),
        (denied(A, "CO", "16", "MA01", ("N290",)), "denied", ["CO-16"], "NPI"),
        (denied(A, "CO", "8888"), "denied", ["CO-8888"], "does not know"),
        (denied(A, "PR", "1", status="4"), "denied", [], None),
    ],
    ids=["B20", "18", "other group", "unprocessable", "16 with appeal rights", "unknown reason", "CLP02 4"],
)
def test_why_nothing_was_paid_says_what_became_of_the_claim(office, pay, status, codes, cause):
    office.deliver(file("835", remittance(pay)))
    claim = office.claim(A)
    assert (claim["status"], claim["denial_codes"], claim["paid_amount"]) == (status, codes, Decimal("0.00"))
    causes = [row["likely_cause"] for row in office.see(f"select likely_cause from claim_denials where claim_id = '{A}'")]
    assert (cause is None and causes == []) or (len(causes) == 2 and all(cause in text for text in causes))


ALL_45 = tuple(
    (f"{A}0{n}", code, charge, "0", (("CO", "45", charge),), ()) for n, code, charge in ((1, "99490", "95"), (2, "99439", "75"))
)
OTHERS = tuple(
    (f"{A}0{n}", code, charge, "0", (("CO", "45", fee), ("OA", "23", rest)), ())
    for n, code, charge, fee, rest in ((1, "99490", "95", "28.87", "66.13"), (2, "99439", "75", "24.56", "50.44"))
)


@pytest.mark.parametrize(
    ("pay", "status"),
    [
        (Pay(A, "170", "0", ALL_45), "denied"),
        (Pay(A, "170", "0"), "denied"),
        (Pay(A, "170", "0", OTHERS), "paid"),
    ],
    ids=["all above the fee schedule", "no reason", "an earlier payer paid it"],
)
def test_a_claim_of_which_nothing_is_paid_or_left_to_anybody_is_no_paid_claim(office, pay, status):
    office.deliver(file("835", remittance(pay)))
    assert (office.claim(A)["status"], office.claim(A)["denial_codes"]) == (status, [])
    lines = office.see(f"select status from claim_line_payments where claim_id = '{A}'")
    assert [row["status"] for row in lines] == [status, status]


@pytest.mark.parametrize(
    ("paid", "excess", "patients", "denied"),
    [("91.39", "-46.56", "23.32", None), ("71.39", "-26.56", "23.32", Decimal("50.44"))],
    ids=["in full", "in part"],
)
def test_a_line_that_was_paid_with_another_is_nothing_to_ask_for_unless_the_claim_got_less(office, paid, excess, patients, denied):
    """The guide's bundling: the first line has the money of both (94), the second nothing (97)."""
    first = (("OA", "94", excess), ("CO", "45", "24.98"), ("CO", "253", "1.87"), ("PR", "2", patients))
    office.deliver(
        file(
            "835",
            remittance(
                Pay(
                    A,
                    "170",
                    paid,
                    ((f"{A}01", "99490", "95", paid, first, ()), (f"{A}02", "99439", "75", "0", (("OA", "97", "75"),), ("M15",))),
                )
            ),
        )
    )
    assert office.claim(A)["status"] == "paid"
    asked = office.see(f"select denied_amount from int_claims__lines_denied where claim_id = '{A}'")
    assert [row["denied_amount"] for row in asked] == ([denied] if denied else [])


@pytest.mark.parametrize(
    ("group", "reason", "amount", "added"),
    [
        ("CO", "144", "-2.01", "2.01"),
        ("CO", "225", "-2.01", "2.01"),
        ("CO", "144", "2.01", "0.00"),  # kept, not paid
        ("CO", "45", "-2.01", "0.00"),  # the fee schedule's own
        ("PR", "2", "-2.01", "0.00"),
        ("OA", "94", "-2.01", "0.00"),  # says that it is more, and not what for
    ],
)
def test_what_the_payer_adds_for_a_reason_that_says_so_is_beside_what_was_expected(office, group, reason, amount, added):
    """An incentive of as much as the fee schedule's amount was paid too little is no payment of it."""
    (_, good) = paid_in_full(A).lines
    lacks = (("CO", "45", "28.87"), ("CO", "253", "1.05"), ("PR", "2", "13.23"), (group, reason, amount), ("OA", "209", "2.01"))
    office.deliver(file("835", remittance(Pay(A, "170", "91.39", ((f"{A}01", "99490", "95", "51.85", lacks, ()), good)))))
    first, second = office.see("select added_amount, difference_amount from claim_line_payments order by line_id limit 2")
    assert (first["added_amount"], first["difference_amount"]) == (Decimal(added), -Decimal(added))
    assert (second["added_amount"], second["difference_amount"]) == (Decimal("0.00"), Decimal("0.00"))


def test_an_incentive_on_one_line_hides_no_denial_of_another(office):
    paid = "91.85"
    first = (("CO", "45", "28.87"), ("CO", "253", "1.05"), ("PR", "2", "13.23"), ("CO", "144", "-40"))
    second = (f"{A}02", "99439", "75", "0", (("CO", "50", "75"),), ())
    office.deliver(file("835", remittance(Pay(A, "170", paid, ((f"{A}01", "99490", "95", paid, first, ()), second)))))
    lines = office.see(f"select denied_amount from int_claims__lines_denied where claim_id = '{A}'")
    assert [row["denied_amount"] for row in lines] == [Decimal("50.44")]


def test_every_normal_posting_says_what_it_is_posted_as(office):
    rows = office.see("select * from rules.rule_denials")
    assert all((row["kind"] == "normal") == (row["posted_as"] is not None) for row in rows)
    assert {row["posted_as"] for row in rows} - {None} == {
        "contractual", "sequestration", "deductible", "patient", "other_payer", "beside_fees",
    }  # fmt: skip


def test_a_category_of_answers_that_got_other_words_shows_each_line_once_in_the_newest(office):
    office.rule_changes = [
        "create table other as select * replace ('said otherwise' as likely_cause, date '2026-11-01' as effective_from) "
        "from rules.rule_claim_status_categories where category_code = 'A7' and status_code is null",
        "update rules.rule_claim_status_categories set effective_to = date '2026-10-31' where category_code = 'A7'",
        "insert into rules.rule_claim_status_categories select * from other",
    ]
    office.deliver(file("277", claim_statuses("0000000070001", [(B, "A7:164:QC", "U")])))
    told = office.see("select line_id, likely_cause from claim_denials order by line_id")
    assert len({row["line_id"] for row in told}) == len(told) > 0
    assert {row["likely_cause"] for row in told} == {"said otherwise"}


def test_a_denied_add_on_leaves_the_claim_paid_and_shows_the_lines_denial(office):
    good = paid_in_full(A).lines[0]
    office.deliver(
        file("835", remittance(Pay(A, "170", "51.85", (good, (f"{A}02", "99439", "75", "0", (("CO", "97", "75"),), ("M15",))))))
    )
    claim = office.claim(A)
    assert (claim["status"], claim["paid_amount"], claim["denial_codes"]) == ("paid", Decimal("51.85"), ["CO-97"])
    (why,) = office.see("select line_id, amount, fix from claim_denials")
    assert (why["line_id"], why["amount"]) == (f"{A}02", Decimal("75.00")) and "other service" in why["fix"]
    rows = office.see(f"select status from claim_line_payments where claim_id = '{A}' order by line_id")
    assert [row["status"] for row in rows] == ["paid", "denied"]


@pytest.mark.parametrize("answer", ["277CA", "835"])
def test_a_claim_that_was_turned_back_and_sent_anew_stays_in_the_history_with_its_answer(tmp_path, answer):
    sent = [Sent(A, patient_id="P1"), Sent(B, patient_id="P1", version=2, control_number=8)]
    office = Office(tmp_path / "home", sent)
    if answer == "277CA":
        office.deliver(file("277", claim_statuses("0000000070001", [(A, "A7:164:QC", "U")])))
    else:
        office.deliver(file("835", remittance(denied(A, "CO", "16", "MA130", ("N290",)))))
    assert [row["claim_id"] for row in office.see("select claim_id from claims")] == [B]
    told = "claim_id, close_version, status, rejection_codes, denial_codes, answered_on is not null as is_answered"
    assert [tuple(row.values()) for row in office.see(f"select {told} from claim_history order by claim_id")] == [
        (A, 1, "rejected", *((["A7:164"], []) if answer == "277CA" else ([], ["CO-16"])), True),
        (B, 2, "submitted", [], [], False),
    ]
    lines = office.see("select claim_id, status, paid_amount, difference_amount from claim_line_payments order by line_id")
    assert {(row["claim_id"], row["status"]) for row in lines} == {(A, "rejected"), (B, "open")}
    assert {(row["paid_amount"], row["difference_amount"]) for row in lines} == {(Decimal("0.00"), None)}


def test_a_claim_that_waits_beside_another_of_its_month_is_somebodys_work_until_one_of_them_is_settled(tmp_path):
    office = Office(tmp_path / "home", [Sent(A, patient_id="P1"), Sent(B, patient_id="P1", version=2, control_number=8), Sent(C)])
    items = "select claim_id, kind, due_on, last_day, dollars, fact from int_claims__doubled"
    office.deliver(file("999", acknowledgment(7, {1: "R*5"}, "R"), on="261005"))
    assert office.see(items) == []
    # The payer has the first after all.
    office.deliver(file("999", acknowledgment(7, {1: "A"}, "A"), on="261006", number=901))
    both = [
        {
            "claim_id": B, "kind": "duplicate_claim", "due_on": date(2026, 10, 19), "last_day": date(2026, 12, 5),
            "dollars": Decimal("-91.39"), "fact": f"{B} of 2026-10-03 beside {A} of 2026-10-03",
        }
    ]  # fmt: skip
    assert office.see(items) == both
    office.deliver(file("835", remittance(paid_in_full(A)), number=902))
    assert office.see(items) == both
    office.deliver(file("277", claim_statuses("0000000080001", [(B, "A3:21", "U")]), number=903))
    assert office.see(items) == []


def _said(status: str, on: str, number: int) -> str:
    return file("277", claim_statuses("0000000070001", [(A, status, "U")], on=f"20{on}"), on=on, number=number)


TAKEN = _said("A1:19", "261005", 901)
WITHOUT = file("835", remittance(denied(A, "CO", "16", "MA130", ("N290",))), number=902)
ITS_MONEY = file("835", remittance(paid_in_full(A), check="EFT2", on="20261210"), number=909, on="261210")


@pytest.mark.parametrize(
    ("answers", "both_from"),
    [
        ([TAKEN, _said("A3:21", "261008", 903), _said("A2:20", "261122", 904)], date(2026, 11, 22)),
        ([TAKEN, _said("A3:21", "261008", 903), _said("A2:20", "261122", 904), ITS_MONEY], date(2026, 11, 22)),
        ([TAKEN, WITHOUT, ITS_MONEY], date(2026, 12, 10)),
        # What came late is known by the second claim's day at the earliest.
        ([_said("A3:21", "261008", 903), _said("A2:20", "261020", 904)], date(2026, 11, 4)),
    ],
    ids=["taken in after all", "and paid", "paid after all", "said before the second went out"],
)
def test_a_claim_beside_another_is_due_from_the_answer_by_which_the_payer_has_both(tmp_path, answers, both_from):
    sent = [Sent(A, patient_id="P1"), Sent(B, patient_id="P1", version=2, control_number=8, claimed_on=date(2026, 11, 4))]
    office = Office(tmp_path / "home", sent)
    office.deliver(*answers)
    (item,) = office.see("select claim_id, due_on, last_day from int_claims__doubled")
    assert item == {"claim_id": B, "due_on": both_from + timedelta(13), "last_day": both_from + timedelta(60)}


@pytest.mark.parametrize("loss", ["cut off behind its first transaction", "no interchange", "an ISA cut short", "no GS", None])
def test_a_file_of_which_a_part_could_not_be_read_is_posted_and_said_to_be_asked_for_again(office, loss):
    good = file("835", remittance(paid_in_full(A)))
    second = file("835", remittance(paid_in_full(B), check="EFT2"), number=901)
    body = "".join(f"{segment}~\n" for segment in transaction("835", remittance(paid_in_full(B), check="EFT2"), 2))
    office.deliver(
        {
            None: good + second,
            "cut off behind its first transaction": good[: good.index("GE*")],
            "no interchange": f"{good}end of transmission\n{second}",
            "an ISA cut short": good + second.replace(" " * 10, " ", 1),
            "no GS": good.replace("IEA*", f"{body}IEA*"),
        }[loss]
    )
    found = office.see("select outcome, envelope_faults > 0 as is_damaged, first_fault is not null as is_told from answer_files")
    assert found == [{"outcome": "posted", "is_damaged": loss is not None, "is_told": loss is not None}]
    assert office.statuses()[A] == "paid" and office.statuses()[B] == ("submitted" if loss else "paid")
    told = waiting(office.house)
    assert (told.unread, told.is_new) == (int(loss is not None), loss is not None)


def test_a_277ca_that_lost_a_claim_on_its_way_is_posted_and_said_to_be_asked_for_again(office):
    whole = claim_statuses("0000000070001", [(A, "A2:20:PR", "WQ"), (B, "A7:562:85", "U")])
    text = file("277", whole)
    for segment in whole[-6:]:
        text = text.replace(f"{segment}~\n", "", 1)
    office.deliver(text)
    assert office.statuses() == {A: "accepted", B: "submitted", C: "submitted", D: "submitted"}
    (told,) = office.see("select envelope_faults, first_fault from answer_files")
    assert told["envelope_faults"] == 1 and "SE01" in told["first_fault"]
    assert (waiting(office.house).unread, waiting(office.house).is_new) == (1, True)


@pytest.mark.parametrize(
    ("first", "is_one_file"),
    [
        ([denied(A, "CO", "50")], False),
        ([denied(A, "PR", "1")], False),
        ([paid_in_full(A), taken_back(paid_in_full(A)), denied(A, "CO", "B20", number="2")], False),
        ([denied(A, "CO", "50")], True),
    ],
    ids=["denied", "left to the patient", "paid and corrected to a denial", "one file"],
)  # fmt: skip
def test_a_claim_that_was_processed_is_not_sent_again_whatever_a_later_answer_says(office, first, is_one_file):
    later = denied(A, "CO", "16", "MA130", ("N290",), number="9")
    if is_one_file:
        office.deliver(file("835", remittance(*first, later)))
    else:
        office.deliver(file("835", remittance(*first)))
        office.deliver(file("835", remittance(later, check="EFT2", on="20261101"), number=901))
    assert office.claim(A)["status"] == "denied"


def test_a_duplicate_of_a_claim_that_was_turned_back_leaves_it_turned_back(office):
    office.deliver(file("835", remittance(denied(A, "CO", "16", "MA130", ("N290",)))))
    office.deliver(file("835", remittance(denied(A, "CO", "18", number="2"), check="EFT2", on="20261101"), number=901))
    assert office.claim(A)["status"] == "rejected"


@pytest.mark.parametrize("other", ["1599999999", ""], ids=["another", "none"])
@pytest.mark.parametrize("is_first", [True, False])
def test_the_same_payment_under_another_payer_id_is_posted_once(office, other, is_first):
    body = remittance(paid_in_full(A), paid_in_full(B, number="140000000002"))
    changed = [segment.replace("*1512345678", f"*{other}") if segment.startswith("TRN") else segment for segment in body]
    for number, one in enumerate((body, changed) if is_first else (changed, body), 901):
        office.deliver(file("835", one, number=number))
    assert (office.claim(A)["paid_amount"], office.claim(B)["paid_amount"]) == (Decimal("91.39"), Decimal("91.39"))
    assert [row["outcome"] for row in office.see("select outcome from answer_files order by file_id")] == ["posted", "repeated"]


def test_a_file_that_a_defect_of_ours_kept_from_being_read_in_part_posts_the_rest_of_it_once_the_defect_is_mended(
    office, monkeypatch
):
    text = file("835", remittance(paid_in_full(A))) + file("835", remittance(paid_in_full(B), check="EFT2"), number=901)
    with monkeypatch.context() as patch:
        real = inbox.rows_of
        patch.setattr(inbox, "rows_of", lambda one, *given: real(one, *given) if one.ordinal == 1 else {}["gone"])
        office.deliver(a=text)
    seen = "select outcome, transactions_posted, transactions_repeated, transactions_quarantined from answer_files order by file_id"
    assert office.statuses() == {A: "paid", B: "submitted", C: "submitted", D: "submitted"}
    assert [tuple(row.values()) for row in office.see(seen)] == [("posted", 1, 0, 1)]
    assert "KeyError in transaction 2: this is a defect of ccm" in office.see("select reason from answer_files")[0]["reason"]
    office.deliver(again=text)
    assert office.statuses() == {A: "paid", B: "paid", C: "submitted", D: "submitted"}
    assert [tuple(row.values()) for row in office.see(seen)] == [("posted", 1, 0, 1), ("posted", 1, 1, 0)]


@pytest.mark.long
def test_what_pays_nothing_under_a_number_of_another_day_decides_a_claim_again(office):
    """A payer that has no check to name writes 0 each time; what it offsets by an earlier overpayment is paid all the same."""
    office.deliver(file("835", remittance(denied(A), check="0", on="20261020")))
    later = remittance(denied(A, reason="50"), paid_in_full(B), check="0", on="20261120", plb=[("WO:X", "91.39")])
    office.deliver(file("835", later, number=901))
    assert office.statuses() == {A: "denied", B: "paid", C: "submitted", D: "submitted"}
    assert office.claim(A)["denial_codes"] == ["CO-50"]
    assert {row["held_amount"] for row in office.see("select held_amount from answer_files")} == {Decimal("0.00")}
    # Of the same day it is the same one in other words.
    office.deliver(file("835", remittance(denied(A, reason="18"), check="0", on="20261120"), number=902))
    assert office.claim(A)["denial_codes"] == ["CO-50"]
    assert office.see("select outcome from answer_files order by file_id desc limit 1") == [{"outcome": "held"}]


def test_a_payment_after_a_rejection_wins_and_an_unprocessable_answer_to_a_paid_claim_takes_nothing_back(office):
    office.deliver(file("277", claim_statuses("0000000070001", [(A, "A3:21", "U")])))
    office.deliver(file("835", remittance(paid_in_full(A))))
    office.deliver(file("835", remittance(denied(A, "CO", "16", "MA130", number="2"), check="EFT2", on="20261101")))
    assert (office.claim(A)["status"], office.claim(A)["paid_amount"]) == ("paid", Decimal("91.39"))
    office.deliver(file("835", remittance(denied(A, "CO", "18", number="3"), check="EFT3", on="20261102")))
    assert office.claim(A)["status"] == "paid", "the denial of a duplicate does not undo the payment"


def test_lines_without_our_line_id_are_found_by_code_and_an_answer_to_the_whole_claim_is_shared_by_charge_to_the_cent(tmp_path):
    three = (Line("99487", "100.00", "80.00"), Line("99489", "33.33", "20.00"), Line("99490", "66.68", "40.00"))
    office = Office(tmp_path / "home", [Sent(A), Sent(B, lines=three)])
    by_code = Pay(A, "170", "91.39", tuple((None, *line[1:]) for line in paid_in_full(A).lines))
    whole = Pay(B, "200.01", "100", adjustments=(("CO", "45", "75.01"), ("PR", "2", "25")))
    office.deliver(file("835", remittance(by_code, whole)))
    paid = {row["line_id"]: row for row in office.see("select * from claim_line_payments")}
    assert (paid[f"{A}01"]["paid_amount"], paid[f"{A}02"]["paid_amount"]) == (Decimal("51.85"), Decimal("39.54"))
    shares = [paid[f"{B}0{n}"] for n in (1, 2, 3)]
    assert sum(row["paid_amount"] for row in shares) == Decimal("100.00")
    assert [row["paid_amount"] for row in shares] == [Decimal("50.00"), Decimal("16.66"), Decimal("33.34")]
    assert sum(row["contractual_amount"] for row in shares) == Decimal("75.01")
    assert all(row["is_shared"] for row in shares) and not paid[f"{A}01"]["is_shared"]


PROCESSED = {
    "deductible": ("0", (("CO", "45", "28.87"), ("PR", "1", "66.13"))),
    "denied": ("0", (("CO", "97", "95"),)),
    "paid": ("51.85", (("CO", "45", "28.87"), ("CO", "253", "1.05"), ("PR", "2", "13.23"))),
}


@pytest.mark.parametrize("is_split", [False, True])
@pytest.mark.parametrize("other", PROCESSED)
def test_a_claim_of_which_a_line_was_processed_was_not_turned_back_unprocessed(office, other, is_split):
    """Only an unprocessed claim goes out again as a new one; of a processed one a reopening is asked for."""
    paid, adjustments = PROCESSED[other]
    first = (f"{A}01", "99490", "95", paid, adjustments, ())
    second = (f"{A}02", "99439", "75", "0", (("CO", "16", "75"),), ("N290",))
    whole = [Pay(A, "170", paid, (first, second), remark="MA130")]
    split = [Pay(A, "95", paid, (first,), number="1"), Pay(A, "75", "0", (second,), number="2", remark="MA130")]
    office.deliver(file("835", remittance(*(split if is_split else whole))))
    assert office.statuses()[A] == ("paid" if other == "paid" else "denied")
    (why,) = office.see(f"select * from claim_denials where line_id = '{A}02'")
    assert not why["is_rejection"] and "new claim" not in why["fix"]


@pytest.mark.parametrize("gives_ids_back", [True, False])
def test_what_is_remarked_of_a_line_is_said_of_no_other_and_what_is_remarked_of_a_claim_of_all(office, gives_ids_back):
    ids = (f"{A}01", f"{A}02") if gives_ids_back else (None, None)
    lines = (
        (ids[0], "99490", "95", "0", (("CO", "16", "95"),), ("N290",)),
        (ids[1], "99439", "75", "0", (("CO", "16", "75"),), ("M76",)),
    )
    office.deliver(file("835", remittance(Pay(A, "170", "0", lines, remark="MA01"))))
    first, second = office.see(f"select * from claim_denials where claim_id = '{A}' order by line_id")
    assert (first["remark_codes"], second["remark_codes"]) == (["MA01", "N290"], ["M76", "MA01"])
    assert first["fix"] != second["fix"]
    lines = office.see(f"select remark_codes from claim_line_payments where claim_id = '{A}' order by line_id")
    assert [row["remark_codes"] for row in lines] == [["MA01", "N290"], ["M76", "MA01"]]
    assert office.claim(A)["remark_codes"] == ["M76", "MA01", "N290"]


@pytest.mark.parametrize("others", [("N290",), ()])
def test_a_claim_that_was_not_processed_says_so_on_one_of_its_lines_and_is_turned_back_whole(office, others):
    """MA130 speaks of the claim, wherever it stands."""
    lines = (
        (f"{A}01", "99490", "95", "0", (("CO", "16", "95"),), ("MA130", "N290")),
        (f"{A}02", "99439", "75", "0", (("CO", "16", "75"),), others),
    )
    office.deliver(file("835", remittance(Pay(A, "170", "0", lines))))
    assert office.claim(A)["status"] == "rejected"
    told = office.see(f"select * from claim_denials where claim_id = '{A}' order by line_id")
    assert [row["remark_codes"] for row in told] == [["MA01", "MA130", "N290"], sorted({"MA01", "MA130", *others})]
    assert all(row["is_rejection"] and "new claim" in row["fix"] for row in told)


def test_what_is_remarked_of_a_line_without_adjustments_is_said_of_it_and_of_its_claim(office):
    first = (f"{A}01", "99490", "95", "95", (), ("N793",))
    second = (f"{A}02", "99439", "75", "0", (("CO", "97", "75"),), ("M15",))
    office.deliver(file("835", remittance(Pay(A, "170", "95", (first, second)), Pay(B, "170", "170"))))
    assert office.claim(A)["remark_codes"] == ["M15", "MA01", "N793"]
    assert office.claim(B)["remark_codes"] == ["MA01"]
    lines = office.see(f"select remark_codes from claim_line_payments where claim_id = '{A}' order by line_id")
    assert [row["remark_codes"] for row in lines] == [["MA01", "N793"], ["M15", "MA01"]]


@pytest.mark.parametrize(("remarks", "told"), [((), "MA01"), (("N115",), "MA01, N115")])
def test_the_cause_of_a_denial_names_no_remark_of_a_line_that_was_paid(office, remarks, told):
    added = (("CO", "45", "28.87"), ("CO", "253", "1.05"), ("CO", "144", "-2.01"), ("PR", "2", "13.23"))
    lines = (
        (f"{A}01", "99490", "95", "53.86", added, ("N807",)),
        (f"{A}02", "99439", "75", "0", (("CO", "50", "75"),), remarks),
    )
    office.deliver(file("835", remittance(Pay(A, "170", "53.86", lines))))
    (why,) = office.see("select cause from int_claims__denials")
    assert why["cause"] == f"medical necessity or documentation (remark codes {told})"
    assert "N807" in office.claim(A)["remark_codes"]


def test_a_claim_that_was_split_has_the_remarks_of_all_its_decisions(office):
    halves = [
        Pay(A, charge, "0", ((f"{A}0{n}", code, charge, "0", (("CO", "97", charge),), (remark,)),), number=str(n), remark="MA01")
        for n, code, charge, remark in ((1, "99490", "95", "N115"), (2, "99439", "75", "M15"))
    ]
    office.deliver(file("835", remittance(*halves)))
    assert office.claim(A)["remark_codes"] == ["M15", "MA01", "N115"]


def test_two_adjustments_of_the_provider_of_one_amount_without_a_reason_are_two(office):
    plb = "PLB*1512345678*20261231*:REF1*-5*:REF2*-5"
    body = [plb if one.startswith("PLB*") else one for one in remittance(paid_in_full(A), plb=[("WO:X", "-10")])]
    office.deliver(file("835", body))
    assert_each_cent_is_accounted_for(office)
    (row,) = office.see("select * from remittances")
    assert row["status"] == "posted" and abs(row["provider_adjustment_amount"]) == Decimal("10.00")


def test_the_denial_of_a_duplicate_stands_behind_every_other_decision(office):
    line = ((f"{A}01", "99490", "95", "0", (("CO", "45", "28.87"), ("PR", "1", "66.13")), ()),)
    office.deliver(
        file(
            "835",
            remittance(
                Pay(A, "170", "0", (*line, (f"{A}02", "99439", "75", "0", (("CO", "45", "24.56"), ("PR", "1", "50.44")), ())))
            ),
        )
    )
    office.deliver(file("835", remittance(denied(A, "OA", "18", number="3"), check="EFT3", on="20261102")))
    assert (office.claim(A)["status"], office.claim(A)["denial_codes"]) == ("paid", [])


def of_a_medigap(body):
    """The same 835 by another payer."""
    return [segment.replace("*1512345678", "*1998877665").replace("MEDICARE PART B", "OTHER MUTUAL") for segment in body]


@pytest.mark.parametrize("is_first", [True, False])
@pytest.mark.parametrize(
    ("pay", "paid"),
    [
        (Pay(A, "170", "23.32", (), "2", (("OA", "23", "146.68"),)), "23.32"),
        (denied(A, "CO", "16", "MA130", status="2"), "0.00"),
        (denied(A, "PR", "204", status="3"), "0.00"),
        (Pay(A, "170", "23.32", (), "1", (("OA", "23", "146.68"),), filing="MC"), "23.32"),
        (replace(denied(A, "CO", "45", status="1"), filing="CI"), "0.00"),
    ],
    ids=["pays", "unprocessable", "denies", "Medicaid that says first", "another that says first"],
)
def test_what_the_next_payer_says_is_not_medicares_answer(office, pay, paid, is_first):
    medicare = file("835", remittance(replace(paid_in_full(A), status="19")))
    next_payer = file("835", of_a_medigap(remittance(pay, check="EFT7", on="20261103")), number=901)
    for one in (next_payer, medicare) if is_first else (medicare, next_payer):
        office.deliver(one)
    claim = office.claim(A)
    assert (claim["status"], claim["paid_amount"], claim["denial_codes"], claim["check_number"]) == (
        "paid",
        Decimal("91.39"),
        [],
        "EFT1",
    )
    assert office.see(f"select other_payers_amount from claims where claim_id = '{A}'") == [{"other_payers_amount": Decimal(paid)}]
    lines = office.see(f"select difference_amount, patient_amount from claim_line_payments where claim_id = '{A}' order by line_id")
    assert [tuple(line.values()) for line in lines] == [(0, Decimal("13.23")), (0, Decimal("10.09"))]
    assert balance(office)["EFT7"]["posted_amount"] == Decimal(paid)


def test_medicare_is_first_whatever_its_file_says_a_claim_was_filed_with(office):
    """Without Medicare's decision beside it, a code that is none of Medicare's says nothing."""
    office.deliver(file("835", remittance(replace(paid_in_full(A), filing="ZZ"), replace(paid_in_full(B, number="2"), filing=""))))
    assert {office.claim(one)["status"] for one in (A, B)} == {"paid"}
    office.deliver(
        file("835", remittance(taken_back(replace(paid_in_full(A), filing="ZZ")), check="EFT2", on="20261110"), number=901)
    )
    assert office.statuses()[A] == "reopened"


@pytest.mark.parametrize("is_first", [True, False])
@pytest.mark.parametrize(
    ("pay", "paid"),
    [
        (Pay(A, "170", "23.32", (), "1", (("OA", "23", "146.68"),), filing="MC"), "23.32"),
        (Pay(A, "170", "23.32", (), "2", (("CO", "45", "146.68"),), filing="MC"), "23.32"),
        (replace(denied(A, "CO", "45", status="1"), filing="MC"), "0.00"),
        (Pay(A, "170", "23.32", (), "1", (("OA", "23", "146.68"),), filing="CI"), "23.32"),
        (Pay(A, "170", "23.32", (), "2", (("CO", "45", "146.68"),), filing="CI"), "23.32"),
    ],
    ids=["Medicaid first", "Medicaid second", "Medicaid pays nothing", "another that names Medicare's payment", "another second"],
)
def test_payers_whose_payments_come_under_one_payer_id_are_told_apart_by_what_the_claim_was_filed_with(office, pay, paid, is_first):
    """Who passes them on, or a state that pays for both, has one id for all."""
    files = [
        file("835", remittance(replace(paid_in_full(A), status="19"))),
        file("835", remittance(pay, check="EFT7", on="20261103"), number=901),
    ]
    for one in files if is_first else reversed(files):
        office.deliver(one)
    claim = office.claim(A)
    assert (claim["status"], claim["paid_amount"], claim["denial_codes"]) == ("paid", Decimal("91.39"), [])
    assert office.see(f"select other_payers_amount from claims where claim_id = '{A}'") == [{"other_payers_amount": Decimal(paid)}]
    back = [replace(taken_back(pay), number="8"), paid_in_full(B, number="2")]
    office.deliver(file("835", remittance(*back, check="EFT8", on="20261110"), number=902))
    assert (office.claim(A)["status"], office.claim(A)["paid_amount"], office.claim(A)["reversals"]) == (
        "paid",
        Decimal("91.39"),
        0,
    )
    assert office.see(f"select other_payers_amount from claims where claim_id = '{A}'") == [{"other_payers_amount": Decimal(0)}]
    own = [taken_back(paid_in_full(A)), paid_in_full(C, number="3")]
    office.deliver(file("835", remittance(*own, check="EFT9", on="20261112"), number=903))
    assert (office.claim(A)["status"], office.claim(A)["reversals"]) == ("reopened", 1)


@pytest.mark.parametrize("filing", ["MC", "CI"])
def test_what_another_payer_takes_back_is_its_own_though_its_payment_never_came(office, filing):
    theirs = replace(taken_back(paid_in_full(A)), filing=filing)
    office.deliver(file("835", remittance(paid_in_full(A))))
    office.deliver(file("835", of_a_medigap(remittance(theirs, check="EFT7", on="20261110")), number=901))
    assert (office.statuses()[A], office.claim(A)["reversals"]) == ("paid", 0)


def test_a_next_payer_takes_back_its_own_and_medicare_its_own(office):
    mine = Pay(A, "170", "23.32", (), "2", (("OA", "23", "146.68"),))
    office.deliver(file("835", of_a_medigap(remittance(mine, check="EFT7"))))
    assert office.statuses()[A] == "submitted"
    office.deliver(file("835", remittance(paid_in_full(A)), number=901))
    office.deliver(file("835", of_a_medigap(remittance(taken_back(mine), check="EFT8", on="20261104")), number=902))
    assert (office.statuses()[A], office.claim(A)["paid_amount"], office.claim(A)["reversals"]) == ("paid", Decimal("91.39"), 0)
    office.deliver(
        file("835", remittance(taken_back(paid_in_full(A)), paid_in_full(B, number="2"), check="EFT2", on="20261105"), number=903)
    )
    assert office.statuses()[A] == "reopened"


def test_medicare_that_finds_another_payer_before_it_still_decides(office):
    office.deliver(file("835", remittance(paid_in_full(A))))
    as_second = Pay(A, "170", "12.50", adjustments=(("OA", "23", "157.50"),), status="2", number="9")
    office.deliver(file("835", remittance(taken_back(paid_in_full(A)), as_second, check="EFT2", on="20261110"), number=901))
    assert (office.claim(A)["status"], office.claim(A)["paid_amount"]) == ("paid", Decimal("12.50"))


# --- reversals and corrections ----------------------------------------------------------------------------------------

FIRST = file("835", remittance(paid_in_full(A), check="EFT1", on="20261020"), number=1)
BACK = file("835", remittance(taken_back(paid_in_full(A)), paid_in_full(B, number="2"), check="EFT2", on="20261101"), number=2)
ADD_ON_DENIED = (paid_in_full(A).lines[0], (f"{A}02", "99439", "75", "0", (("CO", "151", "75"),), ()))
AGAIN = file("835", remittance(Pay(A, "170", "51.85", ADD_ON_DENIED, number="3"), check="EFT3", on="20261110"), number=3)


def test_a_reversal_undoes_and_a_correction_stands_each_as_a_posting_of_its_own(office):
    office.deliver(FIRST)
    assert (office.claim(A)["status"], office.claim(A)["paid_amount"]) == ("paid", Decimal("91.39"))
    office.deliver(BACK)
    assert (office.claim(A)["status"], office.claim(A)["paid_amount"], office.claim(A)["reversals"]) == (
        "reopened",
        Decimal("0.00"),
        1,
    )
    office.deliver(AGAIN)
    claim = office.claim(A)
    assert (claim["status"], claim["paid_amount"], claim["denial_codes"]) == ("paid", Decimal("51.85"), ["CO-151"])
    postings = office.see(f"select kind, paid_amount from int_claim_postings where claim_id = '{A}' order by payment_on")
    assert [tuple(row.values()) for row in postings] == [
        ("decision", Decimal("91.39")), ("reversal", Decimal("-91.39")), ("decision", Decimal("51.85")),
    ]  # fmt: skip
    lines = office.see(
        f"select paid_amount, contractual_amount, other_amount from claim_line_payments where claim_id = '{A}' order by line_id"
    )
    assert [tuple(row.values()) for row in lines] == [
        (Decimal("51.85"), Decimal("28.87"), Decimal("0.00")), (Decimal("0.00"), Decimal("0.00"), Decimal("75.00")),
    ]  # fmt: skip


def part(pay: Pay, line: int, **changes: object) -> Pay:
    """One line of it alone, as if the payer had decided that by itself."""
    one = pay.lines[line]
    return replace(pay, charge=one[2], paid=one[3], lines=(one,), **changes)


ONE_LINE = file("835", remittance(part(paid_in_full(A), 0), check="EFT1"), number=900)
OTHER_LINE = file("835", remittance(part(paid_in_full(A), 1, number="2"), check="EFT2", on="20261021"), number=901)
LINES = f"select line_id, status, paid_amount, difference_amount from claim_line_payments where claim_id = '{A}' order by line_id"


@pytest.mark.parametrize("denies", [False, True])
def test_one_reversal_of_all_that_two_payments_brought_leaves_neither_standing(office, denies):
    back = [replace(taken_back(paid_in_full(A)), number="3"), paid_in_full(B, number="4")]
    office.deliver(ONE_LINE, OTHER_LINE, file("835", remittance(*back, check="EFT3", on="20261101"), number=902))
    assert (office.claim(A)["status"], office.claim(A)["paid_amount"]) == ("reopened", Decimal("0.00"))
    assert {row["status"] for row in office.see(LINES)} == {"open"}
    if denies:
        office.deliver(file("835", remittance(denied(A, number="5"), check="EFT4", on="20261110"), number=903))
        assert office.claim(A)["status"] == "denied"
        assert {row["status"] for row in office.see(LINES)} == {"denied"}


def test_a_reversal_of_one_line_leaves_the_decision_of_the_others(office):
    back = [part(taken_back(paid_in_full(A)), 0), paid_in_full(B, number="4")]
    office.deliver(FIRST, file("835", remittance(*back, check="EFT3", on="20261101"), number=902))
    assert (office.claim(A)["status"], office.claim(A)["paid_amount"]) == ("paid", Decimal("39.54"))
    # What was taken back without a word is what is paid too little.
    assert [tuple(row.values()) for row in office.see(LINES)] == [
        (f"{A}01", "paid", Decimal("0.00"), Decimal("-51.85")),
        (f"{A}02", "paid", Decimal("39.54"), Decimal("0.00")),
    ]
    office.deliver(file("835", remittance(part(denied(A, number="5"), 0), check="EFT4", on="20261110"), number=903))
    assert [(row["line_id"], row["status"]) for row in office.see(LINES)] == [(f"{A}01", "denied"), (f"{A}02", "paid")]
    assert office.claim(A)["status"] == "paid"


@pytest.mark.long
@pytest.mark.parametrize("off", ["-0.99", "-0.01", "0.01", "5.00"])
def test_a_reversal_that_is_a_payers_rounding_away_or_has_interest_with_it_takes_back_the_decision(office, off):
    back = replace(taken_back(paid_in_full(A)), paid=str(Decimal("-91.39") - Decimal(off)), number="3")
    office.deliver(FIRST, file("835", remittance(back, paid_in_full(B, number="4"), check="EFT3", on="20261101"), number=902))
    assert (office.claim(A)["status"], office.claim(A)["paid_amount"]) == ("reopened", -Decimal(off))
    assert {row["status"] for row in office.see(LINES)} == {"open"}
    assert_each_cent_is_accounted_for(office)
    office.deliver(file("835", remittance(denied(A, number="5"), check="EFT4", on="20261110"), number=903))
    assert office.claim(A)["status"] == "denied"
    lines = office.see(f"select status, denied_amount from claim_line_payments where claim_id = '{A}' order by line_id")
    assert [tuple(row.values()) for row in lines] == [("denied", Decimal("95.00")), ("denied", Decimal("75.00"))]
    assert_each_cent_is_accounted_for(office)


def test_a_reversal_that_leaves_a_dollar_leaves_the_decision(office):
    back = replace(taken_back(paid_in_full(A)), paid="-90.39", number="3")
    office.deliver(FIRST, file("835", remittance(back, paid_in_full(B, number="4"), check="EFT3", on="20261101"), number=902))
    assert (office.claim(A)["status"], office.claim(A)["paid_amount"]) == ("paid", Decimal("1.00"))


NOTICED = f"select line_id, noticed_on from int_lines__noticed where claim_id = '{A}' order by line_id"


def test_a_line_that_is_taken_back_or_denied_for_itself_is_noticed_on_that_day_and_the_others_on_theirs(office):
    def noticed() -> list[str]:
        return [f"{row['noticed_on']}" for row in office.see(NOTICED)]

    office.deliver(FIRST)
    assert noticed() == ["2026-10-20", "2026-10-20"]
    back = [part(taken_back(paid_in_full(A)), 0), paid_in_full(B, number="4")]
    office.deliver(file("835", remittance(*back, check="EFT3", on="20271201"), number=902))
    assert noticed() == ["2027-12-01", "2026-10-20"]
    office.deliver(file("835", remittance(part(denied(A, number="5"), 0), check="EFT4", on="20271210"), number=903))
    assert noticed() == ["2027-12-10", "2026-10-20"]
    # That it has the claim already says nothing new of it.
    office.deliver(file("835", remittance(denied(A, "OA", "18", number="6"), check="EFT5", on="20280110"), number=904))
    assert noticed() == ["2027-12-10", "2026-10-20"]


def test_a_claim_denied_again_in_other_words_is_noticed_by_the_first_and_a_corrected_one_by_its_correction(office):
    office.deliver(
        file("835", remittance(denied(A))), file("835", remittance(denied(A, reason="50"), check="EFT2", on="20261101"), number=901)
    )
    assert {row["noticed_on"] for row in office.see(NOTICED)} == {date(2026, 10, 20)}
    office.deliver(file("835", remittance(paid_in_full(B), check="EFT6"), number=902))
    back = [taken_back(paid_in_full(B)), denied(B, number="5")]
    office.deliver(file("835", remittance(*back, check="EFT7", on="20270301"), number=903))
    assert {row["noticed_on"] for row in office.see(NOTICED.replace(A, B))} == {date(2027, 3, 1)}


def test_money_is_held_since_the_day_on_which_it_came_until_all_of_it_is_taken_back(office):
    def held() -> str:
        return str(office.see(f"select held_since from int_claims__answered where claim_id = '{A}'")[0]["held_since"])

    office.deliver(file("835", remittance(denied(A), check="EFT0", on="20261005"), number=900))
    assert held() == "2026-10-05"
    office.deliver(FIRST)
    assert held() == "2026-10-20"
    office.deliver(file("835", remittance(denied(A, "OA", "18", number="6"), check="EFT5", on="20270110"), number=904))
    corrected = [taken_back(paid_in_full(A)), Pay(A, "170", "51.85", ADD_ON_DENIED, number="3"), paid_in_full(B, number="4")]
    office.deliver(file("835", remittance(*corrected, check="EFT6", on="20270201"), number=905))
    assert (held(), office.claim(A)["paid_amount"]) == ("2026-10-20", Decimal("51.85"))
    back = [taken_back(Pay(A, "170", "51.85", ADD_ON_DENIED, number="3")), paid_in_full(C, number="7")]
    office.deliver(file("835", remittance(*back, check="EFT7", on="20270301"), number=906))
    office.deliver(file("835", remittance(paid_in_full(A, number="8"), check="EFT8", on="20270401"), number=907))
    assert (held(), office.claim(A)["paid_amount"]) == ("2027-04-01", Decimal("91.39"))


@pytest.mark.long
def test_a_line_taken_back_but_for_a_cent_is_told_by_the_decision_that_names_it_next(office):
    line = part(taken_back(paid_in_full(A)), 0)
    short = [(*one[:3], "-51.84", *one[4:]) for one in line.lines]
    back = [replace(line, paid="-51.84", lines=tuple(short)), paid_in_full(B, number="4")]
    office.deliver(FIRST, file("835", remittance(*back, check="EFT3", on="20261101"), number=902))
    office.deliver(file("835", remittance(part(denied(A, number="5"), 0), check="EFT4", on="20261110"), number=903))
    assert [(row["line_id"], row["status"]) for row in office.see(LINES)] == [(f"{A}01", "denied"), (f"{A}02", "paid")]
    assert_each_cent_is_accounted_for(office)


@pytest.mark.long
def test_a_reversal_that_comes_before_its_payment_ends_the_same(tmp_path):
    ends = []
    for place, order in enumerate(permutations((FIRST, BACK, AGAIN))):
        office = Office(tmp_path / str(place), SENT)
        for text in order:
            office.deliver(text)
        ends.append(office.see("select * from claims order by claim_id"))
    assert all(end == ends[0] for end in ends)


def test_a_payment_behind_a_denial_leaves_its_own_adjustments_and_not_the_denials(office):
    office.deliver(file("835", remittance(denied(A))))
    office.deliver(file("835", remittance(paid_in_full(A, number="2"), check="EFT2", on="20261101"), number=901))
    lines = office.see(f"select contractual_amount, other_amount from claim_line_payments where claim_id = '{A}' order by line_id")
    assert [tuple(line.values()) for line in lines] == [(Decimal("28.87"), 0), (Decimal("24.56"), 0)]


def test_a_denial_its_reversal_and_another_denial_of_one_day_leave_the_other_denial(office):
    first = denied(A, "CO", "B20", number="1")
    office.deliver(
        file("835", remittance(first, check="EFT9")),
        file("835", remittance(denied(A, "CO", "50", number="2"), check="EFT1"), number=901),
    )
    office.deliver(file("835", remittance(taken_back(first), check="EFT5"), number=902))
    assert office.claim(A)["denial_codes"] == ["CO-50"]


# --- money balances, once -------------------------------------------------------------------------------------------------


def balance(office):
    rows = office.see(
        "select *, total_amount - posted_amount - unmatched_amount - provider_adjustment_amount - held_amount as rest from remittances"
    )
    assert all(row["rest"] == 0 for row in rows)
    return {row["check_number"]: row for row in rows}


def test_strangers_claims_and_provider_adjustments_are_accounted_for(office):
    office.deliver(file("835", remittance(paid_in_full(A), paid_in_full("STRANGER1"), plb=[("WO:X", "10.5"), ("L6:Y", "-.75")])))
    (row,) = balance(office).values()
    assert (row["total_amount"], row["posted_amount"], row["unmatched_amount"], row["provider_adjustment_amount"]) == (
        Decimal("173.03"), Decimal("91.39"), Decimal("91.39"), Decimal("-9.75"),
    )  # fmt: skip
    assert (row["practice_id"], row["claims_posted"], row["claims_unmatched"]) == ("north", 1, 1)


def test_an_835_that_does_not_add_up_posts_nothing_until_its_other_part_has_come(office):
    whole = [paid_in_full(A), paid_in_full(B, number="2")]
    total = "182.78"
    office.deliver(file("835", remittance(whole[0], total=total)))
    assert office.claim(A)["status"] == "submitted"
    row = balance(office)["EFT1"]
    assert (row["status"], row["held_amount"], row["out_of_balance_amount"]) == ("waiting", Decimal(total), Decimal("91.39"))
    office.deliver(file("835", remittance(whole[1], total=total), number=901))
    row = balance(office)["EFT1"]
    assert (row["status"], row["posted_amount"], row["transactions"]) == ("posted", Decimal(total), 2)
    assert (office.claim(A)["paid_amount"], office.claim(B)["paid_amount"]) == (Decimal("91.39"), Decimal("91.39"))
    # The whole file after its parts, and a part again: nothing is posted twice.
    office.deliver(file("835", remittance(*whole), number=902), file("835", remittance(whole[0], total=total), number=903))
    assert office.claim(A)["paid_amount"] == Decimal("91.39")
    assert sum(row["posted_amount"] for row in office.see("select posted_amount from remittances")) == Decimal(total)


MONEY = [remittance(paid_in_full(one, number=str(n)), total="182.78") for n, one in enumerate((A, B), 1)]
BOTH = remittance(paid_in_full(A, number="1"), paid_in_full(B, number="2"))
DENIALS = remittance(denied(C, number="3"), total="182.78")
EVENED = remittance(paid_in_full(C, number="3"), total="182.78", plb=[("WO:X", "91.39")])
DENIALS_TWICE = remittance(denied(C, number="3"), denied(D, number="4"), total="182.78")
DENIED, PAID = ("denied", Decimal("0.00")), ("paid", Decimal("91.39"))


@pytest.mark.long
@pytest.mark.parametrize(
    ("bodies", "of_c"),
    [
        ([BOTH, DENIALS], DENIED),
        ([*MONEY, DENIALS], DENIED),
        ([*MONEY, DENIALS_TWICE, DENIALS], DENIED),
        ([BOTH, EVENED], PAID),
        ([*MONEY, EVENED], PAID),
    ],
    ids=["two parts", "three parts", "denials twice", "evened out beside the whole", "evened out in three parts"],
)
def test_a_part_that_pays_nothing_is_posted_with_its_payment_in_whatever_order_they_come(tmp_path, bodies, of_c):
    files = [file("835", body, number=900 + n) for n, body in enumerate(bodies)]
    for place, order in enumerate(orders(files)):
        office = Office(tmp_path / str(place), SENT)
        for text in order:
            office.deliver(text)
        claims = [office.claim(one) for one in (A, B, C)]
        assert [(claim["status"], claim["paid_amount"]) for claim in claims] == [PAID, PAID, of_c]
        (row,) = balance(office).values()
        assert (row["status"], row["total_amount"], row["held_amount"], row["out_of_balance_amount"]) == (
            "posted", Decimal("182.78"), 0, 0,
        )  # fmt: skip
        assert {one["outcome"] for one in office.see("select outcome from answer_files")} <= {"posted", "repeated"}
        assert_each_cent_is_accounted_for(office)


def assert_each_cent_is_accounted_for(office):
    """What the singular tests of the project say of a night."""
    balance(office)
    assert (
        office.see(
            "select file_id from answer_files where claims_amount <> posted_amount + unmatched_amount + repeated_amount + held_amount or "
            "transactions <> transactions_posted + transactions_repeated + transactions_held + transactions_quarantined + transactions_other"
        )
        == []
    )
    assert (
        office.see(
            "select claim_id from (select claim_id, sum(paid_amount) as paid_amount from claim_line_payments group by claim_id) as lines "
            "left join (select claim_id, sum(paid_amount) as posted_amount from int_claim_postings where posting = 'posted' group by claim_id)"
            " as posted using (claim_id) left join claims using (claim_id) "
            "where lines.paid_amount <> coalesce(posted_amount, 0) or claims.paid_amount <> lines.paid_amount"
        )
        == []
    )


@pytest.mark.long
def test_a_payment_that_comes_once_more_with_other_words_around_its_claims_is_repeated_and_one_that_says_more_is_not(office):
    told = remittance(paid_in_full(A), denied(B, "CO", "B20"))
    again = [
        "DTM*405*20261025" if one.startswith("DTM*405") else one for one in remittance(denied(B, "CO", "B20"), paid_in_full(A))
    ]
    office.deliver(file("835", told))
    office.deliver(file("835", again, number=901))
    assert [tuple(row.values()) for row in office.see("select outcome, held_amount from answer_files order by file_id")] == [
        ("posted", Decimal("0.00")), ("repeated", Decimal("0.00")),
    ]  # fmt: skip
    assert [row["status"] for row in office.see("select status from remittances")] == ["posted"]
    office.deliver(file("835", remittance(paid_in_full(A), denied(B, "CO", "50")), number=902))
    assert office.see("select outcome from answer_files order by file_id")[-1]["outcome"] == "held"
    assert (office.claim(A)["paid_amount"], office.claim(B)["denial_codes"]) == (Decimal("91.39"), ["CO-B20"])


@pytest.mark.long
@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_reversal_and_the_decision_behind_it_may_come_in_two_parts_under_one_number_of_the_payer(office, order):
    office.deliver(file("835", remittance(paid_in_full(A), check="EFT0", on="20261013")))
    paying = file("835", remittance(paid_in_full(B), paid_in_full(C), taken_back(paid_in_full(A)), total="91.39"), number=901)
    denying = file("835", remittance(denied(A, "CO", "50", number=paid_in_full(A).number), total="91.39"), number=902)
    for one in order:
        office.deliver((paying, denying)[one])
    assert (office.claim(A)["status"], office.claim(A)["denial_codes"], office.claim(A)["paid_amount"]) == ("denied", ["CO-50"], 0)
    assert {office.claim(one)["status"] for one in (B, C)} == {"paid"}
    assert {row["status"] for row in office.see("select status from remittances")} == {"posted"}


def test_a_part_that_pays_nothing_waits_for_its_payment(office):
    office.deliver(file("835", DENIALS))
    office.deliver(file("835", MONEY[0], number=901))
    assert office.statuses() == {A: "submitted", B: "submitted", C: "submitted", D: "submitted"}
    (row,) = balance(office).values()
    assert (row["status"], row["held_amount"], row["out_of_balance_amount"]) == ("waiting", Decimal("182.78"), Decimal("91.39"))


@pytest.mark.long
@pytest.mark.parametrize("money", [[BOTH], MONEY], ids=["one file", "parts"])
def test_a_part_that_decides_a_claim_of_its_payment_in_other_words_is_held_whichever_came_first(tmp_path, money):
    """It pays nothing, but its claim is not new: the same check with other contents."""
    files = [
        file("835", body, number=900 + n) for n, body in enumerate([*money, remittance(denied(A, number="1"), total="182.78")])
    ]
    for place, order in enumerate(orders(files)):
        office = Office(tmp_path / str(place), SENT)
        for text in order:
            office.deliver(text)
        assert office.statuses() == {A: "paid", B: "paid", C: "submitted", D: "submitted"}
        held = [row["transactions_held"] for row in office.see("select transactions_held from answer_files order by file_id")]
        assert held == [int(text == files[-1]) for text in order]
        assert [row["posting"] for row in office.see("select posting from int_claim_postings where paid_amount = 0")] == ["held"]
        assert_each_cent_is_accounted_for(office)


@pytest.mark.long
@pytest.mark.parametrize("money", [[BOTH], MONEY], ids=["one file", "parts"])
def test_what_comes_for_a_check_after_its_denials_takes_them_back_only_in_saying_them_too(tmp_path, money):
    office = Office(tmp_path / "home", SENT)
    for n, body in enumerate([*money, DENIALS]):
        office.deliver(file("835", body, number=900 + n))
    # Other words for the denied claim, with money; then what was said, once more in one file.
    office.deliver(file("835", remittance(paid_in_full(C, number="3")), number=910))
    assert office.statuses() == {A: "paid", B: "paid", C: "denied", D: "submitted"}
    told = office.see("select status, total_amount from remittances order by status")
    assert [tuple(row.values()) for row in told] == [("conflicting", Decimal("91.39")), ("posted", Decimal("182.78"))]
    office.deliver(
        file("835", remittance(paid_in_full(A, number="1"), paid_in_full(B, number="2"), denied(C, number="3")), number=911)
    )
    assert office.statuses() == {A: "paid", B: "paid", C: "denied", D: "submitted"}
    assert sum(row["posted_amount"] for row in office.see("select posted_amount from remittances")) == Decimal("182.78")
    assert_each_cent_is_accounted_for(office)


@pytest.mark.long
def test_the_same_money_in_one_file_beside_its_parts_leaves_the_denials_posted_in_every_order(tmp_path):
    files = [file("835", body, number=900 + n) for n, body in enumerate([BOTH, *MONEY, DENIALS])]
    for place, order in enumerate(orders(files)):
        office = Office(tmp_path / str(place), SENT)
        for text in order:
            office.deliver(text)
        assert office.statuses() == {A: "paid", B: "paid", C: "denied", D: "submitted"}
        (row,) = balance(office).values()
        assert (row["status"], row["posted_amount"], row["held_amount"]) == ("posted", Decimal("182.78"), 0)


def test_a_part_behind_the_complete_ones_that_pays_something_stays_held(office):
    for n, body in enumerate([*MONEY, remittance(Pay(C, "170", "5.00", number="3"), total="182.78")]):
        office.deliver(file("835", body, number=900 + n))
    assert office.statuses() == {A: "paid", B: "paid", C: "submitted", D: "submitted"}
    assert [row["outcome"] for row in office.see("select outcome from answer_files order by file_id")] == [
        "posted",
        "posted",
        "held",
    ]


@pytest.mark.long
def test_an_adjustment_that_each_part_repeats_is_one_whichever_part_comes_first(tmp_path):
    """The second part's claim less the adjustment is nothing, but the adjustment is the first part's."""
    small = Pay(C, "170", "10.00", number="3")
    bodies = [remittance(one, total="91.39", plb=[("WO:X", "10")]) for one in (paid_in_full(A, number="1"), small)]
    for place, order in enumerate(permutations(bodies)):
        office = Office(tmp_path / str(place), SENT)
        for n, body in enumerate(order):
            office.deliver(file("835", body, number=900 + n))
        assert (office.claim(A)["paid_amount"], office.claim(C)["paid_amount"]) == (Decimal("91.39"), Decimal("10.00"))
        (row,) = balance(office).values()
        assert (row["status"], row["provider_adjustment_amount"]) == ("posted", Decimal("-10.00"))


def test_a_claim_that_the_payer_split_has_each_line_told_by_the_part_that_names_it(office):
    paid = paid_in_full(A)
    first = Pay(A, "95", "51.85", paid.lines[:1], number="N1")
    second = Pay(
        A, "75", "0", ((paid.lines[1][0], "99439", "75", "0", (("CO", "119", "75"),), ("N362",)),), number="N2", status="4"
    )
    office.deliver(file("835", remittance(first, second)))
    assert office.statuses()[A] == "paid" and office.claim(A)["paid_amount"] == Decimal("51.85")
    assert office.claim(A)["denial_codes"] == ["CO-119"]
    lines = office.see(f"select status, paid_amount, denial_codes from claim_line_payments where claim_id = '{A}' order by line_id")
    assert [tuple(line.values()) for line in lines] == [("paid", Decimal("51.85"), []), ("denied", Decimal("0.00"), ["CO-119"])]
    told = office.see(f"select line_id, denial_code from claim_denials where claim_id = '{A}'")
    assert [tuple(one.values()) for one in told] == [(paid.lines[1][0], "CO-119")]


@pytest.mark.long
@pytest.mark.parametrize("is_first", [True, False])
def test_a_later_file_of_a_check_that_says_less_than_its_complete_parts_takes_nothing_back(office, is_first):
    parts = [file("835", remittance(paid_in_full(one), total="182.78"), number=900 + n) for n, one in enumerate((A, B))]
    alone = file("835", remittance(paid_in_full(A)), number=903)
    for one in (alone, *parts) if is_first else (*parts, alone):
        office.deliver(one)
    # Where it came first it is what was posted, and the parts say more than that.
    paid = {one: office.claim(one)["paid_amount"] for one in (A, B)}
    assert paid == ({A: Decimal("91.39"), B: 0} if is_first else {A: Decimal("91.39"), B: Decimal("91.39")})
    told = [row["status"] for row in office.see("select status from remittances order by total_amount")]
    assert told == (["posted", "conflicting"] if is_first else ["conflicting", "posted"])


def test_the_same_check_with_other_contents_is_held_and_reported(office):
    office.deliver(file("835", remittance(paid_in_full(A))))
    changed = Pay(
        A,
        "170",
        "90.39",
        tuple((*line[:3], str(Decimal(line[3]) - n), *line[4:]) for n, line in zip((1, 0), paid_in_full(A).lines, strict=True)),
    )
    office.deliver(file("835", remittance(changed), number=901))
    assert office.claim(A)["paid_amount"] == Decimal("91.39")
    rows = office.see("select status, total_amount, held_amount from remittances order by status")
    assert [tuple(row.values()) for row in rows] == [
        ("conflicting", Decimal("90.39"), Decimal("90.39")), ("posted", Decimal("91.39"), Decimal("0.00")),
    ]  # fmt: skip
    assert [row["outcome"] for row in office.see("select outcome from answer_files order by file_id")] == ["posted", "held"]


def test_two_payments_of_one_check_number_for_different_claims_are_both_posted(office):
    office.deliver(file("835", remittance(denied(A), check="0"), remittance(denied(B), check="0")))
    assert office.statuses() == {A: "denied", B: "denied", C: "submitted", D: "submitted"}


PIECES = [
    file("999", acknowledgment(7, {1: "A", 2: "A"}, "A"), number=11),
    file("277", claim_statuses("0000000070001", [(A, "A2:20:PR", "WQ"), (B, "A2:20:PR", "WQ"), (C, "A7:164", "U")]), number=12),
    file("835", remittance(paid_in_full(A), total="182.78"), number=13),
    file("835", remittance(paid_in_full(B, number="2"), total="182.78"), number=14, marks="|>\x1c", end=""),
    file("835", remittance(paid_in_full(D), paid_in_full("STRANGER1"), check="EFT9", npi=SOUTH.npi), number=15),
    file(
        "835",
        remittance(taken_back(paid_in_full(D)), denied(D, number="5"), check="EFT10", on="20261109", npi=SOUTH.npi),
        number=16,
    ),
    file(
        "835", remittance(paid_in_full(D), paid_in_full("STRANGER1"), check="EFT9", npi=SOUTH.npi), number=99
    ),  # again, in another envelope
    file("999", acknowledgment(7, {1: "R*5"}, "R"), submitter="STRANGER9", number=17),
    # The denials of EFT1 and of EFT9: the first comes to parts, the second to one file.
    file("835", remittance(denied(E, number="6"), total="182.78"), number=18),
    file("835", remittance(denied(F, number="7"), check="EFT9", total="182.78", npi=SOUTH.npi), number=19),
]


@settings(max_examples=4, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(order=st.permutations(range(len(PIECES))), cuts=st.lists(st.integers(0, len(PIECES)), max_size=3), joined=st.booleans())
def test_any_order_any_split_over_runs_and_any_joining_of_files_gives_the_same_claims_and_the_same_money(
    tmp_path_factory, order, cuts, joined
):
    office = Office(tmp_path_factory.mktemp("order") / "home", (*SENT, Sent(E), Sent(F, SOUTH)))
    bounds = sorted({0, *cuts, len(PIECES)})
    for start, end in pairwise(bounds):
        texts = [PIECES[place] for place in order[start:end]]
        office.deliver(*(["".join(texts)] if joined else texts))
        office.deliver(again="".join(reversed(texts)))  # and once more under another name
    assert office.statuses() == {A: "paid", B: "paid", C: "rejected", D: "denied", E: "denied", F: "denied"}
    assert {row["claim_id"]: row["paid_amount"] for row in office.see("select claim_id, paid_amount from claims")} == {
        A: Decimal("91.39"), B: Decimal("91.39"), C: Decimal("0.00"), D: Decimal("0.00"), E: Decimal("0.00"), F: Decimal("0.00"),
    }  # fmt: skip
    posted = {check: row["posted_amount"] for check, row in balance(office).items()}
    assert posted == {"EFT1": Decimal("182.78"), "EFT9": Decimal("91.39"), "EFT10": Decimal("-91.39")}
    bad = office.see(
        "select * from answer_files where claims_amount <> posted_amount + unmatched_amount + repeated_amount + held_amount"
    )
    assert bad == []


def test_a_payment_for_the_claims_of_two_practices_is_neither_ones_alone(office):
    office.deliver(file("835", remittance(paid_in_full(A), paid_in_full(D))))
    (row,) = balance(office).values()
    assert (row["practice_id"], row["practice_ids"], row["posted_amount"]) == (None, ["north", "south"], Decimal("182.78"))


@pytest.mark.parametrize("of", ["a claim", "the whole"])
def test_an_835_of_sums_that_no_practice_is_paid_is_not_posted_and_stops_nobody(office, of):
    """What is in the lake stays there: sums beyond the columns of the marts would have stopped every night to come."""
    huge = [Pay(f"STRANGER{n}", "9999999.99", "9999999.99") for n in range(12)]
    odd = Pay("STRANGER1", "9999999999", "9999999999")
    office.deliver(
        file("835", remittance(*([odd] if of == "a claim" else huge))),
        file("835", remittance(paid_in_full(A), check="EFT2"), number=901),
    )
    bad, good = office.see("select outcome, reason from answer_files order by file_id")
    assert bad["outcome"] == "quarantined" and "than any practice is paid" in bad["reason"] and good["outcome"] == "posted"
    assert office.claim(A)["status"] == "paid" and set(balance(office)) == {"EFT2"}


@pytest.mark.parametrize("on", ["99991231", "19000101"])
def test_a_payment_date_far_from_its_interchanges_is_the_interchanges(office, on):
    office.deliver(file("835", remittance(paid_in_full(A), on=on), on="261020"))
    assert [str(row["payment_on"]) for row in office.see("select payment_on from remittances")] == ["2026-10-20"]
    assert office.see("select faults from answer_files")[0]["faults"] == 1


def test_a_status_of_the_future_does_not_stay_the_newest(office):
    office.deliver(file("277", claim_statuses("0000000070001", [(A, "A3:21", "U")], on="20991231"), on="261005"))
    office.deliver(file("277", claim_statuses("0000000070001", [(A, "A2:20:PR", "WQ")], on="20261008"), number=901, on="261008"))
    assert office.statuses()[A] == "accepted"


def test_a_claim_sent_again_after_a_rejection_is_the_one_that_stands_and_a_late_payment_of_the_first_comes_before_it(tmp_path):
    office = Office(tmp_path / "home", [Sent(A, patient_id="P"), Sent(B, patient_id="P", version=2, control_number=8)])
    office.deliver(file("999", acknowledgment(7, {1: "R*5"}, "R")))
    assert [row["claim_id"] for row in office.see("select claim_id from claims")] == [B]
    office.deliver(file("835", remittance(paid_in_full(A))))
    assert [(row["claim_id"], row["status"]) for row in office.see("select claim_id, status from claims")] == [(A, "paid")]


def test_of_a_month_that_was_paid_twice_both_payments_are_posted_and_the_newer_claim_stands(tmp_path):
    """What is owed back for it: tests/pipeline/test_after_the_close.py."""
    office = Office(tmp_path / "home", [Sent(A, patient_id="P"), Sent(B, patient_id="P", version=2, control_number=8)])
    office.deliver(file("999", acknowledgment(7, {1: "R*5"}, "R")))
    office.deliver(file("835", remittance(paid_in_full(A), paid_in_full(B))))
    assert sum(row["posted_amount"] for row in office.see("select posted_amount from remittances")) == Decimal("182.78")
    (claim,) = office.see("select claim_id, paid_amount from claims")
    assert (claim["claim_id"], claim["paid_amount"]) == (B, Decimal("91.39"))


def test_the_practice_of_a_remittance_without_a_claim_of_ours_is_the_payees(office):
    office.deliver(
        file(
            "835",
            remittance(paid_in_full("STRANGER1"), npi=NORTH.npi),
            remittance(paid_in_full("STRANGER2"), check="EFT2", npi="1999999984"),
        )
    )
    assert {check: row["practice_id"] for check, row in balance(office).items()} == {"EFT1": "north", "EFT2": None}
