"""The lake's ledger, files.parquet of each batch: which files were taken in, and what became of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import asdict, dataclass, fields
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from orchestration import lake_batches
from orchestration.house import House, HouseError
from orchestration.lake_batches import batch_numbers


@dataclass(frozen=True)
class FileRecord:
    """A row of the ledger: one version of one landed file and what became of it (docs/architecture.md)."""

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


SCHEMA = pa.schema(
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


def write_ledger(records: Sequence[FileRecord], path: Path) -> None:
    """The ledger of a new batch."""
    rows = [
        {
            **asdict(record),
            "extra_columns": list(record.extra_columns),
            "missing_columns": None if record.missing_columns is None else list(record.missing_columns),
        }
        for record in records
    ]
    table = pa.Table.from_pylist(rows, schema=SCHEMA)
    if not any(record.mapping for record in records):
        table = table.drop_columns(list(_MAPPED))
    pq.write_table(table, path, compression="zstd")


def _ledger_folders(house: House) -> list[Path]:
    return [lake_batches.ledger_folder(house, batch) for batch in batch_numbers(house)]


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
        [SCHEMA.empty_table().select(columns), *(_ledger_table(folder, columns, only) for folder in _ledger_folders(house))]
    )


def held(house: House, nights: Set[date]) -> dict[tuple[str, date], dict[str, int]]:
    """What the lake holds of these nights, by table and night: `files` that are in force (of each practice the newest accepted version) with the sums of
    their rows, and `versions` that ever came. Raises HouseError when a batch is damaged."""
    key = ["practice_id", "extract_date", "table_name"]
    only = [("extract_date", "in", sorted(nights))]
    read = [_ledger_table(folder, None, only) for folder in _ledger_folders(house)] if nights else []
    files = pa.concat_tables([one for one in read if one.num_rows] or [SCHEMA.empty_table()], promote_options="default")
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
    files = list(ledger_rows(lake_batches.ledger_folder(house, batch) for batch in batch_numbers(house) if batch not in batches))
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


def time_zones(house: House) -> set[tuple[str, str]]:
    """Each practice with each time zone that a file of it was ever taken in by. Raises HouseError when a batch is damaged."""
    by = ["practice_id", "time_zone"]
    tables = [_ledger_table(folder, by) for folder in _ledger_folders(house)]
    seen = pa.concat_tables(tables).group_by(by).aggregate([]).to_pylist() if tables else []
    return {(row["practice_id"], row["time_zone"]) for row in seen}


def newest_files(house: House) -> list[FileRecord]:
    """The newest version of each practice, night and table, whatever its outcome; by practice, night and table."""
    return list(newest_by_key(ledger(house)).values())


def newest_by_key(records: Iterable[FileRecord]) -> dict[tuple[str, date, str], FileRecord]:
    """The newest version of each practice, night and table among these; sorted by them."""
    newest: dict[tuple[str, date, str], FileRecord] = {}
    for record in records:
        if record.key not in newest or record.version > newest[record.key].version:
            newest[record.key] = record
    return dict(sorted(newest.items()))
