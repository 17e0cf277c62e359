"""Which versions of a practice-month are closed, where their packets lie, and what comes of a damaged one."""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from orchestration.house import House, HouseError

# What comes of reading a file of a packet that is damaged or not there.
DAMAGED = (OSError, ValueError, KeyError, TypeError, ArithmeticError, csv.Error, zipfile.BadZipFile)
HELD_AFTER = "held_after_v{}.csv"  # beside the versions: what a later close held that had nothing to send


def versions(house: House, practice_id: str, month: date) -> list[int]:
    """Versions of this practice-month that are complete, ascending."""
    folder = house.closes_of(practice_id) / f"{month:%Y-%m}"
    return sorted(int(path.parent.name[1:]) for path in folder.glob("v[0-9]*/manifest.json"))


def packet_folder(house: House, practice_id: str, month: date, version: int | None) -> Path:
    """The folder of a version (the newest when None). HouseError when there is none."""
    folder = house.closes_of(practice_id) / f"{month:%Y-%m}"
    found = versions(house, practice_id, month)
    if not found:
        raise HouseError(f"{folder}: {practice_id} {month:%Y-%m} is not closed; `ccm status` shows which months are")
    if version is not None and version not in found:
        raise HouseError(f"{folder}: there is no v{version}; it has {', '.join(f'v{number}' for number in found)}")
    return folder / f"v{version if version is not None else found[-1]}"


@contextmanager
def reading(packet: Path) -> Iterator[None]:
    """What is read inside is of this packet. Raises HouseError, which names it, where it is damaged."""
    try:
        yield
    except DAMAGED:
        raise HouseError(f"{packet}: cannot be read; restore this packet from the backup") from None
