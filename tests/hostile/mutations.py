"""Every way in which a night's files go wrong, one function each. `MUTATIONS`: name -> function(draft, rng); the docstring is what happened.

A function spoils a draft, or gives False where it has nothing to spoil (then another one is drawn).
"""

from __future__ import annotations

import codecs
import gzip
import io
import os
import socket
import zipfile
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq

from tests.hostile.drafts import MARKER, Draft
from tests.second_opinion.landing import COLUMNS, KEY

Mutation = Callable[[Draft, Random], bool | None]
MUTATIONS: dict[str, Mutation] = {}
TEXT = ("csv", "csv.gz")
ENCODINGS = ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252", "cp1252", "cp037")
for _encoding in (*ENCODINGS, "utf-8-sig"):
    codecs.lookup(_encoding)  # loaded now: a user who may read little may not read Python's own folder


def mutation(function: Mutation) -> Mutation:
    MUTATIONS[function.__name__] = function
    return function


def on_text(function: Mutation) -> Mutation:
    """A mutation of CSV files only."""

    def spoil(draft: Draft, rng: Random) -> bool | None:
        return function(draft, rng) if draft.form in TEXT else False

    spoil.__name__, spoil.__doc__ = function.__name__, function.__doc__
    return mutation(spoil)


def on_parquet(function: Mutation) -> Mutation:
    """A mutation of Parquet files only."""

    def spoil(draft: Draft, rng: Random) -> bool | None:
        return function(draft, rng) if draft.form == "parquet" else False

    spoil.__name__, spoil.__doc__ = function.__name__, function.__doc__
    return mutation(spoil)


# ---- values


@mutation
def emoji_and_many_scripts(draft: Draft, rng: Random) -> None:
    """Letters of everywhere, joined emoji, combining marks, right-to-left marks."""
    draft.put(
        rng,
        draft.column(rng, "text"),
        rng.choice(["👩🏽‍⚕️ ok", "Zoë Ångström", "e\u0301", "\u202eolleh", "患者", "\ufeffx", "a\u2028b"]),
    )


@mutation
def quotes_commas_and_line_breaks_in_fields(draft: Draft, rng: Random) -> None:
    value = rng.choice(
        ['say "hi"', "a,b,c", "one\ntwo", "one\r\ntwo\n\n", '"', '""', ',"\n', "tab\there", "lone\rreturn", '"quoted"']
    )
    draft.put(rng, draft.column(rng, "text"), value)


@mutation
def field_of_a_megabyte(draft: Draft, rng: Random) -> None:
    letters = rng.choice(["x", "é", '"', "a\n", "👍"])
    draft.put(rng, draft.column(rng, "text"), letters * (1_000_000 // len(letters)))


@mutation
def nul_in_a_field(draft: Draft, rng: Random) -> None:
    draft.put(rng, draft.column(rng), rng.choice(["\x00", "a\x00b", "2026-01-01\x00"]))


@mutation
def control_characters(draft: Draft, rng: Random) -> None:
    draft.put(rng, draft.column(rng, "text"), rng.choice(["\x07bell", "\x1b[31mred", "\x08", "\x7f", "\x1a", "a\x0bb", "\x85"]))


@mutation
def formulas_markup_and_sql(draft: Draft, rng: Random) -> None:
    value = rng.choice(
        [
            "=cmd|'/c calc'!A0",
            "@SUM(1)",
            "'; drop table patients; --",
            "<script>x</script>",
            "../../etc/passwd",
            "a~b*c:d^e",
            "{{ 7 * 7 }}",
        ]
    )
    draft.put(rng, draft.column(rng, "text"), value)


@mutation
def required_value_missing(draft: Draft, rng: Random) -> None:
    draft.put(rng, draft.column(rng, required=True), "")


@mutation
def blanks_for_a_value(draft: Draft, rng: Random) -> None:
    draft.put(rng, draft.column(rng), rng.choice([" ", "\t", "   ", "\u00a0", "NULL", "null", "None", "-"]))


@mutation
def no_date(draft: Draft, rng: Random) -> None:
    draft.put(
        rng,
        draft.column(rng, "date"),
        rng.choice(["2026-02-30", "01/31/2026", "2026-1-5", "20260105", "0000-00-00", "2026-01-05 ", "45678", "infinity"]),
    )


@mutation
def no_timestamp(draft: Draft, rng: Random) -> None:
    value = rng.choice(
        [
            "2026-01-15",
            "2026-01-15T25:00:00",
            "1/15/2026 10:00 AM",
            "2026-01-15T10:00:00 CST",
            "2026-01-15T10:00:61Z",
            "1768500000",
            "now",
        ]
    )
    draft.put(rng, draft.column(rng, "time"), value)


@mutation
def timestamp_in_another_dress(draft: Draft, rng: Random) -> None:
    value = rng.choice(
        [
            "2026-01-15 10:00",
            "2026-01-15T10:00:00.123456789Z",
            "2026-03-08T02:30:00",
            "2025-11-02T01:30:00",
            "2026-01-15T10:00-0600",
            "2026-01-15T23:59:59+14",
        ]
    )
    draft.put(rng, draft.column(rng, "time"), value)


@mutation
def no_number(draft: Draft, rng: Random) -> None:
    draft.put(
        rng, draft.column(rng, "number"), rng.choice(["1.0", "1e3", "١٢", "9" * 19, "9" * 40, "-1", "+7", "0x1F", "1,000", "one"])
    )


@mutation
def no_boolean(draft: Draft, rng: Random) -> None:
    draft.put(rng, draft.column(rng, "flag"), rng.choice(["True", "TRUE", "1", "yes", "t", "false "]))


@mutation
def word_outside_the_vocabulary(draft: Draft, rng: Random) -> None:
    draft.put(rng, draft.column(rng, "|"), rng.choice([MARKER, "ACTIVE", "ccm ", "unknown", "F|M"]))


@mutation
def key_repeated(draft: Draft, rng: Random) -> bool | None:
    place = draft.place(KEY[draft.table])
    if place is None or len(draft.rows) < 2 or any(place >= len(row) for row in draft.rows):
        return False
    source, target = rng.sample(range(len(draft.rows)), 2)
    draft.rows[target][place] = draft.rows[source][place]
    return None


@mutation
def whole_row_repeated(draft: Draft, rng: Random) -> bool | None:
    if not draft.rows:
        return False
    for _ in range(rng.randint(1, 3)):
        draft.rows.insert(rng.randint(0, len(draft.rows)), list(rng.choice(draft.rows)))
    return None


# ---- the shape of rows and header


@on_text
def row_too_short(draft: Draft, rng: Random) -> bool | None:
    if not draft.rows:
        return False
    row = rng.choice(draft.rows)
    del row[rng.randint(1, len(row)) :]
    return None


@on_text
def row_too_long(draft: Draft, rng: Random) -> bool | None:
    if not draft.rows:
        return False
    rng.choice(draft.rows).extend([""] * rng.randint(1, 3))
    return None


@on_text
def rows_of_commas_alone(draft: Draft, rng: Random) -> None:
    """What a spreadsheet writes below the last row."""
    draft.rows += [[""] * len(draft.header) for _ in range(rng.randint(1, 4))]


@on_text
def blank_lines(draft: Draft, rng: Random) -> None:
    def step(text: str) -> str:
        lines = text.split(draft.line_end)
        for _ in range(rng.randint(1, 4)):
            lines.insert(rng.randint(0, len(lines)), rng.choice(["", "", "  ", "\t"]))
        return draft.line_end.join(lines)

    draft.text_steps.append(step)


@mutation
def header_in_another_case(draft: Draft, rng: Random) -> None:
    place = rng.randrange(len(draft.header))
    draft.header[place] = rng.choice([draft.header[place].upper(), draft.header[place].title()])


@mutation
def header_with_blanks_around(draft: Draft, rng: Random) -> None:
    draft.header = [f" {name}\t" if rng.random() < 0.5 else name for name in draft.header]


@mutation
def header_twice(draft: Draft, rng: Random) -> bool | None:
    """A known column stands twice."""
    return _add_column(draft, rng, rng.choice(draft.header))


@mutation
def unknown_header_twice(draft: Draft, rng: Random) -> None:
    _add_column(draft, rng, "colour")
    _add_column(draft, rng, "colour")


def _add_column(draft: Draft, rng: Random, name: str) -> None:
    place = rng.randint(0, len(draft.header))
    draft.header.insert(place, name)
    for row in draft.rows:
        row.insert(min(place, len(row)), f"{MARKER}{rng.randrange(9)}")


def _drop_column(draft: Draft, name: str | None) -> bool | None:
    if name is None or len(draft.header) < 3:
        return False
    place = draft.header.index(name)
    del draft.header[place]
    for row in draft.rows:
        if place < len(row):
            del row[place]
    return None


@mutation
def required_column_missing(draft: Draft, rng: Random) -> bool | None:
    return _drop_column(draft, draft.column(rng, required=True))


@mutation
def optional_column_missing(draft: Draft, rng: Random) -> bool | None:
    return _drop_column(draft, draft.column(rng, required=False))


@mutation
def column_renamed(draft: Draft, rng: Random) -> None:
    place = rng.randrange(len(draft.header))
    draft.header[place] = rng.choice(
        [f"{draft.header[place]}_1", draft.header[place].replace("_", " "), "", f"\u200b{draft.header[place]}"]
    )


@mutation
def extra_columns(draft: Draft, rng: Random) -> None:
    for name in rng.sample(["colour", "Mood", "x,y", "emoji 👍", "é"], rng.randint(1, 3)):
        _add_column(draft, rng, name)


@mutation
def columns_in_another_order(draft: Draft, rng: Random) -> bool | None:
    if any(len(row) != len(draft.header) for row in draft.rows):
        return False
    order = rng.sample(range(len(draft.header)), len(draft.header))
    draft.header = [draft.header[place] for place in order]
    draft.rows = [[row[place] for place in order] for row in draft.rows]
    return None


@mutation
def header_alone(draft: Draft, rng: Random) -> None:
    draft.rows = []


@on_text
def no_header(draft: Draft, rng: Random) -> bool | None:
    if not draft.rows:
        return False
    draft.header = draft.rows.pop(0)
    return None


@on_text
def quotes_out_of_place_in_the_header(draft: Draft, rng: Random) -> None:
    def step(text: str) -> str:
        name, rest = text.split(draft.delimiter, 1)[0], text.split(draft.delimiter, 1)[1:]
        spoiled = rng.choice([f'"{name[:3]}"{name[3:]}', f'"{name}" ', f'"{name}', f'{name}"'])
        return draft.delimiter.join([spoiled, *rest])

    draft.text_steps.append(step)


# ---- text


@on_text
def carriage_returns(draft: Draft, rng: Random) -> None:
    draft.line_end = rng.choice(["\r\n", "\r"])


@on_text
def mixed_line_ends(draft: Draft, rng: Random) -> None:
    draft.text_steps.append(lambda text: "".join(rng.choice(["\n", "\r\n", "\r"]) if letter == "\n" else letter for letter in text))


@on_text
def everything_quoted(draft: Draft, rng: Random) -> None:
    draft.quote_all = True


@on_text
def no_line_break_at_the_end(draft: Draft, rng: Random) -> None:
    draft.ends_with_break = False


@on_text
def another_separator(draft: Draft, rng: Random) -> None:
    draft.delimiter = rng.choice([";", "\t", "|"])


@on_text
def quote_out_of_place(draft: Draft, rng: Random) -> None:
    """A quote somewhere: inside a value, never closed, after a closing one."""

    def step(text: str) -> str:
        place = rng.randint(min(len(text), len(",".join(draft.header)) + 1), len(text))
        return text[:place] + rng.choice(['"', '""', '"x', 'x"']) + text[place:]

    draft.text_steps.append(step)


@on_text
def cut_off_in_the_middle(draft: Draft, rng: Random) -> None:
    """The export broke off: the last row ends halfway."""
    draft.text_steps.append(lambda text: text[: rng.randint(len(text) // 2, len(text))])


# ---- bytes


@on_text
def byte_order_mark(draft: Draft, rng: Random) -> None:
    times = rng.choice([1, 1, 1, 2])
    draft.byte_steps.append(lambda data: b"\xef\xbb\xbf" * times + data)


@on_text
def bytes_that_are_no_utf_8(draft: Draft, rng: Random) -> None:
    def step(data: bytes) -> bytes:
        begin = data.find(b"\n") + 1
        place = rng.randint(begin, len(data))
        return (
            data[:place] + rng.choice([b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\xc0\xaf", b"\x80"]) + data[place:]
        )

    draft.byte_steps.append(step)


@on_text
def header_that_is_no_utf_8(draft: Draft, rng: Random) -> None:
    _add_column(draft, rng, "f\udcfcr")


@on_text
def another_encoding(draft: Draft, rng: Random) -> None:
    draft.encoding = rng.choice(ENCODINGS)


@on_text
def nul_bytes_behind_the_end(draft: Draft, rng: Random) -> None:
    """A file system that lost its last blocks."""
    draft.byte_steps.append(lambda data: data + b"\x00" * rng.choice([1, 512, 4096]))


@on_text
def a_bit_flipped(draft: Draft, rng: Random) -> None:
    draft.byte_steps.append(lambda data: _flip(data, rng))


def _flip(data: bytes, rng: Random) -> bytes:
    if not data:
        return data
    place = rng.randrange(len(data))
    return data[:place] + bytes([data[place] ^ 1 << rng.randrange(8)]) + data[place + 1 :]


@mutation
def nothing_at_all(draft: Draft, rng: Random) -> None:
    """0 bytes."""
    draft.landed_steps.append(lambda data: b"")


@on_text
def nothing_but_blanks(draft: Draft, rng: Random) -> None:
    content = rng.choice(
        [b"\n", b"\r\n\r\n", b"  \n", b"\xef\xbb\xbf", b"\xef\xbb\xbf\n", b"\xff\xfe", b"\x00", b",,,\n", b'""\n', b'"\n']
    )
    draft.byte_steps.append(lambda data: content)


@mutation
def something_else_entirely(draft: Draft, rng: Random) -> None:
    """A workbook, a page that says no, bytes of nothing, the other format under this name."""

    def step(data: bytes) -> bytes:
        kind = rng.choice(["zip", "html", "noise", "gzip", "json", "parquet", "csv"])
        if kind == "zip":
            sink = io.BytesIO()
            with zipfile.ZipFile(sink, "w") as archive:
                archive.writestr("sheet1.xml", "<x/>" * 50)
            return sink.getvalue()
        if kind == "noise":
            return rng.randbytes(rng.randint(1, 3000))
        if kind == "gzip":
            return gzip.compress(data)
        if kind == "parquet":
            sink = io.BytesIO()
            pq.write_table(pa.table({"a": [1, 2]}), sink)
            return sink.getvalue()
        return {
            "html": b"<html><body>503 Service Unavailable</body></html>\n",
            "json": b'{"error": "timeout"}',
            "csv": b"a,b\n1,2\n",
        }[kind]

    draft.landed_steps.append(step)


# ---- gzip


def _on_gzip(step: Callable[[bytes, Random], bytes]) -> Mutation:
    def spoil(draft: Draft, rng: Random) -> bool | None:
        if draft.form != "csv.gz":
            return False
        draft.landed_steps.append(lambda data: step(data, rng))
        return None

    spoil.__name__ = step.__name__
    return mutation(spoil)


@_on_gzip
def gzip_cut_short(data: bytes, rng: Random) -> bytes:
    return data[: rng.randint(1, max(1, len(data) - 1))]


@_on_gzip
def gzip_damaged(data: bytes, rng: Random) -> bytes:
    return _flip(data, rng)


@_on_gzip
def gzip_of_several_members(data: bytes, rng: Random) -> bytes:
    """Packed piece by piece, as some archivers do; one of the pieces may be empty."""
    try:
        plain = gzip.decompress(data)
    except (OSError, EOFError, zlib.error):
        return data
    cuts = sorted(rng.randint(0, len(plain)) for _ in range(rng.randint(1, 4)))
    return b"".join(gzip.compress(plain[a:b], mtime=0) for a, b in zip([0, *cuts], [*cuts, len(plain)], strict=True))


@_on_gzip
def gzip_twice(data: bytes, rng: Random) -> bytes:
    return gzip.compress(data, mtime=0)


@_on_gzip
def gzip_with_something_behind(data: bytes, rng: Random) -> bytes:
    return data + rng.choice([b"\x00" * 512, b"trailing", b"\x1f\x8b", b"\n"])


@_on_gzip
def not_packed_at_all(data: bytes, rng: Random) -> bytes:
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error):
        return data


@on_text
def packed_under_a_plain_name(draft: Draft, rng: Random) -> bool | None:
    if draft.form != "csv":
        return False
    draft.landed_steps.append(lambda data: gzip.compress(data, mtime=0))
    return None


# ---- Parquet


@on_parquet
def parquet_cut_short(draft: Draft, rng: Random) -> None:
    draft.landed_steps.append(lambda data: data[: rng.randint(1, max(1, len(data) - 1))])


@on_parquet
def parquet_damaged(draft: Draft, rng: Random) -> None:
    draft.landed_steps.append(lambda data: _flip(_flip(data, rng), rng))


@on_parquet
def parquet_footer_of_another(draft: Draft, rng: Random) -> None:
    draft.landed_steps.append(lambda data: data[:-8] + rng.randbytes(4) + b"PAR1")


@on_parquet
def parquet_with_its_own_types(draft: Draft, rng: Random) -> None:
    """Dates, instants, numbers and booleans instead of text, of every width that writers use."""

    def step(table: pa.Table) -> pa.Table:
        for place, name in enumerate(table.column_names):
            kind = COLUMNS[draft.table].get(name, "text").removeprefix("*")
            wanted = {
                "date": [pa.date32(), pa.date64(), pa.timestamp("ns")],
                "number": [pa.int64(), pa.int32(), pa.float64(), pa.decimal128(12, 2), pa.uint16()],
                "flag": [pa.bool_()],
                "time": [pa.timestamp("us", "UTC"), pa.timestamp("ms"), pa.timestamp("ns", "America/Chicago"), pa.timestamp("s")],
            }.get(kind, [pa.large_string(), pa.dictionary(pa.int32(), pa.string()), pa.binary(), pa.string_view()])
            values = [_typed(value, kind) for value in table.column(place).to_pylist()]
            try:
                wanted_type = rng.choice(wanted)
                if pa.types.is_timestamp(wanted_type) and wanted_type.tz is None:
                    values = [value.replace(tzinfo=None) if isinstance(value, datetime) else value for value in values]
                if pa.types.is_decimal(wanted_type):
                    values = [None if value is None else Decimal(value) for value in values]
                array = pa.array(values, wanted_type)
            except (pa.ArrowException, ValueError, TypeError, OverflowError, ArithmeticError):
                continue  # another mutation's value has no such type
            table = table.set_column(place, name, array)
        return table

    draft.arrow_steps.insert(0, step)  # before other steps put in what is no text


def _typed(value: str | None, kind: str):
    try:
        if value is None:
            return None
        if kind == "date":
            return datetime.fromisoformat(value).date()
        if kind == "number":
            return int(value)
        if kind == "flag":
            return {"true": True, "false": False}[value]
        if kind == "time":
            moment = datetime.fromisoformat(value)
            return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, KeyError):
        return value
    return value


def _retyped(wanted: Callable[[Random, int], pa.Array]) -> Mutation:
    """A column of the contract gets values of another type."""

    def spoil(draft: Draft, rng: Random) -> bool | None:
        if draft.form != "parquet" or (name := draft.column(rng)) is None:
            return False

        def step(table: pa.Table) -> pa.Table:
            if name not in table.column_names:
                return table
            return table.set_column(table.column_names.index(name), name, wanted(rng, table.num_rows))

        draft.arrow_steps.append(step)
        return None

    spoil.__name__ = wanted.__name__
    return mutation(spoil)


@_retyped
def parquet_column_nested(rng: Random, size: int) -> pa.Array:
    kind, value = rng.choice(
        [(pa.list_(pa.string()), ["a"]), (pa.struct([("a", pa.int64())]), {"a": 1}), (pa.map_(pa.string(), pa.int64()), [("a", 1)])]
    )
    return pa.array([value] * size, kind)


@_retyped
def parquet_column_of_another_type(rng: Random, size: int) -> pa.Array:
    kind, value = rng.choice(
        [
            (pa.int64(), -5), (pa.float64(), 1.5), (pa.float64(), float("nan")), (pa.float64(), float("inf")), (pa.float64(), 1e300),
            (pa.float32(), 0.1), (pa.bool_(), True), (pa.decimal128(20, 4), Decimal("12.3400")), (pa.decimal256(60, 0), Decimal(10) ** 50),
            (pa.time32("s"), 3600), (pa.time64("us"), 5), (pa.duration("s"), 60), (pa.null(), None), (pa.binary(), b"\xff\xfe"),
            (pa.binary(3), b"abc"), (pa.timestamp("us"), 2**62), (pa.timestamp("s", "Asia/Kolkata"), 0), (pa.date64(), -86_400_000 * 800_000),
            (pa.float16(), None), (pa.uint64(), 2**64 - 1),
        ]
    )  # fmt: skip
    return pa.array([value] * size, kind)


@_retyped
def parquet_text_that_is_no_utf_8(rng: Random, size: int) -> pa.Array:
    bad = pa.array([rng.choice([b"\xff\xfe", b"ok", b"\xc3"]) for _ in range(size)], pa.binary())
    return pa.StringArray.from_buffers(size, *bad.buffers()[1:], bad.buffers()[0])


@on_parquet
def parquet_with_an_extra_nested_column(draft: Draft, rng: Random) -> None:
    draft.arrow_steps.append(lambda table: table.append_column("visits", pa.array([[1, 2]] * table.num_rows, pa.list_(pa.int64()))))


@on_parquet
def parquet_of_no_columns(draft: Draft, rng: Random) -> None:
    draft.arrow_steps.append(lambda table: table.select([]))


# ---- the disk


def on_disk(step: Callable[[Path, Random], None]) -> Mutation:
    def spoil(draft: Draft, rng: Random) -> None:
        draft.disk_steps.append(lambda path: step(path, rng))

    spoil.__name__ = step.__name__
    return mutation(spoil)


@on_disk
def folder_in_its_place(path: Path, rng: Random) -> None:
    path.unlink()
    path.mkdir()
    if rng.random() < 0.5:
        (path / path.name).write_bytes(b"x")


@on_disk
def link_in_its_place(path: Path, rng: Random) -> None:
    """To itself, to nothing, to the good file elsewhere, to what no extract may reach."""
    target = rng.choice(["itself", "nowhere", "elsewhere", "/etc/passwd", "folder"])
    kept = path.with_name(f".{path.name}.kept")
    path.rename(kept)
    path.symlink_to(
        {"itself": path, "nowhere": path.parent / "nowhere", "elsewhere": kept, "folder": path.parent}.get(target, Path(target))
    )


@on_disk
def pipe_in_its_place(path: Path, rng: Random) -> None:
    path.unlink()
    if rng.random() < 0.5:
        os.mkfifo(path)
        return
    with socket.socket(socket.AF_UNIX) as server:
        here = os.open(path.parent, os.O_RDONLY)  # a socket's name may not be long
        try:
            server.bind(f"/proc/self/fd/{here}/{path.name}")
        finally:
            os.close(here)


@on_disk
def may_not_be_read(path: Path, rng: Random) -> None:
    path.chmod(0)


@on_disk
def comes_in_two_formats(path: Path, rng: Random) -> None:
    table, _, form = path.name.partition(".")
    other = rng.choice([known for known in ("csv", "csv.gz", "parquet") if known != form])
    path.with_name(f"{table}.{other}").write_bytes(path.read_bytes())
