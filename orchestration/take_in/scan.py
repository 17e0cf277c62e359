"""One pass over each landed file, whatever its format: its hash, its header, and whether DuckDB may be asked to read it."""

from __future__ import annotations

import gzip
import hashlib
import io
import zlib
from pathlib import Path
from typing import BinaryIO

from orchestration import storage
from orchestration.take_in.csv_scan import CHUNK, scan_csv
from orchestration.take_in.landing import LandedTable
from orchestration.take_in.layout import Layout, Scan, Unreadable
from orchestration.take_in.parquet_files import scan_parquet

TORN = "cannot be unpacked to its end (truncated or damaged gzip); land the whole file again"


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
        while self.read(CHUNK):
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
                while data := handle.read(CHUNK):
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
            return scan_parquet(landed, layout, digest(landed))
        with (path or landed.files[0]).open("rb") as handle:
            hashing = _Hashing(handle)
            found = Scan()
            try:
                scan_csv(gzip.GzipFile(fileobj=hashing) if landed.format == "csv.gz" and path is None else hashing, found, layout)
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
