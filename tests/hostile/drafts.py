"""Good files of good nights, as drafts that mutations spoil: rows and header first, then text, bytes, and what lies on the disk."""

from __future__ import annotations

import gzip
import io
from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq

from tests.second_opinion.landing import COLUMNS, KEY

# A name that must show up in no reason, no header report, nowhere in the ledger.
MARKER = "Zanzibar"
TABLES = tuple(COLUMNS)


@dataclass
class Draft:
    """One file of a night. `form` is the landed ending; the rest says how the rows become bytes."""

    table: str
    header: list[str]
    rows: list[list[str]]
    form: str = "csv"
    line_end: str = "\n"
    delimiter: str = ","
    quote_all: bool = False
    ends_with_break: bool = True
    encoding: str = "utf-8"
    mutations: list[str] = field(default_factory=list)
    # steps that come later: on the text, on the bytes (before gzip), on the landed bytes, on the Parquet table, on the disk
    text_steps: list = field(default_factory=list)
    byte_steps: list = field(default_factory=list)
    landed_steps: list = field(default_factory=list)
    arrow_steps: list = field(default_factory=list)
    disk_steps: list = field(default_factory=list)

    def place(self, name: str) -> int | None:
        """Where a column stands, if it still does."""
        return self.header.index(name) if name in self.header else None

    def column(self, rng: Random, kind: str = "", required: bool | None = None) -> str | None:
        """A column of the contract that the file has; `kind` as in the second opinion's contracts, '|' for a vocabulary."""
        found = [
            name
            for name, told in COLUMNS[self.table].items()
            if name in self.header
            and (not kind or (told.removeprefix("*") == kind or (kind == "|" and "|" in told)))
            and (required is None or told.startswith("*") == required)
        ]
        return rng.choice(found) if found else None

    def put(self, rng: Random, name: str | None, value: str) -> None:
        """Writes a value into some rows of a column; nothing where there is none."""
        if name is None or name not in self.header or not self.rows:
            return
        place = self.header.index(name)
        for row in rng.sample(self.rows, rng.randint(1, min(3, len(self.rows)))):
            if place < len(row):
                row[place] = value

    def landed(self) -> bytes:
        """The bytes that lie in landing/."""
        if self.form == "parquet":
            data = self._parquet()
        else:
            lines = [self.delimiter.join(self._cell(value) for value in line) for line in (self.header, *self.rows)]
            written = self.line_end.join(lines) + (self.line_end if self.ends_with_break else "")
            for step in self.text_steps:
                written = step(written)
            data = written.encode(self.encoding, "surrogateescape" if self.encoding == "utf-8" else "replace")
            for step in self.byte_steps:
                data = step(data)
            if self.form == "csv.gz":
                data = gzip.compress(data, compresslevel=1, mtime=0)
        for step in self.landed_steps:
            data = step(data)
        return data

    def _cell(self, value: str) -> str:
        is_quoted = self.quote_all or any(mark in value for mark in (self.delimiter, '"', "\n", "\r"))
        return '"' + value.replace('"', '""') + '"' if is_quoted else value

    def _parquet(self) -> bytes:
        names = self.header
        width = len(names)
        columns = [
            pa.array([(row[place] if place < len(row) else "") or None for row in self.rows], pa.string()) for place in range(width)
        ]
        table = pa.Table.from_arrays(columns, names=names)
        for step in self.arrow_steps:
            table = step(table)
        sink = io.BytesIO()
        pq.write_table(table, sink)
        return sink.getvalue()


def good_draft(table: str, night: date, rng: Random) -> Draft:
    """A small good file, as a night brings it: CSV mostly, now and then gzip or Parquet."""
    columns = COLUMNS[table]
    number = rng.choice([0, 1, 2, 3, 5, 8, 13])
    rows = [[_good(name, kind, table, line, night, rng) for name, kind in columns.items()] for line in range(number)]
    form = rng.choices(["csv", "csv.gz", "parquet"], [6, 3, 3])[0]
    return Draft(table, list(columns), rows, form)


def _good(name: str, kind: str, table: str, line: int, night: date, rng: Random) -> str:
    is_required, kind = kind.startswith("*"), kind.removeprefix("*")
    if not is_required and rng.random() < 0.3:
        return ""
    if name == KEY[table]:
        return f"{table[:2]}{line}"
    if kind == "text":
        return rng.choice([f"{name[:2]}{rng.randrange(50)}", MARKER, f"{MARKER} O'Neil", "12 Main St", "n/a", "José"])
    if kind == "date":
        return (night - timedelta(days=rng.randrange(400))).isoformat()
    if kind == "time":
        day = night - timedelta(days=rng.randrange(60))
        zone = rng.choice(["", "Z", "-06:00", "+05:30"])
        return f"{day}T{rng.randrange(24):02}:{rng.randrange(60):02}:{rng.randrange(60):02}{zone}"
    if kind == "number":
        return str(rng.randrange(5000))
    return rng.choice(["true", "false"] if kind == "flag" else kind.split("|"))
