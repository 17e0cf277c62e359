"""A packet that no close of ours would write."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq


def plant_bad_claims(packet: Path) -> None:
    """Beside this packet another (v9), with its manifest: a patient-month of it claimed a second time (PLANTED1), and an add-on alone with too many
    units (PLANTED2)."""
    planted = shutil.copytree(packet, packet.with_name("v9"))
    with (packet / "claims.csv").open(newline="") as handle:
        claimed = list(csv.DictReader(handle))
    add_on = next(line for line in claimed if line["procedure_code"] == "99439")
    again = next(line for line in claimed if line["claim_id"] != add_on["claim_id"] and line["procedure_code"] == "99490")
    with (planted / "claims.csv").open("w", newline="") as handle:
        writer = csv.DictWriter(handle, list(again))
        writer.writeheader()
        writer.writerow({**again, "claim_id": "PLANTED1", "line_id": "PLANTED101"})
        writer.writerow({**add_on, "claim_id": "PLANTED2", "line_id": "PLANTED201", "units": "3"})
    table = pq.read_table(packet / "claim_subjects.parquet")
    subjects = {row["claim_id"]: row for row in table.to_pylist()}
    changed = [{**subjects[again["claim_id"]], "claim_id": "PLANTED1"}, {**subjects[add_on["claim_id"]], "claim_id": "PLANTED2"}]
    pq.write_table(type(table).from_pylist(changed, schema=table.schema), planted / "claim_subjects.parquet")
    manifest = json.loads((planted / "manifest.json").read_text())
    for name in ("claims.csv", "claim_subjects.parquet"):
        manifest["outputs"][name] = hashlib.sha256((planted / name).read_bytes()).hexdigest()
    (planted / "manifest.json").write_text(json.dumps({**manifest, "version": 9}))
