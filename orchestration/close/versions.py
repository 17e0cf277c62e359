"""Which versions of a practice-month are closed, where their packets lie, and what comes of a damaged one."""

from __future__ import annotations

import csv
import json
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

from orchestration.house import PRACTICE_ID, House, HouseError

# What comes of reading a file of a packet that is damaged or not there.
DAMAGED = (OSError, ValueError, KeyError, TypeError, ArithmeticError, csv.Error, zipfile.BadZipFile)
HELD_AFTER = "held_after_v{}.csv"  # beside the versions: what a later close held that had nothing to send
MANIFEST = "manifest.json"
_MONTH = re.compile(r"[1-9][0-9]{3}-(0[1-9]|1[0-2])")
_VERSION = re.compile(r"v[1-9][0-9]*")


@dataclass(frozen=True, order=True)
class Version:
    """A version of a practice-month, as its folder under closes/ says."""

    practice_id: str
    month: date
    number: int
    folder: Path

    @property
    def name(self) -> str:
        """`lakeside/2026-10/v1`."""
        return "/".join(self.folder.parts[-3:])


def month_folder(house: House, practice_id: str, month: date) -> Path:
    """Where a practice-month's versions lie, `closes/lakeside/2026-10`."""
    return house.closes_of(practice_id) / f"{month:%Y-%m}"


def months(house: House, practice_id: str | None = None, month: date | None = None) -> list[tuple[str, date, Path]]:
    """Practice, month and folder of what closes/ has, in this order; of one practice or one month, where named. Other folders are nobody's
    (`nobodys_folders`)."""
    own = [house.closes_of(practice_id)] if practice_id is not None else _within(house.closes, PRACTICE_ID)
    wanted = re.compile(f"{month:%Y-%m}") if month is not None else _MONTH
    return [(at.parent.name, date.fromisoformat(f"{at.name}-01"), at) for one in own for at in _within(one, wanted)]


def in_folders(house: House, practice_id: str | None = None, month: date | None = None, having: str = MANIFEST) -> list[Version]:
    """Every version whose folder has this file (a manifest makes it complete), by practice, month and number; a copy of another packet, too (`copied_from`)."""
    return sorted(
        Version(name, of, int(folder.name[1:]), folder)
        for name, of, at in months(house, practice_id, month)
        for folder in _within(at, _VERSION)
        if (folder / having).is_file()
    )


def packets(house: House, practice_id: str | None = None, month: date | None = None, having: str = MANIFEST) -> list[Version]:
    """The same without the copies: what was closed as what its folder says."""
    return [one for one in in_folders(house, practice_id, month, having) if copied_from(one.folder) is None]


def copied_from(packet: Path) -> str | None:
    """As which version a packet was closed, `lakeside/2026-10/v1`, where its manifest names another than its folder; else None, also where it says nothing."""
    manifest = packet / MANIFEST
    try:
        now = manifest.stat()
    except OSError:
        return None
    closed_as = _closed_as(str(manifest), now.st_ino, now.st_mtime_ns, now.st_size)
    return closed_as if closed_as != "/".join(packet.parts[-3:]) else None


@lru_cache(maxsize=1 << 17)  # a packet never changes, and several of a night's steps ask
def _closed_as(manifest: str, inode: int, changed: int, size: int) -> str | None:
    try:
        said = json.loads(Path(manifest).read_bytes())
        return f"{said['practice_id']}/{said['month']}/v{said['version']}"
    except DAMAGED:
        return None


def practice_of(packet: Path) -> dict[str, Any]:
    """The practice's settings that a packet froze, as they stand there. Raises one of DAMAGED."""
    with zipfile.ZipFile(packet / "inputs.zip") as archive:
        settings: dict[str, Any] = json.loads(archive.read("practice.json"))
    return settings


def why_lost(house: House, name: str) -> str:
    """What is wrong with a packet that keeps its practice from closing, and what to do."""
    if of := copied_from(house.closes / name):
        return (
            f"closes/{name} is a copy of {of}, as its manifest says; move it out of closes/, put back from the backup what was closed as {name}, "
            "if anything was, and run `ccm nightly`"
        )
    return f"closes/{name} is gone, damaged, or another than was closed; put this packet back from the backup and run `ccm nightly`"


def nobodys_folders(house: House) -> list[str]:
    """Folders under closes/ that the product did not make, by name: `lakeside/2026-10.bak`. Nobody reads what is in them."""
    found = _others(house.closes, PRACTICE_ID)
    for practice in _within(house.closes, PRACTICE_ID):
        found += _others(practice, _MONTH)
        for month in _within(practice, _MONTH):
            found += [path for path in _others(month, _VERSION) if path.name != "proposals"]
    return sorted(path.relative_to(house.closes).as_posix() for path in found)


def _within(folder: Path, names: re.Pattern[str]) -> list[Path]:
    return sorted(path for path in folder.iterdir() if names.fullmatch(path.name)) if folder.is_dir() else []


def _others(folder: Path, names: re.Pattern[str]) -> list[Path]:
    """Folders of other names; one that begins with a dot is ours, or hidden on purpose."""
    inside = folder.iterdir() if folder.is_dir() else ()
    return [path for path in inside if path.is_dir() and path.name[0] != "." and not names.fullmatch(path.name)]


def versions(house: House, practice_id: str, month: date) -> list[int]:
    """Versions of this practice-month that are complete, ascending."""
    return [one.number for one in packets(house, practice_id, month)]


def packet_folder(house: House, practice_id: str, month: date, version: int | None) -> Path:
    """The folder of a version (the newest when None). HouseError when there is none."""
    folder = month_folder(house, practice_id, month)
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
