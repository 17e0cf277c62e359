"""A packet, complete in memory.

Every file but `approval.json`, which has the only clock, is a function of `inputs.zip` (the practice's rows, configuration and rules, frozen by
`freeze.py`) and of the control number. `manifest.json` names them all by hash; `rebuild.py` makes them again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeVar

import duckdb

from orchestration.close.claim_file import Judging, judge_here, judged_claims, scrubbed
from orchestration.close.claims import Draft, Held, Line
from orchestration.close.freeze import file_numbers
from orchestration.close.ground import Ground
from orchestration.close.in_common import SUBJECTS_FILE
from orchestration.close.manners import Manner, to_manifest
from orchestration.close.packet_tables import csv_of, evidence, fee_releases, landed_inputs, subjects_file
from orchestration.close.versions import MANIFEST
from orchestration.close.x12.claim_rules import of_warehouse

T = TypeVar("T")


@dataclass(frozen=True)
class Packet:
    """One version of a practice-month, complete in memory: every file but the approval, by name, with the claims and what is held."""

    due: Draft
    files: Mapping[str, bytes]

    @property
    def claims(self) -> int:
        return len(self.due.claims)


def finish(steps: Generator[None, None, T]) -> T:
    """What the steps come to, waiting for whatever they wait for."""
    while True:
        try:
            next(steps)
        except StopIteration as done:
            result: T = done.value
            return result


def compose(warehouse: duckdb.DuckDBPyConnection, ground: Ground, due: Draft, next_number: Callable[[], int]) -> Packet:
    """Every file of the packet but the approval: a function of the warehouse's rows, `ground` and the control number alone.

    `next_number` is asked once, and only when there is a claim to send after the scrub.
    """
    return finish(composing(warehouse, ground, due, next_number, judge_here))


def composing(
    warehouse: duckdb.DuckDBPyConnection, ground: Ground, due: Draft, next_number: Callable[[], int], judging: Judging
) -> Generator[None, None, Packet]:
    """`compose` in steps, as `closing` has them."""
    practice, month = ground.practice, ground.month
    newest_night, due = scrubbed(warehouse, ground, due)
    due, control_number, claim_file = yield from judged_claims(
        ground, newest_night, due, next_number, judging, of_warehouse(warehouse)
    )
    files: dict[str, bytes] = {"inputs.zip": ground.inputs}
    if claim_file is not None:
        files["claims.837"] = claim_file
    files["claims.csv"] = csv_of(Line, due.lines)
    files["held.csv"] = csv_of(Held, due.held)
    files[SUBJECTS_FILE] = subjects_file(practice, due)
    numbers = file_numbers(warehouse, practice.practice_id) if Manner.FILE_NUMBERS in ground.manners else None
    files |= evidence(warehouse, practice.practice_id, month, numbers, ground.manners)
    rules = warehouse.execute("select distinct rules_version from marts.practice_nights").fetchall()
    manifest: dict[str, Any] = {
        "practice_id": practice.practice_id,
        "month": f"{month:%Y-%m}",
        "version": ground.version,
        "newest_night": newest_night.isoformat(),
        "final_day": practice.final_close_day(month).isoformat(),
        "control_number": control_number,
        "submitter_id": practice.submitter_id,
        "is_waived": ground.waived,
        "rules_version": rules[0][0],
        "rule_releases": fee_releases(warehouse, practice.practice_id, month),
        "configuration_sha256": hashlib.sha256(ground.configuration.encode()).hexdigest(),
        "software": dict(ground.software),
        "inputs": landed_inputs(warehouse, practice),
        "outputs": {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())},
        "totals": {
            "claims": len(due.claims),
            "lines": len(due.lines),
            "units": sum(line.units for line in due.lines),
            "charge_amount": str(sum((line.charge_amount for line in due.lines), Decimal("0.00"))),
            "allowed_amount": str(sum((line.allowed_amount for line in due.lines), Decimal("0.00"))),
            "held": len(due.held),
        },
        **to_manifest(ground.manners),
    }
    if ground.accepted:
        manifest["accepted"] = [dict(one) for one in ground.accepted]
    files[MANIFEST] = (json.dumps(manifest, indent=1, sort_keys=True) + "\n").encode()
    return Packet(due, files)
