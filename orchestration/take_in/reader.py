"""Reading landed files: one pass over the bytes of each, then records for those files that DuckDB is not asked
to read."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import re
import zlib
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from orchestration import storage
from orchestration.blanks import is_blank
from orchestration.contracts import NOTE, NOTE_STORED, Column, ExtractContract
from orchestration.take_in.landing import LandedTable

LONGEST = 64 * 1024 * 1024  # bytes of one line, characters of one field
_CHUNK = 512 * 1024  # arrays of a chunk stay in memory that was used before: with a megabyte the system gave and took it each time
_LONGEST_PLAIN = 8 * _CHUNK
_LONGEST_HEADER = 8 * _CHUNK  # with the blank lines before it
_LONGEST_USUAL_HEADER = 16 * 1024
_RECORDS_A_BATCH = 20_000
_ROWS_MEASURED = 16
_BYTES_A_BATCH = 32 * 1024 * 1024  # of text, so that rows with long notes come in smaller batches
# Where others break lines and CSV does not; LF, CR LF and CR alone (Excel's "CSV (Macintosh)") end a line, also mixed.
_OTHER_BREAKS = re.compile(r"[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
_SEPARATOR_LINE = re.compile(r"sep=.?", re.IGNORECASE)  # Excel's word to itself, before the header
_VALUE = re.compile(r"[+-]?[0-9][0-9.:TZ+ -]*")  # a date, an instant or a number
_AFTER_QUOTES, _BEFORE_QUOTES = {b"", b"\n", b"\r"}, {b"", b"\n"}

TORN = "cannot be unpacked to its end (truncated or damaged gzip); land the whole file again"
WRONG_COUNT = "wrong number of columns; quote values that hold commas or line breaks, and land the file again"
NOT_UTF8 = "bytes that are not UTF-8; save the file as UTF-8 and land it again"
HAS_NUL = "holds a NUL byte; export the row again"
BAD_HEADER = "the header's quoting is not RFC 4180 (a quote out of place or never closed); correct it and land the file again"
OTHER_BREAK = "is followed in the header by a line break that is no line feed, CR LF or CR; export the file with such line ends and land it again"
NOT_TOLD = "(not told: dates, numbers or words of a row stand among the names in the header)"
BAD_QUOTES = "quoting that is not RFC 4180 (a quote out of place or never closed); correct the row and land the file again"


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
    known only
    of a `plain` file: one whose rows DuckDB and the csv module are sure to see alike. `positions`: column -> place.
    """

    sha256: str | None = None
    fault: str | None = None
    column_fault: tuple[str | None, str] | None = None
    header: tuple[str, ...] = ()
    rows: int = 0
    plain: bool = True
    positions: dict[str, int] = field(default_factory=dict)
    extra_columns: tuple[str, ...] = ()


class _Hashing(io.RawIOBase):
    """Passes a file's bytes on and hashes them: the landed ones, whatever is unpacked from them."""

    def __init__(self, handle: BinaryIO) -> None:
        self.handle = handle
        self.sha256 = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self.handle.read(size)
        self.sha256.update(data)
        return data

    def readable(self) -> bool:
        return True

    def drain(self) -> str:
        while self.read(_CHUNK):
            pass
        return self.sha256.hexdigest()


def digest(landed: LandedTable) -> str | None:
    """SHA-256 of the landed bytes (of several files: one after the other); None where there are none to be had."""
    total = hashlib.sha256()
    try:
        for one in landed.objects:
            for data in storage.chunks(one):
                total.update(data)
        for path in () if landed.objects else landed.files:
            if path.is_symlink() or not path.is_file():
                return None
            with path.open("rb") as handle:
                while data := handle.read(_CHUNK):
                    total.update(data)
    except OSError:
        return None
    except storage.StorageError as error:
        if error.is_general:
            raise
        return None
    return total.hexdigest()


def scan(landed: LandedTable, layout: Layout, path: Path | None = None) -> Scan:
    """One pass over the file in chunks: its hash, its header, and whether it is plain. Raises nothing: faults
    are in the Scan. `path`: a plain CSV file that was made of the landed one and is read in its place."""
    if landed.fault is not None:
        # Of what was not given no hash is taken, though it may be had by now: with one the object would count as known, and never be asked for again.
        return Scan(sha256=None if landed.is_unread else digest(landed), fault=f"{layout.table} {landed.fault}")
    try:
        if landed.format == "parquet":
            return _scan_parquet(landed, layout)
        with (path or landed.files[0]).open("rb") as handle:
            hashing = _Hashing(handle)
            found = Scan()
            try:
                _scan_csv(gzip.GzipFile(fileobj=hashing) if landed.format == "csv.gz" and path is None else hashing, found, layout)
            except Unreadable as fault:
                found.fault = str(fault)
            except (EOFError, gzip.BadGzipFile, zlib.error):
                found.fault = TORN
            found.sha256 = hashing.drain() if path is None else digest(landed)
            return found
    except OSError as error:
        return Scan(
            sha256=digest(landed),
            fault=f"cannot be read ({error.strerror or 'damaged'}); check the file and land it again",
        )
    except Exception as error:  # whatever a damaged file does must not stop the others
        return Scan(sha256=digest(landed), fault=f"cannot be read ({type(error).__name__}); check the file and land it again")


def _scan_csv(stream: Any, found: Scan, layout: Layout) -> None:
    pending, delimiter = b"", layout.delimiter.encode()
    is_begun = inside = False  # inside: within quotes
    breaks = pairs = returns = commas = 0
    ended = b"\n"
    while True:
        data = stream.read(_CHUNK)
        pending += data
        if not is_begun and not pending:
            raise Unreadable("is empty (0 bytes); land the file again")
        if data and (cut := pending.rfind(b"\n") + 1) == 0:
            if len(pending) > LONGEST:
                raise Unreadable(f"has a line of more than {LONGEST} bytes: no extract; land a CSV file")
            continue
        chunk, pending = (pending[:cut], pending[cut:]) if data else (pending, b"")
        if not is_begun:
            begun = _begin(chunk, found, layout, is_all=not data or len(chunk) > _LONGEST_HEADER)
            if begun is None:
                pending = chunk + pending
                continue
            chunk, is_begun = begun, True
        if chunk and found.plain:
            # A line of many chunks is cut into far more pieces than memory likes: it is read record by record.
            found.plain = len(chunk) <= _LONGEST_PLAIN and b"\x00" not in chunk and _is_utf8(chunk)
        if chunk and found.plain:
            stretches, ends_inside = _outside_quotes(chunk, inside)
            # A NUL stands for what is quoted, so that no two line breaks meet which are none of a blank line.
            outside = b"\x00".join(stretches)
            letters = np.frombuffer(outside, np.uint8)
            line_ends = np.flatnonzero(letters == ord("\n"))
            breaks += len(line_ends)
            commas += int(np.count_nonzero(letters == ord(delimiter)))
            is_start = ended == b"\n" and not inside
            found.plain = (
                not np.any(np.diff(line_ends) == 1)
                and not (is_start and outside[:1] in (b"\n", b"\r"))
                and _fills_fields(stretches, inside, ends_inside, delimiter)
            )
            if b"\r" in outside:
                returns += outside.count(b"\r")
                pairs += outside.count(b"\r\n")
                found.plain = found.plain and b"\n\r\n" not in outside
            inside = ends_inside
            ended = chunk[-1:]
        if not data:
            break
    records = breaks + (ended != b"\n")
    if inside or returns != pairs or (returns and pairs != breaks):
        found.plain = False
    # DuckDB overlooks one comma too many at a row's end, not one too few. Of one column a line of blanks would be a row.
    if commas != records * (len(found.header) - 1) or len(found.header) == 1:
        found.plain = False
    found.rows = records - 1


def _begin(chunk: bytes, found: Scan, layout: Layout, is_all: bool) -> bytes | None:
    """Reads the header off the beginning; gives it without its byte order mark, or None where the header does not end in it
    and more is to come."""
    if chunk[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\x00" in chunk[:2]:
        raise Unreadable("is UTF-16; save the file as UTF-8 and land it again")
    if chunk.startswith(b"\xef\xbb\xbf"):
        chunk = chunk[3:]
    if not chunk and is_all:
        raise Unreadable("holds nothing but a byte order mark; land the file again")
    # Most headers end in the first lines, and what is read of a chunk is copied several times.
    if (cut := chunk.rfind(b"\n", 0, _LONGEST_USUAL_HEADER) + 1) and cut < len(chunk):
        begun = _begin_within(chunk[:cut], chunk, found, layout, is_all=False)
        if begun is not None:
            return begun
    return _begin_within(chunk, chunk, found, layout, is_all=is_all)


def _begin_within(head: bytes, chunk: bytes, found: Scan, layout: Layout, is_all: bool) -> bytes | None:
    """The same of a chunk without its byte order mark, of which no more than `head` is looked at."""
    text = head.decode("utf-8", "surrogateescape")
    csv.field_size_limit(LONGEST)
    try:
        records = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=layout.delimiter)
        header = next((record for record in records if not _is_blank(record)), None)
    except csv.Error as error:
        if not is_all and str(error) == "unexpected end of data":
            return None
        found.plain, found.column_fault = False, (None, BAD_HEADER)
        return chunk
    if header is None and not is_all:
        return None
    if header is None:
        raise Unreadable("has no header row; land the file again")
    if _SEPARATOR_LINE.fullmatch(said := layout.delimiter.join(header).strip(" \t")):
        raise Unreadable(
            f"begins with a line `{_printable(said)}`, by which Excel is told the separator, and the header stands behind it; "
            "remove that line and land the file again"
        )
    if not text.partition("\n")[0].strip(" \t\r"):
        found.plain = False  # a blank line before the header shifts every line number
    _judge_header([_bare(name) for name in header], found, layout)
    return chunk


def _bare(name: str) -> str:
    """A blank before or behind a column's name is no part of it, in whatever format."""
    return name.strip(" \t")


def _judge_header(names: list[str], found: Scan, layout: Layout) -> None:
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
    found.extra_columns = (NOT_TOLD,) if is_of_a_row else tuple(_printable(name) for name in extra)


def _printable(name: str) -> str:
    """A name out of a file as it may be shown: nothing in it that moves a terminal's cursor or is no text."""
    return "".join(letter if letter.isprintable() else "?" for letter in name)


def _is_blank(record: Sequence[str]) -> bool:
    """A line of nothing, or of nothing but blanks."""
    return not record or (len(record) == 1 and record[0] != "" and not record[0].strip(" \t"))


def _is_utf8(chunk: bytes) -> bool:
    if chunk.isascii():
        return True
    try:
        chunk.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _outside_quotes(chunk: bytes, inside: bool) -> tuple[list[bytes], bool]:
    """The stretches of the chunk that stand outside quotes, and whether it ends within quotes.

    An escaped quote closes and opens again: an empty stretch. The chunk ends at a line break or at the end of the file.
    """
    pieces = chunk.split(b'"')
    ends_inside = inside ^ (len(pieces) % 2 == 0)
    return pieces[1::2] if inside else pieces[::2], ends_inside


def _fills_fields(outside: list[bytes], starts_inside: bool, ends_inside: bool, delimiter: bytes) -> bool:
    """Whether every quoted stretch fills its field, from delimiter or line break to delimiter or line break."""
    behind = outside if starts_inside else outside[1:]
    before = outside if ends_inside else outside[:-1]
    return {piece[:1] for piece in behind} <= {*_AFTER_QUOTES, delimiter} and {piece[-1:] for piece in before} <= {
        *_BEFORE_QUOTES,
        delimiter,
    }


# --- records, for files that are not plain --------------------------------------------------------------------------

LINES = pa.schema([pa.field("line_number", pa.int64())])


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
            if _is_blank(record):
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
        if len(rows) == _RECORDS_A_BATCH or held > _BYTES_A_BATCH:
            yield _batch(rows, schema)
            rows, held = [], 0
    if rows:
        yield _batch(rows, schema)


def line_batches(landed: LandedTable, layout: Layout, path: Path | None = None) -> Iterator[pa.RecordBatch]:
    """The line numbers of a CSV file's rows, as batches of LINES. Raises as `csv_records`."""
    records = csv_records(landed, layout, path)
    while lines := [line for line, _, _ in islice(records, _RECORDS_A_BATCH)]:
        yield pa.RecordBatch.from_arrays([pa.array(lines, pa.int64())], schema=LINES)


def _batch(rows: list[list[Any]], schema: pa.Schema) -> pa.RecordBatch:
    columns = [pa.array(values, kind.type) for values, kind in zip(zip(*rows, strict=True), schema, strict=True)]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


# --- Parquet ---------------------------------------------------------------------------------------------------------


def _scan_parquet(landed: LandedTable, layout: Layout) -> Scan:
    found = Scan(sha256=digest(landed))
    if landed.size_bytes == 0:
        found.fault = "is empty (0 bytes); land the file again"
        return found
    try:
        with pq.ParquetFile(landed.files[0]) as file:
            schema, found.rows = file.schema_arrow, file.metadata.num_rows
            in_groups = sum(file.metadata.row_group(group).num_rows for group in range(file.num_row_groups))
            names = [_printable(_bare(name)) for name in schema.names]
    except (pa.ArrowException, OSError, ValueError):
        found.fault = "is no readable Parquet file (damaged, encrypted or cut short); land the whole file again"
        return found
    if in_groups != found.rows:
        found.fault = (
            f"is damaged (its footer says {found.rows:,} rows, and {in_groups:,} of their groups); land the whole file again"
        )
        return found
    _judge_header(names, found, layout)
    if found.column_fault is None:
        for name, place in found.positions.items():
            if pa.types.is_nested(schema.field(place).type):
                found.column_fault = (
                    name,
                    f"column {name} holds nested values; write plain ones and land the file again",
                )
                break
    return found


def parquet_batches(path: Path, found: Scan, layout: Layout) -> Iterator[pa.RecordBatch]:
    """The rows of a Parquet file as batches of `scratch_schema`; its first row has line number 2. Raises
    pa.ArrowException, OSError."""
    schema = scratch_schema(layout)
    names = [name for name in layout.names if name in found.positions]
    dates = layout.dates
    line = 2
    with pq.ParquetFile(path) as file:
        # The file's own names: there may be blanks around them.
        own = {name: file.schema_arrow.names[found.positions[name]] for name in names}
        for batch in _parquet_parts(file, list(own.values())):
            size = batch.num_rows
            bad = pa.repeat(pa.scalar(None, pa.string()), size)
            texts: dict[str, pa.Array] = {}
            not_utf8 = pa.repeat(False, size)
            for name in names:
                texts[name], wrong = _as_text(batch.column(own[name]), name in dates)
                if wrong is not None:
                    not_utf8 = pc.or_(not_utf8, wrong)
            nul = pa.repeat(False, size)
            for name in names:
                has_nul = pc.fill_null(pc.match_substring(texts[name], "\x00"), False)
                if pc.any(has_nul).as_py():
                    nul = pc.or_(nul, has_nul)
                    texts[name] = pc.if_else(has_nul, None, texts[name])
            bad = pc.if_else(not_utf8, NOT_UTF8, pc.if_else(nul, HAS_NUL, bad))
            columns: list[pa.Array] = [pa.array(range(line, line + size), pa.int64()), bad.cast(pa.string())]
            for name in layout.names:
                text = texts.get(name, pa.nulls(size, pa.string()))
                if name == "patient_id":
                    text = pc.if_else(not_utf8, None, text)  # not readable there
                if name == layout.note:
                    measured = [measure_note(value) for value in text.to_pylist()]
                    columns.append(pa.array([length for length, _ in measured], pa.int64()))
                    columns.append(pa.array([sha for _, sha in measured], pa.string()))
                else:
                    columns.append(text.cast(pa.string()))
            line += size
            yield pa.RecordBatch.from_arrays(columns, schema=schema)


def _parquet_parts(file: pq.ParquetFile, names: list[str]) -> Iterator[pa.RecordBatch]:
    """The rows, in batches that hold about _BYTES_A_BATCH: a row group's size on disk says too little where a long value repeats, so that
    its first rows are measured."""
    for group in range(file.num_row_groups):
        told = file.metadata.row_group(group)
        if not told.num_rows:
            continue
        first = next(file.iter_batches(batch_size=_ROWS_MEASURED, columns=names, row_groups=[group]))
        bytes_a_row = max(told.total_byte_size / told.num_rows, first.nbytes / max(first.num_rows, 1), 1)
        batch_size = int(min(_RECORDS_A_BATCH, max(1, _BYTES_A_BATCH / bytes_a_row)))
        yield from file.iter_batches(batch_size=batch_size, columns=names, row_groups=[group])


def _as_text(values: pa.Array, is_date: bool) -> tuple[pa.Array, pa.Array | None]:
    """Plain values in the text form that a CSV file would have; and which of them are not UTF-8 (null then),
    if any is not."""
    kind = values.type
    if pa.types.is_dictionary(kind):
        return _as_text(values.dictionary_decode(), is_date)
    if _is_string(kind) or _is_binary(kind):
        return _utf8(values)
    if pa.types.is_floating(kind):
        values = values.cast(pa.float64())
        values = pc.if_else(pc.is_nan(values), None, values)
        whole = pc.and_(pc.equal(values, pc.floor(values)), pc.less(pc.abs(values), 2.0**63))
        digits = pc.if_else(whole, values, None).cast(pa.int64(), safe=False).cast(pa.string())
        return pc.if_else(whole, digits, values.cast(pa.string())), None
    if pa.types.is_decimal(kind):
        return pc.replace_substring_regex(values.cast(pa.string()), r"\.0+$", ""), None
    if pa.types.is_timestamp(kind):
        # The numbers are UTC where there is a zone, and the wall clock where there is none.
        wall = pc.floor_temporal(values.cast(pa.int64()).cast(pa.timestamp(kind.unit)), unit="second")
        text = wall.cast(pa.timestamp("s"), safe=False).cast(pa.string())
        if kind.tz is not None:
            return pc.binary_join_element_wise(text, "Z", ""), None
        # pandas has no plain date: midnight is how it writes one
        return (pc.replace_substring_regex(text, r" 00:00:00$", "") if is_date else text), None
    if pa.types.is_date64(kind):
        values = values.cast(pa.date32())
    return values.cast(pa.string()), None


def _is_string(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)


def _is_binary(kind: pa.DataType) -> bool:
    return any(
        check(kind)
        for check in (
            pa.types.is_binary,
            pa.types.is_large_binary,
            pa.types.is_fixed_size_binary,
            pa.types.is_binary_view,
        )
    )


def _utf8(values: pa.Array) -> tuple[pa.Array, pa.Array | None]:
    try:
        if _is_string(values.type):
            values.validate(full=True)
        text = values.cast(pa.string())
        text.validate(full=True)
        return text, None
    except pa.ArrowInvalid:
        pass
    texts: list[str | None] = []
    wrong: list[bool] = []
    for value in values.cast(pa.large_binary()).to_pylist():
        try:
            texts.append(None if value is None else value.decode("utf-8"))
            wrong.append(False)
        except UnicodeDecodeError:
            texts.append(None)
            wrong.append(True)
    return pa.array(texts, pa.string()), pa.array(wrong)
