"""Reads a demo home for the tests."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from orchestration.demo import DemoPlan


@dataclass(frozen=True)
class Demo:
    root: Path
    plan: DemoPlan

    def path(self, practice: str, night: date, table: str) -> Path:
        return self.root / "landing" / practice / night.isoformat() / f"{table}.csv"

    def lines(self, practice: str, night: date, table: str) -> list[list[str]]:
        """Header and rows as read; bytes that are not UTF-8 are replaced."""
        with self.path(practice, night, table).open(encoding="utf-8", errors="replace", newline="") as handle:
            return list(csv.reader(handle))

    def rows(self, practice: str, night: date, table: str) -> Iterator[dict[str, str]]:
        header, *rows = self.lines(practice, night, table)
        for row in rows:
            if len(row) == len(header):
                yield dict(zip(header, row, strict=True))

    def items(self, kind: str, practice: str | None = None) -> list[str]:
        return [c.item_id for c in self.plan.cases if c.kind == kind and practice in (None, c.practice_id)]

    def newest(self, table: str, key: str, until: date | None = None) -> dict[str, dict[str, str]]:
        """Of a scheduling or time-log table every practice's rows by key, in their newest state."""
        found: dict[str, dict[str, str]] = {}
        for practice in self.plan.practices:
            for night in self.plan.nights:
                if (until is None or night <= until) and self.path(practice, night, table).exists():
                    for row in self.rows(practice, night, table):
                        if row[key] not in found or found[row[key]]["updated_at"] <= row["updated_at"]:
                            found[row[key]] = row
        return found
