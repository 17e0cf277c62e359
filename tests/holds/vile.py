"""One practice's landing made as bad as it can be: what a vendor, a disk or an attacker may drop. Seeded, so that a run can be repeated."""

from __future__ import annotations

import gzip
import random
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from orchestration.contracts import extract_contracts

from .clinic import NEWEST_NIGHT, PANEL_NIGHTS, Clinic, Row, nights, path_of, put, write

IDS = (
    "x'; drop table marts.claims; --", '"', "a,b", "=cmd|' /C calc'!A0", "<script>alert(1)</script>", "~*:", "../../etc/passwd", "\u202e", "0", " ",
    "%s{}{{ ref('x') }}", "\N{GRINNING FACE}" * 50, "x" * 5_000, "null", "\\N", "1-P01", "2-P01",
)  # fmt: skip
DAYS = ("0001-01-01", "9999-12-31", "1582-10-10", "1900-02-28", "2026-02-29", "-0044-03-15", "2262-04-12", "5881580-07-10")
INSTANTS = (
    "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-10-13T14:12:00+14:00", "2026-11-01T01:30:00", "2026-03-08T02:30:00", "1950-01-01T00:00:00",
    "2100-12-31T23:59:59", "2026-10-13T14:12:00-23:59",
)  # fmt: skip
NUMBERS = ("0", "-1", "60000000", "9223372036854775807", "-9223372036854775808", "9223372036854775808", "1e300", "1e3", "NaN")


def wild(rng: random.Random, table: str, near: Row) -> Row:
    """A row of the table in which anything may stand anywhere."""
    row = dict(near)
    columns = list(extract_contracts()[table].columns)
    # Half of the rows are wild in one place only: they get through where the contract lets them.
    for column in rng.sample(columns, 1) if rng.random() < 0.5 else columns:
        if column.vocabulary and rng.random() < 0.9:
            row[column.name] = rng.choice(column.vocabulary)
        elif column.kind == "date":
            row[column.name] = rng.choice(DAYS)
        elif column.kind == "instant":
            row[column.name] = rng.choice(INSTANTS)
        elif column.kind == "integer":
            row[column.name] = rng.choice(NUMBERS)
        elif column.kind == "boolean":
            row[column.name] = rng.choice(("true", "false", "TRUE", "1", "yes"))
        else:
            row[column.name] = rng.choice(IDS)
    return row


def broken_bytes(rng: random.Random, good: bytes) -> bytes:
    """A file of which something is wrong as a whole, or in its bytes."""
    header, _, body = good.partition(b"\n")
    return rng.choice(
        (
            b"",
            b"\xef\xbb\xbf",
            header + b"\n",
            header.upper() + b"\n" + body,
            header.replace(b",", b";") + b"\n" + body,
            header + b"," + header + b"\n" + body,
            header.split(b",", 1)[-1] + b"\n" + body,
            good.decode().encode("utf-16"),
            good.replace(b"\n", b"\r\n", 3),
            good + b"\xff\xfe\xfa,,,\n",
            good + b"a\x00b,,,\n",
            good + b'"never closed,\n',
            good[: max(1, len(good) * 2 // 3)],
            header + b"\n" + b"x" * 1_000_000 + b"\n",
            rng.randbytes(2_000),
            body,
        )
    )


def land(home: Path, clinic: Clinic, seed: int, every: int = 1) -> None:
    """The clinic's nights (or every so-manieth), their files spoiled in some way, and folders of nights that there never were."""
    rng = random.Random(seed)
    for night in list(nights(PANEL_NIGHTS[0], NEWEST_NIGHT))[::every]:
        clinic.land_night(home, night)
        for table in extract_contracts():
            path = path_of(home, clinic.practice_id, night, table)
            if not path.exists() and rng.random() < 0.9:
                continue
            near = (clinic.panel() | {"time_entries": clinic.log(date(2026, 10, 13)), "services": clinic.visits()}).get(table) or [
                {}
            ]
            write(home, clinic.practice_id, night, table, near + [wild(rng, table, rng.choice(near)) for _ in range(30)])
            way = rng.random()
            if way < 0.4:
                put(home, clinic.practice_id, night, table, broken_bytes(rng, path.read_bytes()))
            elif way < 0.5:
                path.with_suffix(".csv.gz").write_bytes(gzip.compress(path.read_bytes())[: rng.randint(5, 200)])
                path.unlink()
            elif way < 0.55:
                path.with_suffix(".parquet").write_bytes(b"PAR1" + rng.randbytes(50))
            elif way < 0.6:
                path.unlink()
                path.mkdir()
            elif way < 0.65:
                path.unlink()
                # To a file that is nobody's: whoever lands twice in one home as root must not write through it.
                elsewhere = home.with_name(f"{home.name}.elsewhere")
                elsewhere.write_text("root:x:0:0:root:/root:/bin/sh\n")
                path.symlink_to(elsewhere)
            elif way < 0.7:
                path.unlink()
                table_of = pa.table({name: [rng.choice(IDS), None, "2026-10-13"] for name in extract_contracts()[table].names})
                pq.write_table(table_of, path.with_suffix(".parquet"))
    folder = home / "landing" / clinic.practice_id
    for name in ("0001-01-01", "9999-12-31", "2026-13-45", "not a night", "'; drop table x; --"):
        (folder / name).mkdir()
        (folder / name / "time_entries.csv").write_bytes(b"entry_id\n1\n")
        (folder / name / "patients.csv").write_bytes(path_of(home, clinic.practice_id, NEWEST_NIGHT, "x").name.encode())
    for night in (date(2, 1, 1), NEWEST_NIGHT + timedelta(days=300), date(9999, 12, 31)):
        clinic.land_night(home, night, as_panel=True)
