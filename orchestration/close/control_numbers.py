"""Interchange control numbers: allocated once, recorded append-only, never repeated for a submitter.

One file per submitter under `closes/.control_numbers/`. In a claim file a submitter has capitals (ISA06): ids that differ in case alone are one.
A number belongs to one practice, month and version: a close that was killed after the allocation finds its number again, so a rerun writes the same bytes.
"""

from __future__ import annotations

import json
import os

from orchestration.house import House, HouseError, sync_folder


def allocate(house: House, submitter_id: str, practice_id: str, month: str, version: int, sent: int = 0, first: int = 1) -> int:
    """The control number of this packet: the recorded one, else the submitter's next (from `first` on, at most 9 digits). `sent`: the highest that a packet
    of this submitter has; packets that were copied without this record must not have their numbers given again."""
    ledger = house.closes / ".control_numbers" / f"{submitter_id.upper()}.jsonl"
    with house.lock("control_numbers"):
        ledger.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        highest, torn = 0, 0
        lines = ledger.read_bytes().splitlines(keepends=True) if ledger.exists() else []
        # Before, each case had a file of its own.
        others = [path for path in sorted(ledger.parent.glob("*.jsonl")) if path != ledger and path.stem.upper() == ledger.stem]
        for line in [*lines, *(line for path in others for line in path.read_bytes().splitlines())]:
            try:
                entry = json.loads(line)
            except ValueError:
                torn += 1  # a crash while appending; its number was never used, because using it comes after
                continue
            highest = max(highest, entry["control_number"])
            if (entry["practice_id"], entry["month"], entry["version"]) == (practice_id, month, version):
                return int(entry["control_number"])
        number = max(highest + torn + 1, sent + 1, first)
        if number > 999_999_999:
            raise HouseError(f"submitter {submitter_id}: its nine-digit control numbers are used up; use a new submitter_id")
        record = {"control_number": number, "practice_id": practice_id, "month": month, "version": version}
        with ledger.open("ab") as handle:
            os.fchmod(handle.fileno(), 0o600)
            if lines and not lines[-1].endswith(b"\n"):
                handle.write(b"\n")
            handle.write(json.dumps(record, sort_keys=True).encode() + b"\n")
            handle.flush()
            os.fsync(handle.fileno())
        sync_folder(ledger.parent)
        return number
