"""Small parts of the claim: ids, names, and what the scrub holds."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from orchestration.close.claims import Draft, Line, claim_id
from orchestration.close.x12.model import CLAIMS


def test_a_claim_id_is_the_same_for_the_same_claim_and_another_for_another():
    month = date(2026, 10, 1)
    one = claim_id("lakeside", "P1", month, 1)
    assert one == claim_id("lakeside", "P1", month, 1) and len(one) == 19 and one.startswith("CCM2610")
    others = {claim_id("lakeside", "P1", month, 2), claim_id("lakeside", "P2", month, 1), claim_id("prairie", "P1", month, 1)}
    assert one not in others and len(others) == 3


def test_a_claim_with_a_fault_is_held_with_its_dollars_and_the_others_go_on():
    month = date(2026, 10, 1)
    lines = tuple(
        Line(claim, f"{claim}0{n}", patient, month, "99490", 1, date(2026, 10, 31), Decimal("95.00"), Decimal("66.13"))
        for claim, patient, n in (("A", "P1", 1), ("A", "P1", 2), ("B", "P2", 1))
    )
    left = Draft(CLAIMS.empty_table(), lines, ()).without({"A": "NM109: no MBI"})
    assert [line.claim_id for line in left.lines] == ["B"]
    assert [(held.patient_id, held.reason, held.dollars_at_stake) for held in left.held] == [
        ("P1", "claim_error", Decimal("132.26"))
    ]
