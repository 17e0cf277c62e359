"""Takes the text of an 837P apart into segments and loops. Forgiving: it finds what is there, the scrub judges it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

ISA_LENGTH = 106  # the only segment of fixed length: its last characters say what the delimiters are


# The segments that an 837P can hold. Any other text in an id's place may be a patient's and is never repeated.
_ids = """ISA GS ST BHT NM1 N2 N3 N4 REF PER HL PRV CUR SBR PAT DMG CLM DTP PWK CN1 AMT K3 NTE CR1 CR3 CRC HI HCP CAS OI
    MOA LX SV1 SV5 MEA PS1 LIN CTP SVD LQ FRM QTY SE GE IEA TA1"""
SEGMENT_IDS = frozenset(_ids.split())
_named = "NM1*41 NM1*40 NM1*85 NM1*87 NM1*IL NM1*PR NM1*82 NM1*77 NM1*DN NM1*DQ PRV*BI PRV*PE REF*EI REF*6R DTP*472"
_KEYS = frozenset(_named.split())


class NotX12Error(ValueError):
    """The text is no X12 interchange. Says why, never what the text holds."""


class Segment(list[str]):
    """The elements of one segment; [0] is its id, so [9] of an NM1 is NM109. `position` counts from 1 (the ISA)."""

    __slots__ = ("position",)
    position: int

    def at(self, number: int) -> str:
        """An element, empty when the segment ends before it."""
        return self[number] if number < len(self) else ""

    @property
    def key(self) -> str:
        """How a fault names it: SV1, or with its qualifier NM1*85. An id that no 837P has is not repeated."""
        if self[0] not in SEGMENT_IDS:
            return "segment"
        key = f"{self[0]}*{self.at(1)}"
        return key if key in _KEYS else self[0]

    def field(self, number: int) -> str:
        """How a fault names an element: NM109; 0 is the segment as a whole."""
        if not number:
            return self.key
        return f"{self[0]}{number:02d}" if self[0] in SEGMENT_IDS else f"element {number}"


@dataclass(slots=True)
class Loop:
    """A run of segments and the loops inside it: header > nothing; provider > subscriber > claim > line."""

    position: int
    segments: list[Segment] = field(default_factory=list)
    children: list[Loop] = field(default_factory=list)

    def first(self, segment_id: str, qualifier: str | None = None) -> Segment | None:
        for segment in self.segments:
            if segment[0] == segment_id and (qualifier is None or segment.at(1) == qualifier):
                return segment
        return None

    def every(self, segment_id: str) -> list[Segment]:
        return [segment for segment in self.segments if segment[0] == segment_id]

    def entity(self, qualifier: str) -> Loop | None:
        """The NM1 of that kind and what follows it, up to the next NM1 or the next coordination-of-benefits SBR."""
        for start, segment in enumerate(self.segments):
            if segment[0] == "NM1" and segment.at(1) == qualifier:
                end = start + 1
                while end < len(self.segments) and self.segments[end][0] not in ("NM1", "SBR"):
                    end += 1
                return Loop(segment.position, self.segments[start:end])
        return None

    @property
    def claim_id(self) -> str | None:
        """CLM01 of a claim loop; None when it has none, or blanks."""
        claim_id = self.segments[0].at(1)
        return claim_id if claim_id.strip(" ") else None

    @property
    def claim_ids(self) -> tuple[str | None, ...]:
        """The claims of a subscriber loop; (None,) when there is none, so that a fault of it is still told."""
        return tuple([claim.claim_id for claim in self.children]) or (None,)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A stretch of the text that need not be read: subscriber levels of one claim each, from an HL up to the next HL."""

    start: int
    stop: int
    segments: int
    levels: int


@dataclass(slots=True)
class Transaction:
    """ST to SE. `segment_count` counts both, and what is left out."""

    st: Segment
    header: Loop
    providers: list[Loop] = field(default_factory=list)
    levels: list[tuple[int, Segment]] = field(default_factory=list)  # every HL with its number, counted from 1
    se: Segment | None = None
    segment_count: int = 0
    left_out: int = 0  # subscriber levels

    def add_level(self, hl: Segment) -> None:
        self.levels.append((len(self.levels) + self.left_out + 1, hl))

    def subscribers(self) -> Iterator[Loop]:
        for provider in self.providers:
            yield from provider.children

    def claims(self) -> Iterator[Loop]:
        for subscriber in self.subscribers():
            yield from subscriber.children


@dataclass(slots=True)
class Group:
    gs: Segment
    transactions: list[Transaction] = field(default_factory=list)
    ge: Segment | None = None


@dataclass(slots=True)
class Interchange:
    isa: Segment
    groups: list[Group] = field(default_factory=list)
    iea: Segment | None = None


@dataclass(slots=True)
class X12File:
    text: str  # what was read of it
    element: str
    component: str
    repetition: str
    terminator: str
    segments: list[Segment] = field(default_factory=list)
    interchanges: list[Interchange] = field(default_factory=list)
    strays: list[Segment] = field(default_factory=list)  # outside any interchange, group or transaction
    is_terminated: bool = True
    _starts: list[int] = field(default_factory=list)
    _owners: list[tuple[str | None, ...]] = field(default_factory=list)

    def transactions(self) -> Iterator[Transaction]:
        for interchange in self.interchanges:
            for group in interchange.groups:
                yield from group.transactions

    def claims_at(self, position: int) -> tuple[str | None, ...]:
        """The claims that a segment belongs to: its own, before it all of the patient's, (None,) elsewhere."""
        if not self._starts:
            self._find_owners()
        return self._owners[bisect_right(self._starts, position) - 1]

    def _find_owners(self) -> None:
        def begin(position: int, owners: tuple[str | None, ...]) -> None:
            self._starts.append(position)
            self._owners.append(owners)

        begin(0, (None,))
        for transaction in self.transactions():
            for provider in transaction.providers:
                begin(provider.position, (None,))
                for subscriber in provider.children:
                    begin(subscriber.position, subscriber.claim_ids)
                    for claim in subscriber.children:
                        begin(claim.position, (claim.claim_id,))
            if transaction.se is not None:
                begin(transaction.se.position, (None,))


def as_text(content: bytes | str) -> str:
    """Every byte as one character, so that a byte outside ASCII can be told by its position."""
    return content.decode("latin-1") if isinstance(content, bytes | bytearray) else content


def read(content: bytes | str, left_out: Sequence[LeftOut] = ()) -> X12File:
    """The file, less what is to be left out. Raises NotX12Error when the text has no ISA segment to take the delimiters from."""
    text = as_text(content)
    if not text.startswith("ISA"):
        raise NotX12Error("the file does not begin with ISA")
    if len(text) < ISA_LENGTH:
        raise NotX12Error(f"the ISA segment is cut short: it must be {ISA_LENGTH} characters long")
    element, repetition, component, terminator = text[3], text[82], text[104], text[105]
    if len({element, component, terminator}) < 3 or any(mark.isalnum() or mark == " " for mark in text[3] + text[104:106]):
        raise NotX12Error("the ISA segment does not have its fixed length, so its delimiters cannot be told")

    file = X12File(text, element, component, repetition, terminator)
    stretches, start = [], 0
    file.text = ""
    for gap in (*left_out, LeftOut(len(text), len(text), 0, 0)):
        stretch = text[start : gap.start]
        file.text += stretch
        pieces = stretch.split(terminator)
        file.is_terminated = not pieces.pop().strip("\r\n")
        stretches.append((pieces, gap))
        start = gap.stop
    _build(file, stretches)
    return file


def _build(file: X12File, stretches: list[tuple[list[str], LeftOut]]) -> None:
    interchange: Interchange | None = None
    group: Group | None = None
    transaction: Transaction | None = None
    provider = subscriber = None
    loop: Loop | None = None  # where a segment that begins nothing goes

    first = 1
    for pieces, gap in stretches:
        for position, piece in enumerate(pieces, first):
            segment = Segment(piece.lstrip("\r\n").split(file.element))
            segment.position = position
            file.segments.append(segment)
            name = segment[0]
            if transaction is not None:
                transaction.segment_count += 1
            if name not in _BEGINS:
                if loop is None:
                    file.strays.append(segment)
                else:
                    loop.segments.append(segment)
            elif name == "ISA":
                interchange, group, transaction, loop = Interchange(segment), None, None, None
                file.interchanges.append(interchange)
            elif name == "GS" and interchange is not None:
                group, transaction, loop = Group(segment), None, None
                interchange.groups.append(group)
            elif name == "ST" and group is not None:
                loop = Loop(position)
                transaction = Transaction(segment, loop, segment_count=1)
                provider = subscriber = None
                group.transactions.append(transaction)
            elif name == "SE" and transaction is not None:
                transaction.se = segment
                transaction, loop = None, None
            elif name == "GE" and group is not None:
                group.ge = segment
                group, transaction, loop = None, None, None
            elif name == "IEA" and interchange is not None:
                interchange.iea = segment
                interchange, group, transaction, loop = None, None, None, None
            elif transaction is None:
                file.strays.append(segment)
            elif name == "HL" and segment.at(3) not in (
                "20",
                "22",
            ):  # a patient apart from the subscriber: the scrub refuses it
                transaction.add_level(segment)
                loop = loop or transaction.header
                loop.segments.append(segment)
            elif name == "HL" and segment.at(3) == "20":
                transaction.add_level(segment)
                loop = provider = Loop(position, [segment])
                subscriber = None
                transaction.providers.append(provider)
            else:
                if provider is None:
                    provider = Loop(position)
                    transaction.providers.append(provider)
                if name == "HL":
                    transaction.add_level(segment)
                    loop = subscriber = Loop(position, [segment])
                    provider.children.append(subscriber)
                else:
                    if subscriber is None:
                        subscriber = Loop(position)
                        provider.children.append(subscriber)
                    if name == "CLM":
                        loop = Loop(position, [segment])
                        subscriber.children.append(loop)
                    elif subscriber.children:  # LX
                        loop = Loop(position, [segment])
                        subscriber.children[-1].children.append(loop)
                    else:
                        subscriber.segments.append(segment)
        first += len(pieces) + gap.segments
        if transaction is not None:
            transaction.segment_count += gap.segments
            transaction.left_out += gap.levels


_BEGINS = frozenset({"ISA", "GS", "ST", "SE", "GE", "IEA", "HL", "CLM", "LX"})
