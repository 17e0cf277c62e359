"""What a claim file says: who sends it to whom, and a table of claims. Money is decimal dollars, days are dates, codes are text.

Nothing here judges: `writer.write_837p` writes what it is given and `validate.judge` says what is wrong with it, so
that one bad claim is held and not the whole file.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

import pyarrow as pa

# The beneficiary, who in Medicare is always the subscriber (loops 2000B and 2010BA). `member_id` is the MBI; without a
# `deceased_date` the patient is alive.
PATIENT = pa.schema(
    [
        ("last_name", pa.string()),
        ("first_name", pa.string()),
        ("middle_name", pa.string()),
        ("member_id", pa.string()),
        ("birth_date", pa.date32()),
        ("sex", pa.string()),
        ("deceased_date", pa.date32()),
        ("line1", pa.string()),
        ("city", pa.string()),
        ("state", pa.string()),
        ("postal_code", pa.string()),
    ]
)
# One procedure code on one day (loop 2400). `charge_amount` is the line's, not a unit's; pointers count from 1.
LINE = pa.struct(
    [
        ("line_id", pa.string()),
        ("procedure_code", pa.string()),
        ("units", pa.int64()),
        ("charge_amount", pa.decimal128(18, 2)),
        ("service_date", pa.date32()),
        ("diagnosis_pointers", pa.list_(pa.int64())),
    ]
)
# One patient-month a row (loop 2300), with the practitioner who bills it (loop 2310B). Diagnoses are ICD-10-CM with or without the dot, the
# principal one first. Claim and line ids come back in remittances as they were written, so they should be upper case to begin with.
CLAIMS = pa.schema(
    [
        ("claim_id", pa.string()),
        *PATIENT,
        ("rendering_npi", pa.string()),
        ("rendering_last_name", pa.string()),
        ("rendering_first_name", pa.string()),
        ("rendering_taxonomy_code", pa.string()),
        ("place_of_service", pa.string()),
        ("diagnoses", pa.list_(pa.string())),
        ("lines", pa.list_(LINE)),
    ]
)


@dataclass(frozen=True, slots=True)
class Submitter:
    """Who sends the interchange (ISA06, GS02, loop 1000A)."""

    id: str
    name: str
    phone: str
    contact_name: str = "BILLING OFFICE"


@dataclass(frozen=True, slots=True)
class Receiver:
    """Who takes the interchange in (ISA08, GS03, loop 1000B)."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Payer:
    """The Medicare contractor (loop 2010BB)."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class BillingProvider:
    """The practice (loops 2000A and 2010AA): group NPI, employer's tax id, street address with ZIP+4."""

    name: str
    npi: str
    tax_id: str
    taxonomy_code: str
    line1: str
    city: str
    state: str
    postal_code: str


@dataclass(frozen=True, slots=True)
class Envelope:
    """How the file is wrapped. The defaults are the safe ones: a test file, no line breaks, 5,000 claims an ST."""

    usage_indicator: str = "T"  # ISA15: T is a test, P goes to production
    sender_qualifier: str = "ZZ"
    receiver_qualifier: str = "ZZ"
    segment_terminator: str = "~"
    line_breaks: bool = False  # after the terminator; some receivers reject it
    claims_per_transaction: int = 5_000

    def __post_init__(self) -> None:
        if self.usage_indicator not in ("P", "T"):
            raise ValueError("usage_indicator (ISA15) must be P (production) or T (test)")
        if self.claims_per_transaction < 1:
            raise ValueError("claims_per_transaction must be at least 1")
        if self.segment_terminator not in ("~", "|"):
            raise ValueError("segment_terminator must be ~ or |, which no written text holds")
        if len(self.sender_qualifier) != 2 or len(self.receiver_qualifier) != 2:
            raise ValueError("sender_qualifier and receiver_qualifier (ISA05, ISA07) are two characters, such as ZZ")


@dataclass(frozen=True, slots=True)
class ClaimFile:
    """One interchange: the claims of one practice for one payer, a table of `CLAIMS`. `interchange_date` stands in for every clock."""

    submitter: Submitter
    receiver: Receiver
    payer: Payer
    billing_provider: BillingProvider
    claims: pa.Table
    interchange_date: date
    control_number: int
    envelope: Envelope = field(default_factory=Envelope)
