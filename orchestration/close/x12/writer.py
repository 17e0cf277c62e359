"""The 837P writer: records in, bytes out. No clock, no chance, no locale: the same input gives the same bytes."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal

from orchestration.close.x12.codes import MOST_DIAGNOSES, MOST_POINTERS
from orchestration.close.x12.model import Claim, ClaimFile, Patient, Rendering, ServiceLine

GUIDE = "005010X222A1"

# X12's basic character set less our delimiters * and : (~ and ^ are not in it).
_plain = re.compile(r"""[A-Z0-9 !"&'()+,\-./;?=]*""").fullmatch
_bare = re.compile(r"[A-Z0-9]{1,80}").fullmatch
_unwritable = re.compile(r"""[^A-Z0-9 !"&'()+,\-./;?=]""")
_becomes_space = re.compile(r"[~*:^\s\x00-\x1f\x7f-\x9f]")
# Letters and marks that Unicode does not take apart into a basic one.
_LETTERS = str.maketrans(
    {"Ø": "O", "Đ": "D", "Ð": "D", "Ł": "L", "Ħ": "H", "Ŧ": "T", "Æ": "AE", "Œ": "OE", "Þ": "TH", "Ŋ": "NG"}
    | dict.fromkeys("\u2018\u2019\u201b\u02bb\u02bc\u2032\u00b4`", "'")  # what people type for an apostrophe
    | dict.fromkeys("\u201c\u201d\u201e\u2033", '"')
    | dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-")
)


def plain(text: str | None, limit: int = 80) -> str:
    """Text in the basic character set, upper case, at most `limit` long: accents go, delimiters become spaces,
    what cannot be written is dropped. May come out empty, which the scrub then names."""
    if not text:
        return ""
    text = text.upper()
    if not _plain(text):
        text = unicodedata.normalize("NFKD", text).upper().translate(_LETTERS)
        text = _unwritable.sub("", _becomes_space.sub(" ", text))
    return " ".join(text.split())[:limit].rstrip()


def _code(text: str | None) -> str:
    """A number or code without the dots, dashes and spaces that people write into it."""
    if not text:
        return ""
    return text if _bare(text) else plain(text).replace("-", "").replace(".", "").replace(" ", "")


def _amount(value: Decimal) -> str:
    """X12 type R: no zeros that carry nothing, so 66.30 is 66.3 and 0.50 is .5."""
    text = f"{value:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return text.lstrip("0") or "0"


def _day(value: date) -> str:
    return value.isoformat().replace("-", "")


def write_837p(file: ClaimFile) -> bytes:
    """The interchange in ASCII: an ST..SE for each `claims_per_transaction` claims, in the order given.

    The claims of one patient within an ST stand under one subscriber HL, where the first of them stood. Of more than 12
    diagnoses the first 12 are written, of more than 4 pointers the first 4. Raises ValueError, naming the setting, for
    a file without claims or one that no envelope can carry; what is wrong with a claim is the scrub's to say.
    """
    if not file.claims:
        raise ValueError("a claim file needs at least one claim")
    if not 1 <= file.control_number <= 999_999_999:
        raise ValueError("control_number (ISA13) must be 1 to 999999999")
    envelope = file.envelope
    sender, receiver = _party("submitter", file.submitter.id), _party("receiver", file.receiver.id)
    today = _day(file.interchange_date)

    segments = [
        f"ISA*00*{'':10}*00*{'':10}*{envelope.sender_qualifier}*{sender:15}*{envelope.receiver_qualifier}*{receiver:15}"
        f"*{today[2:]}*0000*^*00501*{file.control_number:09d}*0*{envelope.usage_indicator}*:",
        f"GS*HC*{sender}*{receiver}*{today}*0000*{file.control_number}*X*{GUIDE}",
    ]
    size = envelope.claims_per_transaction
    starts = range(0, len(file.claims), size)
    for number, start in enumerate(starts, 1):
        segments += _transaction(file, file.claims[start : start + size], number, today)
    segments += [f"GE*{len(starts)}*{file.control_number}", f"IEA*1*{file.control_number:09d}"]

    end = envelope.segment_terminator + ("\n" if envelope.line_breaks else "")
    return (end.join(segments) + end).encode("ascii")


def _party(who: str, identifier: str) -> str:
    text = plain(identifier)
    if not 2 <= len(text) <= 15:
        raise ValueError(f"{who} id (ISA, GS) must be 2 to 15 characters of the basic character set")
    return text


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
