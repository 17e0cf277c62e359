"""What became of each practice-month, as an append-only record: open -> proposed -> closed v1 -> v2 ..., and what was held -> released.

One file per practice, `closes/<practice_id>/transitions.jsonl`, one JSON object a line: at, who, month, to, version, why, hashes, released (docs/holds.md).
A packet that a crash left without its line gets it from its own approval and manifest the next time anyone writes here, so that
the record is complete however often a close was killed.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from orchestration.close.versions import HELD_AFTER, MANIFEST, packets, reading
from orchestration.house import House, sync_folder


def path_of(house: House, practice_id: str) -> Path:
    return house.closes / practice_id / "transitions.jsonl"


def read(house: House, practice_id: str) -> list[dict[str, Any]]:
    """Every transition recorded, oldest first. A line that cannot be read (a crash while appending, a damaged file) is left out: `record_closes` writes what
    the packets say of it once more."""
    return [entry for entry in _lines(path_of(house, practice_id)) if entry is not None]


def unreadable(house: House, practice_id: str) -> list[int]:
    """The numbers of the lines that cannot be read."""
    return [number for number, entry in enumerate(_lines(path_of(house, practice_id)), 1) if entry is None]


def _lines(path: Path) -> Iterator[dict[str, Any] | None]:
    """The record's lines; None for one that cannot be read."""
    for line in path.read_bytes().splitlines() if path.exists() else []:
        try:
            entry = json.loads(line)
            is_one = isinstance(entry["hashes"], dict) and (entry["to"] != "closed" or MANIFEST in entry["hashes"])
            yield entry if is_one and {"at", "who", "month", "version", "why", "released"} <= entry.keys() else None
        except (ValueError, KeyError, TypeError, AttributeError):
            yield None


def unlike_the_record(house: House, practice_id: str) -> list[str]:
    """Recorded closes whose packet is gone, or has another manifest than the one that was written: `2026-10/v1`, by month and version."""
    found = []
    for entry in read(house, practice_id):
        if entry["to"] == "closed":
            name = f"{entry['month']}/v{entry['version']}"
            manifest = house.closes / practice_id / name / MANIFEST
            if not manifest.is_file() or _sha256(manifest) != entry["hashes"][MANIFEST]:
                found.append(name)
    return sorted(found)


def record_proposal(house: House, practice_id: str, month: date, who: str, proposal: Path) -> None:
    """A proposal lies there for the approver."""
    with house.lock(f"transitions-{practice_id}"):
        entries: list[dict[str, Any]] = [
            {
                "at": datetime.now(UTC).isoformat(timespec="seconds"),
                "who": who,
                "month": f"{month:%Y-%m}",
                "to": "proposed",
                "version": None,
                "why": proposal.name,
                "hashes": {proposal.name: _sha256(proposal)},
                "released": [],
            }
        ]
        _append(house, practice_id, entries)


def record_closes(house: House, practice_id: str) -> None:
    """Every packet that has no line yet gets one. Raises HouseError for one that cannot be read."""
    with house.lock(f"transitions-{practice_id}"):
        known = {(entry["month"], entry["version"]) for entry in read(house, practice_id) if entry["to"] == "closed"}
        entries = []
        for packet in packets(house, practice_id):
            if (f"{packet.month:%Y-%m}", packet.number) not in known:
                with reading(packet.folder):
                    entries.append(_closed(packet.folder.parent, packet.number))
        _append(house, practice_id, sorted(entries, key=lambda entry: (entry["at"], entry["month"], entry["version"])))


def _closed(folder: Path, version: int) -> dict[str, Any]:
    packet = folder / f"v{version}"
    manifest = json.loads((packet / MANIFEST).read_text(encoding="utf-8"))
    approval = json.loads((packet / "approval.json").read_text(encoding="utf-8"))
    return {
        "at": approval["approved_at"],
        "who": approval["approved_by"],
        "month": manifest["month"],
        "to": "closed",
        "version": version,
        "why": f"waiver: {approval['waiver']}" if approval["waiver"] else "approved",
        "hashes": {
            MANIFEST: _sha256(packet / MANIFEST),
            "inputs.zip": manifest["outputs"]["inputs.zip"],
            **({"claims.837": manifest["outputs"]["claims.837"]} if "claims.837" in manifest["outputs"] else {}),
        },
        "released": _released(folder, version, manifest, approval),
    }


def _released(folder: Path, version: int, manifest: dict[str, Any], approval: dict[str, Any]) -> list[dict[str, str]]:
    """Patient-months that an earlier version, or a later run behind it, held last and this one claims, and what released each."""
    held: dict[str, str] = {}
    for earlier in range(1, version):
        for row in _rows(folder / f"v{earlier}" / "claims.csv"):  # what that one claimed, it released
            held.pop(row["patient_id"], None)
        for file in (folder / f"v{earlier}" / "held.csv", folder / HELD_AFTER.format(earlier)):
            held |= {row["patient_id"]: row["reason"] for row in _rows(file)}
    packet = folder / f"v{version}"
    claimed = sorted({row["patient_id"] for row in _rows(packet / "claims.csv")} & set(held))
    accepted = {one["patient_id"] for one in manifest.get("accepted", ())}
    time = _Time(packet) if any(held[patient_id] in TIME for patient_id in claimed) else None
    found = []
    for patient_id in claimed:
        was = held[patient_id]
        if time is not None and was in TIME:
            by = _let_go(time, patient_id, was, manifest, approval)
        else:  # no waiver and no day releases it
            by = "accepted" if was == "quarantined_facts" and patient_id in accepted else "mended"
        found.append({"patient_id": patient_id, "was": was, "by": by})
    return found


TIME = ("undocumented_time", "unresolved_time")  # what a waiver or the final day may let go


def _let_go(time: _Time, patient_id: str, was: str, manifest: dict[str, Any], approval: dict[str, Any]) -> str:
    """What released a claim that was held for its time. Where the decision does not say it, the time that still stands in the packet does."""
    if patient_id in time.holds:
        return "waived"
    if manifest["newest_night"] < manifest.get("final_day", ""):
        return "documented"
    if patient_id not in time.undocumented and not (was == "unresolved_time" and patient_id in time.unresolved):
        return "documented"
    return "waived" if approval["waiver"] else "final_day"


class _Time:
    """The patients of a packet whose time holds their claims by the rules (`holds`), and those with undocumented time that would change the claim or with
    unresolved time, whatever day it is."""

    def __init__(self, packet: Path) -> None:
        decisions = _columns(packet / "decisions.parquet", "patient_id", "decision")
        self.holds = {patient_id for patient_id, decision in decisions if decision == "held"}
        worth: dict[str, Decimal] = {}
        for patient_id, dollars in _columns(packet / "undocumented_time.parquet", "patient_id", "dollars_at_stake"):
            worth[patient_id] = worth.get(patient_id, Decimal(0)) + dollars
        self.undocumented = {patient_id for patient_id, dollars in worth.items() if dollars}
        ledger = _columns(packet / "minute_ledger.parquet", "patient_id", "disposition", "seconds")
        self.unresolved = {p for p, disposition, seconds in ledger if disposition in ("staff_overlap", "runaway_timer") and seconds}


def _columns(path: Path, *names: str) -> list[tuple[Any, ...]]:
    table = pq.read_table(path, columns=list(names))
    return list(zip(*(table[name].to_pylist() for name in names), strict=True))


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def _append(house: House, practice_id: str, entries: list[dict[str, Any]]) -> None:
    if not entries:
        return
    path = path_of(house, practice_id)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    torn = path.exists() and path.stat().st_size > 0 and not path.read_bytes().endswith(b"\n")
    with path.open("ab") as handle:
        os.fchmod(handle.fileno(), 0o600)
        text = "".join(json.dumps(entry, sort_keys=True) + "\n" for entry in entries)
        handle.write((("\n" if torn else "") + text).encode())
        handle.flush()
        os.fsync(handle.fileno())
    sync_folder(path.parent)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
