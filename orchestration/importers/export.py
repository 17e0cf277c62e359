"""Reads a Synthea CSV export of any vintage into DuckDB tables with one set of column names, all text."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import duckdb

from orchestration.house import HouseError
from orchestration.sql import literal, name

MAPS = Path(__file__).parent / "maps"

# Table: is its file required, and each column with the names that vintages give it. A star marks a required column.
_TABLES: dict[str, tuple[bool, str]] = {
    "patients": (
        True,
        "id* birthdate* deathdate first* middle last* gender* address city state zip",
    ),
    "encounters": (
        True,
        "id* start*|date|start_time stop|stop_time patient*|patient_id organization|organization_id "
        "provider*|provider_id|clinician encounterclass*|encounter_class|class code*",
    ),
    "conditions": (True, "start*|onset stop|abatement patient*|patient_id encounter system code* description"),
    "organizations": (True, "id* name* address city state zip phone"),
    "providers": (False, "id* organization* name speciality|specialty"),
    "careplans": (False, "id* start* stop patient*|patient_id"),
    "payers": (False, "id* name* ownership"),
    "payer_transitions": (
        False,
        "patient*|patient_id memberid|member_id start*|start_date|start_year stop|end_date|end_year|end "
        "payer*|payer_id secondary_payer",
    ),
}


@dataclass(frozen=True)
class Export:
    """An export in DuckDB: tables `patients`, `encounters`, ... with lower-case columns; absent ones are null.

    `absent`: the optional files that are not there (their tables are empty). `sha256`: of names and bytes of all read.
    """

    connection: duckdb.DuckDBPyConnection
    folder: Path
    absent: tuple[str, ...]
    sha256: str


def read_export(source: Path) -> Export:
    """Reads the export's folder, or the `csv` folder in it. Raises HouseError naming the file and column it lacks."""
    folder = _folder(source)
    files = {path.name.lower(): path for path in sorted(folder.iterdir()) if path.is_file()}
    connection = duckdb.connect()
    connection.execute("load icu")
    connection.execute("set TimeZone = 'UTC'")
    absent, digest = [], hashlib.sha256()
    for table, (is_required, columns) in _TABLES.items():
        path = files.get(f"{table}.csv") or files.get(f"{table}.csv.gz")
        if path is None:
            if is_required:
                raise HouseError(f"{folder}: has no {table}.csv; point to the folder of a Synthea CSV export")
            absent.append(table)
            wanted = ", ".join(f'cast(null as varchar) as "{_name(column)}"' for column in columns.split())
            connection.execute(f"create table {table} as select {wanted} limit 0")
            continue
        digest.update(table.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
        _read(connection, table, path, columns.split())
    for path in sorted(MAPS.glob("*.csv")):
        connection.execute(f"create table map_{path.stem} as select * from {_csv(path)}")
    return Export(connection, folder, tuple(absent), digest.hexdigest())


def _folder(source: Path) -> Path:
    for folder in (source, source / "csv", source / "output" / "csv"):
        if folder.is_dir() and any(path.name.lower().startswith("patients.csv") for path in folder.iterdir()):
            return folder
    raise HouseError(f"{source}: no Synthea CSV export here; point to the folder that has patients.csv")


def _read(connection: duckdb.DuckDBPyConnection, table: str, path: Path, columns: list[str]) -> None:
    try:
        header = [row[0] for row in connection.execute(f"describe select * from {_csv(path)}").fetchall()]
        known = {name.strip().lower().replace(" ", "_"): name for name in header}
        wanted = []
        for column in columns:
            names = column.replace("*", "").split("|")
            found = next((known[name] for name in names if name in known), None)
            if found is None and "*" in column:
                raise HouseError(
                    f"{path}: has no column {names[0].upper()}; this import needs an export with "
                    "providers and encounter classes (Synthea 2.x or later)"
                )
            quoted = "null" if found is None else name(found)
            wanted.append(f"nullif(trim(cast({quoted} as varchar)), '') as \"{names[0]}\"")
        connection.execute(f"create table {table} as select {', '.join(wanted)} from {_csv(path)}")
    except duckdb.Error as error:  # its text quotes the line, which is a person's
        raise HouseError(
            f"{path}: cannot be read as CSV ({type(error).__name__}); it must be comma-separated UTF-8 text with a header"
        ) from None


def _csv(path: Path) -> str:
    return f"read_csv({literal(path)}, all_varchar = true, header = true, delim = ',', quote = '\"', escape = '\"')"


def _name(column: str) -> str:
    return column.replace("*", "").split("|")[0]
