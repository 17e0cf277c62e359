"""One practice alone in a lake: its rows given to a folder, or deleted from every batch."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from orchestration import lake_batches
from orchestration.contracts import extract_contracts
from orchestration.engine import connect, reading
from orchestration.house import House, HouseError, clear_scratch, move_into_place
from orchestration.lake_batches import batch_folder, batch_numbers
from orchestration.sql import literal
from orchestration.take_in.scratch import copy_to
from orchestration.take_in.tables import KEYS, ensure_tables


def _copy_open(engine: duckdb.DuckDBPyConnection, query: str, path: Path) -> None:
    """What is not encrypted: what is for others, and the ledger."""
    engine.execute(f"copy ({query}) to {literal(path)} (format parquet, compression zstd)")


def _source(house: House, batch: int, table: str) -> str:
    """A table of a batch to select from; the ledger is never encrypted."""
    return f"read_parquet({literal(lake_batches.table(house, batch, table))}{'' if table == 'files' else reading()})"


def give_practice(house: House, practice_id: str, folder: Path) -> dict[str, int]:
    """Writes all that the lake holds of one practice as `folder`/<table>.parquet, with its ledger and quarantine.

    `folder` must not exist yet; it appears whole (0700). Gives rows per table. Raises HouseError.
    """
    counts: dict[str, int] = {}
    scratch = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    if folder.exists():
        raise HouseError(f"{folder}: exists already and is never overwritten; name a new folder")
    ensure_tables(house)
    with house.lock("lake"):
        batches = batch_numbers(house)
        try:
            scratch.mkdir(parents=True, mode=0o700)
            with connect(house) as engine:
                for table in (*extract_contracts(), "files", "quarantine", KEYS) if batches else ():
                    path = scratch / f"{table}.parquet"
                    # Not read_parquet's union_by_name: with encryption_config DuckDB 1.5.5 breaks off inside.
                    wanted = f"where practice_id = {literal(practice_id)}"
                    each = [f"select * from {_source(house, batch, table)} {wanted}" for batch in batches]
                    _copy_open(engine, " union all by name ".join(each), path)
                    counts[table] = pq.read_metadata(path).num_rows
            move_into_place(scratch, folder)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return counts


def forget_practice(house: House, practice_id: str) -> dict[str, int]:
    """Deletes one practice's rows from the lake, ledger and quarantine included; gives rows deleted per table.

    Only files that hold the practice are written anew, each replaced at once; after a crash run it again. Take
    the practice out of practices.yaml or of landing/ first, or the next night takes it in again.
    """
    counts: Counter[str] = Counter()
    ensure_tables(house)
    with house.lock("lake"):
        clear_scratch(house.lake)
        with connect(house) as engine:
            for batch in batch_numbers(house):
                # the ledger goes last: while it names the practice, there may be something left to delete
                for table in (*extract_contracts(), "quarantine", KEYS, "files"):
                    path = batch_folder(house, batch) / f"{table}.parquet"
                    if house.lake_url is not None:
                        path = house.lake / path.name
                    source = _source(house, batch, table)
                    row = engine.execute(f"select count(*) from {source} where practice_id = ?", [practice_id]).fetchone()
                    if not row or not row[0]:
                        continue
                    scratch = path.with_name(f".{path.name}.{os.getpid()}.tmp")
                    try:
                        copy = _copy_open if table == "files" else copy_to
                        copy(engine, f"select * from {source} where practice_id <> {literal(practice_id)}", scratch)
                        scratch.chmod(0o600)
                        if house.lake_url is None:
                            scratch.replace(path)
                        else:
                            lake_batches.replace(house, batch, scratch, path.name)
                    finally:
                        scratch.unlink(missing_ok=True)
                    counts[table] += row[0]
    return dict(counts)
