"""Writes a history as the nightly files of one practice: panel snapshots, changed scheduling and time-log rows."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Collection, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

from orchestration.demo.history import History
from orchestration.demo.tables import COLUMNS, PANEL

TimestampStyle = Literal["local", "offset", "utc"]
"""How a vendor writes an instant: local without an offset, local with it, or in UTC with a Z."""

Spoil = Callable[[str, date, list[str]], bytes | None]
"""Gets table, night and the lines of the file, header first; returns the file's bytes, or None to leave it as it is."""


def write_landing(
    landing: Path,
    practice_id: str,
    nights: Sequence[date],
    history: History,
    *,
    zone: ZoneInfo,
    timestamps: TimestampStyle = "local",
    missing: Collection[tuple[str, date]] = (),
    spoil: Spoil | None = None,
) -> dict[str, int]:
    """Writes `landing/<practice_id>/<night>/<table>.csv` for every night and table; returns data rows per table.

    A scheduling or time-log row stands in the first file on or after the day it changed, in its newest state by then.
    A table listed in `missing` lands no file that night: its changes wait for the next, as after an outage.
    """
    counts = dict.fromkeys(COLUMNS, 0)
    folders = {night: landing / practice_id / night.isoformat() for night in nights}
    for folder in folders.values():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for table, columns in COLUMNS.items():
        header = ",".join(columns)
        rendered = [
            [(on, None if row is None else _line([_cell(row.get(c), zone, timestamps) for c in columns])) for on, row in kept]
            for _, kept in sorted(history.versions[table].items())
        ]
        landed = [night for night in nights if (table, night) not in missing]
        of_night = _snapshots(rendered, landed) if table in PANEL else _changes(rendered, landed)
        for night, lines in zip(landed, of_night, strict=True):
            counts[table] += len(lines)
            content = spoil(table, night, [header, *lines]) if spoil else None
            _write(folders[night] / f"{table}.csv", content or ("\n".join([header, *lines]) + "\n").encode())
    return counts


def _snapshots(rendered: list[list[tuple[date, str | None]]], nights: Sequence[date]) -> list[list[str]]:
    """For each night the newest line of every row that is not gone."""
    files: list[list[str]] = [[] for _ in nights]
    for versions in rendered:
        place, line = 0, None
        for file, night in zip(files, nights, strict=True):
            while place < len(versions) and versions[place][0] <= night:
                line = versions[place][1]
                place += 1
            if line is not None:
                file.append(line)
    return files


def _changes(rendered: list[list[tuple[date, str | None]]], nights: Sequence[date]) -> list[list[str]]:
    """For each night the newest line of every row that changed since the night before."""
    files: list[list[str]] = [[] for _ in nights]
    for versions in rendered:
        place = 0
        for file, night in zip(files, nights, strict=True):
            line = None
            while place < len(versions) and versions[place][0] <= night:
                line = versions[place][1]
                place += 1
            if line is not None:
                file.append(line)
    return files


def _cell(value: object, zone: ZoneInfo, timestamps: TimestampStyle) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        if timestamps == "utc":
            return value.strftime("%Y-%m-%dT%H:%M:%SZ")
        local = value.astimezone(zone)
        return (local if timestamps == "offset" else local.replace(tzinfo=None)).isoformat(timespec="seconds")
    return value.isoformat() if isinstance(value, date) else str(value)


def _line(cells: list[str]) -> str:
    if not any(character in cell for cell in cells for character in ',"\r\n'):
        return ",".join(cells)
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(cells)
    return text.getvalue()


def _write(path: Path, content: bytes) -> None:
    """Writes the file, but for one that holds just this: a changed file would be taken in anew."""
    if path.exists() and path.read_bytes() == content:
        return
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)


__all__ = ["Spoil", "TimestampStyle", "write_landing"]
