"""Under which NPIs and submitter ids each practice is known to the payers, or ever was: what was answered to a former one stays the practice's.

`lake/configuration/identities.parquet` is a record and no copy of practices.yaml: nothing that was ever in it goes away. A home of before there was
one begins with what practices.yaml said the last time, and with what its packets froze.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from orchestration.close.versions import DAMAGED, practice_of
from orchestration.house import House, HouseError
from orchestration.practices import Practice

IDENTITIES = pa.schema([("practice_id", pa.string()), ("npi", pa.string()), ("submitter_id", pa.string())])


class Identity(NamedTuple):
    """What a practice was called at one time."""

    practice_id: str
    npi: str
    submitter_id: str


def path_of(house: House) -> Path:
    return house.lake / "configuration" / "identities.parquet"


def recorded(house: House) -> set[Identity]:
    """What the record has. Raises HouseError where it cannot be read: without it a payer's no could be forgotten."""
    path = path_of(house)
    if path.exists():
        try:
            return _rows(path)
        except (OSError, pa.ArrowException):
            raise HouseError(
                f"{path}: cannot be read; restore it from the backup, or remove it: then what practices.yaml and the closes say of NPIs and submitter "
                "ids is all that is known"
            ) from None
    try:
        return _rows(path.with_name("practices.parquet"))
    except (OSError, pa.ArrowException):  # a new home, or one whose table of practices names no such ids
        return set()


def frozen(packet: Path) -> set[Identity]:
    """What the practice of a packet was called when it was closed; nothing where that cannot be read: no claim rests on it."""
    try:
        settings = practice_of(packet)
        return {Identity(packet.parents[1].name, str(settings["npi"]), str(settings["submitter_id"]))}
    except DAMAGED:
        return set()


def table(practices: Mapping[str, Practice], known: Iterable[Identity]) -> pa.Table:
    """`lake/configuration/identities.parquet`: today's names beside those that are known, in order."""
    today = {Identity(one.practice_id, one.npi, one.submitter_id) for one in practices.values()}
    return pa.Table.from_pylist([one._asdict() for one in sorted(today.union(known))], schema=IDENTITIES)


def _rows(path: Path) -> set[Identity]:
    rows = pq.read_table(path, columns=IDENTITIES.names).to_pylist()
    return {Identity(**row) for row in rows if all(row.values())}
