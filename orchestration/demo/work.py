"""Care, entries, calls and diaries: the words in which a month of work is told."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime

from orchestration.demo.tables import Row

PRACTITIONERS = frozenset({"MD", "DO", "NP", "PA", "CNS", "CNM"})
NURSES = frozenset({"RN", "LPN", "MA"})
CLINICAL = NURSES | {"PHARMD", "LCSW", "RD", "CNA"}
OFFICE = frozenset({"ADMIN", "CHW"})


@dataclass(frozen=True)
class Care:
    """One patient in care management: since when, how, and by whom."""

    patient_id: str
    practitioner: str
    nurse: str
    program: str = "ccm"  # ccm, pcm, apcm
    style: str = "staff"  # staff, practitioner, complex: who spends the time, and how much
    since: date = date.min
    until: date = date.max
    stays: tuple[tuple[date, date], ...] = ()
    is_careless: bool = False  # staff log time during stays, too
    vain_days: tuple[tuple[date, str], ...] = ()  # days with an entry that cannot count, and why

    @property
    def entry_program(self) -> str:
        """The program that staff choose in the tracker, which knows no APCM."""
        return "other" if self.program == "apcm" else self.program


@dataclass
class Entry:
    """One entry of the log. Instants are in UTC; `changes` are later edits: when, and which columns."""

    patient_id: str
    member_id: str
    program: str
    activity: str
    started: datetime | None
    ended: datetime | None
    recorded: datetime
    seconds: int | None = None
    method: str = "timer"
    face_to_face: bool = False
    text: str | None = None
    has_note_id: bool = False
    fault: str | None = None
    month: date = date.min
    changes: list[tuple[datetime, Row]] = field(default_factory=list)

    @property
    def times(self) -> tuple[datetime, datetime]:
        """Start and end of an entry that has both."""
        assert self.started and self.ended
        return self.started, self.ended

    @property
    def length(self) -> float:
        """Elapsed seconds."""
        if self.started and self.ended:
            return (self.ended - self.started).total_seconds()
        return float(self.seconds or 0)


@dataclass
class Call:
    """One planned contact; `settled` is when its status became what it is."""

    patient_id: str
    member_id: str
    start: datetime
    end: datetime
    status: str
    planned: datetime
    settled: datetime
    fault: str | None = None


class Diary:
    """Who is busy when, so that nobody is at two places unless that is planted."""

    def __init__(self) -> None:
        self._busy: dict[tuple[str, date], list[tuple[datetime, datetime]]] = defaultdict(list)

    def book(self, day: date, start: datetime, end: datetime, *who: str) -> bool:
        """Notes the time for all of these, if all of them are free then; says whether it did."""
        if any(start < b and a < end for name in who for a, b in self._busy[name, day]):
            return False
        for name in who:
            self._busy[name, day].append((start, end))
        return True
