"""A home with one practice in which tests land files."""

from __future__ import annotations

import gzip
from datetime import date
from pathlib import Path

import duckdb
import pytest

from orchestration.contracts import extract_contracts
from orchestration.house import House
from orchestration.lake_batches import batch_numbers
from orchestration.take_in.lake import take_in

NIGHT = "2026-02-01"
CHICAGO = {"lakeside": "America/Chicago"}
GOOD = {
    "text": "x1", "date": "2026-01-15", "instant": "2026-01-15T10:00:00Z", "integer": "1", "boolean": "true",
}  # fmt: skip


class Home:
    """A house, and short words for landing files and asking the lake."""

    def __init__(self, root: Path) -> None:
        self.house = House(root).prepare()

    def path(self, table: str, night: str = NIGHT, practice: str = "lakeside", form: str = "csv") -> Path:
        folder = self.house.landing / practice / night
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{table}.{form}"

    def land(self, table: str, content: str | bytes, night: str = NIGHT, practice: str = "lakeside", form: str = "csv") -> Path:
        data = content.encode() if isinstance(content, str) else content
        path = self.path(table, night, practice, form)
        path.write_bytes(gzip.compress(data) if form == "csv.gz" else data)
        return path

    def take_in(self, practices: dict[str, str] | None = None, **options):
        return take_in(self.house, practices or CHICAGO, **options)

    def ask(self, query: str) -> list[tuple]:
        """Rows of a query in which {table} is all batches of a table."""
        tables = {
            name: f"read_parquet('{self.house.lake}/batches/*/{name}.parquet')"
            for name in (*extract_contracts(), "files", "quarantine", "quarantine_keys")
        }
        return duckdb.connect().execute(query.format(**tables)).fetchall()

    def batches(self) -> list[int]:
        return batch_numbers(self.house)

    def faults(self) -> list[tuple]:
        return self.ask("select line_number, column_name, patient_id from {quarantine} order by file_id, line_number")

    def counts(self) -> list[tuple]:
        return self.ask("select rows_received, rows_accepted, rows_quarantined, rows_superseded from {files} order by file_id")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def row(table: str, **values: str) -> dict[str, str]:
    """A good row of a table with some values set."""
    good = {c.name: c.vocabulary[0] if c.vocabulary else GOOD[c.kind] for c in extract_contracts()[table].columns}
    return {**good, **values}


def csv_of(table: str, rows: list[dict[str, str]], end: str = "\n") -> str:
    """Rows as CSV text, quoting only what needs it."""

    def quoted(value: str) -> str:
        return '"' + value.replace('"', '""') + '"' if any(mark in value for mark in ',"\n\r') else value

    names = list(rows[0]) if rows else [c.name for c in extract_contracts()[table].columns]
    return "".join(",".join(line) + end for line in [names, *([quoted(r.get(n, "")) for n in names] for r in rows)])


def on(text: str) -> date:
    return date.fromisoformat(text)
