"""A small home whose every value that must stay inside is a marker of its own, and a search for those markers in whatever a run leaves behind."""

from __future__ import annotations

import gzip
import io
import json
import re
import sqlite3
import zipfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from tests.mutation.every_rule_home import Office

MONTH = date(2026, 9, 1)
SAID_IN_NOTES = "Zqxvjknote"


class Marked:
    """Offices of one month whose patients are made of markers."""

    def __init__(self) -> None:
        self.offices: list[Office] = []
        self.patients = 0

    def office(self, practice_id: str, **settings: Any) -> Office:
        office = Office(len(self.offices) + 1, practice_id, MONTH, None, ("06102", "IL", "99"), dict(settings))
        self.offices.append(office)
        return office

    def patient(self, office: Office, patient_id: str, minutes: float = 30, **values: Any) -> dict[str, Any]:
        """A claimable patient of that id (any text); gives its row of the panel, to be spoiled further."""
        number = self.patients = self.patients + 1
        made = office.patient("made")
        born = date(1931, 1 + number % 12, 1 + number % 28)
        row = office.only("patients", made)
        row |= {
            "first_name": f"Zqxvjkfirst{number}",
            "last_name": f"Zqxvjklast{number}",
            "middle_name": f"Zqxvjkmiddle{number}",
            "birth_date": born,
            "address_line1": f"{number} Zqxvjkstreet{number} Ave",
            "city": f"Zqxvjkcity{number}",
            "postal_code": f"6299{number:05d}",
            "phone": f"309555{number:04d}",
        } | values
        office.only("coverages", made)["member_id"] = mbi(number)
        if minutes:
            office.time(made, minutes, has_note=False, note_text=f"{SAID_IN_NOTES}{number}: daughter called, the pills are gone")
        for rows in office.rows.values():
            for one in rows:
                if one.get("patient_id") == made:
                    one["patient_id"] = patient_id
        return row

    def write(self, home: Path) -> Path:
        home.mkdir(parents=True, exist_ok=True)
        for office in self.offices:
            office.write(home)
        # JSON is YAML, with every text quoted.
        (home / "practices.yaml").write_text(
            json.dumps({"practices": [office.config for office in self.offices]}), encoding="utf-8"
        )
        return home


# Every marker in one pattern, over text in lower case: names and notes, MBIs, postal codes, phones and birth dates, each in the forms in which
# people write them. Nothing else in a home looks like one of these: the letters are six because three are met by chance in the bytes of numbers
# (the moment in dbt's partial_parse.msgpack at which a model was read) and of what is compressed.
MARKER = re.compile(
    rb"zqxvjk(?:note)?|(?<![0-9a-z])(?:7qx-?7qx-?7qx\d\d|6299\d-?\d{4}|309\W{0,2}555\W?\d{4}|1931-\d\d-\d\d|1931(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"
    rb"|\d\d?/\d\d?/1931|\d\d?-[a-z]{3}-1931|[a-z]{3,9} \d\d?, 1931)(?![0-9a-z])"
)


def mbi(number: int) -> str:
    """A well-formed Medicare number."""
    return f"7QX7QX7QX{number:02d}"


def found_in(folder: Path, *, but: tuple[str, ...] = ()) -> dict[str, set[str]]:
    """The markers that stand in files under a folder, by file (relative), whatever those are packed in. `but`: path prefixes that are left out."""
    found: dict[str, set[str]] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_dir() or path.is_symlink() or name.startswith(but):
            continue
        if hits := set().union(*(markers_in(content) for content in contents(path)), markers_in(name.encode())):
            found[name] = hits
    return found


def markers_in(content: bytes | str) -> set[str]:
    return {hit.decode() for hit in MARKER.findall((content.encode() if isinstance(content, str) else content).lower())}


def contents(path: Path) -> Iterator[bytes]:
    """The bytes of a file, and what is inside it: unpacked archives, every value of a Parquet, DuckDB or SQLite file as text."""
    raw = path.read_bytes()
    yield from _inside(path.name, raw)
    if raw[8:12] == b"DUCK":
        with duckdb.connect() as con:
            try:
                con.execute(f"attach '{str(path).replace(chr(39), chr(39) * 2)}' as opened (read_only)")
            except duckdb.CatalogException:
                return  # encrypted: there is no more to it than its bytes
            tables = con.execute("select schema_name, table_name from duckdb_tables() where database_name = 'opened'").fetchall()
            for schema, table in tables:
                yield _text(con, f'opened."{schema}"."{table}"')
    elif raw.startswith(b"SQLite format 3"):
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as lite:
            for (table,) in lite.execute("select name from sqlite_master where type = 'table'").fetchall():
                for row in lite.execute(f'select * from "{table}"'):
                    yield "\n".join(str(value) for value in row).encode()


def _inside(name: str, raw: bytes) -> Iterator[bytes]:
    yield raw
    if raw.startswith(b"PK\x03\x04"):
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            for member in archive.namelist():
                yield from _inside(member, archive.read(member))
    elif raw.startswith(b"\x1f\x8b"):
        try:
            yield from _inside(name.removesuffix(".gz"), gzip.decompress(raw))
        except EOFError:
            return
    elif raw.startswith(b"PAR1") and raw.endswith(b"PAR1"):
        try:
            table = pq.read_table(io.BytesIO(raw))
        except (OSError, pa.ArrowException):
            return
        with duckdb.connect() as con:
            con.register("parquet", table)
            yield _text(con, "parquet")


def _text(con: duckdb.DuckDBPyConnection, table: str) -> bytes:
    found = con.execute(f"select columns(*)::varchar from {table}").fetchall()
    return "\n".join(str(value) for row in found for value in row if value is not None).encode()
