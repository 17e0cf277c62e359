"""The lake: taking landed files in as one batch."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import duckdb

from orchestration import lake_batches
from orchestration.contracts import extract_contracts
from orchestration.engine import ensure_key_fits
from orchestration.house import House, clear_scratch, move_into_place
from orchestration.lake_batches import batch_folder, batch_numbers
from orchestration.mapping import choice
from orchestration.mapping.choice import Choices
from orchestration.take_in.batch import FILES_A_BATCH, Batch, Progress
from orchestration.take_in.damage import ensure_whole
from orchestration.take_in.landing import LandedTable, discover, spool
from orchestration.take_in.ledger import FileRecord, write_ledger
from orchestration.take_in.pending import newest_of, pending
from orchestration.take_in.scratch import copy_to, scratch_engine, scratch_folder
from orchestration.take_in.tables import (
    KEYS,
    QUARANTINE,
    QUARANTINE_KEYS,
    ROW_KEY,
    add_tables,
    lacks_tables,
    nothing_of,
    quarantine_table,
)


@dataclass(frozen=True)
class BatchReport:
    """What one run took in. `totals`: table -> files, rows_received, rows_accepted, rows_quarantined,
    rows_superseded, rows_filtered."""

    batch: int
    files: list[FileRecord]
    totals: dict[str, dict[str, int]]
    notes: list[str] = field(default_factory=list)


def take_in(
    house: House,
    practices: Mapping[str, str],
    up_to: date | None = None,
    nights: set[date] | None = None,
    progress: Progress | None = None,
    mapped: Choices | None = None,
) -> BatchReport | None:
    """Takes in every landed file that is new or changed as one batch; None when there is none.

    `practices`: practice_id -> IANA time zone; files of others stay where they are; `mapped`: how those of other systems are read. `up_to` (included) and
    `nights` narrow the nights. The batch appears whole or not at all. Raises HouseError for what a user can mend.
    """
    house.prepare()
    ensure_key_fits(house)
    with house.lock("lake"):
        clear_scratch(house.lake)
        shutil.rmtree(spool(house), ignore_errors=True)
        lake_batches.sweep(house)
        ensure_whole(house)
        if not batch_numbers(house):
            with scratch_folder(house, 0) as scratch, scratch_engine(scratch) as engine:
                _finish(house, 0, scratch, engine, [], {})
        elif lacks_tables(house):
            add_tables(house)
        notes: list[str] = []
        landed = discover(house, practices, up_to, notes, mapped=mapped)
        if nights is not None:
            landed = [one for one in landed if one.extract_date in nights]
        newest = newest_of(house, landed, practices)
        wanted = [one for one in pending(house, landed, practices, newest) if nights is None or one.extract_date in nights][
            :FILES_A_BATCH
        ]
        if not wanted:
            return None
        return _take_batch(house, wanted, practices, newest, notes, progress)


def take_in_files(house: House, files: list[LandedTable], practices: Mapping[str, str]) -> BatchReport:
    """Takes in files wherever they lie, as the first batch of a lake that is there for them alone (`ccm check`).

    `practices`: practice_id of each file -> IANA time zone. A file that changes while it is read is in the report's notes only.
    """
    house.prepare()
    notes: list[str] = []
    return _take_batch(house, files, practices, {}, notes, None) or BatchReport(0, [], {}, notes)


def _take_batch(
    house: House,
    wanted: list[LandedTable],
    practices: Mapping[str, str],
    newest: Mapping[tuple[str, date, str], FileRecord],
    notes: list[str],
    progress: Progress | None,
) -> BatchReport | None:
    """None when every file changed while it was read."""
    batch = (batch_numbers(house) or [0])[-1] + 1
    with scratch_folder(house, batch) as scratch, scratch_engine(scratch) as engine:
        foreign_zones = frozenset(zone for one in wanted if one.mapped and (zone := one.mapped.loaded.mapping.time_zone))
        taking = Batch(
            engine, batch, practices, newest, scratch, progress or (lambda what, done, of: None), len(wanted), foreign_zones
        )
        for table, contract in extract_contracts().items():
            own = [(place, one) for place, one in enumerate(wanted) if one.table == table]
            taking.take(contract, own)
        notes += taking.notes
        if not taking.records:
            return None
        records = sorted(taking.records, key=lambda record: record.file_id)
        choice.keep(house, {one.loaded.sha256: one.loaded.content for item in wanted if (one := item.mapped)})
        _finish(house, batch, scratch, engine, records, taking.written)
    return BatchReport(batch, records, _totals(records), notes)


def _totals(records: list[FileRecord]) -> dict[str, dict[str, int]]:
    totals: dict[str, Counter[str]] = {}
    for record in records:
        total = totals.setdefault(record.table_name, Counter())
        total["files"] += 1
        for name in ("rows_received", "rows_accepted", "rows_quarantined", "rows_superseded"):
            total[name] += getattr(record, name)
        if record.rows_filtered is not None:
            total["rows_filtered"] += record.rows_filtered
    return {table: dict(total) for table, total in sorted(totals.items())}


def _finish(
    house: House,
    batch: int,
    scratch: Path,
    engine: duckdb.DuckDBPyConnection,
    records: list[FileRecord],
    written: Mapping[str, Path],
) -> None:
    for table, contract in extract_contracts().items():
        if table not in written:
            copy_to(engine, nothing_of(contract), scratch / f"{table}.parquet")
    if not records:
        engine.execute(quarantine_table())
    for table, columns in (("quarantine", QUARANTINE), (KEYS, QUARANTINE_KEYS)):
        wanted = f"where {ROW_KEY[0]} is not null" if table == KEYS else ""
        names = ", ".join(name for name, _ in columns)
        copy_to(engine, f"select {names} from quarantined {wanted} order by file_id, line_number", scratch / f"{table}.parquet")
    write_ledger(records, scratch / lake_batches.LEDGER)
    for path in scratch.iterdir():
        _sync(path)
    if house.lake_url is None:
        move_into_place(scratch, batch_folder(house, batch))
    else:
        lake_batches.publish(house, scratch, batch)


def _sync(path: Path) -> None:
    with path.open("rb") as handle:
        os.fsync(handle.fileno())
