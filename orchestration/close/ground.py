"""What a packet is made from besides the warehouse: what is settled when it is first made, and is the same when it is made again."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.metadata import version as installed_version
from typing import Any

import duckdb

from orchestration.close.held_months import holds_month
from orchestration.close.manners import EVERY_MANNER, Manner
from orchestration.practices import Practice


@dataclass(frozen=True)
class Ground:
    """What a packet is made from besides the warehouse: its practice, month, version, and what was settled when it was first made."""

    practice: Practice
    configuration: str  # the practice's canonical JSON, as frozen
    month: date
    version: int
    waived: bool
    inputs: bytes  # inputs.zip
    claimed_elsewhere: Mapping[str, str]
    software: Mapping[str, str]
    manners: Collection[Manner] = EVERY_MANNER  # packets of before have fewer
    accepted: Sequence[Mapping[str, Any]] = ()  # what somebody accepted that would have held the close or a claim


def software_versions() -> dict[str, str]:
    """What writes the bytes of a packet: this package, the engine and the Parquet writer."""
    return {name: _installed(name) for name in ("ccm-billing-capture", "duckdb", "pyarrow")}


_installed = cache(installed_version)


def accepted_holds(warehouse: duckdb.DuckDBPyConnection, practice: Practice, month: date) -> list[dict[str, Any]]:
    """What was accepted that would have held this month's close or a claim of it, with who accepted it and why; by table, night and line."""
    cursor = warehouse.execute(
        f"""
        select hold_id, kind, table_name, cast(extract_date as varchar) as extract_date, measure, column_name, line_number, patient_id,
            explanation, accepted_by, accepted_why
        from intermediate.int_close_holds
        where
            practice_id = $practice and is_accepted
            and {holds_month()}
        order by kind, table_name, extract_date, measure, column_name, line_number
        """,
        {"practice": practice.practice_id, "month": month},
    )
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
