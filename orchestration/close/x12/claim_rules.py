"""What the rules say of claimed codes: the base code of each one's track, and its most units a month.

A close and its rebuild ask the rows that the close froze; whoever scrubs a file of anybody's asks those of this release.
"""

from __future__ import annotations

import csv
from calendar import monthrange
from collections.abc import Iterable
from datetime import date
from functools import cache, lru_cache
from typing import Any

import duckdb

from orchestration.house import DBT_PROJECT

Band = tuple[str, str, str, bool, date, date]  # program, track, procedure code, whether it is a base code, from, to
Level = tuple[str, date, date]  # procedure code, from, to
Cap = tuple[str, int, date, date]  # procedure code, most units, from, to

_BANDS = ("program", "track", "procedure_code", "is_base", "effective_from", "effective_to")
_LEVELS = ("procedure_code", "effective_from", "effective_to")
_CAPS = ("procedure_code", "max_units", "effective_from", "effective_to")


class ClaimRules:
    """Of one set of rule rows. As the decisions do, it asks of a month what holds on its last day."""

    def __init__(self, bands: tuple[Band, ...], levels: tuple[Level, ...], caps: tuple[Cap, ...]) -> None:
        self._rows = (bands, levels, caps)
        self._bases: dict[str, list[tuple[date, date, str]]] = {}
        for program, track, code, _, begins, ends in bands:
            for other_program, other_track, base, is_base, base_begins, base_ends in bands:
                if is_base and (other_program, other_track) == (program, track):
                    first, last = max(begins, base_begins), min(ends, base_ends)
                    if first <= last:
                        self._bases.setdefault(code, []).append((first, last, base))
        # The levels of advanced primary care have no add-on.
        for code, begins, ends in levels:
            self._bases.setdefault(code, []).append((begins, ends, code))
        self._caps: dict[str, list[tuple[date, date, int]]] = {}
        for code, units, begins, ends in caps:
            self._caps.setdefault(code, []).append((begins, ends, units))
        self.codes = frozenset(self._bases)
        self.base_of = cache(self._base_of)
        self.most_units = cache(self._most_units)

    def __reduce__(self) -> tuple[Any, ...]:
        return of_rows, self._rows

    def _base_of(self, code: str, day: date | None) -> str:
        """The base code of a code's track in the month of this service date; without a date, or outside of all rules, the newest of any time. The code
        itself is its own."""
        rows = self._bases[code]
        of_month = [base for begins, ends, base in rows if day is not None and begins <= _month_end(day) <= ends]
        return code if code in of_month else of_month[-1] if of_month else max(rows)[2]

    def _most_units(self, code: str, day: date | None) -> int | None:
        """Most units of a code in the month of this service date; without a date, or before the first rule, the most of any time. None where the rules
        have no cap of the code."""
        rows = self._caps.get(code, [])
        of_month = [units for begins, ends, units in rows if day is not None and begins <= _month_end(day) <= ends]
        return max(of_month or [units for _, _, units in rows], default=None)


@lru_cache(maxsize=16)
def of_rows(bands: tuple[Band, ...], levels: tuple[Level, ...], caps: tuple[Cap, ...]) -> ClaimRules:
    """The same object for the same rows: what was found out by it is kept by it."""
    return ClaimRules(bands, levels, caps)


@cache
def of_this_release() -> ClaimRules:
    """By the seeds of this checkout."""
    return of_rows(
        tuple((*row[:3], row[3] == "true", *_dates(row[4:])) for row in _seed("rule_bands", _BANDS)),
        tuple((row[0], *_dates(row[1:])) for row in _seed("rule_apcm_levels", _LEVELS)),
        tuple((row[0], int(row[1]), *_dates(row[2:])) for row in _seed("rule_caps", _CAPS)),
    )


def of_warehouse(warehouse: duckdb.DuckDBPyConnection) -> ClaimRules:
    """By the rule rows that a warehouse was built with: the newest night's, or those that a packet froze."""

    def rows(table: str, columns: Iterable[str]) -> tuple[Any, ...]:
        found = warehouse.execute(f"select {', '.join(columns)} from rules.{table} order by all").fetchall()
        return tuple((*row[:-1], row[-1] or date.max) for row in found)

    return of_rows(rows("rule_bands", _BANDS), rows("rule_apcm_levels", _LEVELS), rows("rule_caps", _CAPS))


def _seed(name: str, columns: Iterable[str]) -> list[tuple[str, ...]]:
    with (DBT_PROJECT / "seeds" / "rules" / f"{name}.csv").open(encoding="utf-8", newline="") as handle:
        return sorted(tuple(row[column] for column in columns) for row in csv.DictReader(handle))


def _dates(texts: Iterable[str]) -> tuple[date, date]:
    begins, ends = texts
    return date.fromisoformat(begins), date.fromisoformat(ends) if ends else date.max


def _month_end(day: date) -> date:
    return day.replace(day=monthrange(day.year, day.month)[1])
