"""`make bench-big-file`: one huge landed time log is taken in by a process of its own; prints rows, seconds and the most memory it held.

Exits 1 when it held more than `--limit-gib`, or when a row is not accounted for. The file is written to a temporary folder and removed.
`--form`: csv, csv.gz (its unpacked size counts), parquet. `--kind`: `plain` is read by DuckDB, `broken` (a blank line in front) record by
record, `headless` (a required column is missing) is quarantined line by line, `notes` has notes of 1 MB.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from orchestration.contracts import extract_contracts

NIGHT = "2026-02-01"
TABLE = "time_entries"
NAMES = extract_contracts()[TABLE].names
_BLOCK = 10_000  # rows written at a time
_CHILD = """
import json, resource, sys
from pathlib import Path
from orchestration.house import House
from orchestration.take_in.lake import take_in
report = take_in(House(Path(sys.argv[1])), {"lakeside": "America/Chicago"})
[file] = report.files
print(json.dumps({"peak_kib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, "outcome": file.outcome, "received": file.rows_received,
                  "accepted": file.rows_accepted, "quarantined": file.rows_quarantined, "superseded": file.rows_superseded}))
"""


def blocks(size: int, kind: str) -> Iterator[bytes]:
    """CSV text of about `size` bytes in whole rows. Every hundredth row has a month 13 and is quarantined, every thousandth key comes twice."""
    words = 'Called about the new blood pressure cuff, readings at home 140 over 85, "better" than last week; refill ordered at the pharmacy. '
    note = words * (8_000 if kind == "notes" else 2)
    header = list(NAMES)
    if kind == "headless":
        header[0] = "entry"
    yield ("\n" if kind == "broken" else "").encode() + ",".join(header).encode() + b"\n"
    written, number = 0, 0
    step = 20 if kind == "notes" else _BLOCK
    while written < size:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        for _ in range(step):
            number += 1
            entry = number - 1 if number % 1000 == 0 else number
            day = (
                f"2026-{13 if number % 100 == 50 else 1}-{number % 28 + 1:02}"
                if number % 100 == 50
                else f"2026-01-{number % 28 + 1:02}"
            )
            writer.writerow(
                [f"E{entry:010}", f"P{number % 5000:05}", f"RN{number % 40}", "ccm", "care coordination", f"{day}T10:00:00",
                 f"{day}T10:{number % 50 + 1:02}:00", "", "timer", "false", f"N{number}", note, f"{day}T11:00:00Z", f"{day}T11:00:00Z", "false"]
            )  # fmt: skip
        data = text.getvalue().encode()
        written += len(data)
        yield data


def write(path: Path, form: str, size: int, kind: str) -> None:
    if form == "parquet":
        options = pyarrow.csv.ConvertOptions(column_types=dict.fromkeys(NAMES, pa.string()), strings_can_be_null=True)
        schema = pa.schema([(name, pa.string()) for name in NAMES])
        with pq.ParquetWriter(path, schema, compression="zstd") as writer:
            parts = blocks(size, kind)
            header = next(parts)
            for part in parts:
                writer.write_table(pyarrow.csv.read_csv(io.BytesIO(header + part), convert_options=options))
        return
    with path.open("wb") if form == "csv" else gzip.open(path, "wb", compresslevel=1) as out:
        for part in blocks(size, kind):
            out.write(part)


def measure(folder: Path, form: str, size: int, kind: str) -> dict[str, Any]:
    """Writes the file, takes it in; gives the accounts, seconds and peak_kib (resident)."""
    landed = folder / "landing" / "lakeside" / NIGHT / f"{TABLE}.{form}"
    landed.parent.mkdir(parents=True)
    began = time.monotonic()
    write(landed, form, size, kind)
    written = time.monotonic() - began
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", _CHILD, str(folder)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    found = json.loads(done.stdout)
    return {
        **found,
        "bytes_landed": landed.stat().st_size,
        "seconds_written": round(written, 1),
        "seconds": round(time.monotonic() - began, 1),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=5)
    parser.add_argument("--form", choices=["csv", "csv.gz", "parquet"], default="csv")
    parser.add_argument("--kind", choices=["plain", "broken", "headless", "notes"], default="plain")
    parser.add_argument("--limit-gib", type=float, default=2)
    parser.add_argument("--folder", type=Path, help="where there is room; else the system's temporary folder")
    asked = parser.parse_args()
    size = int(asked.gigabytes * 1_000_000_000)
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        free = shutil.disk_usage(folder).free
        if free < 4 * size:
            print(
                f"{folder}: {free / 1e9:.1f} GB free, {4 * size / 1e9:.1f} wanted; name another folder with --folder",
                file=sys.stderr,
            )
            return 1
        found = measure(Path(folder), asked.form, size, asked.kind)
    peak = found["peak_kib"] / 1024**2
    is_accounted = found["received"] == found["accepted"] + found["quarantined"] + found["superseded"] and found["received"] > 0
    print(
        f"{asked.form}, {asked.kind}, {asked.gigabytes:g} GB ({found['bytes_landed']:,} bytes landed): {found['outcome']}, {found['received']:,} rows = "
        f"{found['accepted']:,} accepted + {found['quarantined']:,} quarantined + {found['superseded']:,} superseded; "
        f"{found['seconds']} s, at most {peak:.2f} GiB held"
    )
    return 0 if is_accounted and peak <= asked.limit_gib else 1


if __name__ == "__main__":
    sys.exit(main())
