"""A home with one practice whose extracts come through mappings."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import duckdb
import pytest

from orchestration.contracts import extract_contracts
from orchestration.mapping.choice import SHIPPED, Choices, choices
from orchestration.practices import Practice
from tests.take_in.conftest import Home


class MappedHome(Home):
    """A home in which mappings may be written and chosen."""

    def ask(self, query: str) -> list[tuple]:
        """As the models do: what a batch without mapped files does not have is null."""
        tables = {
            name: f"read_parquet('{self.house.lake}/batches/*/{name}.parquet', union_by_name = true)"
            for name in (*extract_contracts(), "files", "quarantine")
        }
        with duckdb.connect() as con:
            return con.execute(query.format(**tables)).fetchall()

    def write(self, name: str, text: str) -> Path:
        path = self.house.mappings / f"{name}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def chosen(self, practice: str = "lakeside", **mappings: str | dict[date, str]) -> Choices:
        dated = {table: one if isinstance(one, dict) else {date.min: one} for table, one in mappings.items()}
        return choices(self.house, {practice: Practice.model_construct(practice_id=practice, mappings=dated)})

    def drop(self, name: str, content: str | bytes, night: str = "2026-02-01", practice: str = "lakeside") -> Path:
        """A file under the vendor's own name."""
        path = self.house.landing / practice / night / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path


@pytest.fixture
def home(tmp_path: Path) -> MappedHome:
    return MappedHome(tmp_path)


def shipped(name: str) -> str:
    return (SHIPPED / f"{name}.yaml").read_text(encoding="utf-8")
