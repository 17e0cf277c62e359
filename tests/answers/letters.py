"""Payers' files for the tests, written apart from the demo's payer: a few claims of two made-up practices, and answers to them in plain text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import permutations
from typing import TypeVar

from orchestration.practices import Practice

MARKER = "ZEBRAMARKER"  # stands where a patient's name and member id stand


def practice(practice_id: str, npi: str, submitter_id: str) -> Practice:
    return Practice.model_validate(
        {
            "practice_id": practice_id, "name": "Test Practice", "npi": npi, "tax_id": "123456789", "taxonomy_code": "207Q00000X",
            "address": {"line1": "1 Main St", "city": "Springfield", "state": "IL", "postal_code": "627010001"},
            "phone": "2175550100", "time_zone": "America/Chicago", "place_of_service": "11", "mac": "06102", "locality": "99",
            "submitter_id": submitter_id, "receiver": {"id": "06102", "name": "NGS"}, "payer": {"id": "06102", "name": "MEDICARE"},
        }
    )  # fmt: skip


NORTH = practice("north", "1234567893", "NORTH01")
SOUTH = practice("south", "1245319599", "SOUTH01")


@dataclass(frozen=True)
class Line:
    code: str
    charge: str
    allowed: str
    units: int = 1


@dataclass(frozen=True)
class Sent:
    """One claim that went out. `transaction` is its ST in the file of that control number."""

    claim_id: str
    practice: Practice = NORTH
    patient_id: str = ""
    version: int = 1
    control_number: int = 7
    transaction: int = 1
    usage: str = "T"
    claimed_on: date = date(2026, 10, 3)
    lines: tuple[Line, ...] = (Line("99490", "95.00", "66.13"), Line("99439", "75.00", "50.44"))

    def rows(self) -> list[dict[str, object]]:
        return [
            {
                "practice_id": self.practice.practice_id, "patient_id": self.patient_id or f"P-{self.claim_id}", "month": date(2026, 9, 1),
                "claim_id": self.claim_id, "line_id": f"{self.claim_id}{place:02d}", "close_version": self.version, "status": "submitted",
                "procedure_code": line.code, "units": line.units, "service_date": date(2026, 9, 30),
                "charge_amount": Decimal(line.charge), "allowed_amount": Decimal(line.allowed),
                "submitter_id": self.practice.submitter_id, "control_number": self.control_number,
                "transaction_number": self.transaction, "usage_indicator": self.usage, "claimed_on": self.claimed_on, "tax_id": "123456789",
                "beneficiary_key": "x",
            }
            for place, line in enumerate(self.lines, 1)
        ]  # fmt: skip

    @property
    def charge(self) -> Decimal:
        return sum((Decimal(line.charge) for line in self.lines), Decimal(0))


CAS = tuple[str, str, str]
T = TypeVar("T")


@dataclass(frozen=True)
class Pay:
    """A claim in an 835. `lines`: (line id or None, code, charge, paid, adjustments, remarks); `adjustments` are the claim's own."""

    claim_id: str
    charge: str
    paid: str
    lines: tuple[tuple[str | None, str, str, str, tuple[CAS, ...], tuple[str, ...]], ...] = ()
    status: str = "1"
    adjustments: tuple[CAS, ...] = ()
    remark: str = "MA01"
    number: str = "140000000001"
    filing: str = "MB"

    def segments(self) -> list[str]:
        found = [f"CLP*{self.claim_id}*{self.status}*{self.charge}*{self.paid}**{self.filing}*{self.number}"]
        found += [f"CAS*{'*'.join(one)}" for one in self.adjustments]
        found += [f"NM1*QC*1*{MARKER}*ANY****MI*{MARKER}", f"MOA***{self.remark}"]
        for line_id, code, charge, paid, adjustments, remarks in self.lines:
            found += [f"SVC*HC:{code}*{charge}*{paid}**1", "DTM*472*20260930"]
            found += [f"CAS*{'*'.join(one)}" for one in adjustments]
            found += [f"REF*6R*{line_id}"] if line_id else []
            found += [f"LQ*HE*{code}" for code in remarks]
        return found


def paid_in_full(claim_id: str, **changes: object) -> Pay:
    """Both lines of a `Sent` as it is by default, paid as the fee schedule says: 51.85 + 39.54."""
    lines = (
        (f"{claim_id}01", "99490", "95", "51.85", (("CO", "45", "28.87"), ("CO", "253", "1.05"), ("PR", "2", "13.23")), ()),
        (f"{claim_id}02", "99439", "75", "39.54", (("CO", "45", "24.56"), ("CO", "253", ".81"), ("PR", "2", "10.09")), ()),
    )
    made = {"claim_id": claim_id, "charge": "170", "paid": "91.39", "lines": lines, **changes}
    return Pay(**made)  # type: ignore[arg-type]


def denied(
    claim_id: str, group: str = "CO", reason: str = "B20", remark: str = "MA01", remarks: tuple[str, ...] = (), **changes: object
) -> Pay:
    lines = (
        (f"{claim_id}01", "99490", "95", "0", ((group, reason, "95"),), remarks),
        (f"{claim_id}02", "99439", "75", "0", ((group, reason, "75"),), remarks),
    )
    made = {"claim_id": claim_id, "charge": "170", "paid": "0", "lines": lines, "remark": remark, **changes}
    return Pay(**made)  # type: ignore[arg-type]


def taken_back(pay: Pay) -> Pay:
    def minus(text: str) -> str:
        return f"{-Decimal(text):f}"

    return Pay(
        pay.claim_id, minus(pay.charge), minus(pay.paid),
        tuple(
            (line_id, code, minus(charge), minus(paid), tuple((g, r, minus(a)) for g, r, a in adjustments), remarks)
            for line_id, code, charge, paid, adjustments, remarks in pay.lines
        ),
        "22", tuple((g, r, minus(a)) for g, r, a in pay.adjustments), pay.remark, pay.number, filing=pay.filing,
    )  # fmt: skip


def remittance(
    *pays: Pay,
    check: str = "EFT1",
    total: str | None = None,
    on: str = "20261020",
    plb: Sequence[tuple[str, str]] = (),
    npi: str = NORTH.npi,
) -> list[str]:
    """The body of an 835. `total` is what BPR02 says; by default it adds up."""
    real = sum((Decimal(pay.paid) for pay in pays), Decimal(0)) - sum((Decimal(amount) for _, amount in plb), Decimal(0))
    amount = Decimal(total) if total is not None else real
    return [
        f"BPR*I*{abs(amount):f}*{'C' if amount >= 0 else 'D'}*ACH*CCP*01*999999999*DA*123456*1512345678**01*999999999*DA*98765*{on}",
        f"TRN*1*{check}*1512345678", f"DTM*405*{on}", "N1*PR*MEDICARE PART B", "N3*PO BOX 1", "N4*SPRINGFIELD*IL*62701",
        "PER*BL*EDI DEPT*TE*5555550199", f"N1*PE*TEST PRACTICE*XX*{npi}", "REF*TJ*123456789", "LX*1",
        *(segment for pay in pays for segment in pay.segments()),
        *(f"PLB*{npi}*20261231*{reason}*{amount}" for reason, amount in plb),
    ]  # fmt: skip


def acknowledgment(control_number: int, transactions: dict[int, str], group: str, functional: str = "HC") -> list[str]:
    """The body of a 999."""
    body = [f"AK1*{functional}*{control_number}*005010X222A1"]
    for number, outcome in transactions.items():
        body += [f"AK2*837*{number:04d}*005010X222A1", f"IK5*{outcome}"]
    return [*body, f"AK9*{group}*{len(transactions)}*{len(transactions)}*{len(transactions)}"]


def claim_statuses(
    batch: str, claims: Iterable[tuple[str, str, str]], *, receiver: str = "A1:20:PR", on: str = "20261005"
) -> list[str]:
    """The body of a 277CA: (claim id, STC01, STC03) of each claim; `receiver` is the status of the whole batch."""
    action = "WQ" if receiver.startswith("A1") else "U"
    body = [
        f"BHT*0085*08*PAYER{batch}*{on}*0900*TH", "HL*1**20*1", "NM1*PR*2*MEDICARE*****PI*06102", "TRN*1*PAYER1", f"DTP*050*D8*{on}",
        f"DTP*009*D8*{on}", "HL*2*1*21*1", "NM1*41*2*TEST PRACTICE*****46*NORTH01", f"TRN*2*{batch}", f"STC*{receiver}*{on}*{action}*1",
    ]  # fmt: skip
    listed = list(claims)
    if listed:
        body += ["HL*3*2*19*1", "NM1*85*2*TEST PRACTICE*****XX*1234567893", "TRN*1*0", f"STC*A1:20:PR*{on}*WQ*1"]
    for level, (claim_id, status, action) in enumerate(listed, 4):
        body += [
            f"HL*{level}*3*PT",
            f"NM1*QC*1*{MARKER}*ANY****MI*{MARKER}",
            f"TRN*2*{claim_id}",
            f"STC*{status}*{on}*{action}*170",
        ]
        body += ["REF*1K*1426", "DTP*472*D8*20260930"]
    return body


_KINDS = {"835": ("HP", "005010X221A1"), "277": ("HN", "005010X214"), "999": ("FA", "005010X231A1")}


def transaction(kind: str, body: list[str], number: int = 1) -> list[str]:
    third = "" if kind == "835" else f"*{_KINDS[kind][1]}"
    return [f"ST*{kind}*{number:04d}{third}", *body, f"SE*{len(body) + 2}*{number:04d}"]


def file(
    kind: str,
    *bodies: list[str],
    submitter: str = "NORTH01",
    number: int = 900,
    on: str = "261020",
    marks: str = "*:~",
    end: str = "\n",
    extra: Sequence[str] = (),
    usage: str = "T",
) -> str:
    """One interchange with a transaction for each body. `marks`: element, component and segment mark; `extra` stands before the group."""
    group, guide = _KINDS[kind]
    segments = [f"ISA*00*{'':10}*00*{'':10}*ZZ*{'06102':15}*ZZ*{submitter:15}*{on}*0900*^*00501*{number:09d}*0*{usage}*:", *extra]
    if bodies:
        segments.append(f"GS*{group}*06102*{submitter}*20{on}*0900*{number}*X*{guide}")
        for place, body in enumerate(bodies, 1):
            segments += transaction(kind, body, place)
        segments.append(f"GE*{len(bodies)}*{number}")
    segments.append(f"IEA*{1 if bodies else 0}*{number:09d}")
    text = "".join(f"{segment}~{end}" for segment in segments)
    return text.translate(str.maketrans("*:~", marks))


def orders(files: Sequence[T]) -> list[tuple[T, ...]]:
    """Every order of up to three files, some of more."""
    every = list(permutations(files))
    return every if len(files) <= 3 else every[::5]
