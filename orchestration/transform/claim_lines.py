"""The claim lines of one packet, as rows for the models: read from the files that its manifest names, or refused."""

from __future__ import annotations

import csv
import hashlib
import json
from datetime import date
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from orchestration.close import versions
from orchestration.house import HouseError
from orchestration.payers import eligibility, sent
from orchestration.practices import fee_state

MONEY = pa.decimal128(12, 2)
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
        ("usage_indicator", pa.string()),
        ("transaction_number", pa.int32()),
        ("tax_id", pa.string()),
        ("beneficiary_key", pa.string()),
        ("claimed_on", pa.date32()),
        # The practice's settings that priced it; null where the packet's cannot be read.
        ("place_of_service", pa.string()),
        ("mac", pa.string()),
        ("state", pa.string()),
        ("locality", pa.string()),
        ("qualifying_apm_participant", pa.bool_()),
        # What its patient-month could have been claimed as by what was known then, each as its codes in their order: `99439 x 1, 99490 x 1`.
        # As Parquet calls what is in a list: a table that was read gives the bytes of one that was made.
        ("alternatives", pa.list_(pa.field("element", pa.string()))),
    ]
)


def key_of(packet: Path) -> dict[str, object]:
    return {
        "practice_id": packet.parents[1].name,
        "month": date.fromisoformat(f"{packet.parent.name}-01"),
        "close_version": int(packet.name[1:]),
    }


_LINES_FROM = ("claims.csv", "claims.837", "claim_subjects.parquet")


def lines_of(packet: Path) -> list[dict[str, object]]:
    """The lines of a packet. Raises HouseError where its files are not as its manifest says: a line less would be claimed a second time."""
    if of := versions.copied_from(packet):
        raise HouseError(f"{packet}: is a copy of {of}; move it out of closes/")
    try:
        manifest = json.loads((packet / versions.MANIFEST).read_text(encoding="utf-8"))
        wanted = {name: sha256 for name, sha256 in manifest["outputs"].items() if name in _LINES_FROM}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise HouseError(f"{packet / versions.MANIFEST}: cannot be read; restore this packet from the backup") from None
    for name, sha256 in wanted.items():
        path = packet / name
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
            raise HouseError(f"{path}: is not what the manifest names; restore this packet from the backup")
    file = sent.sent_file(packet / "claims.837") if (packet / "claims.837").exists() else None
    subjects = {row["claim_id"]: row for row in pq.read_table(packet / "claim_subjects.parquet").to_pylist()}
    alternatives = _alternatives(packet / "decisions.parquet", manifest["outputs"].get("decisions.parquet"))
    priced_by = _priced_by(packet)
    with (packet / "claims.csv").open(encoding="utf-8", newline="") as handle:
        return [
            {
                "practice_id": packet.parents[1].name,
                "patient_id": row["patient_id"],
                "month": date.fromisoformat(row["month"]),
                "claim_id": row["claim_id"],
                "line_id": row["line_id"],
                "close_version": int(packet.name[1:]),
                "status": "submitted",
                "procedure_code": row["procedure_code"],
                "units": int(row["units"]),
                "service_date": date.fromisoformat(row["service_date"]),
                "charge_amount": Decimal(row["charge_amount"]),
                "allowed_amount": Decimal(row["allowed_amount"]),
                "submitter_id": file.submitter_id if file else None,
                "control_number": file.control_number if file else None,
                "usage_indicator": file.usage_indicator if file else None,
                "transaction_number": file.transaction_number(row["claim_id"]) if file else None,
                "tax_id": subjects[row["claim_id"]]["tax_id"],
                # Tells one beneficiary from another, and who it is to nobody.
                "beneficiary_key": eligibility.member_key(subjects[row["claim_id"]]["mbi"]),
                "claimed_on": date.fromisoformat(manifest["newest_night"]),
                **priced_by,
                "alternatives": alternatives.get(row["patient_id"]),
            }
            for row in csv.DictReader(handle)
        ]


def _priced_by(packet: Path) -> dict[str, object]:
    """The settings of a packet's practice that pick its prices; none where they cannot be read: no claim rests on them."""
    try:
        settings = versions.practice_of(packet)
        return {
            **{name: str(settings[name]) for name in ("place_of_service", "mac", "locality")},
            "state": fee_state(settings),
            "qualifying_apm_participant": bool(settings.get("qualifying_apm_participant")),
        }
    except versions.DAMAGED:
        return {}


def _alternatives(path: Path, sha256: str | None) -> dict[str, list[str]]:
    """Those of each patient of a packet. None where the file is not what the manifest names: no claim rests on it, and every change of them is then listed."""
    if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
        return {}
    return {
        row["patient_id"]: [
            ", ".join(sorted(f"{one['code']} x {one['units']}" for one in track["codes"]))
            for track in json.loads(row["alternatives"])
        ]
        for row in pq.read_table(path, columns=["patient_id", "alternatives"]).to_pylist()
        if row["alternatives"]
    }
