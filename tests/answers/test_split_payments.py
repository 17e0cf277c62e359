"""One payment in several 835s: whatever a clearinghouse made of it, it is posted once, no cent more than was paid, and nothing of it is taken back."""

from __future__ import annotations

from decimal import Decimal
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.answers.letters import Pay, Sent, denied, file, orders, paid_in_full, remittance, taken_back
from tests.answers.office import Office

pytestmark = pytest.mark.xdist_group("answers")

NEW = [f"CCM2609{letter}" for letter in "ABCD"]
BEFORE = [f"CCM2609{letter}" for letter in "WXYZ"]  # paid by an earlier check
PAID = Decimal("91.39")
A, B, C, D = (paid_in_full(claim, number=f"1{place}") for place, claim in enumerate(NEW))
W, X, Y, Z = (paid_in_full(claim, number=f"0{place}") for place, claim in enumerate(BEFORE))
ADD_ON_DENIED = {  # what a correction leaves of a claim
    one.claim_id: (one.lines[0], (f"{one.claim_id}02", "99439", "75", "0", (("CO", "151", "75"),), ())) for one in (W, X, Y, Z)
}


def office_of(folder):
    office = Office(folder, [Sent(claim) for claim in NEW + BEFORE])
    office.deliver(file("835", remittance(W, X, Y, Z, check="EFT0", on="20261001")))
    return office


def night(office, body, number, posted):
    """One more file; what stands as posted then. Nothing that was posted is taken back, nothing is posted twice, and no more than was paid."""
    office.deliver(file("835", body, number=number))
    rows = office.see(
        "select claim_id, content_sha256, occurrence, count(*) as times from int_claim_postings where posting = 'posted' group by all"
    )
    assert all(row["times"] == 1 for row in rows)
    now = {(row["claim_id"], row["content_sha256"], row["occurrence"]) for row in rows}
    assert posted <= now
    told = office.see("select *, posted_amount + unmatched_amount + provider_adjustment_amount as told_amount from remittances")
    assert all(row["told_amount"] == (row["total_amount"] if row["status"] == "posted" else 0) for row in told)
    checks = [(row["check_number"], row["total_amount"]) for row in told if row["status"] == "posted" and row["total_amount"] != 0]
    assert len(checks) == len(set(checks)), "one check, one payment"
    return now


TWO_ADD_UP = [[A], [taken_back(Z)], [Pay(BEFORE[3], "170", "91.39", number="23")]]


@pytest.mark.parametrize(
    ("parts", "every"),
    [
        pytest.param([[C], [A, B], [taken_back(Z)]], 1, marks=pytest.mark.long),
        pytest.param([[A], [B], [C], [taken_back(Z)]], 1, marks=pytest.mark.long),
        pytest.param(TWO_ADD_UP, 1, marks=pytest.mark.long),
        (TWO_ADD_UP, 5),  # as they are and the other way round
    ],
    ids=[
        "a file that adds up beside two that do not",
        "two that add up before all have come",
        "three of which two add up",
        "two orders",
    ],
)
def test_parts_of_which_some_reach_the_total_are_all_posted_in_whatever_order_they_come(tmp_path, parts, every):
    says = [one for part in parts for one in part]
    total = sum((Decimal(one.paid) for one in says), Decimal(0))
    for place, order in enumerate(orders(parts)[::every]):
        office, posted = office_of(tmp_path / str(place)), set()
        for number, part in enumerate(order):
            posted = night(office, remittance(*part, total=str(total)), 901 + number, posted)
        claims = {row["claim_id"]: row["paid_amount"] for row in office.see("select claim_id, paid_amount from claims")}
        assert claims == dict.fromkeys(BEFORE[:3], PAID) | dict.fromkeys([*NEW, BEFORE[3]], Decimal(0)) | {
            one.claim_id: PAID for one in says if Decimal(one.paid) > 0
        }
        (row,) = office.see("select * from remittances where check_number = 'EFT1'")
        assert (row["status"], row["total_amount"], row["posted_amount"], row["held_amount"]) == ("posted", total, total, 0)
        # And in one file: nothing new.
        assert night(office, remittance(*says), 950, posted) == posted


def test_other_claims_for_a_check_that_is_paid_wait_until_they_even_out(tmp_path):
    office, posted = office_of(tmp_path), set()
    posted = night(office, remittance(A), 901, posted)
    assert night(office, remittance(B), 902, posted) == posted, "the same check, date and total: it was paid once"
    assert [row["status"] for row in office.see("select status from remittances order by payment_on, status")] == [
        "posted", "conflicting", "posted",
    ]  # fmt: skip
    posted = night(office, remittance(taken_back(Z), total="91.39"), 903, posted)
    assert {office.claim(one)["status"] for one in NEW[:2]} == {"paid"} and office.claim(BEFORE[3])["status"] == "reopened"


@pytest.mark.long
def test_a_part_that_comes_once_more_with_another_date_around_its_claims_is_repeated(tmp_path):
    office, posted = office_of(tmp_path), set()
    for number, part in enumerate((A, B)):
        posted = night(office, remittance(part, total="182.78"), 901 + number, posted)
    again = ["DTM*405*20261025" if one.startswith("DTM*405") else one for one in remittance(A, total="182.78")]
    assert night(office, again, 903, posted) == posted
    assert [row["outcome"] for row in office.see("select outcome from answer_files order by file_id")][1:] == [
        "posted",
        "posted",
        "repeated",
    ]


@pytest.mark.long
def test_a_whole_file_that_waits_behind_a_part_of_its_own_keeps_no_other_part_waiting(tmp_path):
    """Its part of 0 is a payment of 0 by itself; found by the property below."""
    parts = [[A, taken_back(Z), taken_back(W)], [C, taken_back(X)], [B, denied(BEFORE[0], number=W.number)]]
    whole = remittance(*(one for part in parts for one in part))
    bodies = [remittance(*part, total="0.00") for part in parts]
    office, posted = office_of(tmp_path), set()
    for number, body in enumerate([*bodies[:2], whole, bodies[2]]):
        posted = night(office, body, 901 + number, posted)
    assert {claim: office.claim(claim)["status"] for claim in (*NEW[:3], *BEFORE)} == {
        **dict.fromkeys(NEW[:3], "paid"), BEFORE[0]: "denied", BEFORE[1]: "reopened", BEFORE[2]: "paid", BEFORE[3]: "reopened",
    }  # fmt: skip
    assert office.see("select sum(transactions_held) as held from answer_files")[0]["held"] == 0


@pytest.mark.long
def test_other_words_for_a_claim_of_a_part_do_not_pay_it_twice(tmp_path):
    office, posted = office_of(tmp_path), set()
    reworded = Pay(NEW[0], "170", "91.39", (), number=A.number)
    for number, part in enumerate((A, reworded, B)):
        posted = night(office, remittance(part, total="182.78"), 901 + number, posted)
    assert [office.claim(one)["paid_amount"] for one in NEW[:2]] == [PAID, PAID]
    assert [row["outcome"] for row in office.see("select outcome from answer_files order by file_id")][1:] == [
        "posted",
        "held",
        "posted",
    ]


def a_payment(random: Random) -> tuple[list[Pay], dict[str, tuple[str, Decimal]]]:
    """What one payment says, and what it leaves of every claim: its status and what was paid."""
    says, leaves = [], {claim: ("submitted", Decimal(0)) for claim in NEW} | dict.fromkeys(BEFORE, ("paid", PAID))
    for one in (A, B, C, D):
        kind = random.choice(["paid", "paid", "denied", "less", "nothing"])
        if kind != "nothing":
            says.append(
                {
                    "paid": one,
                    "denied": denied(one.claim_id, number=one.number),
                    "less": Pay(one.claim_id, "170", "10.00", number=one.number),
                }[kind]
            )
            leaves[one.claim_id] = ("denied" if kind == "denied" else "paid", Decimal(says[-1].paid))
    for one in (W, X, Y, Z):
        kind = random.choice(["nothing", "taken back", "corrected", "denied"])
        if kind != "nothing":
            says.append(taken_back(one))
            leaves[one.claim_id] = ("reopened", Decimal(0))
        number = random.choice([one.number, f"2{one.number}"])
        if kind == "corrected":
            says.append(Pay(one.claim_id, "170", "51.85", ADD_ON_DENIED[one.claim_id], number=number))
            leaves[one.claim_id] = ("paid", Decimal("51.85"))
        if kind == "denied":
            says.append(denied(one.claim_id, number=number))
            leaves[one.claim_id] = ("denied", Decimal(0))
    random.shuffle(says)
    return says, leaves


def odd(random: Random, says: list[Pay], parts: list[list[Pay]], total: Decimal) -> list[str]:
    """An 835 of the same check that is none of its parts."""
    part = list(random.choice(parts))
    kind = random.choice(["in other words", "a stranger's", "a part as a whole", "some as a whole", "another as a whole"])
    if kind == "in other words":
        place = random.randrange(len(part))
        claim, number, paid = part[place].claim_id, part[place].number, part[place].paid
        part[place] = random.choice([denied(claim, "CO", "50", number=number), Pay(claim, "170", "20.00", number=number)])
        part[place] = random.choice([part[place], Pay(claim, "170", paid, number=number)])
        return remittance(*part, total=str(total))
    if kind == "a stranger's":
        return remittance(Pay("STRANGER1", "100", random.choice(["7.00", "91.39", "-91.39"])), total=str(total))
    if kind == "a part as a whole":
        return remittance(*part)
    if kind == "some as a whole":
        return remittance(*random.sample(says, random.randint(1, len(says))))
    return remittance(paid_in_full("STRANGER2", number="88"), total=str(total))


@pytest.mark.long
@pytest.mark.parametrize("is_odd", [False, True], ids=["as the payer said it", "with odd ones between"])
@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(random=st.randoms(use_true_random=False))
def test_any_split_of_any_payment_in_any_order_posts_it_once(tmp_path_factory, is_odd, random):
    says, leaves = a_payment(random)
    adjustments = [("WO:X", "5.00")] if random.random() < 0.3 else []
    total = sum((Decimal(one.paid) for one in says), Decimal(0)) - sum((Decimal(amount) for _, amount in adjustments), Decimal(0))
    parts: list[list[Pay]] = [[] for _ in range(random.randint(1, 5))]
    for one in says:
        random.choice(parts).append(one)
    parts = [part for part in parts if part]
    if not parts:
        return
    bodies = [
        remittance(*part, total=str(total), plb=adjustments if place == 0 or random.random() < 0.2 else [])
        for place, part in enumerate(parts)
    ]
    if random.random() < 0.25:
        bodies.append(remittance(*says, plb=adjustments))
    if random.random() < 0.25:
        bodies.append(remittance(*random.choice(parts), total=str(total)))
    if is_odd:
        bodies += [odd(random, says, parts, total) for _ in range(random.randint(1, 2))]
    random.shuffle(bodies)
    office, posted = office_of(tmp_path_factory.mktemp("split") / "home"), set()
    for number, body in enumerate(bodies):
        posted = night(office, body, 901 + number, posted)
    if not is_odd:
        found = office.see("select claim_id, status, paid_amount from int_claims__history")
        assert {row["claim_id"]: (row["status"], row["paid_amount"]) for row in found} == leaves
        told = office.see("select status, total_amount from remittances where check_number = 'EFT1'")
        assert {(row["status"], row["total_amount"]) for row in told} == {("posted", total)}
