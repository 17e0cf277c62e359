"""The writer as it was before it wrote sets: one claim after the other, from records. The bytes of both must be the same."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow as pa

from orchestration.close.x12.codes import MOST_DIAGNOSES, MOST_POINTERS
from orchestration.close.x12.model import CLAIMS, ClaimFile
from orchestration.close.x12.writer import GUIDE, _code, _party, plain


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
    deceased_date: date | None = None


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


def claim_records(claims: pa.Table) -> list[Claim]:
    """The rows of a table of claims as records."""

    def of(kind: type, row: dict[str, Any], prefix: str = "") -> Any:
        names = kind.__dataclass_fields__
        values = {name: row[prefix + name] for name in names}
        return kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()})

    return [
        of(
            Claim,
            {
                **row,
                "patient": of(Patient, row),
                "rendering": of(Rendering, row, "rendering_"),
                "lines": [of(ServiceLine, one) for one in row["lines"]],
            },
        )
        for row in claims.to_pylist()
    ]


def claim_table(claims: Iterable[Claim]) -> pa.Table:
    rows = [
        asdict(claim) | asdict(claim.patient) | {f"rendering_{name}": value for name, value in asdict(claim.rendering).items()}
        for claim in claims
    ]
    return pa.Table.from_pylist([{name: row[name] for name in CLAIMS.names} for row in rows], schema=CLAIMS)


def _amount(value: Decimal) -> str:
    """X12 type R: no zeros that carry nothing, so 66.30 is 66.3 and 0.50 is .5."""
    text = f"{value:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return text.lstrip("0") or "0"


def _day(value: date) -> str:
    return value.isoformat().replace("-", "")


def write_837p(file: ClaimFile, claims: Sequence[Claim]) -> bytes:
    """`file` with these claims instead of its own."""
    if not claims:
        raise ValueError("a claim file needs at least one claim")
    if not 1 <= file.control_number <= 999_999_999:
        raise ValueError("control_number (ISA13) must be 1 to 999999999")
    envelope = file.envelope
    sender, receiver = _party("submitter_id", file.submitter.id), _party("receiver.id", file.receiver.id)
    today = _day(file.interchange_date)

    segments = [
        f"ISA*00*{'':10}*00*{'':10}*{envelope.sender_qualifier}*{sender:15}*{envelope.receiver_qualifier}*{receiver:15}"
        f"*{today[2:]}*0000*^*00501*{file.control_number:09d}*0*{envelope.usage_indicator}*:",
        f"GS*HC*{sender}*{receiver}*{today}*0000*{file.control_number}*X*{GUIDE}",
    ]
    size = envelope.claims_per_transaction
    starts = range(0, len(claims), size)
    for number, start in enumerate(starts, 1):
        segments += _transaction(file, claims[start : start + size], number, today)
    segments += [f"GE*{len(starts)}*{file.control_number}", f"IEA*1*{file.control_number:09d}"]

    end = envelope.segment_terminator + ("\n" if envelope.line_breaks else "")
    return (end.join(segments) + end).encode("ascii")


def _transaction(file: ClaimFile, claims: Sequence[Claim], number: int, today: str) -> list[str]:
    submitter, receiver, practice = file.submitter, file.receiver, file.billing_provider
    segments = [
        f"ST*837*{number:04d}*{GUIDE}",
        f"BHT*0019*00*{file.control_number:09d}{number:04d}*{today}*0000*CH",
        f"NM1*41*2*{plain(submitter.name, 60)}*****46*{plain(submitter.id)}",
        f"PER*IC*{plain(submitter.contact_name, 60)}*TE*{_code(submitter.phone)}",
        f"NM1*40*2*{plain(receiver.name, 60)}*****46*{plain(receiver.id)}",
        "HL*1**20*1",
        f"PRV*BI*PXC*{_code(practice.taxonomy_code)}",
        f"NM1*85*2*{plain(practice.name, 60)}*****XX*{_code(practice.npi)}",
        *_address(practice.line1, practice.city, practice.state, practice.postal_code),
        f"REF*EI*{_code(practice.tax_id)}",
    ]
    payer = f"NM1*PR*2*{plain(file.payer.name, 60)}*****PI*{plain(file.payer.id)}"

    practitioners = {who: _rendering(who) for who in {claim.rendering for claim in claims}}
    by_patient: dict[Patient, list[Claim]] = {}
    for claim in claims:
        by_patient.setdefault(claim.patient, []).append(claim)
    for level, (patient, own) in enumerate(by_patient.items(), 2):
        segments += (
            f"HL*{level}*1*22*0",
            "SBR*P*18*******MB",
            *([f"PAT*****D8*{_day(patient.deceased_date)}"] if patient.deceased_date else []),
            f"NM1*IL*1*{plain(patient.last_name, 60)}*{plain(patient.first_name, 35)}*{plain(patient.middle_name, 25)}"
            f"***MI*{_code(patient.member_id)}",
            *_address(patient.line1, patient.city, patient.state, patient.postal_code),
            f"DMG*D8*{_day(patient.birth_date)}*{plain(patient.sex)}",
            payer,
        )
        for claim in own:
            segments += _claim(claim, practitioners[claim.rendering])
    segments.append(f"SE*{len(segments) + 1}*{number:04d}")
    return segments


def _address(line1: str | None, city: str | None, state: str | None, postal_code: str | None) -> Iterable[str]:
    """N3 and N4, or what there is of them: an address that is missing is left out, not written empty."""
    if street := plain(line1, 55):
        yield f"N3*{street}"
    if place := f"{plain(city, 30)}*{plain(state)}*{_code(postal_code)}".rstrip("*"):
        yield f"N4*{place}"


def _rendering(practitioner: Rendering) -> list[str]:
    name = f"{plain(practitioner.last_name, 60)}*{plain(practitioner.first_name, 35)}"
    segments = [f"NM1*82*1*{name}****XX*{_code(practitioner.npi)}"]
    if taxonomy := _code(practitioner.taxonomy_code):
        segments.append(f"PRV*PE*PXC*{taxonomy}")
    return segments


def _claim(claim: Claim, rendering: list[str]) -> list[str]:
    total = sum([line.charge_amount for line in claim.lines], Decimal(0))
    segments = [f"CLM*{plain(claim.claim_id)}*{_amount(total)}***{plain(claim.place_of_service)}:B:1*Y*A*Y*Y"]
    if diagnoses := "*ABF:".join([_code(code) for code in claim.diagnoses[:MOST_DIAGNOSES]]):
        segments.append(f"HI*ABK:{diagnoses}")
    segments += rendering
    for number, line in enumerate(claim.lines, 1):
        segments += _service_line(number, line)
    return segments


def _service_line(number: int, line: ServiceLine) -> tuple[str, str, str, str]:
    pointers = ":".join(map(str, line.diagnosis_pointers[:MOST_POINTERS]))
    return (
        f"LX*{number}",
        f"SV1*HC:{_code(line.procedure_code)}*{_amount(line.charge_amount)}*UN*{line.units}***{pointers}",
        f"DTP*472*D8*{_day(line.service_date)}",
        f"REF*6R*{plain(line.line_id)}",
    )
