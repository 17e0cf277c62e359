"""What Python gives to the models as Parquet: practice configuration, rule version, claims of earlier closes."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from orchestration.close import acceptances
from orchestration.house import DBT_PROJECT, House, write_private
from orchestration.payers.inbox import ensure_tables
from orchestration.payers.sent import sent_file
from orchestration.practices import Practice
from orchestration.take_in import lake
from orchestration.transform.office import office_tables

MONEY = pa.decimal128(12, 2)

PRACTICES = pa.schema(
    [
        ("practice_id", pa.string()),
        ("time_zone", pa.string()),
        ("npi", pa.string()),
        ("tax_id", pa.string()),
        ("state", pa.string()),
        ("mac", pa.string()),
        ("locality", pa.string()),
        ("place_of_service", pa.string()),
        ("qualifying_apm_participant", pa.bool_()),
        ("track_policy", pa.string()),
        ("service_date_policy", pa.string()),
        ("facility_type", pa.string()),
        ("close_first_day", pa.int32()),
        ("close_final_day", pa.int32()),
        ("submitter_id", pa.string()),
    ]
)
CHARGES = pa.schema([("practice_id", pa.string()), ("procedure_code", pa.string()), ("charge_amount", MONEY)])
RULES = pa.schema([("rules_version", pa.string())])
CLAIM_LINES = pa.schema(
    [
        ("practice_id", pa.string()),
        ("patient_id", pa.string()),
        ("month", pa.date32()),
        ("claim_id", pa.string()),
        ("line_id", pa.string()),
        ("close_version", pa.int32()),
        ("status", pa.string()),
        ("procedure_code", pa.string()),
        ("units", pa.int32()),
        ("service_date", pa.date32()),
        ("charge_amount", MONEY),
        ("allowed_amount", MONEY),
        # How its claim file went out: what acknowledgments refer to.
        ("submitter_id", pa.string()),
        ("control_number", pa.int64()),
        ("transaction_number", pa.int32()),
        ("tax_id", pa.string()),
        ("beneficiary_key", pa.string()),
        ("claimed_on", pa.date32()),
    ]
)

CLOSES = pa.schema(
    [
        ("practice_id", pa.string()),
        ("month", pa.date32()),
        ("close_version", pa.int32()),
        ("newest_night", pa.date32()),
        ("claims", pa.int64()),
        ("allowed_amount", MONEY),
        ("held", pa.int64()),
        ("approved_by", pa.string()),
        ("approved_at", pa.string()),
    ]
)
PROPOSALS = pa.schema(
    [("practice_id", pa.string()), ("month", pa.date32()), ("proposal", pa.int32()), ("close_version", pa.int32())]
)


@dataclass(frozen=True)
class Closed:
    """What the packets and proposals under closes/ say, as rows for the models; all empty where nothing is closed."""

    claim_lines: list[dict[str, object]] = field(default_factory=list)
    closes: list[dict[str, object]] = field(default_factory=list)
    proposals: list[dict[str, object]] = field(default_factory=list)


def rules_version() -> str:
    """Names the rule seeds by their content: 'rules-' and the first 16 hex digits of a SHA-256 over names and bytes."""
    digest = hashlib.sha256()
    for path in sorted((DBT_PROJECT / "seeds").rglob("*.csv"), key=lambda p: p.name):
        digest.update(f"{path.name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return f"rules-{digest.hexdigest()[:16]}"


def read_closes(house: House) -> Closed:
    """Every complete packet (one with a manifest) and every proposal, by practice, month and version."""
    found = Closed()
    for path in sorted(house.closes.glob("*/*/v*/manifest.json")):
        packet = path.parent
        practice_id, month, version = packet.parents[1].name, date.fromisoformat(f"{packet.parent.name}-01"), int(packet.name[1:])
        manifest = json.loads(path.read_text(encoding="utf-8"))
        approval = json.loads((packet / "approval.json").read_text(encoding="utf-8"))
        found.closes.append(
            {
                "practice_id": practice_id,
                "month": month,
                "close_version": version,
                "newest_night": date.fromisoformat(manifest["newest_night"]),
                "claims": manifest["totals"]["claims"],
                "allowed_amount": Decimal(manifest["totals"]["allowed_amount"]),
                "held": manifest["totals"]["held"],
                "approved_by": approval["approved_by"],
                "approved_at": approval["approved_at"],
            }
        )
        sent = sent_file(packet / "claims.837") if (packet / "claims.837").exists() else None
        claimed_on = date.fromisoformat(manifest["newest_night"])
        subjects = {row["claim_id"]: row for row in pq.read_table(packet / "claim_subjects.parquet").to_pylist()}
        with (packet / "claims.csv").open(encoding="utf-8", newline="") as handle:
            for row in csv.DictReader(handle):
                found.claim_lines.append(
                    {
                        "practice_id": practice_id,
                        "patient_id": row["patient_id"],
                        "month": date.fromisoformat(row["month"]),
                        "claim_id": row["claim_id"],
                        "line_id": row["line_id"],
                        "close_version": version,
                        "status": "submitted",
                        "procedure_code": row["procedure_code"],
                        "units": int(row["units"]),
                        "service_date": date.fromisoformat(row["service_date"]),
                        "charge_amount": Decimal(row["charge_amount"]),
                        "allowed_amount": Decimal(row["allowed_amount"]),
                        "submitter_id": sent.submitter_id if sent else None,
                        "control_number": sent.control_number if sent else None,
                        "transaction_number": sent.transaction_number(row["claim_id"]) if sent else None,
                        "tax_id": subjects[row["claim_id"]]["tax_id"],
                        # Tells one beneficiary from another, and who it is to nobody.
                        "beneficiary_key": hashlib.sha256(subjects[row["claim_id"]]["mbi"].encode()).hexdigest(),
                        "claimed_on": claimed_on,
                    }
                )
    for path in sorted(house.closes.glob("*/*/proposals/[0-9][0-9][0-9].json")):
        proposal = json.loads(path.read_text(encoding="utf-8"))
        found.proposals.append(
            {
                "practice_id": proposal["practice_id"],
                "month": date.fromisoformat(f"{proposal['month']}-01"),
                "proposal": int(path.stem),
                "close_version": proposal["version"],
            }
        )
    return found


def configuration_tables(
    practices: Mapping[str, Practice], rules: str, closed: Closed, accepted: Iterable[Mapping[str, str]] = ()
) -> dict[str, pa.Table]:
    """The tables of lake/configuration by name. `accepted`: rows as `acceptances.in_force` gives them."""
    return {
        "practices": pa.Table.from_pylist(
            [
                {
                    **{name: getattr(practice, name, None) for name in PRACTICES.names},
                    "state": practice.address.state,
                    "close_first_day": practice.close.first_day,
                    "close_final_day": practice.close.final_day,
                }
                for practice in practices.values()
            ],
            schema=PRACTICES,
        ),
        "charges": pa.Table.from_pylist(
            [
                {"practice_id": practice.practice_id, "procedure_code": code, "charge_amount": fee}
                for practice in practices.values()
                for code, fee in sorted(practice.charges.items())
            ],
            schema=CHARGES,
        ),
        "rules": pa.Table.from_pylist([{"rules_version": rules}], schema=RULES),
        "claim_lines": pa.Table.from_pylist(closed.claim_lines, schema=CLAIM_LINES),
        "closes": pa.Table.from_pylist(closed.closes, schema=CLOSES),
        "proposals": pa.Table.from_pylist(closed.proposals, schema=PROPOSALS),
        "acceptances": acceptances.table(accepted),
    }


def write_configuration(house: House, practices: Mapping[str, Practice]) -> str:
    """Writes lake/configuration/*.parquet and gives the fingerprint of what decisions rest on (SHA-256 over their content).

    Sees to it that the payers' answers have their tables, too, also before the first of them came."""
    ensure_tables(house)
    lake.ensure_tables(house)
    digest = hashlib.sha256()
    tables = configuration_tables(practices, rules_version(), read_closes(house), acceptances.in_force(house)) | office_tables(
        house
    )
    for name, table in tables.items():
        content = _parquet(table)
        # A proposal changes nothing that a claim rests on: the close it proposes must not wait for another night.
        if name != "proposals":
            digest.update(name.encode() + hashlib.sha256(content).digest())
        _write_if_changed(house.lake / "configuration" / f"{name}.parquet", content)
    return digest.hexdigest()


def _parquet(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


def _write_if_changed(path: Path, content: bytes) -> None:
    if not path.exists() or path.read_bytes() != content:
        write_private(path, content)
