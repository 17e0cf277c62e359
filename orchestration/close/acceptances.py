"""What somebody accepted (`ccm accept`): an append-only record per practice, which the models, the gate and the close read back.

`closes/<practice_id>/acceptances.jsonl`, one JSON object a line: at, by, why, and the hold as it stood, with `hold_id`, the hash of its content. An
acceptance holds for that content and for no other: a file landed again, or another count, waits again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from orchestration.house import House, HouseError, write_private

ACCEPTANCES = pa.schema(
    [
        ("practice_id", pa.string()),
        ("hold_id", pa.string()),
        ("accepted_by", pa.string()),
        ("accepted_why", pa.string()),
    ]
)


def path_of(house: House, practice_id: str) -> Path:
    return house.closes / practice_id / "acceptances.jsonl"


def read(house: House, practice_id: str) -> list[dict[str, Any]]:
    """Every acceptance ever recorded, in the order of recording. Raises HouseError naming the line that cannot be read."""
    path = path_of(house, practice_id)
    if bad := unreadable(house, practice_id):
        raise HouseError(f"{path}, line {bad[0]}: is no record of an acceptance; restore the file from the backup")
    return [row for row in _lines(path) if row is not None]


def unreadable(house: House, practice_id: str) -> list[int]:
    """The numbers of the lines that cannot be read."""
    return [number for number, row in enumerate(_lines(path_of(house, practice_id)), 1) if row is None]


def _lines(path: Path) -> Iterator[dict[str, Any] | None]:
    """The record's lines; None for one that cannot be read."""
    for line in path.read_bytes().splitlines() if path.exists() else []:
        try:
            row = json.loads(line)
            yield row if all(isinstance(row[name], str) for name in ("hold_id", "by", "why")) else None
        except (ValueError, KeyError, TypeError):
            yield None


def record(house: House, practice_id: str, entries: Iterable[Mapping[str, Any]]) -> None:
    """Adds entries to the record: all of them or none."""
    path = path_of(house, practice_id)
    with house.lock(f"acceptances-{practice_id}"):
        read(house, practice_id)  # an unreadable record is mended before anything is added to it
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        write_private(path, before + "".join(json.dumps(dict(entry), sort_keys=True) + "\n" for entry in entries))


def in_force(house: House) -> list[dict[str, str]]:
    """The newest acceptance of each hold, by practice and hold: rows of `lake/configuration/acceptances.parquet`."""
    newest = {}
    for path in sorted(house.closes.glob("*/acceptances.jsonl")):
        for row in _lines(path):
            # What cannot be read accepts nothing, and stops nobody else's night; the next `ccm accept` names the line.
            if row is not None:
                newest[path.parent.name, row["hold_id"]] = row
    return [
        {"practice_id": practice_id, "hold_id": hold_id, "accepted_by": row["by"], "accepted_why": row["why"]}
        for (practice_id, hold_id), row in sorted(newest.items())
    ]


def table(rows: Iterable[Mapping[str, str]]) -> pa.Table:
    """`lake/configuration/acceptances.parquet` of rows as `in_force` gives them."""
    return pa.Table.from_pylist([{name: row[name] for name in ACCEPTANCES.names} for row in rows], schema=ACCEPTANCES)
