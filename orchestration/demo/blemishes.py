"""What lands damaged: bad rows for the quarantine, a file without a column, nights without a file."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

from orchestration.demo.overlay import Case
from orchestration.demo.tables import COLUMNS, UPSERTED


@dataclass(frozen=True)
class Blemish:
    """One damage, in the first file of the table on or after the night that has rows enough."""

    practice_id: str
    table: str
    night: date
    kind: str  # value, short_row, long_row, not_utf8, repeated_row, missing_column
    column: str = ""
    value: str = ""
    is_lost: bool = False  # otherwise a damaged scheduling or time-log row is sent again the next night


BLEMISHES = (
    Blemish("hudson", "patients", date(2026, 7, 20), "value", "birth_date", "02/30/1948"),
    Blemish("hudson", "time_entries", date(2026, 7, 22), "value", "program", "chronic care"),
    Blemish("hudson", "time_entries", date(2026, 8, 12), "short_row"),
    Blemish("prairie", "conditions", date(2026, 8, 6), "value", "clinical_status", "Active?"),
    Blemish("prairie", "services", date(2026, 8, 11), "value", "service_date", "2026-13-02"),
    Blemish("prairie", "time_entries", date(2026, 8, 14), "value", "started_at", "2026-08-14 25:10"),
    Blemish("prairie", "consents", date(2026, 9, 9), "value", "documented", "Y"),
    Blemish("prairie", "patients", date(2026, 9, 17), "repeated_row"),
    Blemish("highpines", "appointments", date(2026, 7, 29), "value", "status", "arrived"),
    Blemish("highpines", "time_entries", date(2026, 9, 16), "value", "member_id", "", is_lost=True),
    Blemish("bayview", "outreach", date(2026, 7, 28), "value", "channel", "fax"),
    Blemish("bayview", "conditions", date(2026, 8, 19), "missing_column", "clinical_status"),
    Blemish("bayview", "time_entries", date(2026, 9, 22), "not_utf8"),
    Blemish("bayview", "appointments", date(2026, 10, 14), "long_row"),
    Blemish("bayview", "time_entries", date(2026, 10, 21), "value", "duration_seconds", "twelve", is_lost=True),
)

# The tracker of this practice is down over the turn of the month: October cannot close before the file of 4 November.
OUTAGE_PRACTICE = "highpines"
OUTAGE_MONTH = date(2026, 10, 1)
OUTAGE = tuple(("time_entries", date(2026, 11, day)) for day in (1, 2, 3))


@dataclass
class Spoiler:
    """Spoils the files of one practice, as `write_landing` asks for them, and keeps what it did in `cases`."""

    practice_id: str
    cases: list[Case] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._waiting = [blemish for blemish in BLEMISHES if blemish.practice_id == self.practice_id]
        self._again: dict[str, str] = {}

    def __call__(self, table: str, night: date, lines: list[str]) -> bytes | None:
        header, *rows = lines
        again = self._again.pop(table, None)
        if again is not None and any(row.split(",")[0] == again.split(",")[0] for row in rows):
            again = None  # it has changed meanwhile and stands there anyway
        if again is not None:
            rows = [again, *rows]
        blemish = next((b for b in self._waiting if b.table == table and b.night <= night), None)
        content = None
        if blemish and rows:
            self._waiting.remove(blemish)
            content = self._spoil(blemish, night, header, rows)
        elif again is not None:
            content = _file([header, *rows])
        return content

    def _spoil(self, blemish: Blemish, night: date, header: str, rows: list[str]) -> bytes:
        place = min(5, len(rows) - 1)
        good = rows[place]
        cells = next(csv.reader([good]))
        columns = COLUMNS[blemish.table]
        kind = f"bad_row_{blemish.kind}"
        if blemish.kind == "missing_column":
            gone = columns.index(blemish.column)
            table = [[cell for at, cell in enumerate(row) if at != gone] for row in csv.reader([header, *rows])]
            self._plant("rejected_file", "", f"{blemish.table} {night}")
            return _file([_text(row) for row in table])
        if blemish.kind == "repeated_row":
            self._plant("repeated_row", cells[columns.index("patient_id")], f"{blemish.table} {night}")
            return _file([header, *rows, good])
        bad = _damaged(blemish, cells, columns)
        if blemish.table in UPSERTED and not blemish.is_lost:
            self._again[blemish.table] = good
        item = f"{blemish.table} {night} line {place + 2} {cells[0]}"
        self._plant(kind, cells[columns.index("patient_id")], item)
        return _file([header, *rows[:place]]) + bad + b"\n" + _file(rows[place + 1 :])

    def _plant(self, kind: str, patient_id: str, item: str) -> None:
        self.cases.append(Case(self.practice_id, kind, patient_id, item))


def _damaged(blemish: Blemish, cells: list[str], columns: Sequence[str]) -> bytes:
    if blemish.kind == "short_row":
        return _text(cells[:-1]).encode()
    if blemish.kind == "long_row":  # a comma that nobody quoted
        return _text(cells).encode() + b",late"
    if blemish.kind == "not_utf8":  # an old tracker writes Latin-1
        at = columns.index("note_text")
        text = "Fianc\N{LATIN SMALL LETTER E WITH ACUTE} called back."
        return _text([*cells[:at], text, *cells[at + 1 :]]).encode("latin-1")
    at = columns.index(blemish.column)
    return _text([*cells[:at], blemish.value, *cells[at + 1 :]]).encode()


def _text(cells: Sequence[str]) -> str:
    quoted = ('"' + cell.replace('"', '""') + '"' if any(c in cell for c in ',"\r\n') else cell for cell in cells)
    return ",".join(quoted)


def _file(lines: Sequence[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()
