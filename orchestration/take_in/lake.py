"""The lake: taking landed files in as one batch, and its ledger."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from orchestration import storage
from orchestration.contracts import ExtractContract, extract_contracts, lake_columns, optional_tables
from orchestration.engine import connect, ensure_key_fits, is_size, reading, written
from orchestration.house import House, HouseError, clear_scratch, move_into_place, no_pattern, write_private
from orchestration.mapping import choice, plain
from orchestration.mapping import sql as mapping_sql
from orchestration.mapping.choice import Choices, MappedTable
from orchestration.storage import batch_folder, batch_numbers
from orchestration.take_in import reader, typed
from orchestration.take_in.landing import LandedTable, discover, fetched, lies_in, lone, release, spool
from orchestration.take_in.zones import alike, far_days, zone_days

SUPERSEDED = -1  # the code of a judged row, beside those of faults (typed.reasons)
FILES_A_BATCH = 999_999  # file_id = batch x 1,000,000 + place
RESTORE_BATCHES = "restore them from the newest backup (`ccm restore` into a new folder, copy lake/batches)"
MOST_NAMED = 5
# What DuckDB may hold while files are taken in; what is more goes to disk beside the lake. Python and Arrow hold some 0.5 GB besides.
MEMORY = "CCM_TAKE_IN_MEMORY"
MEMORY_UNLESS_SAID = "1GB"

Progress = Callable[[str, int, int], None]
"""Called with what is being read, how many files are done, and of how many."""


@dataclass(frozen=True)
class FileRecord:
    """A row of the ledger, files.parquet: one version of one landed file and what became of it
    (docs/architecture.md)."""

    file_id: int
    practice_id: str
    extract_date: date
    table_name: str
    version: int
    file_name: str
    format: str
    sha256: str | None
    size_bytes: int
    mtime_ns: int
    ctime_ns: int
    time_zone: str
    outcome: str
    reason: str | None
    rows_received: int
    rows_accepted: int
    rows_quarantined: int
    rows_superseded: int
    extra_columns: tuple[str, ...]
    missing_columns: tuple[str, ...] | None = None  # optional columns that the file has not; None: it was not noted yet
    # Of a file that a mapping read: which, by the SHA-256 of its YAML (kept in lake/mappings/), the lines of the file, and those that gave no row.
    mapping: str | None = None
    mapping_sha256: str | None = None
    lines_read: int | None = None
    rows_filtered: int | None = None

    @property
    def key(self) -> tuple[str, date, str]:
        return self.practice_id, self.extract_date, self.table_name


_LEDGER = pa.schema(
    [
        pa.field(
            f.name,
            {"int": pa.int64(), "int | None": pa.int64(), "date": pa.date32()}.get(
                str(f.type), pa.list_(pa.string()) if str(f.type).startswith("tuple[str, ...]") else pa.string()
            ),
        )
        for f in fields(FileRecord)
    ]
)
# Columns of the ledger that only a batch with a mapped file has: without mappings a batch is what it was before there were any.
_MAPPED = ("mapping", "mapping_sha256", "lines_read", "rows_filtered")
_ROWS = ("rows_received", "rows_accepted", "rows_quarantined", "rows_superseded", "rows_filtered")  # what the ledger counts
_ROW_PREFIX = (("practice_id", "VARCHAR"), ("extract_date", "DATE"), ("file_id", "BIGINT"), ("line_number", "BIGINT"))
_QUARANTINE = (
    ("file_id", "BIGINT"),
    ("practice_id", "VARCHAR"),
    ("extract_date", "DATE"),
    ("table_name", "VARCHAR"),
    ("line_number", "BIGINT"),
    ("column_name", "VARCHAR"),
    ("reason", "VARCHAR"),
    ("patient_id", "VARCHAR"),
)
_KEYS = "quarantine_keys"
# Of quarantined rows of tables that bring changes: by it a later night's row is known for the same. Of the care team: whose row it is.
_ROW_KEY = ("row_key", "VARCHAR")
_QUARANTINE_KEYS = (("file_id", "BIGINT"), ("practice_id", "VARCHAR"), ("line_number", "BIGINT"), _ROW_KEY)


@dataclass(frozen=True)
class BatchReport:
    """What one run took in. `totals`: table -> files, rows_received, rows_accepted, rows_quarantined,
    rows_superseded, rows_filtered."""

    batch: int
    files: list[FileRecord]
    totals: dict[str, dict[str, int]]
    notes: list[str] = field(default_factory=list)


# --- the ledger -------------------------------------------------------------------------------------------------------


def ledger(house: House, since: date | None = None) -> list[FileRecord]:
    """Every version of every file ever taken in, or of those of nights from `since` on, by file_id. Raises HouseError when a batch is damaged.

    Two thousand practices land millions of files a year: what is asked every night names the nights that it is about."""
    rows = ledger_rows(_ledger_folders(house), since)
    return [
        FileRecord(
            **{
                **row,
                "extra_columns": tuple(row["extra_columns"] or ()),
                "missing_columns": None if row.get("missing_columns") is None else tuple(row["missing_columns"]),
            }
        )
        for row in rows
    ]


def _ledger_folders(house: House) -> list[Path]:
    return [storage.ledger_folder(house, batch) for batch in batch_numbers(house)]


def ledger_rows(folders: Iterable[Path], since: date | None = None) -> Iterator[dict[str, Any]]:
    """The rows of `files.parquet` of each batch folder. Raises HouseError when one is damaged."""
    for folder in folders:
        yield from _ledger_table(folder, None, [("extract_date", ">=", since)] if since else None).to_pylist()


def _ledger_table(folder: Path, columns: list[str] | None, only: list[tuple[str, str, Any]] | None = None) -> pa.Table:
    path = folder / "files.parquet"
    try:
        return pq.read_table(path, columns=columns, filters=only)
    except (OSError, pa.ArrowException):
        raise HouseError(f"{path}: cannot be read; restore this batch from the backup") from None


def newest_accepted(house: House) -> dict[tuple[str, str], date]:
    """The newest accepted night of each practice and table. Raises HouseError when a batch is damaged."""
    by = ["practice_id", "table_name"]
    newest = accepted_files(house).group_by(by).aggregate([("extract_date", "max")]).to_pylist()
    return {(row["practice_id"], row["table_name"]): row["extract_date_max"] for row in newest}


def accepted_nights(house: House) -> dict[str, set[date]]:
    """The nights of which a practice has an accepted file. Raises HouseError when a batch is damaged."""
    found: dict[str, set[date]] = {}
    for row in accepted_files(house).group_by(["practice_id", "extract_date"]).aggregate([]).to_pylist():
        found.setdefault(row["practice_id"], set()).add(row["extract_date"])
    return found


def nights_that_came(house: House) -> dict[str, set[date]]:
    """The nights of which a practice has a file in the lake's ledgers, accepted or rejected. Raises HouseError when a batch is damaged."""
    found: dict[str, set[date]] = {}
    for folder in _ledger_folders(house):
        table = _ledger_table(folder, ["practice_id", "extract_date"])
        for row in table.group_by(["practice_id", "extract_date"]).aggregate([]).to_pylist():
            found.setdefault(row["practice_id"], set()).add(row["extract_date"])
    return found


def accepted_files(house: House, since: date | None = None) -> pa.Table:
    """practice_id, table_name, extract_date of every accepted version of a file, or of those of nights from `since` on. Raises HouseError when a batch is
    damaged."""
    only: list[tuple[str, str, Any]] = [("outcome", "==", "accepted")]
    if since:
        only.append(("extract_date", ">=", since))
    columns = ["practice_id", "table_name", "extract_date"]
    return pa.concat_tables(
        [_LEDGER.empty_table().select(columns), *(_ledger_table(folder, columns, only) for folder in _ledger_folders(house))]
    )


def held(house: House, nights: Set[date]) -> dict[tuple[str, date], dict[str, int]]:
    """What the lake holds of these nights, by table and night: `files` that are in force (of each practice the newest accepted version) with the sums of
    their rows, and `versions` that ever came. Raises HouseError when a batch is damaged."""
    key = ["practice_id", "extract_date", "table_name"]
    only = [("extract_date", "in", sorted(nights))]
    read = [_ledger_table(folder, None, only) for folder in _ledger_folders(house)] if nights else []
    files = pa.concat_tables([one for one in read if one.num_rows] or [_LEDGER.empty_table()], promote_options="default")
    came = files.group_by(key[1:]).aggregate([("version", "count")]).to_pylist()
    found = {(row["table_name"], row["extract_date"]): {"versions": row["version_count"], "files": 0} for row in came}
    accepted = files.filter(pc.equal(files["outcome"], "accepted")).select(
        [*key, "version", *(name for name in _ROWS if name in files.column_names)]
    )
    newest = accepted.group_by(key).aggregate([("version", "max")])
    standing = accepted.join(newest, key)
    standing = standing.filter(pc.equal(standing["version"], standing["version_max"]))
    rows = [name for name in _ROWS if name in standing.column_names]
    sums = standing.group_by(key[1:]).aggregate([("version", "count"), *((name, "sum") for name in rows)]).to_pylist()
    for row in sums:
        counted = {name: row[f"{name}_sum"] for name in rows if row[f"{name}_sum"] is not None}
        found[row["table_name"], row["extract_date"]] |= {"files": row["version_count"], **counted}
    return found


def in_force(house: House, file_ids: Set[int]) -> dict[int, str]:
    """Those of these files that no later version of their practice, night and table has replaced, each with its practice. Raises HouseError when a batch is
    damaged."""
    if not file_ids:
        return {}
    key = ["practice_id", "extract_date", "table_name"]
    files = pa.concat_tables([_ledger_table(folder, [*key, "version", "file_id"]) for folder in _ledger_folders(house)])
    asked = files.filter(pc.is_in(files["file_id"], value_set=pa.array(sorted(file_ids), pa.int64())))
    newest = files.group_by(key).aggregate([("version", "max")])
    found = asked.join(newest, key).to_pylist()
    return {row["file_id"]: row["practice_id"] for row in found if row["version"] == row["version_max"]}


def files_and_rows(house: House) -> tuple[int, int]:
    """Files and rows ever taken in."""
    received = [_ledger_table(folder, ["rows_received"])["rows_received"] for folder in _ledger_folders(house)]
    return sum(len(rows) for rows in received), sum(pc.sum(rows).as_py() or 0 for rows in received)


def taken_in_besides(house: House, batches: Set[int]) -> dict[str, Any]:
    """What the lake's batches hold besides these: files, practices, newest night, and their rows. Raises HouseError when one is damaged."""
    files = list(ledger_rows(storage.ledger_folder(house, batch) for batch in batch_numbers(house) if batch not in batches))
    return {
        "files": len(files),
        "practices": len({file["practice_id"] for file in files}),
        **{
            name: sum(file.get(name) or 0 for file in files)
            for name in ("rows_accepted", "rows_quarantined", "rows_superseded", "rows_filtered")
        },
        "newest_night": max((file["extract_date"] for file in files), default=None),
    }


def nights_taken_in(house: House) -> set[date]:
    """The nights of all files ever taken in. Raises HouseError when a batch is damaged."""
    return {
        night
        for folder in _ledger_folders(house)
        for night in _ledger_table(folder, ["extract_date"])["extract_date"].unique().to_pylist()
    }


def unreadable(house: House) -> list[str]:
    """Tables of the lake that cannot be read to their end, as <batch>/<table>.parquet: cut short, or not as they were written. Reads all of it. HouseError
    where the key is another."""
    ensure_key_fits(house)  # without its key a sound file cannot be read either
    found = []
    with connect(house) as con:
        for number, names in sorted(storage.contents(house).items()):
            for name in sorted(name.removesuffix(".parquet") for name in names if name.endswith(".parquet")):
                # The files' ledger is never encrypted.
                options = "" if name == "files" else reading()
                try:
                    con.execute(
                        f"select bit_xor(hash(rows)) from read_parquet(?{options}) as rows", [storage.table(house, number, name)]
                    ).fetchall()
                except duckdb.Error:
                    found.append(f"{number:06d}/{name}.parquet")
    return found


def told_damaged(tables: Sequence[str]) -> str:
    """What `unreadable` found, in words, with what to do."""
    return f"lake/batches/: damaged, cannot be read: {few(tables)}; {RESTORE_BATCHES}"


def newest_files(house: House) -> list[FileRecord]:
    """The newest version of each practice, night and table, whatever its outcome; by practice, night and table."""
    return list(_newest(ledger(house)).values())


def _newest(records: list[FileRecord]) -> dict[tuple[str, date, str], FileRecord]:
    newest: dict[tuple[str, date, str], FileRecord] = {}
    for record in records:
        if record.key not in newest or record.version > newest[record.key].version:
            newest[record.key] = record
    return dict(sorted(newest.items()))


def pending(house: House, landed: list[LandedTable], practices: Mapping[str, str]) -> list[LandedTable]:
    """Those of `landed` that the lake does not hold as they are now. `practices`: practice_id -> IANA time zone.

    Unchanged: the same size and times on disk, or else the same SHA-256; and a time zone of the same clock, on which
    local times depend. Another mapping alone is no change: what is read again for its zone is read by the mapping that read it; a file that is landed
    again by the one that is chosen now.
    """
    return _pending(house, landed, practices, _newest_of(house, landed, practices))


def _newest_of(house: House, landed: list[LandedTable], practices: Mapping[str, str]) -> dict[tuple[str, date, str], FileRecord]:
    """What the lake holds of these nights; of all of them where some was taken in by another clock: others may have been too."""
    if not landed:
        return {}
    newest = _newest(ledger(house, min(one.extract_date for one in landed)))
    if any(not alike(held.time_zone, practices.get(held.practice_id, held.time_zone)) for held in newest.values()):
        return _newest(ledger(house))
    return newest


def _pending(
    house: House, landed: list[LandedTable], practices: Mapping[str, str], newest: Mapping[tuple[str, date, str], FileRecord]
) -> list[LandedTable]:
    wanted = []
    for one in landed:
        held = newest.get(one.key)
        if held is None:
            wanted.append(one)
            continue
        is_chosen = _mapping_of(one) == held.mapping_sha256
        if not alike(held.time_zone, practices[one.practice_id]):
            if is_chosen or _is_landed_again(one, held) or reader.digest(one) != held.sha256:
                wanted.append(one)
            elif _can_be_read_as_before(house, held):
                wanted.append(replace(one, mapped=_mapping_of_then(house, held), format=held.format))
            continue
        stamp = (one.file_name, one.size_bytes, one.mtime_ns, one.ctime_ns)
        is_same = stamp == (held.file_name, held.size_bytes, held.mtime_ns, held.ctime_ns)
        # The ETag, which stands for the time of change, names the content: the same bytes put again are no news.
        if one.objects and is_chosen:
            is_same = (one.file_name, one.size_bytes, one.ctime_ns) == (held.file_name, held.size_bytes, held.ctime_ns)
        # A file that gave no bytes may give them now without a trace on disk: it is asked again.
        if is_same and (held.sha256 is not None or one.fault is not None):
            continue
        if reader.digest(one) != held.sha256 or (_is_landed_again(one, held) and not is_chosen):
            wanted.append(one)
    return wanted + _passed_over(house, landed, practices, newest)


def _passed_over(
    house: House, landed: list[LandedTable], practices: Mapping[str, str], newest: Mapping[tuple[str, date, str], FileRecord]
) -> list[LandedTable]:
    """Files of nights up to the last of these that were taken in by another clock, and that nobody looks for as the mappings are now: the mapping cannot be
    used, or says another name. Of a landing on disk alone."""
    if not landed or house.landing_url is not None:
        return []
    there, last = {one.key for one in landed}, max(one.extract_date for one in landed)
    found = []
    for key, held in newest.items():
        zone = practices.get(held.practice_id)
        if key in there or zone is None or held.sha256 is None or held.extract_date > last or alike(held.time_zone, zone):
            continue
        if lies_in(house, held.file_name) and _can_be_read_as_before(house, held):
            one = lone(
                house.landing / held.file_name, held.table_name, held.practice_id, held.extract_date, _mapping_of_then(house, held)
            )
            if one is not None and reader.digest(one) == held.sha256:
                found.append(one)
    return found


def _mapping_of_then(house: House, held: FileRecord) -> MappedTable | None:
    """The mapping that read it, whatever is chosen now. Raises HouseError where that is gone."""
    return choice.kept(house, held.mapping or "", held.mapping_sha256, held.table_name) if held.mapping_sha256 else None


def _can_be_read_as_before(house: House, held: FileRecord) -> bool:
    """Where its mapping is gone a file stays as it was read, and is told (`stays_by_another_clock`)."""
    try:
        _mapping_of_then(house, held)
    except HouseError:
        return False
    return True


def stays_by_another_clock(house: House, practices: Mapping[str, str]) -> list[str]:
    """What is said of files in landing/ that stay as they were read in the time zone of before, because the mapping that read them is gone.

    `practices`: practice_id -> IANA time zone. Raises HouseError when a batch is damaged."""
    by = ["practice_id", "time_zone"]
    tables = [_ledger_table(folder, by) for folder in _ledger_folders(house)]
    seen = pa.concat_tables(tables).group_by(by).aggregate([]).to_pylist() if tables else []
    moved = {
        row["practice_id"]
        for row in seen
        if row["practice_id"] in practices and not alike(row["time_zone"], practices[row["practice_id"]])
    }
    if not moved:
        return []
    found: dict[tuple[str, str, str], list[date]] = {}
    for held in newest_files(house):
        if held.practice_id not in moved or held.mapping_sha256 is None or alike(held.time_zone, practices[held.practice_id]):
            continue
        lies_there = house.landing_url is not None or lies_in(house, held.file_name)
        if lies_there and not _can_be_read_as_before(house, held):
            found.setdefault((held.practice_id, held.time_zone, held.mapping_sha256), []).append(held.extract_date)
    return [
        f"landing/{name}: {len(nights)} files up to {max(nights)} stay as they were read in {zone}, for the mapping that read them is gone "
        f"(lake/mappings/{sha256}.yaml): put it back, or `touch` them, and the mapping that is chosen now reads them"
        for (name, zone, sha256), nights in found.items()
    ]


def _is_landed_again(one: LandedTable, held: FileRecord) -> bool:
    """By the time at which it was written: a home that is copied or restored with the times of its files has landed nothing."""
    return (one.file_name, one.mtime_ns) != (held.file_name, held.mtime_ns)


def _mapping_of(one: LandedTable) -> str | None:
    return one.mapped.loaded.sha256 if one.mapped else None


# --- taking in --------------------------------------------------------------------------------------------------------


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
    `nights` narrow
    the nights. The batch appears whole or not at all. Raises HouseError for what a user can mend.
    """
    house.prepare()
    ensure_key_fits(house)
    with house.lock("lake"):
        clear_scratch(house.lake)
        shutil.rmtree(spool(house), ignore_errors=True)
        storage.sweep(house)
        _ensure_whole(house)
        if not batch_numbers(house):
            with _scratch(house, 0) as scratch, _engine(scratch) as engine:
                _finish(house, 0, scratch, engine, [], {})
        elif _lacks_tables(house):
            _add_tables(house)
        notes: list[str] = []
        landed = discover(house, practices, up_to, notes, mapped=mapped)
        if nights is not None:
            landed = [one for one in landed if one.extract_date in nights]
        newest = _newest_of(house, landed, practices)
        wanted = [one for one in _pending(house, landed, practices, newest) if nights is None or one.extract_date in nights][
            :FILES_A_BATCH
        ]
        if not wanted:
            return None
        return _take_batch(house, wanted, practices, newest, notes, progress)


def damage(house: House) -> str | None:
    """What the lake has lost: batches between others, or files of a batch. None when it is whole."""
    there = storage.contents(house)
    numbers = [number for number in sorted(there) if storage.LEDGER in there[number] or house.lake_url is None]
    if gaps := storage.missing_between(numbers):
        return f"batches missing: {few(gaps)}"
    # what a batch of before an optional table lacks is given to it
    names = {f"{table}.parquet" for table in (*extract_contracts(), "files", "quarantine") if table not in _later_tables()}
    if broken := [number for number in numbers if not names <= there[number]]:
        return f"batches without all of their files: {few(broken)}"
    return None


def few(names: Sequence[object]) -> str:
    """The first of these names, and how many more there are."""
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(str(name) for name in names[:MOST_NAMED]) + more


def _ensure_whole(house: House) -> None:
    """What is gone would be decided without, and what is taken in meanwhile would stand beside it once it is put back."""
    if lost := damage(house):
        raise HouseError(f"{house.lake / 'batches'}: {lost}; nothing is taken in until they are there again: {RESTORE_BATCHES}")
    if house.warehouse.exists() and not batch_numbers(house):
        raise HouseError(
            f"{house.lake / 'batches'}: is empty, and this home has had nights; mount the disk that it is on, or {RESTORE_BATCHES}. To begin anew with "
            f"what landing/ still has, move {house.warehouse.name} away"
        )


def ensure_tables(house: House) -> None:
    """Gives the batches of before an extract table there was that table, without rows: a reader finds every table in every batch. Under its own lock."""
    if not _lacks_tables(house):
        return
    with house.lock("lake"):
        _add_tables(house)


def _lacks_tables(house: House) -> bool:
    """The first batch is completed last: whether it is complete says so of all."""
    return bool(batch_numbers(house)) and any(storage.first_bytes(house, 0, table, 1) is None for table in _later_tables())


def _add_tables(house: House) -> None:
    held = storage.contents(house)
    with _scratch(house, 0) as scratch, _engine(scratch) as engine:
        for table, nothing in sorted(_later_tables().items()):
            path = scratch / f"{table}.parquet"
            _copy(engine, nothing, path)
            for batch in reversed(batch_numbers(house)):
                if path.name in held.get(batch, ()):
                    continue
                if house.lake_url is None:
                    write_private(batch_folder(house, batch) / path.name, path.read_bytes())
                else:
                    storage.replace(house, batch, path)


def _later_tables() -> dict[str, str]:
    """What a batch of before may lack: table -> a query of no rows of it."""
    contracts = extract_contracts()
    columns = ", ".join(f"null::{kind} as {name}" for name, kind in _QUARANTINE_KEYS)
    return {**{table: _nothing_of(contracts[table]) for table in optional_tables()}, _KEYS: f"select {columns} where false"}


def _nothing_of(contract: ExtractContract) -> str:
    columns = ", ".join(f"null::{kind} as {typed.name(name)}" for name, kind in (*_ROW_PREFIX, *lake_columns(contract)))
    return f"select {columns} where false"


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
    with _scratch(house, batch) as scratch, _engine(scratch) as engine:
        foreign_zones = frozenset(zone for one in wanted if one.mapped and (zone := one.mapped.loaded.mapping.time_zone))
        taking = _Batch(
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


@contextmanager
def _scratch(house: House, batch: int) -> Iterator[Path]:
    folder = house.lake / f".{batch:06d}.{os.getpid()}.tmp"
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(_spill(folder), ignore_errors=True)
        shutil.rmtree(_copies(folder), ignore_errors=True)


def _copies(scratch: Path) -> Path:
    """Where foreign files lie as plain CSV while they are read."""
    return scratch.with_name(f"{scratch.name.removesuffix('.tmp')}.plain.tmp")


def _spill(scratch: Path) -> Path:
    return scratch.with_name(f"{scratch.name.removesuffix('.tmp')}.spill.tmp")


@contextmanager
def _engine(scratch: Path, house: House | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    config: dict[str, str | int | float | list[str]] = {
        "temp_directory": str(_spill(scratch)),
    }
    memory = os.environ.get(MEMORY) or MEMORY_UNLESS_SAID
    try:
        if not is_size(memory):
            raise duckdb.ParserException
        engine = connect(house, {**config, "memory_limit": memory})
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
            _copy(engine, _nothing_of(contract), scratch / f"{table}.parquet")
    if not records:
        engine.execute(_quarantine_table())
    for table, columns in (("quarantine", _QUARANTINE), (_KEYS, _QUARANTINE_KEYS)):
        wanted = f"where {_ROW_KEY[0]} is not null" if table == _KEYS else ""
        names = ", ".join(name for name, _ in columns)
        _copy(engine, f"select {names} from quarantined {wanted} order by file_id, line_number", scratch / f"{table}.parquet")
    rows = [
        {
            **asdict(record),
            "extra_columns": list(record.extra_columns),
            "missing_columns": None if record.missing_columns is None else list(record.missing_columns),
        }
        for record in records
    ]
    ledger_table = pa.Table.from_pylist(rows, schema=_LEDGER)
    if not any(record.mapping for record in records):
        ledger_table = ledger_table.drop_columns(list(_MAPPED))
    pq.write_table(ledger_table, scratch / "files.parquet", compression="zstd")
    for path in scratch.iterdir():
        _sync(path)
    if house.lake_url is None:
        move_into_place(scratch, batch_folder(house, batch))
    else:
        storage.publish(house, scratch, batch)


def _quarantine_table() -> str:
    return f"create table quarantined ({', '.join(f'{name} {kind}' for name, kind in (*_QUARANTINE, _ROW_KEY))})"


def _copy(engine: duckdb.DuckDBPyConnection, query: str, path: Path) -> None:
    """Writes a Parquet file of the lake."""
    engine.execute(f"copy ({query}) to {typed.literal(str(path))} (format parquet, compression zstd{written()})")


def _source(path: Path) -> str:
    """A table of the lake to select from. The ledger has no row of a patient and is never encrypted."""
    return _read(no_pattern(path), path.stem)


def _read(file: str, table: str) -> str:
    return f"read_parquet({typed.literal(file)}{'' if table == 'files' else reading()})"


def _sync(path: Path) -> None:
    with path.open("rb") as handle:
        os.fsync(handle.fileno())


def _broke_off(error: Exception) -> str:
    return f"cannot be read to its end ({type(error).__name__}); land the whole file again"


def _shares(files: list[tuple[int, LandedTable]], threads: int) -> list[list[tuple[int, LandedTable]]]:
    """Files in their order, a share for each thread of about as many bytes; a single share where one file is more than that."""
    sizes = [one.size_bytes for _, one in files]
    share = sum(sizes) / threads
    if threads == 1 or not share or max(sizes) > share:
        return [files]
    shares: list[list[tuple[int, LandedTable]]] = [[] for _ in range(threads)]
    before = 0
    for item, size in zip(files, sizes, strict=True):
        shares[min(int(before / share), threads - 1)].append(item)
        before += size
    return [one for one in shares if one]


@contextmanager
def _one_thread_each(engine: duckdb.DuckDBPyConnection, threads: int, of: int) -> Iterator[None]:
    """Of several statements at once each has one of the `threads`: it reads its files one after the other, and what it reads lies as it was read. (A
    statement of several threads keeps the order as well, at a third more CPU.)"""
    if of == 1:
        yield
        return
    engine.execute("set threads = 1")
    try:
        yield
    finally:
        engine.execute(f"set threads = {threads}")


@dataclass
class _Batch:
    """A batch in the making. Tables of the engine: quarantined (all), and per extract table in turn files, staged (rows that Python read or a mapping
    made, as text) and judged. A row of `judged` without a line number has it from its place: a file's rows lie together, as it has them."""

    engine: duckdb.DuckDBPyConnection
    number: int
    practices: Mapping[str, str]
    newest: Mapping[tuple[str, date, str], FileRecord]
    scratch: Path
    progress: Progress
    of: int
    foreign_zones: frozenset[str] = frozenset()  # of mappings that name their own
    done: int = 0
    records: list[FileRecord] = field(default_factory=list)
    written: dict[str, Path] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    # Of the table that is being taken, by place: how each file is read, what it is read from where that is a copy, and of mapped ones the lines
    # and those that gave no row.
    layouts: dict[int, reader.Layout] = field(default_factory=dict)
    copies: dict[int, Path] = field(default_factory=dict)
    lines: dict[int, int] = field(default_factory=dict)
    filtered: dict[int, int] = field(default_factory=dict)
    tellers: dict[str, int] = field(default_factory=dict)  # SHA-256 of each mapping that was used, numbered

    def __post_init__(self) -> None:
        self.engine.execute(_quarantine_table())
        zones = sorted({*self.practices.values(), *self.foreign_zones})
        self.zones = {zone: number for number, zone in enumerate(zones)}
        days = zone_days(zones)
        self.engine.register("days", days)
        self.engine.execute("create table zone_days as select * from days")
        self.engine.unregister("days")

    def _add_far_days(self, days: list[tuple[int, date]]) -> None:
        if days:
            names = {number: zone for zone, number in self.zones.items()}
            self.engine.register("far", far_days((number, names[number], day) for number, day in days))
            self.engine.execute("insert into zone_days from far anti join zone_days using (zone, day)")
            self.engine.unregister("far")

    def take(self, contract: ExtractContract, files: list[tuple[int, LandedTable]]) -> None:
        """Reads all files of one table, quarantines, and writes the table's Parquet file."""
        if not files:
            return
        self.progress(contract.table, self.done, self.of)
        tables, changed = fetched([one for _, one in files])
        files = [(place, one) for (place, _), one in zip(files, tables, strict=True)]
        self.layouts = {place: reader.Layout.of(contract) for place, one in files if one.mapped is None}
        self.copies, self.filtered, self.lines = {}, {}, {}
        with ThreadPoolExecutor(2) as pool:  # hashing and reading release the interpreter
            scans = dict(zip((place for place, _ in files), pool.map(lambda item: self._scan(*item), files), strict=True))
        self._name_files(files)
        columns = ", ".join(f"{typed.name(name)} {kind}" for name, kind in typed.staged_columns(contract))
        self.engine.execute(
            f"create table staged (file_id BIGINT, line_number BIGINT, fault VARCHAR, fault_column VARCHAR, {columns})"
        )
        self.engine.execute(f"create table judged as {typed.judging(contract, 'staged')} with no data")
        readable = [(place, one) for place, one in files if scans[place].fault is None and scans[place].column_fault is None]
        self._stage(contract, [item for item in readable if item[1].mapped is None], scans)
        for place, one in readable:
            if one.mapped is not None:
                self._stage_mapped(contract, place, one, one.mapped, scans[place])
        self.engine.execute(f"insert into judged {typed.judging(contract, 'staged')}; drop table staged")
        unreliable = {place for order, (place, one) in enumerate(files) if order in changed or not one.is_as_it_was()}
        for place, one in files:
            if place in unreliable:
                self.notes.append(f"landing/{one.file_name}: changed while it was read; it is taken in by the next run")
                self.engine.execute("delete from judged where file_id = ?", [self._file_id(place)])
        self._judge(contract, [item for item in files if item[0] not in unreliable], scans)
        release(tables)
        shutil.rmtree(_copies(self.scratch), ignore_errors=True)
        self.done += len(files)
        self.progress(contract.table, self.done, self.of)

    def _file_id(self, place: int) -> int:
        return self.number * 1_000_000 + place

    def _zone_of(self, one: LandedTable) -> str:
        return (one.mapped and one.mapped.loaded.mapping.time_zone) or self.practices[one.practice_id]

    def _name_files(self, files: list[tuple[int, LandedTable]]) -> None:
        """The table `files`: whose each file is, of which night, by which clock, and in whose words its faults are told."""
        rows = [
            {
                "file_id": self._file_id(place),
                "practice_id": one.practice_id,
                "extract_date": one.extract_date,
                "zone": self.zones[self._zone_of(one)],
                "told_by": self._told_by(one),
            }
            for place, one in files
        ]
        kinds = [
            ("file_id", pa.int64()), ("practice_id", pa.string()), ("extract_date", pa.date32()), ("zone", pa.int64()), ("told_by", pa.int64()),
        ]  # fmt: skip
        self.engine.register("named", pa.Table.from_pylist(rows, schema=pa.schema(kinds)))
        self.engine.execute("create table files as select * from named")
        self.engine.unregister("named")

    def _scan(self, place: int, one: LandedTable) -> reader.Scan:
        if one.mapped is None:
            return reader.scan(one, self.layouts[place])
        path = None
        if plain.wants_copy(one, one.mapped):
            path = _copies(self.scratch) / f"{place}.csv"
            path.parent.mkdir(exist_ok=True, mode=0o700)
            if (fault := plain.copy(one, one.mapped, path)) is not None:
                return reader.Scan(sha256=reader.digest(one), fault=fault)
            self.copies[place] = path
        self.layouts[place] = plain.layout(one.mapped, path)
        return reader.scan(one, self.layouts[place], path)

    # staging: text in, line by line

    def _stage(self, contract: ExtractContract, files: list[tuple[int, LandedTable]], scans: dict[int, reader.Scan]) -> None:
        """Every row of these files, judged at once where DuckDB can read it, else as text."""
        alike: dict[tuple[str, ...], list[tuple[int, LandedTable]]] = {}
        singly = []
        for item in files:
            if item[1].format != "parquet" and scans[item[0]].plain:
                alike.setdefault((*scans[item[0]].header, item[1].format), []).append(item)
            else:
                singly.append(item)
        for group in alike.values():
            good = self._judge_alike(contract, group, scans)
            singly += [item for item in group if item[0] not in good]
        for place, one in singly:
            self._stage_one(contract, place, one, scans[place])

    def _judge_alike(
        self, contract: ExtractContract, files: list[tuple[int, LandedTable]], scans: dict[int, reader.Scan]
    ) -> set[int]:
        """One DuckDB statement for all plain files of one header. Gives the places of those it read in full."""
        header = scans[files[0][0]].header
        texts = {name: f"c{place}" for name, place in scans[files[0][0]].positions.items()}
        types = ", ".join(f"'c{place}': 'VARCHAR'" for place in range(len(header)))
        # No join: DuckDB keeps the order of rows through a projection, and by it they have their line numbers.
        source = (
            "(select cast($ids as bigint[])[file_index::bigint + 1] as file_id, null::bigint as line_number, "
            f"null::varchar as fault, null::varchar as fault_column, {typed.staging(contract, texts)} from read_csv($paths, "
            f"columns = {{{types}}}, header = true, auto_detect = false, delim = ',', quote = '\"', escape = '\"', "
            "strict_mode = true, store_rejects = true, rejects_limit = 1))"
        )
        threads = int(self._one("select current_setting('threads')"))
        shares = _shares(files, threads)
        statement = f"insert into judged {typed.judging(contract, source)}"
        cursors = [self.engine.cursor() for _ in shares]

        def read(cursor: duckdb.DuckDBPyConnection, share: list[tuple[int, LandedTable]]) -> set[str]:
            cursor.execute("begin")
            cursor.execute(
                statement,
                {"ids": [self._file_id(place) for place, _ in share], "paths": [no_pattern(one.files[0]) for _, one in share]},
            )
            rejected = cursor.execute(
                "select s.file_path from reject_errors e join reject_scans s using (scan_id, file_id)"
            ).fetchall()
            cursor.execute("drop table if exists reject_errors; drop table if exists reject_scans")
            return {path for (path,) in rejected}

        try:
            with _one_thread_each(self.engine, threads, of=len(shares)), ThreadPoolExecutor(len(shares)) as pool:
                rejected = set[str]().union(*pool.map(read, cursors, shares))
            for cursor in cursors:  # in their order: so lie their rows
                cursor.execute("commit")
        except (duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException):
            raise  # no file's fault
        except duckdb.Error:
            return set()  # nothing is committed
        finally:
            for cursor in cursors:
                cursor.close()
        # Rows and places: a file's rows lie together.
        lying = {
            file_id: (rows, places)
            for file_id, rows, places in self.engine.execute(
                "select file_id, count(*), max(rowid) - min(rowid) + 1 from judged group by all"
            ).fetchall()
        }
        good = {
            place
            for place, one in files
            if str(one.files[0]) not in rejected and lying.get(self._file_id(place), (0, 0)) == (scans[place].rows,) * 2
        }
        if bad := [self._file_id(place) for place, _ in files if place not in good]:
            self.engine.execute(f"delete from judged where file_id in ({', '.join(map(str, bad))})")
        return good

    def _stage_one(self, contract: ExtractContract, place: int, one: LandedTable, found: reader.Scan) -> None:
        """One file, record by record. A file that breaks off halfway gives nothing: its Scan gets the fault."""
        names = ", ".join(
            f"nullif({typed.name(name)}, '')" if kind == "VARCHAR" else typed.name(name)
            for name, kind in typed.staged_columns(contract)
        )
        with self._rows(reader.scratch_schema(self.layouts[place]), self._batches(place, one, found)) as failed:
            self.engine.execute(
                f"insert into staged select {self._file_id(place)}, line_number, fault, null, {names} from rows_of_one"
            )
        if failed:
            found.fault = _broke_off(failed[0])

    def _batches(self, place: int, one: LandedTable, found: reader.Scan) -> Iterator[pa.RecordBatch]:
        if one.format == "parquet":
            return reader.parquet_batches(one.files[0], found, self.layouts[place])
        return reader.csv_batches(one, found, self.layouts[place], self.copies.get(place))

    def _stage_mapped(
        self, contract: ExtractContract, place: int, one: LandedTable, mapped: MappedTable, found: reader.Scan
    ) -> None:
        """One file of another system: its columns as text, turned into the contract's by the mapping, and what it sets aside counted."""
        made = False
        if one.format != "parquet" and found.plain:
            made = self._map(contract, place, one, mapped, self._read_plain(place, one, found), wanted=found.rows)
        if not made:
            layout = self.layouts[place]
            with self._rows(reader.scratch_schema(layout), self._batches(place, one, found)) as failed:
                try:
                    self._map(contract, place, one, mapped, "rows_of_one")
                except duckdb.Error as error:  # whatever a mapping asks for must not stop the others
                    failed.append(error)
            if failed:
                found.fault = _broke_off(failed[0])
                if isinstance(failed[0], duckdb.Error):
                    found.fault = (
                        f"cannot be mapped ({type(failed[0]).__name__}); see it with `ccm map try`, and correct the mapping"
                    )
                self.engine.execute("drop table if exists mapped")
                return
        self.lines[place], self.filtered[place] = self.engine.execute(
            "select count(*), count(*) filter (where not is_kept) from (select bool_or(is_kept) as is_kept from mapped group by line_number)"
        ).fetchall()[0]
        names = ", ".join(typed.name(name) for name, _ in typed.staged_columns(contract))
        self.engine.execute(
            f"insert into staged select {self._file_id(place)}, line_number + part * {mapping_sql.ROWS_OF_A_LINE}, fault, fault_column, {names} "
            "from mapped where is_kept"
        )
        self.engine.execute("drop table mapped")

    def _read_plain(self, place: int, one: LandedTable, found: reader.Scan) -> str:
        """A plain file as a relation of line_number, fault and the columns that the mapping reads."""
        layout = self.layouts[place]
        types = ", ".join(f"'c{number}': 'VARCHAR'" for number in range(len(found.header)))
        texts = ", ".join(
            f"{f'c{found.positions[column]}' if column in found.positions else 'null::varchar'} as {mapping_sql.of_export(column)}"
            for column in layout.names
        )
        path = no_pattern(self.copies.get(place, one.files[0]))
        packed = ", compression = 'gzip'" if one.format == "csv.gz" and place not in self.copies else ""
        return (
            f"(select row_number() over () + {layout.first_line} as line_number, null::varchar as fault{', ' if texts else ''}{texts} "
            f"from read_csv([{typed.literal(path)}], columns = {{{types}}}, header = true, auto_detect = false, "
            f"delim = {typed.literal(layout.delimiter)}, quote = '\"', escape = '\"', strict_mode = true{packed}))"
        )

    def _map(
        self, contract: ExtractContract, place: int, one: LandedTable, mapped: MappedTable, source: str, wanted: int | None = None
    ) -> bool:
        """Makes the table `mapped`; False when DuckDB did not read every row that is `wanted`, and then there is no table."""
        night, variants = one.extract_date.isoformat(), mapped.variants
        zone = self._zone_of(one)
        # Several rows of a line are made of what was read once. No note is in such a file (mapping/model.py): its text is never kept.
        query = (
            mapping_sql.query(contract, variants, source, night, zone)
            if len(variants) == 1
            else f"with source as materialized (select * from {source}) {mapping_sql.query(contract, variants, 'source', night, zone)}"
        )
        try:
            self.engine.execute(f"create table mapped as {query}")
        except duckdb.Error:
            if wanted is None:
                raise
            return False
        if wanted is not None and self._one("select count(distinct line_number) from mapped") != wanted:
            self.engine.execute("drop table mapped")
            return False
        return True

    @contextmanager
    def _rows(self, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> Iterator[list[Exception]]:
        """A transaction in which `batches` are the view rows_of_one. Whatever breaks off the reading is in the list that is given,
        and nothing is kept: a damaged file must not stop the others."""
        failed: list[Exception] = []

        def guarded() -> Iterator[pa.RecordBatch]:
            try:
                yield from batches
            except Exception as error:
                failed.append(error)

        self.engine.execute("begin")
        self.engine.register("rows_of_one", pa.RecordBatchReader.from_batches(schema, guarded()))
        yield failed
        self.engine.unregister("rows_of_one")
        self.engine.execute("rollback" if failed else "commit")

    # judging: text to types, faults to quarantine, one row a key

    def _judge(
        self,
        contract: ExtractContract,
        files: list[tuple[int, LandedTable]],
        scans: dict[int, reader.Scan],
    ) -> None:
        engine = self.engine
        if self._one("select bool_or(local != 0) from judged"):
            self._add_far_days(engine.execute(typed.far_days(contract, "judged", "files")).fetchall())
            for statement in typed.to_utc(contract, "judged", "files", "zone_days"):
                engine.execute(statement)
        engine.execute("""
            create table lying as select file_id, min(rowid) as first_row, max(rowid) as last_row, count(line_number) as numbered from judged group by all;
            create view lines as
            select j.* replace (coalesce(j.line_number, j.rowid - lying.first_row + 2) as line_number), j.rowid as place
            from judged as j inner join lying on j.file_id = lying.file_id
        """)
        self._quarantine_files(contract, files, scans)
        self._quarantine_rows(contract, files)
        superseded = self._superseded(contract)
        self._write(contract)
        self._record(contract, files, scans, superseded)
        engine.execute("drop view lines; drop table judged; drop table lying; drop table files; drop table if exists alike")

    def _told_by(self, one: LandedTable) -> int:
        """A number for the mapping that read a file, 0 for none: by it a fault is told in the export's words."""
        sha256 = _mapping_of(one)
        return 0 if sha256 is None else self.tellers.setdefault(sha256, len(self.tellers) + 1)

    def _quarantine_files(
        self, contract: ExtractContract, files: list[tuple[int, LandedTable]], scans: dict[int, reader.Scan]
    ) -> None:
        """Line 0 of a file that gives no row; every line of one whose header is at fault."""
        for place, one in files:
            found = scans[place]
            file_id = self._file_id(place)
            common = (file_id, one.practice_id, one.extract_date, contract.table)
            if found.fault is None and found.column_fault is not None:
                insert = "insert into quarantined select ?, ?, ?, ?, line_number, ?, ?, null, null from "
                given = [*common, *found.column_fault]
                if one.format == "parquet" or found.plain:
                    first = self.layouts[place].first_line + 1
                    self.engine.execute(f"{insert} (select range + {first} as line_number from range(?))", [*given, found.rows])
                    continue
                with self._rows(reader.LINES, reader.line_batches(one, self.layouts[place], self.copies.get(place))) as failed:
                    self.engine.execute(f"{insert} rows_of_one", given)
                if failed:
                    found.fault = _broke_off(failed[0])
                else:
                    found.rows = int(self._one("select count(*) from quarantined where file_id = ?", [file_id]))
            if found.fault is not None:
                self.engine.execute("insert into quarantined values (?, ?, ?, ?, 0, null, ?, null, null)", [*common, found.fault])

    def _quarantine_rows(self, contract: ExtractContract, files: list[tuple[int, LandedTable]]) -> None:
        """Each row with its first fault. A line of which several rows are made is quarantined once, with the fault of the first of them."""
        reasons = typed.reasons(contract)
        known = [f"({code}, {typed.literal(column)}, {typed.literal(reason)}, 0)" for code, column, reason in reasons]
        mapped = {self._told_by(one): one.mapped for _, one in files if one.mapped is not None}
        for told_by, table in mapped.items():
            rule_of = {name: rule for row in reversed(table.variants) for name, rule in row.columns.items()}
            known += [
                f"({code}, {typed.literal(mapping_sql.label(rule_of.get(column)))}, "
                f"{typed.literal(mapping_sql.becomes(reason, column))}, {told_by})"
                for code, column, reason in reasons
            ]
        line = f"j.line_number % {mapping_sql.ROWS_OF_A_LINE}" if mapped else "j.line_number"
        reason = "if(j.code = 0, j.fault, r.reason)"
        if typed.TOLD_FIRST in contract.names:
            # A day that cannot be read is told by itself (`judging`): any other is here. What to do stands behind the first of these marks.
            told = [str(code) for code, column, _ in reasons if column == typed.TOLD_FIRST]
            says = f"j.{typed.name(typed.TOLD_FIRST)} is not null and j.code not in ({', '.join(told)})"
            reason = f"if({says}, regexp_replace({reason}, '; ', ' {typed.SAYS_DECEASED}; '), {reason})"
        self.engine.execute(f"""
            insert into quarantined
            select j.file_id, f.practice_id, f.extract_date, {typed.literal(contract.table)}, {line},
                   if(j.code = 0, j.fault_column, r.column_name), {reason},
                   {"j.patient_id" if "patient_id" in contract.names else "null"},
                   {f"j.{typed.name(contract.key[0])}" if contract.ordered_by or contract.table == "care_team" else "null"}
            from lines as j
            inner join files as f on j.file_id = f.file_id
            left join (values {", ".join(known)}) as r (code, column_name, reason, told_by) on j.code = r.code and f.told_by = r.told_by
            where j.code is not null
            {f"qualify row_number() over (partition by j.file_id, {line} order by j.line_number) = 1" if mapped else ""}
        """)

    def _superseded(self, contract: ExtractContract) -> dict[int, int]:
        """How many good rows of each file lost to another of their key: newest wins where rows are ordered, then the later line. Their code is SUPERSEDED."""
        if not contract.key:
            return {}
        key = ", ".join(f"j.{typed.name(column)}" for column in contract.key)
        # A number is grouped at half of what names cost, and it rules out nearly every file: rows of one key always share it.
        self.engine.execute(f"""
            create or replace table alike as
            select hash(j.file_id, {key}) as number from judged as j where j.code is null group by all having count(*) > 1
        """)
        if not self._one("select count(*) from alike"):
            return {}
        newest = f"j.{typed.name(contract.ordered_by)} desc, " if contract.ordered_by else ""
        self.engine.execute(f"""
            update judged set code = {SUPERSEDED} where rowid in (
                select j.place from lines as j
                where j.code is null and hash(j.file_id, {key}) in (select number from alike)
                qualify row_number() over (
                    partition by j.file_id, {key}
                    order by {newest}j.line_number % {mapping_sql.ROWS_OF_A_LINE} desc, j.line_number desc
                ) > 1
            )
        """)
        return dict(self.engine.execute(f"select file_id, count(*) from judged where code = {SUPERSEDED} group by all").fetchall())

    def _write(self, contract: ExtractContract) -> None:
        columns = ", ".join(f"j.{typed.name(name)}" for name, _ in lake_columns(contract))
        path = self.scratch / f"{contract.table}.parquet"
        # What a row has from its file is looked up in lists, by the file's place: behind a join the order would be lost.
        self.engine.execute(f"""
            set variable of_files = (
                select {{'practices': list(practice_id order by place), 'nights': list(extract_date order by place), 'rows': list(first_row order by place)}}
                from (select unnest(range({self._file_id(0)}, (select max(file_id) from files) + 1)) as place)
                left join files on place = files.file_id left join lying on place = lying.file_id
            )
        """)
        at = f"[j.file_id - {self._file_id(0)} + 1]"
        rows = (
            f"select getvariable('of_files').practices{at} as practice_id, getvariable('of_files').nights{at} as extract_date, j.file_id, "
            f"coalesce(j.line_number, j.rowid - getvariable('of_files').rows{at} + 2) as line_number, {columns} from judged as j where j.code is null"
        )
        # file_id runs by practice and night. Rows that lie in this order already are written as they lie, and what was written is looked at.
        is_written = False
        if self._lies_in_order():
            _copy(self.engine, rows, path)
            is_written = self._is_in_order(path)
        if not is_written:
            _copy(self.engine, f"from ({rows}) order by file_id, line_number", path)
        self.written[contract.table] = path

    def _lies_in_order(self) -> bool:
        """Whether `judged` has the rows by file and line: no file before or among another of a lower number, and every line number from its place."""
        return bool(
            self._one(
                "select bool_and(numbered = 0 and first_row > coalesce(before, -1)) "
                "from (select numbered, first_row, lag(last_row) over (order by file_id) as before from lying)"
            )
        )

    def _is_in_order(self, path: Path) -> bool:
        return not self._one(
            "select count(*) from (select file_id, line_number, lag(file_id) over () as file_before, lag(line_number) over () as line_before "
            f"from {_source(path)}) where file_before > file_id or (file_before = file_id and line_before >= line_number)"
        )

    def _record(
        self,
        contract: ExtractContract,
        files: list[tuple[int, LandedTable]],
        scans: dict[int, reader.Scan],
        lost: Mapping[int, int],
    ) -> None:
        counts = {
            file_id: (received, bad)
            for file_id, received, bad in self.engine.execute(
                f"select file_id, count(*), count(code) filter (code <> {SUPERSEDED}) from judged group by all"
            ).fetchall()
        }
        stored = 0
        for place, one in files:
            found = scans[place]
            file_id = self._file_id(place)
            is_rejected = found.fault is not None or found.column_fault is not None
            received, bad = counts.get(file_id, (0, 0))
            if found.column_fault is not None and found.fault is None:
                received = bad = found.rows
            accepted = received - bad - lost.get(file_id, 0)
            stored += accepted
            reason = found.fault or (found.column_fault[1] if found.column_fault else None)
            held = self.newest.get(one.key)
            self.records.append(
                FileRecord(
                    file_id=file_id,
                    practice_id=one.practice_id,
                    extract_date=one.extract_date,
                    table_name=contract.table,
                    version=held.version + 1 if held else 1,
                    file_name=one.file_name,
                    format=one.format,
                    sha256=found.sha256,
                    size_bytes=one.size_bytes,
                    mtime_ns=one.mtime_ns,
                    ctime_ns=one.ctime_ns,
                    time_zone=self.practices[one.practice_id],
                    outcome="rejected" if is_rejected else "accepted",
                    reason=reason,
                    rows_received=received,
                    rows_accepted=accepted,
                    rows_quarantined=bad,
                    rows_superseded=lost.get(file_id, 0),
                    extra_columns=() if is_rejected else found.extra_columns,
                    missing_columns=None if is_rejected else self._missing(contract, one, found),
                    **self._mapping(place, one, received),
                )
            )
        # received = accepted + quarantined + superseded holds by the sum above; that as much was written is
        # checked here
        if self._one(f"select count(*) from {_source(self.written[contract.table])}") != stored:
            raise HouseError(
                f"{contract.table}: the rows written are not those accounted for; report this fault, nothing was taken in"
            )

    def _missing(self, contract: ExtractContract, one: LandedTable, found: reader.Scan) -> tuple[str, ...]:
        if one.mapped is not None:
            return one.mapped.without(found.positions)
        return tuple(name for name in contract.names if name not in found.positions)

    def _mapping(self, place: int, one: LandedTable, received: int) -> dict[str, Any]:
        if one.mapped is None:
            return {}
        return {
            "mapping": one.mapped.loaded.name,
            "mapping_sha256": one.mapped.loaded.sha256,
            "lines_read": self.lines.get(place, received),
            "rows_filtered": self.filtered.get(place, 0),
        }

    def _one(self, query: str, given: list[Any] | None = None) -> Any:
        row = self.engine.execute(query, given or []).fetchone()
        assert row is not None
        return row[0]


# --- a mapping tried --------------------------------------------------------------------------------------------------


def unknown_words(landed: LandedTable) -> list[dict[str, Any]]:
    """column, word, lines of every word in a file that its mapping's words do not know: values of the file, the most frequent first."""
    assert landed.mapped is not None
    with tempfile.TemporaryDirectory(prefix="ccm-words-") as folder:  # 0700
        scratch = Path(folder) / ".words.tmp"
        path = Path(folder) / "plain.csv" if plain.wants_copy(landed, landed.mapped) else None
        if path is not None and plain.copy(landed, landed.mapped, path) is not None:
            return []
        layout = plain.layout(landed.mapped, path)
        found = reader.scan(landed, layout, path)
        asked = mapping_sql.unknown_words(landed.mapped.variants, "held")
        if found.fault or found.column_fault or asked is None:
            return []
        is_parquet = landed.format == "parquet"
        batches = (
            reader.parquet_batches(landed.files[0], found, layout)
            if is_parquet
            else reader.csv_batches(landed, found, layout, path)
        )
        with _engine(scratch) as engine:
            engine.register("rows_of_one", pa.RecordBatchReader.from_batches(reader.scratch_schema(layout), batches))
            engine.execute(f"create table held as select {asked[0]} from rows_of_one")
            return [{"column": column, "word": word, "lines": lines} for column, word, lines in engine.execute(asked[1]).fetchall()]
