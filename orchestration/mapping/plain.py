"""A foreign CSV file as the reader wants it: UTF-8, its header in the first line. What is so already is read where it lies."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import zlib
from pathlib import Path
from typing import Any

from orchestration.mapping.choice import MappedTable
from orchestration.take_in.landing import LandedTable
from orchestration.take_in.layout import LONGEST, OF_EXPORT, Layout
from orchestration.take_in.scan import TORN

_CHUNK = 1024 * 1024


def layout(mapped: MappedTable, path: Path | None) -> Layout:
    """What is looked for in a file of this mapping; `path`: the plain copy, if one was made."""
    form = mapped.loaded.mapping.format
    first = 1 if path is None else 0 if form.columns is not None else form.header_line
    return Layout(
        mapped.contract.table,
        mapped.columns,
        note=None,
        known=mapped.known,
        delimiter=form.delimiter,
        first_line=first,
        prefix=OF_EXPORT,
    )


def wants_copy(landed: LandedTable, mapped: MappedTable) -> bool:
    """Whether the file is to be rewritten before it is read. Parquet never is."""
    form = mapped.loaded.mapping.format
    return (
        landed.fault is None
        and landed.format != "parquet"
        and (form.encoding != "utf-8" or form.header_line > 1 or form.columns is not None)
    )


def copy(landed: LandedTable, mapped: MappedTable, path: Path) -> str | None:
    """Writes the plain copy (0600 by the umask). What cannot be read of the file is what is returned; then it is no file of rows."""
    form = mapped.loaded.mapping.format
    try:
        with landed.files[0].open("rb") as handle, path.open("xb") as out:
            stream: Any = gzip.GzipFile(fileobj=handle) if landed.format == "csv.gz" else handle
            if form.columns is not None:
                out.write(_header(form.columns, form.delimiter))
            _write(stream, out, form.encoding, form.header_line - 1)
        return None
    except (EOFError, gzip.BadGzipFile, zlib.error):
        return TORN
    except UnicodeError:
        return f"is not written in {form.encoding}, as the mapping says; correct the mapping's encoding, or land the file again"
    except _NoHeader:
        return f"ends before line {form.header_line}, where the mapping says the header is; correct header_line, or land the file again"
    except OSError as error:
        return f"cannot be read ({error.strerror or 'damaged'}); check the file and land it again"


class _NoHeader(Exception):
    pass


def _header(names: tuple[str, ...], delimiter: str) -> bytes:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\n").writerow(names)
    return text.getvalue().encode()


def _write(stream: Any, out: Any, encoding: str, skipped: int) -> None:
    # A byte that the encoding has no letter for goes through as it is: no UTF-8, so that its row alone is at fault.
    wide = encoding.startswith(("utf-16", "utf-32"))
    decoder = codecs.getincrementaldecoder(encoding)("strict" if wide else "surrogateescape")
    pending, is_begun, line_end = "", False, "\n"
    while True:
        data = stream.read(_CHUNK)
        text = pending + decoder.decode(data, final=not data)
        pending = ""
        if not is_begun:
            text = text.removeprefix("\ufeff")
            is_begun = bool(text)
            if "\n" not in text and "\r" in text:
                line_end = "\r"
        while skipped:
            _, found, rest = text.partition(line_end)
            if not found:
                pending = text
                break
            text, skipped = rest, skipped - 1
        if skipped:
            if not data or len(pending) > LONGEST:
                raise _NoHeader
            continue
        out.write(text.encode("utf-8", "surrogateescape"))
        if not data:
            return
