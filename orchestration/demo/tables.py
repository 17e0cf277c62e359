"""The extract tables as the contracts describe them, in the shape that writing them needs."""

from __future__ import annotations

from typing import Any

from orchestration.contracts import extract_contracts

Row = dict[str, Any]
"""One row of an extract: column to text, int, bool, date, aware datetime or None."""

_CONTRACTS = {table: contract for table, contract in extract_contracts().items() if not contract.is_optional}
COLUMNS: dict[str, tuple[str, ...]] = {table: contract.names for table, contract in _CONTRACTS.items()}
PANEL = tuple(table for table, contract in _CONTRACTS.items() if contract.delivery == "snapshot")
UPSERTED = tuple(table for table in COLUMNS if table not in PANEL)

# Coverages have no key in the contract; what these three say is one coverage as its system keeps it.
_COVERAGE_KEY = ("patient_id", "coverage_type", "effective_date")


def key_of(table: str, row: Row) -> tuple[str, ...]:
    """What makes this row one and the same thing from night to night."""
    return tuple(str(row[column]) for column in _CONTRACTS[table].key or _COVERAGE_KEY)
