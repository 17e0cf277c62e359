"""What a claim file says, as plain records: money is Decimal dollars, days are date, codes are text.

Nothing here judges: `writer.write_837p` writes what it is given and `validate.judge` says what is wrong with it, so
that one bad claim is held and not the whole file.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal


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
class Rendering:
    """The billing practitioner of the patient-month (loop 2310B)."""

    npi: str
    last_name: str
    first_name: str
    taxonomy_code: str | None = None


@dataclass(frozen=True, slots=True)
class Patient:
    """The beneficiary, who in Medicare is always the subscriber (loops 2000B and 2010BA). `member_id` is the MBI."""

    last_name: str
    first_name: str
    middle_name: str | None
    member_id: str
    birth_date: date
    sex: str
    line1: str | None
    city: str | None
    state: str | None
    postal_code: str | None


@dataclass(frozen=True, slots=True)
class ServiceLine:
    """One procedure code on one day (loop 2400). `charge_amount` is the line's, not a unit's; pointers count from 1."""

    line_id: str
    procedure_code: str
    units: int
    charge_amount: Decimal
    service_date: date
    diagnosis_pointers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Claim:
    """One patient-month (loop 2300). Diagnoses are ICD-10-CM with or without the dot, the principal one first.

    Claim and line ids come back in remittances as they were written, so they should be upper case to begin with."""

    claim_id: str
    patient: Patient
    rendering: Rendering
    place_of_service: str
    diagnoses: tuple[str, ...]
    lines: tuple[ServiceLine, ...]


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
    """One interchange: the claims of one practice for one payer. `interchange_date` stands in for every clock."""

    submitter: Submitter
    receiver: Receiver
    payer: Payer
    billing_provider: BillingProvider
    claims: tuple[Claim, ...]
    interchange_date: date
    control_number: int
    envelope: Envelope = field(default_factory=Envelope)
