"""One close of one practice-month: an immutable packet folder, complete or absent.

`claims.837`, `claims.csv`, `held.csv`, `decisions.parquet` and `minute_ledger.parquet` are a function of the taken-in extracts, the dated rules,
the practice's configuration and the packet's control number; `manifest.json` names all of these by hash. `approval.json` has the only clock.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq

from orchestration.close.claims import Draft, Held, Line, draft
from orchestration.close.control_numbers import allocate
from orchestration.close.x12.model import BillingProvider, Claim, ClaimFile, Payer, Receiver, Submitter
from orchestration.close.x12.scrub import scrub
from orchestration.close.x12.validate import judge
from orchestration.close.x12.writer import write_837p
from orchestration.house import House, HouseError, move_into_place, write_private
from orchestration.practices import Practice
from orchestration.transform.configuration import rules_version


@dataclass(frozen=True)
class Approval:
    """Who approved, and why what was held went out, if it did."""

    approved_by: str
    waiver: str | None = None


@dataclass(frozen=True)
class Closed:
    """What one close did. `packet` is None when there was nothing new to close."""

    practice_id: str
    month: date
    version: int | None
    packet: Path | None
    claims: int
    allowed_amount: Decimal
    charge_amount: Decimal
    held: int
    claim_file: Path | None


def versions(house: House, practice_id: str, month: date) -> list[int]:
    """Versions of this practice-month that are complete, ascending."""
    folder = house.closes / practice_id / f"{month:%Y-%m}"
    return sorted(int(path.parent.name[1:]) for path in folder.glob("v[0-9]*/manifest.json"))


def close_month(house: House, practice: Practice, month: date, approval: Approval) -> Closed:
    """Writes the next version of this practice-month if there is anything new. The gate has already ruled.

    Raises HouseError when the finished file has a fault that belongs to no single claim: then nothing leaves the house.
    """
    with house.lock(f"close-{practice.practice_id}"):
        earlier = versions(house, practice.practice_id, month)
        version = (earlier[-1] if earlier else 0) + 1
        with duckdb.connect(str(house.warehouse), read_only=True) as warehouse:
            due = draft(warehouse, practice, month, waived=approval.waiver is not None)
            _refuse_second_claims(house, practice, month, due)
            if earlier and not due.claims:
                return Closed(practice.practice_id, month, None, None, 0, Decimal(0), Decimal(0), len(due.held), None)
            newest_night = warehouse.execute(
                "select newest_night from staging.stg_practices where practice_id = ?", [practice.practice_id]
            ).fetchall()[0][0]
            folder = house.closes / practice.practice_id / f"{month:%Y-%m}"
            scratch = folder / f".v{version}.tmp"
            shutil.rmtree(scratch, ignore_errors=True)
            scratch.mkdir(parents=True, mode=0o700)
            try:
                due, control_number = _write_claims(house, practice, month, version, newest_night, due, scratch)
                if earlier and not due.claims:
                    # All that was new is held by the scrub: no version without a claim after the first.
                    return Closed(practice.practice_id, month, None, None, 0, Decimal(0), Decimal(0), len(due.held), None)
                _write_csv(scratch / "claims.csv", Line, due.lines)
                _write_csv(scratch / "held.csv", Held, due.held)
                _write_evidence(warehouse, practice, month, scratch)
                inputs = _inputs(warehouse, practice)
                manifest = {
                    "practice_id": practice.practice_id,
                    "month": f"{month:%Y-%m}",
                    "version": version,
                    "newest_night": newest_night.isoformat(),
                    "control_number": control_number,
                    "submitter_id": practice.submitter_id,
                    "rules_version": rules_version(),
                    "configuration_sha256": practice.fingerprint(),
                    "software": {"ccm-billing-capture": installed_version("ccm-billing-capture")},
                    "inputs": inputs,
                    "outputs": {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(scratch.iterdir())},
                    "totals": {
                        "claims": len(due.claims),
                        "lines": len(due.lines),
                        "units": sum(line.units for line in due.lines),
                        "charge_amount": str(sum((line.charge_amount for line in due.lines), Decimal("0.00"))),
                        "allowed_amount": str(sum((line.allowed_amount for line in due.lines), Decimal("0.00"))),
                        "held": len(due.held),
                    },
                }
                write_private(scratch / "manifest.json", json.dumps(manifest, indent=1, sort_keys=True) + "\n")
                approved = {**asdict(approval), "approved_at": datetime.now(UTC).isoformat(timespec="seconds")}
                write_private(scratch / "approval.json", json.dumps(approved, indent=1, sort_keys=True) + "\n")
                final = folder / f"v{version}"
                move_into_place(scratch, final)
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
    return Closed(
        practice.practice_id,
        month,
        version,
        final,
        len(due.claims),
        sum((line.allowed_amount for line in due.lines), Decimal("0.00")),
        sum((line.charge_amount for line in due.lines), Decimal("0.00")),
        len(due.held),
        final / "claims.837" if due.claims else None,
    )


def _refuse_second_claims(house: House, practice: Practice, month: date, due: Draft) -> None:
    """The marts already leave out what was claimed; the packets on disk are the last word, whatever the marts say."""
    already: set[str] = set()
    for version in versions(house, practice.practice_id, month):
        packet = house.closes / practice.practice_id / f"{month:%Y-%m}" / f"v{version}"
        with (packet / "claims.csv").open(encoding="utf-8", newline="") as handle:
            already |= {row["patient_id"] for row in csv.DictReader(handle)}
    again = sorted(already & {line.patient_id for line in due.lines})
    if again:
        raise HouseError(
            f"{practice.practice_id} {month:%Y-%m}: {len(again)} patient-months were claimed in an earlier version but the marts do not "
            "know it; run `ccm nightly --full`, then close again"
        )


def _claim_file(practice: Practice, claims: Sequence[Claim], newest_night: date, control_number: int) -> ClaimFile:
    address = practice.address
    return ClaimFile(
        submitter=Submitter(practice.submitter_id, practice.name, practice.phone),
        receiver=Receiver(practice.receiver.id, practice.receiver.name),
        payer=Payer(practice.payer.id, practice.payer.name),
        billing_provider=BillingProvider(
            practice.name, practice.npi, practice.tax_id, practice.taxonomy_code,
            address.line1, address.city, address.state, address.postal_code,
        ),
        claims=tuple(claims),
        interchange_date=newest_night,
        control_number=control_number,
    )  # fmt: skip


def _write_claims(
    house: House, practice: Practice, month: date, version: int, newest_night: date, due: Draft, scratch: Path
) -> tuple[Draft, int | None]:
    """Scrubs the draft, holds each claim with a fault, and writes what is left once pyx12 has accepted it."""
    if not due.claims:
        return due, None
    # The scrub first sees a file with a stand-in number, so that claims it refuses cost no control number.
    content = write_837p(_claim_file(practice, due.claims, newest_night, 1))
    due = due.without(_by_claim(scrub(content)))
    if not due.claims:
        return due, None
    number = allocate(house, practice.submitter_id, practice.practice_id, f"{month:%Y-%m}", version)
    while due.claims:
        content = write_837p(_claim_file(practice, due.claims, newest_night, number))
        faults = judge(content)
        if not faults:
            write_private(scratch / "claims.837", content)
            return due, number
        due = due.without(_by_claim(faults))
    return due, number


def _by_claim(faults: Sequence[Any]) -> dict[str, str]:
    general = [fault for fault in faults if fault.claim_id is None]
    if general:
        raise HouseError(
            "the claim file has faults that belong to no single claim, so nothing was written:\n"
            + "\n".join(f"  {fault.message}" for fault in general[:20])
        )
    found: dict[str, list[str]] = {}
    for fault in faults:
        found.setdefault(fault.claim_id, []).append(fault.message)
    return {claim_id: "; ".join(messages) for claim_id, messages in found.items()}


def _write_csv(path: Path, kind: type[Line] | type[Held], rows: Sequence[Line] | Sequence[Held]) -> None:
    text = io.StringIO()
    columns = list(kind.__dataclass_fields__)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(column, getattr(row, column)) for column in columns])
    write_private(path, text.getvalue())


def _cell(column: str, value: Any) -> str:
    if column == "month":
        return f"{value:%Y-%m-%d}"
    if isinstance(value, Decimal):
        return f"{value:.2f}"
    return value.isoformat() if isinstance(value, date) else str(value)


def _write_evidence(warehouse: duckdb.DuckDBPyConnection, practice: Practice, month: date, scratch: Path) -> None:
    """The decisions and the ledger of this practice-month, in a fixed order by one thread, so that the bytes are fixed too."""
    for table, order in (
        ("patient_month_decisions", "patient_id"),
        ("minute_ledger", "entry_id, disposition"),
    ):
        name = "decisions" if table == "patient_month_decisions" else table
        rows = warehouse.execute(
            f"select * from marts.{table} where practice_id = ? and month = ? order by {order}",
            [practice.practice_id, month],
        ).to_arrow_table()
        buffer = io.BytesIO()
        pq.write_table(rows, buffer, compression="zstd")
        write_private(scratch / f"{name}.parquet", buffer.getvalue())


def _inputs(warehouse: duckdb.DuckDBPyConnection, practice: Practice) -> list[dict[str, Any]]:
    """Every landed file in force of this practice, by table and night, with its hash."""
    rows = warehouse.execute(
        """
        select table_name, extract_date, version, sha256 from staging.stg_files
        where practice_id = ? and is_in_force order by table_name, extract_date
        """,
        [practice.practice_id],
    ).fetchall()
    return [
        {"table": table, "night": night.isoformat(), "version": version, "sha256": sha256} for table, night, version, sha256 in rows
    ]
