"""The lake's batches, on this disk or under the prefix of object storage that CCM_LAKE names (docs/adr/0020).

A batch in object storage is there once its ledger, files.parquet, is: it is written last, and every reader asks for batches by their ledgers. What
lies under a number without a ledger counts for nobody and is swept by the next night.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from orchestration import storage
from orchestration.house import House, no_pattern, write_private
from orchestration.lake_owner import claim, ensure_own, ensure_same_lake
from orchestration.storage import StoredObject

LEDGER = "files.parquet"
_BATCH = re.compile(r"(\d{6})/(\w+\.parquet)")


def batch_folder(house: House, batch: int) -> Path:
    """Where a batch is on disk."""
    return house.lake / "batches" / f"{batch:06d}"


def missing_between(numbers: Sequence[int]) -> list[int]:
    """The numbers from 0 to the last of these, ascending, that are not among them."""
    return sorted(set(range(numbers[-1] + 1)) - set(numbers)) if numbers else []


def batch_numbers(house: House) -> list[int]:
    """Numbers of the batches in the lake, ascending; in object storage of those whose ledger is there, with a copy of each ledger kept here.

    Raises HouseError when the home was begun with another lake than the one that is set.
    """
    ensure_same_lake(house)
    if house.lake_url is None:
        folder = batch_folder(house, 0).parent
        return sorted(int(entry.name) for entry in folder.iterdir() if entry.name.isdecimal()) if folder.exists() else []
    ledgers = {number: names[LEDGER] for number, names in _contents(house).items() if LEDGER in names}
    wanted = [(one, number) for number, one in ledgers.items() if _kept_etag(house, number) != one.etag]
    for one, number in wanted:
        folder = ledger_folder(house, number)
        write_private(folder / LEDGER, b"".join(storage.chunks(one)))
        write_private(folder / "etag", one.etag)
    return sorted(ledgers)


def ledger_folder(house: House, batch: int) -> Path:
    """The folder of this machine with a batch's files.parquet: the batch itself, or the copy that `batch_numbers` keeps."""
    return batch_folder(house, batch) if house.lake_url is None else house.state / "ledgers" / f"{batch:06d}"


def _kept_etag(house: House, batch: int) -> str | None:
    try:
        return (ledger_folder(house, batch) / "etag").read_text()
    except OSError:
        return None


def contents(house: House) -> dict[int, set[str]]:
    """The names of the files of each batch, with or without a ledger."""
    if house.lake_url is None:
        return {number: {path.name for path in batch_folder(house, number).iterdir()} for number in batch_numbers(house)}
    return {number: set(names) for number, names in _contents(house).items()}


def _contents(house: House) -> dict[int, dict[str, StoredObject]]:
    assert house.lake_url is not None
    found: dict[int, dict[str, StoredObject]] = {}
    for one in storage.listed(storage.Prefix.of(house.lake_url), "batches/"):
        if match := _BATCH.fullmatch(one.name.removeprefix("batches/")):
            found.setdefault(int(match[1]), {})[match[2]] = one
    return found


def table(house: House, batch: int, name: str) -> str:
    """A table of a batch as DuckDB's read_parquet names it."""
    if house.lake_url is None:
        return no_pattern(batch_folder(house, batch) / f"{name}.parquet")
    return storage.Prefix.of(house.lake_url).url(f"batches/{batch:06d}/{name}.parquet")


def first_bytes(house: House, batch: int, name: str, length: int) -> bytes | None:
    """How a table's file begins; None when there is none."""
    if house.lake_url is None:
        try:
            with (batch_folder(house, batch) / f"{name}.parquet").open("rb") as handle:
                return handle.read(length)
        except OSError:
            return None
    ensure_same_lake(house)
    found = {one.name.rpartition("/")[2]: one for one in storage.listed(storage.Prefix.of(house.lake_url), f"batches/{batch:06d}/")}
    if not {LEDGER, f"{name}.parquet"} <= found.keys():
        return None
    return next(storage.chunks(found[f"{name}.parquet"]))[:length]


def publish(house: House, scratch: Path, batch: int) -> None:
    """Writes a finished batch, its ledger last. Raises StorageError; then `sweep` clears what has no ledger, or, where only the answer to the ledger's
    writing was lost, the batch is there and the next run goes on from it."""
    assert house.lake_url is not None
    for path in sorted(scratch.iterdir()):
        if path.name != LEDGER:
            replace(house, batch, path)
    storage.put_new(storage.Prefix.of(house.lake_url), f"batches/{batch:06d}/{LEDGER}", (scratch / LEDGER).read_bytes())


def replace(house: House, batch: int, path: Path, name: str | None = None) -> None:
    """Writes one file of a batch, in place of what may be there: readers see the old object or the new."""
    assert house.lake_url is not None
    ensure_own(house)
    storage.upload(storage.Prefix.of(house.lake_url), f"batches/{batch:06d}/{name or path.name}", path)


def sweep(house: House) -> None:
    """Removes what a killed writer left: objects under a batch that has no ledger. Only who holds the lake's lock may."""
    if house.lake_url is None:
        return
    claim(house)
    place = storage.Prefix.of(house.lake_url)
    for names in _contents(house).values():
        if LEDGER not in names:
            storage.remove(place, "batches/", names.values())
