"""The facts of a transaction as rows: what a 999, a TA1, a 277CA, an 835 or a 271 says, and nothing that it does not say.

Names, birth dates and member ids of patients are not among them; the original file keeps those. A row's `transaction_id` says where it stands.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa

from orchestration.payers.eligibility import SCHEMA as COVERAGE_ANSWERS
from orchestration.payers.eligibility import coverage_answers
from orchestration.payers.envelopes import Segment, Transaction, at
from orchestration.payers.errors import NotReadableError
from orchestration.payers.guides import Placed, Reading

MONEY = pa.decimal128(12, 2)
_STRINGS = pa.list_(pa.string())

# What each table holds, in its column order. Positions count from 1 within the transaction (claims) or the claim (lines; 0 is the claim itself).
SCHEMAS: dict[str, pa.Schema] = {
    "acknowledgments": pa.schema(
        [
            ("transaction_id", pa.int64()),
            ("position", pa.int32()),
            ("level", pa.string()),  # interchange (TA1), group (AK9), transaction (IK5)
            ("submitter_ids", _STRINGS),  # ISA08 and GS03 of the answer
            ("functional_id", pa.string()),  # AK101, HC for claims
            ("control_number", pa.int64()),  # TA101 or AK102: the interchange's or group's that it answers
            ("transaction_number", pa.int64()),  # AK202; null for a group or interchange
            ("outcome_code", pa.string()),  # IK501, AK901 or TA104
            ("error_codes", _STRINGS),
        ]
    ),
    "claim_statuses": pa.schema(
        [
            ("transaction_id", pa.int64()),
            ("position", pa.int32()),
            ("level", pa.string()),  # receiver (2200B), provider (2200C), claim (2200D)
            ("submitter_ids", _STRINGS),
            ("claim_id", pa.string()),  # TRN02 of 2200D: our CLM01
            ("batch_reference", pa.string()),  # TRN02 of 2200B: our BHT03
            ("payer_claim_number", pa.string()),  # REF*1K
            ("status_on", pa.date32()),
            ("category_code", pa.string()),
            ("status_code", pa.string()),
            ("entity_code", pa.string()),
            ("action_code", pa.string()),
            ("charge_amount", MONEY),
        ]
    ),
    "remittances": pa.schema(
        [
            ("transaction_id", pa.int64()),
            ("payer_id", pa.string()),  # TRN03
            ("payer_name", pa.string()),
            ("check_number", pa.string()),  # TRN02: check or EFT
            ("payment_on", pa.date32()),
            ("payment_method", pa.string()),
            ("total_amount", MONEY),  # BPR02, negative for a debit
            ("payee_npi", pa.string()),
            ("payee_tax_id", pa.string()),
        ]
    ),
    "claim_payments": pa.schema(
        [
            ("transaction_id", pa.int64()),
            ("claim_position", pa.int32()),
            ("claim_id", pa.string()),  # CLP01
            ("claim_status_code", pa.string()),  # CLP02
            ("charge_amount", MONEY),
            ("paid_amount", MONEY),
            ("patient_amount", MONEY),
            ("payer_claim_number", pa.string()),  # CLP07
            ("content_sha256", pa.string()),
            ("occurrence", pa.int32()),  # of the same content within its transaction
        ]
    ),
    "service_payments": pa.schema(
        [
            ("transaction_id", pa.int64()),
            ("claim_position", pa.int32()),
            ("line_position", pa.int32()),
            ("line_id", pa.string()),  # REF*6R
            ("procedure_code", pa.string()),
            ("submitted_code", pa.string()),  # SVC06, where the payer changed the code
            ("service_on", pa.date32()),
            ("charge_amount", MONEY),
            ("paid_amount", MONEY),
            ("paid_units", pa.string()),
            ("allowed_amount", MONEY),  # AMT*B6
        ]
    ),
    "adjustments": pa.schema(
        [
            ("transaction_id", pa.int64()),
            ("claim_position", pa.int32()),
            ("line_position", pa.int32()),
            ("position", pa.int32()),
            ("group_code", pa.string()),
            ("reason_code", pa.string()),  # CARC
            ("adjustment_amount", MONEY),
        ]
    ),
    "remarks": pa.schema(
        [
            ("transaction_id", pa.int64()),
            ("claim_position", pa.int32()),
            ("line_position", pa.int32()),
            ("remark_code", pa.string()),  # RARC, of LQ*HE, MOA or MIA
        ]
    ),
    "provider_adjustments": pa.schema(
        [
            ("transaction_id", pa.int64()),
            ("position", pa.int32()),
            ("reason_code", pa.string()),
            ("adjustment_amount", MONEY),  # as in PLB: positive takes away from the payment
        ]
    ),
    "coverage_answers": COVERAGE_ANSWERS,
    "envelopes": pa.schema(
        [
            ("transaction_id", pa.int64()),
            ("usage_indicator", pa.string()),  # ISA15 of the answer, T or P
            ("answered_guide", pa.string()),  # AK103 of a 999: the guide of what it answers; of several, all of them
        ]
    ),
    "claim_filings": pa.schema(
        [
            ("transaction_id", pa.int64()),
            ("claim_position", pa.int32()),
            ("filing_code", pa.string()),  # CLP06: MB for Part B
        ]
    ),
}

Rows = dict[str, list[dict[str, Any]]]

_is_code = re.compile(r"[A-Z0-9]{1,5}").fullmatch
_is_guide = re.compile(r"[A-Z0-9]{1,12}").fullmatch
_is_amount = re.compile(r"-?(?=\.?[0-9])[0-9]{0,18}(\.[0-9]{0,6})?").fullmatch
# Below these are the amounts of a claim, and the sums of a transaction's: the marts add them up in DECIMAL(12,2).
_MOST, _MOST_IN_ALL = Decimal(10) ** 7, Decimal(10) ** 8
_YEARS_OFF = timedelta(days=3653)


def money(text: str, what: str, most: Decimal = _MOST) -> Decimal:
    """An X12 amount as exact dollars and cents, below `most`; empty is 0. `what` names the element for the error."""
    if not text:
        return Decimal("0.00")
    if not _is_amount(text) or (value := Decimal(text)) != value.quantize(Decimal("0.01")):
        raise NotReadableError(f"{what} is no amount in dollars and cents")
    if abs(value) >= most:
        raise NotReadableError(f"{what} is more than any practice is paid; ask the payer for the file again")
    return value.quantize(Decimal("0.01"))


def day(text: str) -> date | None:
    """CCYYMMDD as a date; None when there is no such day."""
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:8])) if re.fullmatch(r"[0-9]{8}", text) else None
    except ValueError:
        return None


def _status_on(text: str, interchange_on: date | None) -> date | None:
    """The date of a status. One of the future would stay the newest; it is as old as the interchange that tells it."""
    told = day(text) or interchange_on
    return min(told, interchange_on) if told and interchange_on else told


def _number(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text) else None


def _code(text: str) -> str | None:
    return text if _is_code(text) else None


def _reference(text: str) -> str | None:
    return text.strip()[:80] or None


def rows_of(transaction: Transaction, reading: Reading | None, transaction_id: int) -> tuple[Rows, list[str]]:
    """The rows of a 999, TA1, 277CA, 835 or 271 by table, and what is odd about its contents. Raises NotReadableError when it cannot be posted."""
    rows: Rows = {table: [] for table in SCHEMAS}
    rows["envelopes"].append(_envelope(transaction, transaction_id))
    if transaction.set_id == "271":
        rows["coverage_answers"], oddities = coverage_answers(transaction, transaction_id)
        return rows, oddities
    if reading is None:  # a TA1 stands in no guide
        rows["acknowledgments"].append(_interchange_acknowledgment(transaction, transaction_id))
        return rows, []
    if transaction.set_id == "999":
        rows["acknowledgments"] = list(_acknowledgments(transaction, reading, transaction_id))
        return rows, []
    if transaction.set_id == "277":
        rows["claim_statuses"] = list(_claim_statuses(transaction, reading, transaction_id))
        return rows, []
    return rows, _Remittance(transaction, transaction_id, rows).read(reading.placed)


def _envelope(transaction: Transaction, transaction_id: int) -> dict[str, Any]:
    usage = at(transaction.isa, 15).upper()
    guides = {at(segment, 3).upper() for segment in transaction.segments if segment[0] == "AK1"} - {""}
    return {
        "transaction_id": transaction_id,
        "usage_indicator": usage if usage in ("T", "P") else None,
        "answered_guide": " ".join(sorted(guide if _is_guide(guide) else "?" for guide in guides)) or None,
    }


def _receivers(transaction: Transaction) -> list[str]:
    return sorted({text.upper() for text in transaction.receiver_ids if text})


def _interchange_acknowledgment(transaction: Transaction, transaction_id: int) -> dict[str, Any]:
    ta1 = transaction.segments[0]
    if _number(at(ta1, 1)) is None or at(ta1, 4) not in ("A", "E", "R"):
        raise NotReadableError("TA101 or TA104 cannot be read")
    return {
        "transaction_id": transaction_id,
        "position": 1,
        "level": "interchange",
        "submitter_ids": _receivers(transaction),
        "functional_id": "HC",
        "control_number": _number(at(ta1, 1)),
        "transaction_number": None,
        "outcome_code": at(ta1, 4),
        "error_codes": [code for code in [_code(at(ta1, 5))] if code],
    }


def _acknowledgments(transaction: Transaction, reading: Reading, transaction_id: int) -> Iterator[dict[str, Any]]:
    group: Segment = []
    answered: Segment | None = None
    for position, (_, segment) in enumerate(reading.placed, 1):
        name = segment[0]
        if name == "AK1":
            group = segment
        elif name == "AK2":
            answered = segment
        elif name in ("IK5", "AK5", "AK9"):
            if not group or _number(at(group, 2)) is None or (name != "AK9" and answered is None):
                raise NotReadableError(f"the {name} of segment {position + 1} does not say what it answers (AK1, AK2)")
            if not _code(at(segment, 1)):
                raise NotReadableError(f"{name}01 of segment {position + 1} is missing")
            first_error = 5 if name == "AK9" else 2
            yield {
                "transaction_id": transaction_id,
                "position": position,
                "level": "group" if name == "AK9" else "transaction",
                "submitter_ids": _receivers(transaction),
                "functional_id": _code(at(group, 1)),
                "control_number": _number(at(group, 2)),
                "transaction_number": None if name == "AK9" or answered is None else _number(at(answered, 2)),
                "outcome_code": at(segment, 1),
                "error_codes": [code for code in (_code(at(segment, n)) for n in range(first_error, first_error + 5)) if code],
            }


def _claim_statuses(transaction: Transaction, reading: Reading, transaction_id: int) -> Iterator[dict[str, Any]]:
    levels = {"2200B": "receiver", "2200C": "provider", "2200D": "claim"}
    batch: str | None = None
    reference: str | None = None
    pending: list[dict[str, Any]] = []
    found = False
    for position, (loop, segment) in enumerate(reading.placed, 1):
        if segment[0] in ("HL", "TRN"):
            yield from pending
            pending = []
        if segment[0] == "TRN" and loop in levels:
            reference = _reference(at(segment, 2))
            batch = reference if loop == "2200B" else batch
        elif segment[0] == "STC" and loop in levels:
            found = True
            if loop == "2200D" and not reference:
                raise NotReadableError(f"the STC of segment {position + 1} names no claim (TRN02 of its loop 2200D)")
            for element in (1, 10, 11):
                category, status, entity = (*at(segment, element).upper().split(transaction.marks.component), "", "", "")[:3]
                if _code(category):
                    pending.append(
                        {
                            "transaction_id": transaction_id,
                            "position": position,
                            "level": levels[loop],
                            "submitter_ids": _receivers(transaction),
                            "claim_id": reference.upper() if reference and loop == "2200D" else None,
                            "batch_reference": batch,
                            "payer_claim_number": None,
                            "status_on": _status_on(at(segment, 2), transaction.interchange_on),
                            "category_code": category,
                            "status_code": _code(status),
                            "entity_code": _code(entity),
                            "action_code": _code(at(segment, 3)),
                            "charge_amount": money(at(segment, 4), f"STC04 of segment {position + 1}"),
                        }
                    )
        elif segment[0] == "REF" and at(segment, 1) == "1K" and loop == "2200D":
            for row in pending:
                row["payer_claim_number"] = _reference(at(segment, 2))
    yield from pending
    if not found:
        raise NotReadableError("it holds no status (STC) of a submitter, provider or claim")


_SUMMED = (
    ("claim_payments", "charge_amount"),
    ("claim_payments", "paid_amount"),
    ("claim_payments", "patient_amount"),
    ("service_payments", "charge_amount"),
    ("service_payments", "paid_amount"),
    ("adjustments", "adjustment_amount"),
    ("provider_adjustments", "adjustment_amount"),
)


class _Remittance:
    """Reads one 835 into rows, and holds its claims and lines against their own sums."""

    def __init__(self, transaction: Transaction, transaction_id: int, rows: Rows) -> None:
        self.transaction, self.id, self.rows = transaction, transaction_id, rows
        self.component = transaction.marks.component
        self.oddities: list[str] = []
        self.claim = self.line = 0
        self.open_claim: dict[str, Any] | None = None
        self.open_line: dict[str, Any] | None = None
        self.claim_text: list[str] = []
        self.seen: Counter[str] = Counter()
        self.remarked: set[tuple[int, int, str]] = set()
        self.claim_adjusted = self.line_adjusted = Decimal(0)
        self.head: dict[str, Any] = dict.fromkeys(SCHEMAS["remittances"].names) | {"transaction_id": transaction_id}

    def read(self, placed: tuple[Placed, ...]) -> list[str]:
        for position, (loop, segment) in enumerate(placed, 2):  # the ST is segment 1
            name = segment[0]
            if name in ("CLP", "LX", "PLB"):
                self.end_claim()
            if name == "CLP":
                self.begin_claim(segment, position)
            elif name == "SVC" and self.open_claim is not None:
                self.begin_line(segment, position)
            elif name == "PLB":
                self.provider_adjustments(segment, position)
            elif self.open_claim is not None:
                self.detail(segment, position, loop)
            else:
                self.header(loop, segment, position)
            if self.open_claim is not None:
                self.claim_text.append("\t".join(part.strip() for part in segment).replace(self.component, "\v"))
        self.end_claim()
        if self.head["check_number"] is None:
            raise NotReadableError("the check or EFT number (TRN02) is missing")
        if self.head["total_amount"] is None:
            raise NotReadableError("the payment (BPR) is missing")
        interchange_on = self.transaction.interchange_on
        paid_on = self.head["payment_on"]
        if paid_on is None or (interchange_on is not None and abs(paid_on - interchange_on) > _YEARS_OFF):
            self.head["payment_on"] = interchange_on
            self.oddities.append("it has no payment date (BPR16) near the interchange's; the interchange's is taken")
        for table, column in _SUMMED:
            if sum((abs(row[column]) for row in self.rows[table]), Decimal(0)) >= _MOST_IN_ALL:
                raise NotReadableError(f"its {table} come to more than any practice is paid; ask the payer for the file again")
        if self.head["payer_id"] is None:
            self.oddities.append("the payer's id (TRN03) is missing")
        self.rows["remittances"].append(self.head)
        return self.oddities

    def header(self, loop: str, segment: Segment, position: int) -> None:
        head, name = self.head, segment[0]
        if name == "BPR":
            amount = money(at(segment, 2), "BPR02", _MOST_IN_ALL)
            head["total_amount"] = -amount if at(segment, 3) == "D" else amount
            head["payment_method"] = _code(at(segment, 4))
            head["payment_on"] = day(at(segment, 16))
        elif name == "TRN":
            head["check_number"], head["payer_id"] = _reference(at(segment, 2)), _reference(at(segment, 3))
        elif name == "DTM" and at(segment, 1) == "405":
            head["payment_on"] = head["payment_on"] or day(at(segment, 2))
        elif name == "N1" and at(segment, 1) == "PR":
            head["payer_name"] = _reference(at(segment, 2))
        elif name == "N1" and at(segment, 1) == "PE":
            kind = {"XX": "payee_npi", "FI": "payee_tax_id"}.get(at(segment, 3))
            if kind:
                head[kind] = _reference(at(segment, 4))
        elif name == "REF" and at(segment, 1) == "TJ" and loop == "1000B":
            head["payee_tax_id"] = _reference(at(segment, 2))

    def begin_claim(self, clp: Segment, position: int) -> None:
        self.claim += 1
        self.line, self.claim_text, self.claim_adjusted = 0, [], Decimal(0)
        if not at(clp, 1) or not _code(at(clp, 2)):
            raise NotReadableError(f"claim {self.claim} (segment {position}) has no claim id or status (CLP01, CLP02)")
        self.open_claim = {
            "transaction_id": self.id,
            "claim_position": self.claim,
            "claim_id": at(clp, 1).upper(),
            "claim_status_code": at(clp, 2),
            "charge_amount": money(at(clp, 3), f"CLP03 of claim {self.claim} (segment {position})"),
            "paid_amount": money(at(clp, 4), f"CLP04 of claim {self.claim} (segment {position})"),
            "patient_amount": money(at(clp, 5), f"CLP05 of claim {self.claim} (segment {position})"),
            "payer_claim_number": _reference(at(clp, 7)),
        }
        self.rows["claim_payments"].append(self.open_claim)
        filing = {"transaction_id": self.id, "claim_position": self.claim, "filing_code": _code(at(clp, 6).upper())}
        self.rows["claim_filings"].append(filing)

    def begin_line(self, svc: Segment, position: int) -> None:
        self.end_line()
        self.line += 1
        self.line_adjusted = Decimal(0)
        where = f"line {self.line} of claim {self.claim} (segment {position})"
        self.open_line = {
            "transaction_id": self.id,
            "claim_position": self.claim,
            "line_position": self.line,
            "line_id": None,
            "procedure_code": self.procedure(at(svc, 1)),
            "submitted_code": self.procedure(at(svc, 6)),
            "service_on": None,
            "charge_amount": money(at(svc, 2), f"SVC02 of {where}"),
            "paid_amount": money(at(svc, 3), f"SVC03 of {where}"),
            "paid_units": at(svc, 5) or None,
            "allowed_amount": None,
        }
        self.rows["service_payments"].append(self.open_line)

    def procedure(self, composite: str) -> str | None:
        parts = composite.split(self.component)
        return _code(parts[1].strip()) if len(parts) > 1 else None

    def detail(self, segment: Segment, position: int, loop: str) -> None:
        name, line = segment[0], self.open_line
        if name == "CAS":
            self.adjustments(segment, position)
        elif name == "REF" and at(segment, 1) == "6R" and line is not None:
            line["line_id"] = _reference(at(segment, 2).upper())
        elif name == "DTM" and at(segment, 1) in ("472", "150") and line is not None:
            line["service_on"] = day(at(segment, 2))
        elif name == "AMT" and at(segment, 1) == "B6" and line is not None:
            line["allowed_amount"] = money(at(segment, 2), f"AMT02 of segment {position}")
        elif name == "LQ" and at(segment, 1) == "HE":
            self.remark(at(segment, 2))
        elif name == "MOA":
            for number in range(3, 8):
                self.remark(at(segment, number), line=0)
        elif name == "MIA":
            for number in (5, 20, 21, 22, 23):
                self.remark(at(segment, number), line=0)

    def remark(self, code: str, line: int | None = None) -> None:
        if _code(code):
            where = self.line if line is None else line
            if (self.claim, where, code) not in self.remarked:
                self.remarked.add((self.claim, where, code))
                self.rows["remarks"].append(
                    {"transaction_id": self.id, "claim_position": self.claim, "line_position": where, "remark_code": code}
                )

    def adjustments(self, cas: Segment, position: int) -> None:
        for number in range(2, 20, 3):
            if not at(cas, number) and not at(cas, number + 1):
                continue
            amount = money(at(cas, number + 1), f"CAS{number + 1:02d} of segment {position}")
            if not _code(at(cas, 1)) or not _code(at(cas, number)):
                raise NotReadableError(f"CAS01 or CAS{number:02d} of segment {position} is no code")
            self.rows["adjustments"].append(
                {
                    "transaction_id": self.id,
                    "claim_position": self.claim,
                    "line_position": self.line,
                    "position": position * 10 + (number - 2) // 3,
                    "group_code": at(cas, 1),
                    "reason_code": at(cas, number),
                    "adjustment_amount": amount,
                }
            )
            if self.open_line is not None:
                self.line_adjusted += amount
            self.claim_adjusted += amount

    def provider_adjustments(self, plb: Segment, position: int) -> None:
        for number in range(3, 15, 2):
            if at(plb, number) or at(plb, number + 1):
                self.rows["provider_adjustments"].append(
                    {
                        "transaction_id": self.id,
                        "position": position * 10 + (number - 3) // 2,
                        "reason_code": _code(at(plb, number).split(self.component)[0]),
                        "adjustment_amount": money(at(plb, number + 1), f"PLB{number + 1:02d} of segment {position}", _MOST_IN_ALL),
                    }
                )

    def end_line(self) -> None:
        line = self.open_line
        if line is not None and line["charge_amount"] - self.line_adjusted != line["paid_amount"]:
            self.oddities.append(f"line {self.line} of claim {self.claim}: charge less adjustments is not what is paid")
        self.open_line = None

    def end_claim(self) -> None:
        self.end_line()
        claim = self.open_claim
        if claim is not None:
            if claim["charge_amount"] - self.claim_adjusted != claim["paid_amount"]:
                self.oddities.append(f"claim {self.claim}: charge less adjustments is not what is paid")
            sha256 = hashlib.sha256("\n".join(self.claim_text).encode()).hexdigest()
            self.seen[sha256] += 1
            claim |= {"content_sha256": sha256, "occurrence": self.seen[sha256]}
        self.open_claim = None
