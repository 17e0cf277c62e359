"""What a 271 (005010X279A1) says of each subscriber's coverage: one row for each benefit, service type and period.

pyx12 has no 5010 guide for it, so that the segments that open loops place the others: HL the levels, EB each benefit. Of the subscriber only a hash
of the member id is kept, as the claims have it; names and birth dates are not read.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import product
from typing import Any

import pyarrow as pa

from orchestration.payers.envelopes import Segment, Transaction, at
from orchestration.payers.errors import NotReadableError

SCHEMA = pa.schema(
    [
        ("transaction_id", pa.int64()),
        ("position", pa.int32()),  # within the transaction, from 1
        ("subscriber_position", pa.int32()),
        ("receiver_npi", pa.string()),  # NM109 of 2100B
        ("submitter_ids", pa.list_(pa.string())),  # ISA08 and GS03 of the answer
        ("beneficiary_key", pa.string()),  # SHA-256 of the member id (2100C NM109); null where there is none
        ("content_sha256", pa.string()),  # names what is said of this subscriber, whatever envelope it came in
        ("answered_on", pa.date32()),  # BHT04, else the interchange's
        ("benefit_code", pa.string()),  # EB01
        ("service_type", pa.string()),  # EB03, one row for each
        ("insurance_type", pa.string()),  # EB04
        ("plan_id", pa.string()),  # REF*18 or REF*6P of the benefit
        ("starts_on", pa.date32()),
        ("ends_on", pa.date32()),
        ("deceased_on", pa.date32()),  # DTP*442; such a row has no benefit
        ("reject_code", pa.string()),  # AAA03; such a row has no benefit
        ("file_sha256", pa.string()),  # of its original
    ]
)

_DEATH = "442"
# Coordination of benefits, plan, benefit, eligibility, service: a day alone is the first.
_RANGES = ("290", "291", "292", "307", "472")
_BEGINS = ("193", "346", "348", "356")
_ENDS = ("194", "347", "349", "357")
_is_code = re.compile(r"[A-Z0-9]{1,3}").fullmatch


@dataclass
class _Period:
    starts_on: date | None = None
    ends_on: date | None = None
    qualifiers: set[str] = field(default_factory=set)  # DTP01 of its dates


@dataclass
class _Dates:
    """The periods of a plan or benefit: a DTP01 that comes again is of the next one, others say more of the same."""

    periods: list[_Period] = field(default_factory=list)

    def take(self, dtp: Segment, where: str) -> None:
        """A DTP of a plan or benefit. NotReadableError where its dates are none: an open end would say more than the payer did."""
        qualifier, form, text = at(dtp, 1), at(dtp, 2), at(dtp, 3)
        if qualifier not in (*_RANGES, *_BEGINS, *_ENDS):
            return
        first, _, last = text.partition("-") if form == "RD8" else (text, "", "")
        days = [_day(one, where) for one in (first, last) if one]
        period = next((one for one in self.periods if qualifier not in one.qualifiers), None)
        if period is None:
            self.periods.append(period := _Period())
        period.qualifiers.add(qualifier)
        if form == "RD8" and len(days) == 2 and days[1] >= days[0]:
            period.starts_on, period.ends_on = days
        elif form == "D8" and days and qualifier in _ENDS:
            period.ends_on = days[0]
        elif form == "D8" and days:
            period.starts_on = days[0]
        else:
            raise NotReadableError(f"{where} has no dates that can be read")


@dataclass
class _Subscriber:
    position: int
    receiver_npi: str | None
    member_id: str = ""
    dates: _Dates = field(default_factory=_Dates)
    deceased_on: date | None = None
    rejects: list[str] = field(default_factory=list)
    benefits: list[dict[str, Any]] = field(default_factory=list)
    benefit_dates: list[_Dates] = field(default_factory=list)  # of each benefit
    said: list[str] = field(default_factory=list)


def _day(text: str, where: str) -> date:
    try:
        return datetime.strptime(text if re.fullmatch(r"[0-9]{8}", text) else "", "%Y%m%d").date()
    except ValueError:
        raise NotReadableError(f"{where} has no dates that can be read") from None


def member_key(member_id: str) -> str:
    """How a member id is named where it must not stand: as `beneficiary_key` of the claims."""
    return hashlib.sha256(re.sub(r"[^0-9A-Z]", "", member_id.upper()).encode()).hexdigest()


def coverage_answers(transaction: Transaction, transaction_id: int) -> tuple[list[dict[str, Any]], list[str]]:
    """The rows of a 271, and what is odd about it. Raises NotReadableError when nobody's coverage is answered: every question was rejected (AAA)."""
    reader = _Reader(transaction)
    for number, segment in enumerate(transaction.segments, 1):
        reader.take(segment, number)
    if transaction.segments[-1][0] == "SE" and at(transaction.segments[-1], 1) != str(len(transaction.segments)):
        reader.oddities.append("SE01 does not count its segments")
    if not any(one.benefits or one.deceased_on for one in reader.subscribers):
        codes = sorted({*reader.rejects, *(code for one in reader.subscribers for code in one.rejects)})
        if codes:
            raise NotReadableError(f"the payer did not answer (AAA {', '.join(codes)}): correct the question and ask again")
        raise NotReadableError("it says nothing of anybody's coverage (no EB of a subscriber)")
    receivers = sorted({text.upper() for text in transaction.receiver_ids if text})
    answered_on = reader.answered_on or transaction.interchange_on
    if answered_on is None:
        raise NotReadableError("neither BHT04 nor ISA09 says when it was answered")
    rows: list[dict[str, Any]] = []
    for subscriber in reader.subscribers:
        if not subscriber.member_id:
            reader.oddities.append(f"subscriber {subscriber.position} has no member id")
        if subscriber.rejects:
            reader.oddities.append(
                f"subscriber {subscriber.position} was not answered (AAA {', '.join(sorted(set(subscriber.rejects)))})"
            )
        head = {
            "transaction_id": transaction_id,
            "subscriber_position": subscriber.position,
            "receiver_npi": subscriber.receiver_npi,
            "submitter_ids": receivers,
            "beneficiary_key": member_key(subscriber.member_id) if subscriber.member_id else None,
            "content_sha256": hashlib.sha256("\n".join([*receivers, str(answered_on), *subscriber.said]).encode()).hexdigest(),
            "answered_on": answered_on,
        }
        for row in _rows(subscriber):
            rows.append({**dict.fromkeys(SCHEMA.names), **head, **row, "position": len(rows) + 1})
    return rows, reader.oddities


def _rows(subscriber: _Subscriber) -> Iterator[dict[str, Any]]:
    for benefit, dates in zip(subscriber.benefits, subscriber.benefit_dates, strict=True):
        periods = dates.periods or subscriber.dates.periods or [_Period()]
        for service_type, period in product(benefit["service_types"], periods):
            yield {
                "benefit_code": benefit["benefit_code"],
                "service_type": service_type,
                "insurance_type": benefit["insurance_type"],
                "plan_id": benefit["plan_id"],
                "starts_on": period.starts_on,
                "ends_on": period.ends_on,
            }
    if subscriber.deceased_on:
        yield {"deceased_on": subscriber.deceased_on}
    yield from ({"reject_code": code} for code in sorted(set(subscriber.rejects)))


class _Reader:
    """Walks the segments: levels by HL, the benefit by EB; what stands between LS and LE is of another entity."""

    def __init__(self, transaction: Transaction) -> None:
        self.repetition = at(transaction.isa, 11) or "^"
        self.subscribers: list[_Subscriber] = []
        self.rejects: list[str] = []
        self.oddities: list[str] = []
        self.answered_on: date | None = None
        self.receiver_npi: str | None = None
        self.level = ""
        self.is_within = False  # LS..LE
        self.dependents = 0

    @property
    def subscriber(self) -> _Subscriber | None:
        return self.subscribers[-1] if self.level == "22" and self.subscribers else None

    def take(self, segment: Segment, number: int) -> None:
        name, open_one = segment[0], self.subscriber
        if name == "BHT":
            text = at(segment, 4)
            self.answered_on = _day(text, "BHT04") if text else None
        elif name == "HL":
            self.level, self.is_within = at(segment, 3), False
            if self.level == "21":
                self.receiver_npi = None
            elif self.level == "22":
                self.subscribers.append(_Subscriber(len(self.subscribers) + 1, self.receiver_npi))
            elif self.level == "23":
                self.dependents += 1
                if self.dependents == 1:
                    self.oddities.append("it answers for dependents, whom Medicare does not have; they are not read")
        elif name in ("LS", "LE"):
            self.is_within = name == "LS"
        elif name == "NM1" and self.level == "21" and at(segment, 8) == "XX":
            self.receiver_npi = at(segment, 9) if re.fullmatch(r"[0-9]{10}", at(segment, 9)) else None
        elif open_one is None:
            if name == "AAA" and self.level != "23" and _is_code(at(segment, 3)):
                self.rejects.append(at(segment, 3))
        elif name in ("NM1", "EB", "DTP", "REF", "AAA") and not self.is_within:
            self._of_subscriber(open_one, segment, number)

    def _of_subscriber(self, one: _Subscriber, segment: Segment, number: int) -> None:
        name = segment[0]
        where = f"{name} (segment {number} of its ST)"
        if name != "NM1":
            one.said.append("\t".join(part.strip() for part in segment))
        if name == "NM1" and at(segment, 1) == "IL":
            one.member_id = at(segment, 9)
            one.said.append(member_key(one.member_id))
        elif name == "EB":
            if not _is_code(at(segment, 1)):
                raise NotReadableError(f"EB01 of segment {number} is no code")
            types: list[str | None] = [text for text in at(segment, 3).split(self.repetition) if _is_code(text)] or [None]
            insurance = at(segment, 4) if _is_code(at(segment, 4)) else None
            one.benefits.append(
                {"benefit_code": at(segment, 1), "service_types": types, "insurance_type": insurance, "plan_id": None}
            )
            one.benefit_dates.append(_Dates())
        elif name == "DTP" and at(segment, 1) == _DEATH:
            one.deceased_on = _day(at(segment, 3), where)
        elif name == "DTP":
            (one.benefit_dates[-1] if one.benefit_dates else one.dates).take(segment, where)
        elif name == "REF" and one.benefits and at(segment, 1) in ("18", "6P"):
            one.benefits[-1]["plan_id"] = at(segment, 2)[:50] or None
        elif name == "AAA" and _is_code(at(segment, 3)):
            one.rejects.append(at(segment, 3))
