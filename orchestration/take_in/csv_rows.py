"""The rows of CSV files that are not plain: record by record, each with its line number and its fault."""

from __future__ import annotations

import csv
import gzip
import io
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from orchestration.take_in.landing import LandedTable
from orchestration.take_in.layout import (
    BYTES_A_BATCH,
    HAS_NUL,
    LONGEST,
    NOT_UTF8,
    RECORDS_A_BATCH,
    Layout,
    Scan,
    measure_note,
    scratch_schema,
)

WRONG_COUNT = "wrong number of columns; quote values that hold commas or line breaks, and land the file again"
BAD_QUOTES = "quoting that is not RFC 4180 (a quote out of place or never closed); correct the row and land the file again"


def is_blank_line(record: Sequence[str]) -> bool:
    """A line of nothing, or of nothing but blanks."""
    return not record or (len(record) == 1 and record[0] != "" and not record[0].strip(" \t"))


LINES = pa.schema([pa.field("line_number", pa.int64())])


class _Lines:
    """Lines of a text, some of which may be given back to be read again."""

    def __init__(self, text: Iterator[str]) -> None:
        self.text = text
        self.waiting: deque[str] = deque()
        self.taken: list[str] = []  # since the record began

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self.waiting.popleft() if self.waiting else next(self.text)
        self.taken.append(line)
        return line

    def give_back_all_but_the_first(self) -> None:
        self.waiting.extendleft(reversed(self.taken[1:]))


def csv_records(
    landed: LandedTable, layout: Layout, path: Path | None = None
) -> Iterator[tuple[int, list[str] | None, str | None]]:
    """(line number, fields, fault) of each row behind the header, as a spreadsheet counts lines.

    Fields are None where a record cannot be cut into fields: then its first line alone is the row at fault, and what a quote that
    was never closed would have swallowed is read from the next line on. Blank lines count and are no rows. Raises OSError,
    EOFError, zlib.error.
    """
    csv.field_size_limit(LONGEST)
    with (path or landed.files[0]).open("rb") as handle:
        raw: Any = gzip.GzipFile(fileobj=handle) if landed.format == "csv.gz" and path is None else handle
        lines = _Lines(io.TextIOWrapper(raw, encoding="utf-8-sig", errors="surrogateescape", newline=""))
        reader = csv.reader(lines, strict=True, delimiter=layout.delimiter)
        line, width = layout.first_line - 1, 0
        while True:
            line += 1
            lines.taken.clear()
            try:
                record = next(reader)
            except StopIteration:
                return
            except csv.Error:
                lines.give_back_all_but_the_first()
                if width:
                    yield line, None, BAD_QUOTES
                width = width or -1  # a header at fault rejects the file whatever its rows are
                continue
            if is_blank_line(record):
                continue
            if not width:
                width = len(record)
                continue
            fault = None
            if len(record) != width:
                fault = WRONG_COUNT
            else:
                joined = "".join(record)
                if not joined.isascii() and not _is_encodable(joined):
                    fault = NOT_UTF8
                elif "\x00" in joined:
                    fault = HAS_NUL
            yield line, record, fault


def _is_encodable(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def csv_batches(landed: LandedTable, found: Scan, layout: Layout, path: Path | None = None) -> Iterator[pa.RecordBatch]:
    """The rows of a CSV file, one after the other, as batches of `scratch_schema`. Raises as `csv_records`."""
    schema = scratch_schema(layout)
    places = [(name, found.positions.get(name)) for name in layout.names]
    patient = found.positions.get("patient_id")
    rows: list[list[Any]] = []
    held = 0
    for line, record, fault in csv_records(landed, layout, path):
        held += sum(map(len, record or ()))
        row: list[Any] = [line, fault]
        for name, place in places:
            value = None if record is None or place is None else (record[place : place + 1] or [""])[0] or None
            is_readable = fault is None or (fault == HAS_NUL and place == patient and "\x00" not in (value or ""))
            value = value if is_readable else None
            row.extend(measure_note(value) if name == layout.note else (value,))
        rows.append(row)
        if len(rows) == RECORDS_A_BATCH or held > BYTES_A_BATCH:
            yield _batch(rows, schema)
            rows, held = [], 0
    if rows:
        yield _batch(rows, schema)


def line_batches(landed: LandedTable, layout: Layout, path: Path | None = None) -> Iterator[pa.RecordBatch]:
    """The line numbers of a CSV file's rows, as batches of LINES. Raises as `csv_records`."""
    records = csv_records(landed, layout, path)
    while lines := [line for line, _, _ in islice(records, RECORDS_A_BATCH)]:
        yield pa.RecordBatch.from_arrays([pa.array(lines, pa.int64())], schema=LINES)


def _batch(rows: list[list[Any]], schema: pa.Schema) -> pa.RecordBatch:
    columns = [pa.array(values, kind.type) for values, kind in zip(zip(*rows, strict=True), schema, strict=True)]
    return pa.RecordBatch.from_arrays(columns, schema=schema)
