"""Takes a payer's file apart: interchanges, groups, transactions. Forgiving, because nothing that a payer sent may be lost.

Several interchanges may follow each other in one file, each with its own delimiters; whatever stands between or after them is told.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from datetime import date, datetime

from orchestration.close.x12.reader import ISA_LENGTH, NotX12Error

_BETWEEN = "\r\n\t \f\x00\x1a\ufeff"  # what mailers and old systems put between segments and at the end of files
is_segment_id = re.compile(r"[A-Z][A-Z0-9]{1,2}").fullmatch

Segment = list[str]
"""Elements of one segment; [0] is its id, so [4] of a CLP is CLP04."""


def at(segment: Segment, number: int) -> str:
    """An element without blanks around it, empty when the segment ends before it."""
    return segment[number].strip() if number < len(segment) else ""


@dataclass(frozen=True)
class Marks:
    """The delimiters of one interchange, as its ISA says them."""

    element: str
    component: str
    terminator: str


@dataclass
class Transaction:
    """One ST..SE with the envelope around it, or a TA1 (which stands in an interchange without a group)."""

    marks: Marks
    isa: Segment
    gs: Segment
    segments: list[Segment]  # ST to SE, or the one TA1
    ordinal: int  # in its file, from 1
    is_closed: bool = False

    @property
    def set_id(self) -> str:
        """ST01: 999, 277, 835 ...; TA1 for an interchange acknowledgment. Any other text is not repeated."""
        first = self.segments[0]
        if first[0] == "TA1":
            return "TA1"
        return at(first, 1) if re.fullmatch(r"[0-9]{3}", at(first, 1)) else ""

    @property
    def guide(self) -> str:
        """The implementation guide by ST03, else GS08, such as 005010X214; empty when neither has its form."""
        for text in (at(self.segments[0], 3), at(self.gs, 8)):
            if re.fullmatch(r"[0-9]{6}(X[0-9]{3}[A-Z0-9]{0,3})?", text):
                return text
        return ""

    @property
    def sender_ids(self) -> tuple[str, str]:
        """(ISA06, GS02)."""
        return at(self.isa, 6), at(self.gs, 2)

    @property
    def receiver_ids(self) -> tuple[str, str]:
        """(ISA08, GS03): in an answer to us, our submitter id."""
        return at(self.isa, 8), at(self.gs, 3)

    @property
    def interchange_on(self) -> date | None:
        """ISA09 as a date."""
        try:
            return datetime.strptime(at(self.isa, 9), "%y%m%d").date()
        except ValueError:
            return None

    def content_sha256(self) -> str:
        """Names what the transaction says, whatever envelope and control numbers it came in."""
        body = [segment for segment in self.segments if segment[0] not in ("ST", "SE")]
        if self.set_id != "835":
            # What an acknowledgment refers to is relative to who got it; a remittance names payer and check itself.
            body = [[self.set_id, *self.receiver_ids], *body]
        text = "\n".join("\t".join(part.strip() for part in segment).replace(self.marks.component, "\v") for segment in body)
        return hashlib.sha256(text.encode()).hexdigest()

    def text(self) -> str:
        """The transaction alone in its envelope, with counts and control numbers of the envelope that fit."""
        envelope = [self.isa, self.gs, *self.segments, ["GE", "1", at(self.gs, 6)], ["IEA", "1", at(self.isa, 13)]]
        return "".join(self.marks.element.join(segment) + self.marks.terminator for segment in envelope)


@dataclass
class Contents:
    """What a file holds. `faults` says what is wrong around the transactions; never a value of a patient."""

    transactions: list[Transaction] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def take_apart(content: bytes) -> Contents:
    """Every transaction of the file, in order. Raises NotX12Error, saying why, when it does not begin with an interchange that can be read."""
    text = content.decode("latin-1").removeprefix("\xef\xbb\xbf")
    if not text.strip(_BETWEEN):
        raise NotX12Error("the file is empty; ask for it again")
    if not text.lstrip(_BETWEEN).startswith("ISA"):
        raise NotX12Error(
            "the file does not begin with ISA; if it is packed or a report for people, put the X12 file itself into inbox/"
        )
    contents = Contents()
    position, number = 0, 0
    while True:
        position = _skip(text, position)
        if position >= len(text):
            return contents
        number += 1
        if not text.startswith("ISA", position):
            contents.faults.append(f"{len(text) - position} characters after interchange {number - 1} are no interchange; not read")
            return contents
        try:
            marks = _marks(text[position : position + ISA_LENGTH], number)
        except NotX12Error as error:
            if number == 1:
                raise
            # What was read before it stays read.
            contents.faults.append(f"{error}; nothing behind interchange {number - 1} is read")
            return contents
        position = _Interchange(contents, marks, number).read(text, position)


def _skip(text: str, position: int) -> int:
    while position < len(text) and text[position] in _BETWEEN:
        position += 1
    return position


def _marks(isa: str, number: int) -> Marks:
    if len(isa) < ISA_LENGTH:
        raise NotX12Error(f"the ISA of interchange {number} is cut short; ask for the file again")
    marks = Marks(isa[3], isa[104], isa[105])
    bad = any(mark.isalnum() or mark == " " for mark in (marks.element, marks.component, marks.terminator))
    if bad or len({marks.element, marks.component, marks.terminator}) < 3 or isa.count(marks.element) != 16:
        raise NotX12Error(f"the ISA of interchange {number} does not have its fixed length, so its delimiters cannot be told")
    return marks


def _counts(text: str, number: int) -> bool:
    # Compared as text: Python makes no number of thousands of digits.
    return text.isascii() and text.isdigit() and (text.lstrip("0") or "0") == str(number)


class _Interchange:
    """Reads one interchange into the contents of its file."""

    def __init__(self, contents: Contents, marks: Marks, number: int) -> None:
        self.contents, self.marks, self.number = contents, marks, number
        self.isa: Segment = []
        self.gs: Segment | None = None
        self.open: Transaction | None = None
        self.groups = self.in_group = 0

    def fault(self, text: str) -> None:
        self.contents.faults.append(f"interchange {self.number}: {text}")

    def read(self, text: str, position: int) -> int:
        """From its ISA to behind its IEA, or to where the next ISA or the end of the file cuts it short."""
        terminator, opening = self.marks.terminator, f"ISA{self.marks.element}"
        while True:
            position = _skip(text, position)
            end = text.find(terminator, position)
            if end < 0:
                within = position < len(text)
                self.fault(
                    "the file ends within a segment; it is cut short, ask for it again" if within else "never closed (no IEA)"
                )
                self.leave()
                return len(text)
            if self.isa and text.startswith(opening, position):
                self.fault("never closed (no IEA)")
                self.leave()
                return position
            segment = text[position:end].split(self.marks.element)
            segment[0] = segment[0].strip()
            position = end + 1
            if segment != [""] and self.take(segment):
                return position

    def leave(self) -> None:
        if self.open is not None:
            self.fault("its last transaction is never closed (no SE)")
        self.open = None

    def take(self, segment: Segment) -> bool:
        """True when the interchange ends with this segment."""
        name = segment[0]
        if name == "ISA":
            self.isa = segment
        elif name == "IEA":
            self.leave()
            if at(segment, 2) != at(self.isa, 13):
                self.fault("IEA02 does not repeat ISA13")
            if not _counts(at(segment, 1), self.groups):
                self.fault(f"IEA01 does not count its {self.groups} groups")
            return True
        elif name == "GS":
            self.leave()
            self.gs, self.in_group = segment, 0
            self.groups += 1
        elif name == "GE":
            self.leave()
            if self.gs is None or at(segment, 2) != at(self.gs, 6):
                self.fault("GE02 does not repeat GS06")
            if not _counts(at(segment, 1), self.in_group):
                self.fault(f"GE01 does not count its {self.in_group} transactions")
            self.gs = None
        elif name == "TA1" and self.gs is None:
            self.add(segment).is_closed = True
            self.open = None
        elif name == "ST" and self.gs is not None:
            self.leave()
            self.open = self.add(segment)
            self.in_group += 1
        elif self.open is not None:
            self.open.segments.append(segment)
            if name == "SE":
                if not _counts(at(segment, 1), len(self.open.segments)):
                    self.fault(f"SE01 does not count the {len(self.open.segments)} segments of its transaction; some may be lost")
                self.open.is_closed = True
                self.open = None
        else:
            self.fault(f"{name if is_segment_id(name) else 'a segment'} stands outside any transaction; not read")
        return False

    def add(self, segment: Segment) -> Transaction:
        made = Transaction(self.marks, self.isa, self.gs or [], [segment], len(self.contents.transactions) + 1)
        self.contents.transactions.append(made)
        return made
