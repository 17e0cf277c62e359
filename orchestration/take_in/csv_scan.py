"""One pass over the bytes of a CSV file: its header, and whether it is plain, that is one whose rows DuckDB and the csv module are sure to see alike."""

from __future__ import annotations

import csv
import io
import re
from typing import Any

import numpy as np

from orchestration.take_in.csv_rows import is_blank_line
from orchestration.take_in.layout import LONGEST, Layout, Scan, Unreadable, bare, judge_header, printable

CHUNK = 512 * 1024  # arrays of a chunk stay in memory that was used before: with a megabyte the system gave and took it each time
_LONGEST_PLAIN = 8 * CHUNK
_LONGEST_HEADER = 8 * CHUNK  # with the blank lines before it
_LONGEST_USUAL_HEADER = 16 * 1024
_SEPARATOR_LINE = re.compile(r"sep=.?", re.IGNORECASE)  # Excel's word to itself, before the header
_AFTER_QUOTES, _BEFORE_QUOTES = {b"", b"\n", b"\r"}, {b"", b"\n"}
BAD_HEADER = "the header's quoting is not RFC 4180 (a quote out of place or never closed); correct it and land the file again"


def scan_csv(stream: Any, found: Scan, layout: Layout) -> None:
    """Goes through an unpacked file's bytes to their end and writes down what it finds. Raises Unreadable, and what unpacking raises."""
    pending, delimiter = b"", layout.delimiter.encode()
    is_begun = inside = False  # inside: within quotes
    breaks = pairs = returns = commas = 0
    ended = b"\n"
    while True:
        data = stream.read(CHUNK)
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
        header = next((record for record in records if not is_blank_line(record)), None)
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
            f"begins with a line `{printable(said)}`, by which Excel is told the separator, and the header stands behind it; "
            "remove that line and land the file again"
        )
    if not text.partition("\n")[0].strip(" \t\r"):
        found.plain = False  # a blank line before the header shifts every line number
    judge_header([bare(name) for name in header], found, layout)
    return chunk


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
