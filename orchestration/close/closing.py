"""One close of one practice-month: freezes its inputs, has its packet composed, and publishes it, complete or not at all."""

from __future__ import annotations

import json
import shutil
from collections.abc import Generator
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

from orchestration.close import transitions
from orchestration.close.claim_file import Judging, drafted
from orchestration.close.claims import Draft, Held
from orchestration.close.control_numbers import allocate
from orchestration.close.freeze import freeze
from orchestration.close.ground import Ground, accepted_holds, software_versions
from orchestration.close.in_common import InCommon
from orchestration.close.one_beneficiary import claimed_elsewhere, refuse_second_claims
from orchestration.close.packet import Packet, composing
from orchestration.close.packet_tables import csv_of
from orchestration.close.versions import HELD_AFTER, month_folder, versions
from orchestration.engine import open_warehouse
from orchestration.house import House, move_into_place, write_private
from orchestration.practices import Practice


@dataclass(frozen=True)
class Approval:
    """Who approved, and why what was held went out, if it did."""

    approved_by: str
    waiver: str | None = None


@dataclass(frozen=True)
class Closed:
    """What one close did. `packet` is None when there was nothing new to close; what is held then stands in `held_file`."""

    practice_id: str
    month: date
    version: int | None
    packet: Path | None
    claims: int
    allowed_amount: Decimal
    charge_amount: Decimal
    held: int
    claim_file: Path | None
    held_file: Path | None = None


def closing(
    house: House, practice: Practice, month: date, approval: Approval, judging: Judging, common: InCommon
) -> Generator[None, None, Closed]:
    """Writes the next version of this practice-month if there is anything new. The gate has already ruled. In steps: it yields whenever a claim file is
    with the judge, so that other practices can go on meanwhile.

    Raises HouseError when the finished file has a fault that belongs to no single claim: then nothing leaves the house.
    """
    # Practices of one tax id close one after the other: of two claims for one beneficiary's month the second must see the first.
    with house.lock(f"close-{practice.tax_id}"):
        # A packet that a killed run published without its line in the record gets it now.
        transitions.record_closes(house, practice.practice_id)
        earlier = versions(house, practice.practice_id, month)
        version = (earlier[-1] if earlier else 0) + 1
        with open_warehouse(house) as warehouse:
            elsewhere = claimed_elsewhere(common, warehouse, practice, month)
            accepted = accepted_holds(warehouse, practice, month)
            ground = Ground(
                practice=practice,
                configuration=practice.canonical_json(),
                month=month,
                version=version,
                waived=approval.waiver is not None,
                inputs=freeze(warehouse, practice, month, elsewhere, accepted, common.rules(warehouse)),
                claimed_elsewhere=elsewhere,
                software=software_versions(),
                accepted=accepted,
            )
            due = drafted(warehouse, ground)
            refuse_second_claims(house, practice, month, due)

            def nothing(held: Draft) -> Closed:
                file = _keep_held(house, practice.practice_id, month, earlier[-1], held)
                return Closed(practice.practice_id, month, None, None, 0, Decimal(0), Decimal(0), len(held.held), None, file)

            if earlier and not len(due.claims):
                return nothing(due)

            def next_number() -> int:
                sent, first = common.highest_number(practice.submitter_id), practice.first_control_number
                return allocate(house, practice.submitter_id, practice.practice_id, f"{month:%Y-%m}", version, sent, first)

            packet = yield from composing(warehouse, ground, due, next_number, judging)
        if earlier and not packet.claims:
            # All that was new is held by the scrub: no version without a claim after the first.
            return nothing(packet.due)
        final = _publish(house, ground, packet, approval)
        common.published(final)
    transitions.record_closes(house, practice.practice_id)
    lines = packet.due.lines
    return Closed(
        practice.practice_id,
        month,
        version,
        final,
        packet.claims,
        sum((line.allowed_amount for line in lines), Decimal("0.00")),
        sum((line.charge_amount for line in lines), Decimal("0.00")),
        len(packet.due.held),
        final / "claims.837" if packet.claims else None,
        final / "held.csv",
    )


def _keep_held(house: House, practice_id: str, month: date, version: int, due: Draft) -> Path:
    """What a close holds that has nothing to send, and so makes no version: in the place of the last version's held.csv, as long as that is the last one."""
    folder = month_folder(house, practice_id, month)
    last, now = folder / f"v{version}" / "held.csv", folder / HELD_AFTER.format(version)
    content = csv_of(Held, due.held)
    if not now.exists() and last.read_bytes() == content:
        return last
    if not now.exists() or now.read_bytes() != content:
        write_private(now, content)
    return now


def _publish(house: House, ground: Ground, packet: Packet, approval: Approval) -> Path:
    """The packet's folder, complete or absent: written aside, then renamed."""
    folder = month_folder(house, ground.practice.practice_id, ground.month)
    scratch = folder / f".v{ground.version}.tmp"
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        for name, content in packet.files.items():
            write_private(scratch / name, content)
        approved = {**asdict(approval), "approved_at": datetime.now(UTC).isoformat(timespec="seconds")}
        write_private(scratch / "approval.json", json.dumps(approved, indent=1, sort_keys=True) + "\n")
        final = folder / f"v{ground.version}"
        move_into_place(scratch, final)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return final
