"""What a reader looks for in a landed file, what one pass over it found out, how its header is judged, and the form of the rows it gives."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field

import pyarrow as pa

from orchestration.blanks import is_blank
from orchestration.contracts import NOTE, NOTE_STORED, Column, ExtractContract

LONGEST = 64 * 1024 * 1024  # bytes of one line, characters of one field
RECORDS_A_BATCH = 20_000
BYTES_A_BATCH = 32 * 1024 * 1024  # of text, so that rows with long notes come in smaller batches
# Where others break lines and CSV does not; LF, CR LF and CR alone (Excel's "CSV (Macintosh)") end a line, also mixed.
_OTHER_BREAKS = re.compile(r"[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_VALUE = re.compile(r"[+-]?[0-9][0-9.:TZ+ -]*")  # a date, an instant or a number
NOT_UTF8 = "bytes that are not UTF-8; save the file as UTF-8 and land it again"
HAS_NUL = "holds a NUL byte; export the row again"
OTHER_BREAK = "is followed in the header by a line break that is no line feed, CR LF or CR; export the file with such line ends and land it again"
NOT_TOLD = "(not told: dates, numbers or words of a row stand among the names in the header)"


@dataclass(frozen=True)
class Layout:
    """What a reader looks for in a file. `note`: the one column that is measured instead of kept; `dates`: those in which Parquet's midnights are days.

    `delimiter`, and `first_line`: the line of the landed file that the first line to be read was (0: it was added).
    """

    table: str
    columns: tuple[Column, ...]
    note: str | None = NOTE
    known: frozenset[str] | None = None  # names that are not told as extra columns; None: those of `columns`
    delimiter: str = ","
    first_line: int = 1
    prefix: str = ""  # of the columns' names in what is read

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @property
    def dates(self) -> frozenset[str]:
        return frozenset(column.name for column in self.columns if column.kind == "date")

    @classmethod
    def of(cls, contract: ExtractContract) -> Layout:
        return cls(contract.table, contract.columns)


OF_EXPORT = "export: "  # the prefix of another system's columns, which may be called as ours are


class Unreadable(Exception):
    """The file gives no rows at all: line 0. The text says why and what to do, and holds no data."""


@dataclass
class Scan:
    """What one pass over a file's bytes found out. `fault`: no row can be read (line 0).

    `column_fault`: (column or None, reason) when the header rejects the file. `rows` counts records behind the header,
    known only of a `plain` file: one whose rows DuckDB and the csv module are sure to see alike. `positions`: column -> place.
    """

    sha256: str | None = None
    fault: str | None = None
    column_fault: tuple[str | None, str] | None = None
    header: tuple[str, ...] = ()
    rows: int = 0
    plain: bool = True
    positions: dict[str, int] = field(default_factory=dict)
    extra_columns: tuple[str, ...] = ()


def bare(name: str) -> str:
    """A blank before or behind a column's name is no part of it, in whatever format."""
    return name.strip(" \t")


def judge_header(names: list[str], found: Scan, layout: Layout) -> None:
    """Where each column stands, or the first fault that rejects the file for its header."""
    found.header = tuple(names)
    found.positions = {}
    for place, name in enumerate(names):
        if name in layout.names:
            if name in found.positions:
                found.column_fault = (
                    name,
                    f"column {name} stands twice in the header; keep one and land the file again",
                )
                return
            found.positions[name] = place
    # Before what is missing: the column that is followed by such a break is, and that it is missing would mend nothing.
    for name in names:
        parts = _OTHER_BREAKS.split(name)
        if len(parts) > 1 and (column_named := next((part for part in parts if part in layout.names), None)):
            found.column_fault = (column_named, f"column {column_named} {OTHER_BREAK}")
            return
    for column in layout.columns:
        if column.required and column.name not in found.positions:
            hint = next((f" (it has {name!r}: names are exact)" for name in names if name.casefold() == column.name), "")
            if (
                len(names) == 1
                and any(mark in names[0] for mark in ",;\t|" if mark != layout.delimiter)
                and column.name in names[0]
            ):
                wanted = "commas" if layout.delimiter == "," else "the mapping's delimiter"
                hint = f" (columns seem to be separated by something else than {wanted})"
            # The header's own words stay out: without a header row they are a patient's.
            found.column_fault = (column.name, f"required column {column.name} is missing{hint}; land the file with it")
            return
    known = layout.known or layout.names
    extra = [name for name in names if name not in known]
    # Where the header's line end is lost, a patient's row stands in it.
    words = {word for column in layout.columns for word in column.vocabulary or ()}
    is_of_a_row = any(_VALUE.fullmatch(name) or name in words for name in extra)
    found.extra_columns = (NOT_TOLD,) if is_of_a_row else tuple(printable(name) for name in extra)


def printable(name: str) -> str:
    """A name out of a file as it may be shown: nothing in it that moves a terminal's cursor or is no text."""
    return "".join(letter if letter.isprintable() else "?" for letter in name)


def scratch_schema(layout: Layout) -> pa.Schema:
    """line_number, fault, then the columns as text; the note is measured before it goes anywhere."""
    fields = [pa.field("line_number", pa.int64()), pa.field("fault", pa.string())]
    for name in layout.names:
        if name == layout.note:
            fields += [pa.field(stored, pa.int64() if kind == "BIGINT" else pa.string()) for stored, kind in NOTE_STORED]
        else:
            fields.append(pa.field(f"{layout.prefix}{name}", pa.string()))
    return pa.schema(fields)


def measure_note(text: str | None) -> tuple[int | None, str | None]:
    """(characters, SHA-256 of the UTF-8 bytes) of a note; both None when it is null or nothing but blanks."""
    if text is None or is_blank(text):
        return None, None
    return len(text), hashlib.sha256(text.encode()).hexdigest()
