"""Made-up claims for the tests. Nobody here exists; the MBI stem is the one of CMS's own specimen card."""

from __future__ import annotations

import dataclasses
import io
import logging
from datetime import date
from decimal import Decimal
from typing import Any

import pyx12.params
import pyx12.x12n_document
from reference_writer import Claim, Patient, Rendering, ServiceLine, claim_table
from x12sdk.io import X12ModelReader

from orchestration.close.x12.model import BillingProvider, ClaimFile, Envelope, Payer, Receiver, Submitter
from orchestration.close.x12.writer import write_837p

LETTERS = "ACDEFGHJKMNPQRTUVWXY"

ALPHA = Patient("Testpatient", "Alpha", None, "1EG4TE5MK73", date(1948, 5, 15), "F", "1 Elm St", "Springfield", "IL", "62701")
BETA = Patient("Testpatient", "Beta", "Q", "2EG4-TE5-MK74", date(1951, 1, 2), "M", "2 Elm St", "Springfield", "IL", "62701-1234")
DOE = Rendering("1245319599", "Doe", "Jane", "207Q00000X")


def line(line_id: str, code: str = "99490", units: int = 1, charge: str = "66.30", **changes: Any) -> ServiceLine:
    made = ServiceLine(line_id, code, units, Decimal(charge), date(2026, 10, 31), (1, 2))
    return dataclasses.replace(made, **changes)


def claim(claim_id: str, patient: Patient = ALPHA, **changes: Any) -> Claim:
    made = Claim(
        claim_id, patient, DOE, "11", ("E11.9", "I10"),
        (line(f"{claim_id}01"), line(f"{claim_id}02", "99439", 2, "105.12")),
    )  # fmt: skip
    return dataclasses.replace(made, **changes)


def claim_file(*claims: Claim, **changes: Any) -> ClaimFile:
    made = ClaimFile(
        submitter=Submitter("CCMTEST", "Example Family Practice", "555-555-0100"),
        receiver=Receiver("RECEIVERID", "Example Clearinghouse"),
        payer=Payer("06102", "Medicare Part B"),
        billing_provider=BillingProvider(
            "Example Family Practice",
            "1234567893",
            "12-3456789",
            "207Q00000X",
            "100 Main St",
            "Springfield",
            "IL",
            "627010001",
        ),
        claims=claim_table(claims or (claim("CCM26100001"), claim("CCM26100002", BETA))),
        interchange_date=date(2026, 11, 2),
        control_number=1,
    )
    return dataclasses.replace(made, **changes)


def many_claims(count: int) -> tuple[Claim, ...]:
    """Claims of as many patients, each with an MBI of its own."""

    def mbi(number: int) -> str:
        digits = []
        for base in (10, 10, 20, 20, 10):
            number, digit = divmod(number, base)
            digits.append(digit)
        return f"1EG{digits[4]}TE5{LETTERS[digits[3]]}{LETTERS[digits[2]]}{digits[1]}{digits[0]}"

    return tuple(
        claim(f"CCM{number:08d}", dataclasses.replace(ALPHA, member_id=mbi(number), last_name=f"Patient {number}"))
        for number in range(count)
    )


def small_transactions(limit: int) -> Envelope:
    return Envelope(claims_per_transaction=limit)


def written(*claims: Claim, **changes: Any) -> str:
    return write_837p(claim_file(*claims, **changes)).decode("ascii")


def segments(text: str) -> list[str]:
    return text.split("~")[:-1]


def assert_both_accept(content: bytes) -> int:
    """pyx12, asked directly, and x12sdk take the file; gives the number of claims that x12sdk sees."""
    logging.getLogger("pyx12").setLevel(logging.CRITICAL + 1)
    assert pyx12.x12n_document.x12n_document(
        param=pyx12.params.params(), src_file=io.StringIO(content.decode("ascii")), fd_997=io.StringIO(), fd_html=None
    ), "pyx12 refuses the file"
    return x12sdk_claims(content)


def x12sdk_claims(content: bytes) -> int:
    """How many claims x12sdk reads; raises pydantic's error when it refuses the file."""
    with X12ModelReader(content.decode("ascii")) as reader:
        return sum(len(list(transaction.claims())) for transaction in reader.models())
