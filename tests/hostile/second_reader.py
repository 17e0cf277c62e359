"""Reads a landed file as interface.md section 3 says, letter by letter and value by value; shares nothing with the reader of take_in.

It says nothing of damaged Parquet: there the accounts must still add up, and that is judged elsewhere.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.second_opinion.calendars import instant
from tests.second_opinion.landing import COLUMNS, KEY, UPSERTED, WITHOUT_KEY, without_blanks

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?(Z|[+-]([01][0-9]|2[0-3])(:?[0-5][0-9])?)?"
)
_BARE = re.compile(r"[^,\n\r]*")
_LINE = re.compile(r"[^\n\r]*")
_NUMBER = re.compile(r"[+-]?[0-9]+")
OTHER_BREAKS = set("\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029")  # where str.splitlines() breaks, beside LF and CR


class Unsaid(Exception):
    """The interface does not say what becomes of such a file, only that it is accounted for."""


@dataclass
class Expected:
    """What must become of a file. `accepted`: line -> the values as the lake stores them, in the contract's order.

    `quarantined`: line -> the patient_id that can be read there, or None. A rejected file that cannot be read has line 0 and counts no row.
    """

    is_rejected: bool = False
    received: int = 0
    accepted: dict[int, tuple[Any, ...]] = field(default_factory=dict)
    quarantined: dict[int, str | None] = field(default_factory=dict)
    superseded: int = 0


def unreadable() -> Expected:
    return Expected(is_rejected=True, quarantined={0: None})


def expected_of(path: Path, table: str, form: str, zone: str) -> Expected:
    """Raises Unsaid."""
    if path.is_symlink() or not path.is_file():
        return unreadable()
    try:
        raw = path.read_bytes()
    except PermissionError:
        return unreadable()
    if form == "parquet":
        if _contradicts_itself(raw):
            return unreadable()
        rows = _parquet_rows(raw, table)
    else:
        if form == "csv.gz":
            try:
                raw = gzip.decompress(raw)
            except (OSError, EOFError, zlib.error):
                return unreadable()
        if raw[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in raw[:2]:
            return unreadable()
        text = raw.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")
        rows = list(_csv_rows(text))
    if not rows:
        return unreadable()
    (_, header), *records = rows
    if header is None:
        return Expected(is_rejected=True, received=len(records), quarantined=dict.fromkeys(line for line, _ in records))
    if form != "parquet":
        header = [name.strip(" \t") for name in header]
        # A row behind a line break of another kind has become names: the file is turned back, as with a quote out of place.
        if any(set(name) & OTHER_BREAKS and set(_pieces(name)) & COLUMNS[table].keys() for name in header):
            return Expected(is_rejected=True, received=len(records), quarantined=dict.fromkeys(line for line, _ in records))
    return _judged(header, records, table, zone)


def _pieces(name: str) -> list[str]:
    return "".join("\n" if letter in OTHER_BREAKS else letter for letter in name).split("\n")


def _csv_rows(text: str) -> Iterator[tuple[int, list[str] | None]]:
    """(number of the row, its cells), blank lines counted and left out. None for the line in which a quote out of place begins:
    the next row begins on the next line."""
    number, place, size = 0, 0, len(text)
    while place < size:
        number += 1
        begin = place
        cells: list[str] | None = []
        while True:
            if text[place : place + 1] == '"':
                quoted = _quoted(text, place + 1)
                if quoted is None:
                    cells, place = None, _end_of_line(text, begin)
                    break
                cell, place = quoted
            else:
                found = _BARE.match(text, place)
                assert found  # it matches nothing as well
                cell, place = found[0], found.end()
                if not cells and cell == "" and text[place : place + 1] != ",":
                    break  # nothing at all
            cells.append(cell)
            if text[place : place + 1] != ",":
                break
            place += 1
        place += 2 if text[place : place + 2] == "\r\n" else 1
        if cells is None or (cells and not (len(cells) == 1 and cells[0] != "" and cells[0].strip(" \t") == "")):
            yield number, cells


def _end_of_line(text: str, place: int) -> int:
    found = _LINE.match(text, place)
    assert found
    return found.end()


def _quoted(text: str, place: int) -> tuple[str, int] | None:
    """The value of a quoted cell, and the place behind its closing quote; None when it is not closed, or not by the end of the cell."""
    parts = []
    while True:
        closing = text.find('"', place)
        if closing < 0:
            return None
        parts.append(text[place:closing])
        place = closing + 1
        if text[place : place + 1] != '"':
            break
        parts.append('"')
        place += 1
    if text[place : place + 1] not in (",", "\n", "\r", ""):
        return None
    return "".join(parts), place


def _contradicts_itself(raw: bytes) -> bool:
    try:
        told = pq.read_metadata(io.BytesIO(raw))
        return bool(told.num_rows != sum(told.row_group(number).num_rows for number in range(told.num_row_groups)))
    except (pa.ArrowException, OSError, ValueError):
        return False


def _parquet_rows(raw: bytes, table: str) -> list[tuple[int, list[Any]]]:
    try:
        held = pq.read_table(io.BytesIO(raw))
        held = held.rename_columns([name.strip(" \t") for name in held.column_names])
        known = [f for f in held.schema if f.name in COLUMNS[table]]
    except (pa.ArrowException, OSError, ValueError):
        raise Unsaid from None
    if any(pa.types.is_nested(f.type) for f in known):
        return [(1, [f"nested {name}" for name in held.column_names]), *((n, []) for n in range(2, held.num_rows + 2))]
    columns = []
    for place, of in enumerate(held.schema):
        if of.name not in COLUMNS[table]:
            columns.append([""] * held.num_rows)
            continue
        kind = COLUMNS[table][of.name].removeprefix("*")
        try:
            values = held.column(place).to_pylist()
        except (UnicodeDecodeError, ValueError, OverflowError, pa.ArrowException):
            raise Unsaid from None  # not readable one by one in Python
        columns.append([_as_text(value, kind, of.type) for value in values])
    cells = [list(row) for row in zip(*columns, strict=True)] if columns else [[] for _ in range(held.num_rows)]
    return [(1, list(held.column_names)), *enumerate(cells, 2)]


def _as_text(value: Any, kind: str, of_type: pa.DataType) -> str:
    """The text that a CSV file would have for it."""
    if value is None or value != value:
        return ""
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        if kind not in ("date", "time"):
            raise Unsaid  # how an instant looks as free text is not said
        if pa.types.is_timestamp(of_type) and of_type.unit == "ns":
            value = value.replace(microsecond=0)
        if value.tzinfo is not None:
            return value.astimezone(UTC).replace(tzinfo=None, microsecond=0).isoformat() + "Z"
        if kind == "date" and (value.hour, value.minute, value.second) == (0, 0, 0):
            return value.date().isoformat()
        return value.replace(microsecond=0).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float):
        return str(int(value)) if abs(value) < 2**63 and value == int(value) else repr(value)
    if isinstance(value, Decimal):
        return re.sub(r"\.0+$", "", f"{value:f}")
    if isinstance(value, int | str):
        return str(value)
    raise Unsaid


def _judged(header: list[str], records: list[tuple[int, list[str] | None]], table: str, zone: str) -> Expected:
    columns = COLUMNS[table]
    found = Expected(received=len(records))
    if any(header.count(name) > 1 for name in columns) or any(k[0] == "*" and name not in header for name, k in columns.items()):
        found.is_rejected = True
        found.quarantined = dict.fromkeys((line for line, _ in records))
        return found
    places = {name: header.index(name) for name in columns if name in header}
    good: dict[int, dict[str, Any]] = {}
    for line, cells in records:
        joined = "".join(cells or ())
        if cells is None or len(cells) != len(header) or any("\ud800" <= letter <= "\udfff" for letter in joined):
            found.quarantined[line] = None
            continue
        texts = {name: cells[place] for name, place in places.items()}
        patient = texts.get("patient_id") or None
        if "\0" in joined:
            found.quarantined[line] = patient if "\0" not in (patient or "") else None
            continue
        try:
            good[line] = {name: _value(kind, texts.get(name, ""), zone) for name, kind in columns.items()}
        except ValueError:
            found.quarantined[line] = patient
    best: dict[Any, int] = {}
    for line, values in good.items():
        key = line if table in WITHOUT_KEY else values[KEY[table]]
        if key not in best or table not in UPSERTED or values["updated_at"] >= good[best[key]]["updated_at"]:
            best[key] = line
    found.superseded = len(good) - len(best)
    found.accepted = {line: _stored(good[line]) for line in sorted(best.values())}
    return found


def _stored(values: dict[str, Any]) -> tuple[Any, ...]:
    stored: list[Any] = []
    for name, value in values.items():
        if name == "note_text":
            note = value if value is not None and without_blanks(value) else None
            stored += [len(note), hashlib.sha256(note.encode()).hexdigest()] if note is not None else [None, None]
        else:
            stored.append(value)
    return tuple(stored)


def _value(kind: str, text: str, zone: str) -> Any:
    """ValueError when the text is not of the kind."""
    required, kind = kind.startswith("*"), kind.removeprefix("*")
    if text == "":
        if required:
            raise ValueError
        return None
    if kind == "text":
        return text
    if kind == "date":
        if not _DATE.fullmatch(text):
            raise ValueError
        return date.fromisoformat(text)
    if kind == "time":
        if not _TIME.fullmatch(text):
            raise ValueError
        return instant(zone, text)
    if kind == "number":
        if not _NUMBER.fullmatch(text) or not -(2**63) <= int(text) < 2**63:
            raise ValueError
        return int(text)
    words = ["true", "false"] if kind == "flag" else kind.split("|")
    if text not in words:
        raise ValueError
    return text == "true" if kind == "flag" else text
