"""What a close would send, for the approver to see before anything leaves the house. Writes the proposal and nothing else.

`closes/<practice_id>/<YYYY-MM>/proposals/<NNN>.json`: the totals, what is held and why, and what changed against the proposal before.
A proposal that says the same as the one before is not written again. Patient ids, codes and amounts only.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from orchestration.close import proposals, transitions
from orchestration.close.claim_file import drafted, scrubbed
from orchestration.close.ground import Ground, software_versions
from orchestration.close.in_common import InCommon
from orchestration.close.judging import trouble_of
from orchestration.close.one_beneficiary import claimed_elsewhere
from orchestration.close.versions import month_folder, versions
from orchestration.engine import held_open, open_warehouse
from orchestration.house import House, HouseError, write_private
from orchestration.practices import Practice


@dataclass(frozen=True)
class Proposed:
    """What one practice's close would do. `path` is the proposal in force, `is_new` whether it was written now."""

    practice_id: str
    month: date
    version: int
    path: Path
    is_new: bool
    content: Mapping[str, Any]


def propose_all(
    house: House, proposers: Sequence[tuple[Practice, str]], month: date
) -> Iterator[tuple[Practice, Proposed | HouseError]]:
    """`propose` for each of these practices. One practice's trouble is its own."""
    common = InCommon(house, month)
    with held_open(house):
        for practice, who in proposers:
            try:
                proposed: Proposed | HouseError = propose(house, practice, month, who, common)
            except Exception as error:
                proposed = trouble_of(house, practice, error)
            yield practice, proposed


def propose(house: House, practice: Practice, month: date, who: str, common: InCommon) -> Proposed:
    """Drafts and scrubs the next version of this practice-month (its first day); no control number, no packet."""
    with house.lock(f"close-{practice.tax_id}"):
        earlier = versions(house, practice.practice_id, month)
        version = (earlier[-1] if earlier else 0) + 1
        with open_warehouse(house) as warehouse:
            ground = Ground(
                practice=practice,
                configuration=practice.canonical_json(),
                month=month,
                version=version,
                waived=False,
                inputs=b"",
                claimed_elsewhere=claimed_elsewhere(common, warehouse, practice, month),
                software=software_versions(),
            )
            newest_night, due = scrubbed(warehouse, ground, drafted(warehouse, ground))
        claims: dict[str, dict[str, Any]] = {}
        for line in due.lines:
            claim = claims.setdefault(line.patient_id, {"codes": {}, "allowed_amount": Decimal(0), "charge_amount": Decimal(0)})
            claim["codes"][line.procedure_code] = line.units
            claim["allowed_amount"] += line.allowed_amount
            claim["charge_amount"] += line.charge_amount
        held = {
            row.patient_id: {"reason": row.reason, "detail": row.detail, "dollars_at_stake": str(row.dollars_at_stake)}
            for row in due.held
        }
        said = {
            "practice_id": practice.practice_id,
            "month": f"{month:%Y-%m}",
            "version": version,
            "newest_night": newest_night.isoformat(),
            "totals": {
                "claims": len(claims),
                "lines": len(due.lines),
                "allowed_amount": str(sum((claim["allowed_amount"] for claim in claims.values()), Decimal("0.00"))),
                "charge_amount": str(sum((claim["charge_amount"] for claim in claims.values()), Decimal("0.00"))),
                "held": len(held),
            },
            "claims": {
                patient_id: {**claim, "allowed_amount": str(claim["allowed_amount"]), "charge_amount": str(claim["charge_amount"])}
                for patient_id, claim in sorted(claims.items())
            },
            "held": dict(sorted(held.items())),
        }
        folder = month_folder(house, practice.practice_id, month) / "proposals"
        before = sorted(folder.glob(proposals.FILES))
        # A damaged one is as good as none: nothing rests on it, and this one says it all again.
        last = proposals.read(before[-1]) if before else None
        if last is not None and {key: last[key] for key in said} == said:
            return Proposed(practice.practice_id, month, version, before[-1], False, last)
        content = {**said, "changes": _changes(last, said)}
        path = folder / f"{len(before) + 1:03d}.json"
        write_private(path, json.dumps(content, indent=1, sort_keys=True) + "\n")
    transitions.record_proposal(house, practice.practice_id, month, who, path)
    return Proposed(practice.practice_id, month, version, path, True, content)


def _changes(last: Mapping[str, Any] | None, now: Mapping[str, Any]) -> dict[str, list[str]]:
    """Patients whose claim is new, gone or different, and who is newly held or released, against the proposal before."""
    if last is None or last["version"] != now["version"]:
        return {}  # nothing was proposed, or what was is closed
    before, after = last["claims"], now["claims"]
    found = {
        "new": sorted(after.keys() - before.keys()),
        "gone": sorted(before.keys() - after.keys()),
        "different": sorted(patient for patient in after.keys() & before.keys() if after[patient] != before[patient]),
        "newly held": sorted(now["held"].keys() - last["held"].keys()),
        "no longer held": sorted(last["held"].keys() - now["held"].keys()),
    }
    return {what: patients for what, patients in found.items() if patients}
