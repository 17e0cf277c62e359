"""`make bench-fhir`: a FHIR bulk export of a gigabyte is imported by a process of its own; prints resources, seconds and the most memory it held.

Exits 1 when it held more than `--limit-gib`, or when a resource is not accounted for. The export is written to a temporary folder and removed.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import yaml

from tests.holds.clinic import Clinic

SNOMED, ICD, CPT = "http://snomed.info/sct", "http://hl7.org/fhir/sid/icd-10-cm", "http://www.ama-assn.org/go/cpt"
_FILL = "Synthetic narrative as EHRs write it into every resource: what was said, by whom, in what room, on which form. " * 5
_CHILD = """
import json, resource, sys
from pathlib import Path
from orchestration.house import House
from orchestration.importers.fhir import import_fhir
report = import_fhir(Path(sys.argv[1]), House(Path(sys.argv[2])))
print(json.dumps({"peak_kib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, **report.to_json()}))
"""


def _concept(system: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code, "display": f"Display of {code}"}], "text": f"Text of {code}"}


def of_patient(number: int) -> Iterator[dict[str, Any]]:
    """One patient with 30 conditions, visits and claims, of which some have no code, no patient, or an older version."""
    key = f"p{number:07d}"
    who = {"reference": f"Patient/{key}"}
    doctor = {"reference": f"Practitioner/d{number % 40}"}

    def made(resource_type: str, suffix: str, **elements: Any) -> dict[str, Any]:
        return {
            "resourceType": resource_type, "id": f"{key}-{suffix}", "meta": {"lastUpdated": "2026-11-01T00:00:00.000Z", "versionId": "3"},
            "text": {"status": "generated", "div": f"<div>{_FILL}</div>"}, **elements,
        }  # fmt: skip

    person = made(
        "Patient", "", name=[{"family": f"Fam{number}", "given": ["Ada"]}], gender="female", birthDate="1950-01-02",
        generalPractitioner=[doctor], identifier=[{"system": "urn:ehr", "value": f"mrn{number}"}],
    )  # fmt: skip
    yield person | {"id": key}
    if number % 10 == 0:
        yield person | {"id": key, "meta": {"lastUpdated": "2025-01-01T00:00:00Z"}}
    yield made(
        "Coverage", "c", status="active", beneficiary=who, payor=[{"display": "Medicare"}], type=_concept("https://nahdo.org/sopt", "121"),
        period={"start": "2015-01-01"}, subscriberId="1EG4TE5MK73",
    )  # fmt: skip
    yield made(
        "CarePlan",
        "p",
        status="active",
        intent="plan",
        subject=who,
        period={"start": "2026-02-01"},
        category=[_concept(SNOMED, "734163000")],
    )
    for n in range(12):
        code = (_concept(ICD, "I10"), _concept(SNOMED, "44054006"), _concept("urn:ehr", "X1"))[n % 3]
        subject = {"reference": "Patient/nobody"} if n == 11 else who
        yield made(
            "Condition",
            f"k{n}",
            code=code,
            subject=subject,
            onsetDateTime="2019-05-06",
            clinicalStatus=_concept("urn:status", "active"),
        )
    for n in range(12):
        day = f"2026-{n % 10 + 1:02d}-{number % 28 + 1:02d}"
        yield made(
            "Encounter", f"e{n}", status="finished", **{"class": {"code": "AMB"}}, type=[_concept(CPT, "99213")], subject=who,
            period={"start": f"{day}T15:00:00Z", "end": f"{day}T15:20:00Z"}, participant=[{"individual": doctor}],
        )  # fmt: skip
        yield made(
            "Claim", f"m{n}", status="active", use="claim", patient=who, provider=doctor, created=day,
            item=[{"sequence": 1, "productOrService": _concept(CPT, "99213"), "servicedDate": day, "quantity": {"value": 1}}],
        )  # fmt: skip


def write(folder: Path, size: int) -> int:
    """Writes patients until the export has `size` bytes; returns them."""
    folder.mkdir()
    doctors = [
        {
            "resourceType": "Practitioner",
            "id": f"d{n}",
            "name": [{"family": f"Doc{n}"}],
            "qualification": [{"code": {"text": "Physician"}}],
        }
        for n in range(40)
    ]
    (folder / "Practitioner.ndjson").write_text("".join(json.dumps(one) + "\n" for one in doctors))
    written, number = 0, 0
    names = ("Patient", "Coverage", "CarePlan", "Condition", "Encounter", "Claim")
    files = {name: (folder / f"{name}.ndjson").open("w", encoding="utf-8") for name in names}
    while written < size:
        for resource in of_patient(number):
            written += files[resource["resourceType"]].write(json.dumps(resource) + "\n")
        number += 1
    for file in files.values():
        file.close()
    return number


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=1)
    parser.add_argument("--limit-gib", type=float, default=2)
    parser.add_argument("--folder", type=Path, help="where there is room; else the system's temporary folder")
    parser.add_argument("--result", type=Path, help="JSON file that keeps what was measured")
    asked = parser.parse_args()
    size = int(asked.gigabytes * 1_000_000_000)
    with tempfile.TemporaryDirectory(dir=asked.folder) as name:
        folder = Path(name)
        if shutil.disk_usage(folder).free < 4 * size:
            print(f"{folder}: less than {4 * size / 1e9:.1f} GB free; name another folder with --folder", file=sys.stderr)
            return 1
        patients = write(folder / "bulk", size)
        home = folder / "home"
        home.mkdir()
        (home / "practices.yaml").write_text(yaml.safe_dump({"practices": [Clinic("clinic", 1).configuration()]}))
        written = sum(path.stat().st_size for path in (folder / "bulk").iterdir())
        began = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-c", _CHILD, str(folder / "bulk"), str(home)], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(done.stderr)
        found = json.loads(done.stdout)
    result = {
        "bytes": written,
        "patients": patients,
        "seconds": round(time.monotonic() - began, 1),
        "peak_gib": round(found["peak_kib"] / 1024**2, 2),
        "duckdb": duckdb.__version__,
        "resources": found["resources"],
        "rows": found["rows"],
        "unmapped": [[one["what"], one["reason"], one["rows"]] for one in found["unmapped"]],
    }
    unused: dict[str, int] = {}
    for what, _, rows in result["unmapped"]:
        unused[what] = unused.get(what, 0) + rows
    is_accounted = all(one["unused"] == unused.get(what, 0) for what, one in found["resources"].items())
    is_accounted = is_accounted and found["rows"]["patients"] == patients
    print(json.dumps(result, indent=1))
    if asked.result:
        asked.result.parent.mkdir(parents=True, exist_ok=True)
        asked.result.write_text(json.dumps(result, indent=1) + "\n")
    return 0 if is_accounted and result["peak_gib"] <= asked.limit_gib else 1


if __name__ == "__main__":
    sys.exit(main())
