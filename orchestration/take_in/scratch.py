"""Where a batch is made before it is moved into place: a folder beside the batches, and DuckDB in it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from orchestration.engine import connect, is_size, written
from orchestration.house import House, HouseError
from orchestration.sql import literal

# What DuckDB may hold while files are taken in; what is more goes to disk beside the lake. Python and Arrow hold some 0.5 GB besides.
MEMORY = "CCM_TAKE_IN_MEMORY"
MEMORY_UNLESS_SAID = "1GB"


@contextmanager
def scratch_folder(house: House, batch: int) -> Iterator[Path]:
    """A private folder (0700) for a batch; gone afterwards with all that lies beside it."""
    folder = house.lake / f".{batch:06d}.{os.getpid()}.tmp"
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(_spill(folder), ignore_errors=True)
        shutil.rmtree(plain_copies(folder), ignore_errors=True)


def plain_copies(scratch: Path) -> Path:
    """Where foreign files lie as plain CSV while they are read."""
    return scratch.with_name(f"{scratch.name.removesuffix('.tmp')}.plain.tmp")


def _spill(scratch: Path) -> Path:
    return scratch.with_name(f"{scratch.name.removesuffix('.tmp')}.spill.tmp")


@contextmanager
def scratch_engine(scratch: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """DuckDB for what is made in this folder, in UTC; what does not fit in MEMORY goes to disk beside it. Raises HouseError for whatever DuckDB raises."""
    memory = os.environ.get(MEMORY) or MEMORY_UNLESS_SAID
    try:
        if not is_size(memory):
            raise duckdb.ParserException
        engine = connect(config={"temp_directory": str(_spill(scratch)), "memory_limit": memory})
    except duckdb.Error:
        raise HouseError(f"{MEMORY}={memory!r}: no size that DuckDB knows; write it like 1GB or 800MB") from None
    try:
        engine.execute("set TimeZone = 'UTC'")
        engine.execute("set enable_progress_bar = false")
        yield engine
    except duckdb.Error as error:
        # DuckDB quotes the values at fault in its messages: only its kind is passed on.
        raise HouseError(
            f"{scratch.parent}: the batch could not be made ({type(error).__name__}); check free disk and memory, run again"
        ) from None
    finally:
        engine.close()


def copy_to(engine: duckdb.DuckDBPyConnection, query: str, path: Path) -> None:
    """Writes a Parquet file of the lake."""
    engine.execute(f"copy ({query}) to {literal(path)} (format parquet, compression zstd{written()})")
