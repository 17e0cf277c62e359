"""From a claim line back to the rows it stands on, and from a time entry to every claim line it supports."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq

from orchestration.answer.explain.source import counted_dispositions, seconds_basis
from orchestration.close.freeze import thaw
from orchestration.close.versions import packets, reading
from orchestration.engine import open_marts
from orchestration.house import House, HouseError


@dataclass(frozen=True)
class ClaimLine:
    """A row of a packet's claims.csv, and the packet."""

    practice_id: str
    month: date
    version: int
    packet: Path
    line: dict[str, str]


def _lines(packet: Path) -> list[ClaimLine]:
    with reading(packet), (packet / "claims.csv").open(encoding="utf-8", newline="") as handle:
        return [
            ClaimLine(packet.parents[1].name, date.fromisoformat(row["month"]), int(packet.name[1:]), packet, row)
            for row in csv.DictReader(handle)
        ]


def find_line(house: House, reference: str) -> list[ClaimLine]:
    """The claim line of this id (REF*6R), or all lines of this claim id (CLM01). HouseError when no close wrote it, or its packet may be a damaged one."""
    asked = reference.strip().upper()  # as our ids are written; who copies one by hand may not
    found: list[ClaimLine] = []
    damaged: list[HouseError] = []
    for packet in packets(house):
        try:
            found += [one for one in _lines(packet.folder) if asked in (one.line["line_id"].upper(), one.line["claim_id"].upper())]
        except HouseError as error:
            damaged.append(error)
    if not found and damaged:
        raise HouseError(f"{reference}: no close that can be read wrote a claim line or claim of this id; {damaged[0]}")
    if not found:
        raise HouseError(
            f"{reference}: no close wrote a claim line or claim of this id; line ids stand in claims.csv, in REF*6R of the claim file and in an 835"
        )
    return found


def lines_of_entry(house: House, practice_id: str, entry_id: str) -> list[dict[str, Any]]:
    """Every claim line that this time entry's seconds support: line ids with the seconds that the claim's track counts, by close. HouseError when neither a
    packet nor the published marts know the entry."""
    supported = []
    is_known = False
    for packet in (one.folder for one in packets(house, practice_id)):
        lines = _lines(packet)
        with reading(packet):
            ledger = pq.read_table(
                packet / "minute_ledger.parquet", columns=["entry_id", "patient_id", "member_id", "disposition", "seconds"]
            )
        entry = ledger.filter(pc.field("entry_id") == entry_id).to_pylist()
        is_known = is_known or bool(entry)
        own = [line for line in lines if line.line["patient_id"] in {row["patient_id"] for row in entry}]
        if not own:
            continue
        counted = _counted(packet, own[0], entry)
        supported += [
            {
                "line_id": line.line["line_id"],
                "claim_id": line.line["claim_id"],
                "month": f"{line.month:%Y-%m}",
                "close_version": line.version,
                "procedure_code": line.line["procedure_code"],
                "units": int(line.line["units"]),
                "patient_id": line.line["patient_id"],
                "credited_seconds": counted.get("credited", 0),
                "concurrent_seconds": counted.get("concurrent", 0),
            }
            for line in own
            if any(counted.values())
        ]
    if not is_known and not _is_published(house, practice_id, entry_id):
        raise HouseError(
            f"{practice_id} {entry_id}: no such entry, neither in a close of this practice nor in the published marts; entry ids stand in "
            "minute_ledger, in the time log and in `ccm explain`"
        )
    return supported


def _counted(packet: Path, line: ClaimLine, entry: list[dict[str, Any]]) -> dict[str, int]:
    """Of an entry's rows in a packet's ledger: the seconds by disposition that the track of this line counts."""
    own = (pc.field("patient_id") == line.line["patient_id"]) & (pc.field("month") == line.month)
    with reading(packet):
        (decision,) = pq.read_table(packet / "decisions.parquet").filter(own).to_pylist()
        (evidence,) = pq.read_table(packet / "patient_month_evidence.parquet").filter(own).to_pylist()
        bands = thaw((packet / "inputs.zip").read_bytes()).table("rules/rule_bands.parquet").to_pylist()
    basis = seconds_basis(bands, decision["track"], line.month)
    counted: dict[str, int] = {}
    for row in entry:
        if row["disposition"] in counted_dispositions(basis, row["member_id"] == evidence["billing_practitioner_id"]):
            counted[row["disposition"]] = counted.get(row["disposition"], 0) + row["seconds"]
    return counted


def _is_published(house: House, practice_id: str, entry_id: str) -> bool:
    if not house.marts.exists():
        return False
    with open_marts(house) as marts:
        asked = "select count(*) from time_entry_facts where practice_id = ? and entry_id = ?"
        return bool(marts.execute(asked, [practice_id, entry_id]).fetchall()[0][0])
