"""What the office's models need besides the extracts: claims that the scrub kept back, work that was put off, the business calendar."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import holidays
import pyarrow as pa
import pyarrow.parquet as pq

from orchestration.close.versions import DAMAGED, HELD_AFTER, month_folder, packets, versions
from orchestration.house import House

HELD = pa.schema(
    [
        ("practice_id", pa.string()),
        ("patient_id", pa.string()),
        ("month", pa.date32()),
        ("close_version", pa.int32()),
        ("reason", pa.string()),
        ("detail", pa.string()),
        ("dollars_at_stake", pa.decimal128(12, 2)),
    ]
)
DISMISSALS = pa.schema(
    [
        ("practice_id", pa.string()),
        ("item_id", pa.string()),
        ("fact_fingerprint", pa.string()),
        ("dismissed_until", pa.date32()),
    ]
)
BUSINESS_DAYS = pa.schema([("day", pa.date32()), ("is_business_day", pa.bool_())])

# The years that rules and extracts can speak of: fee schedules begin in 2024, a practice's months at most two years before its first night.
FIRST_DAY, LAST_DAY = date(2019, 1, 1), date(2045, 12, 31)


def office_tables(house: House) -> dict[str, pa.Table]:
    """The tables of lake/configuration that only the work lists and the checks before a close read, by name."""
    return {
        "held": pa.Table.from_pylist(held_rows(house), schema=HELD),
        "dismissals": pa.Table.from_pylist(dismissals_in_force(house), schema=DISMISSALS),
        "business_days": _business_days(),
    }


def held_rows(house: House) -> list[dict[str, object]]:
    """What is held of each practice-month: the rows of held.csv of its newest complete packet, or of the last close behind it that sent nothing.

    Of one that cannot be read what was read before stands: it is its practice's trouble, which `ccm doctor` names."""
    newest = {one.folder.parent: one.number for one in packets(house)}  # the last of each is the newest
    rows: list[dict[str, object]] = []
    for month, version in newest.items():
        rows += _held_or_as_read(house, month, version)
    return rows


def held_of(house: House, practice_id: str, month: date) -> list[dict[str, object]]:
    """The same of one practice-month."""
    found = versions(house, practice_id, month)
    return _held_or_as_read(house, month_folder(house, practice_id, month), found[-1]) if found else []


def _held_or_as_read(house: House, month: Path, version: int) -> list[dict[str, object]]:
    try:
        return _held(month, version)
    except DAMAGED:
        return _held_as_read(house, month.parent.name, date.fromisoformat(f"{month.name}-01"))


def _held(month: Path, version: int) -> list[dict[str, object]]:
    after = month / HELD_AFTER.format(version)
    with (after if after.exists() else month / f"v{version}" / "held.csv").open(encoding="utf-8", newline="") as handle:
        return [
            {
                "practice_id": month.parent.name,
                "patient_id": row["patient_id"],
                "month": date.fromisoformat(row["month"]),
                "close_version": version,
                "reason": row["reason"],
                "detail": row["detail"],
                "dollars_at_stake": Decimal(row["dollars_at_stake"]),
            }
            for row in csv.DictReader(handle)
        ]


def _held_as_read(house: House, practice_id: str, month: date) -> list[dict[str, object]]:
    path = house.lake / "configuration" / "held.parquet"
    rows: list[dict[str, object]] = pq.read_table(path).to_pylist() if path.exists() else []
    return [row for row in rows if (row["practice_id"], row["month"]) == (practice_id, month)]


def dismissals_path(house: House) -> Path:
    return house.worklists / "dismissals.jsonl"


def unreadable_dismissals(house: House) -> list[int]:
    """The numbers of the lines of the record that cannot be read: they put nothing off, and stop nobody's night. The next `ccm worklist dismiss` names them."""
    return [number for number, row in enumerate(_dismissals(house), 1) if row is None]


def _dismissals(house: House) -> Iterator[dict[str, Any] | None]:
    """Every dismissal ever recorded, in the order of recording; None for a line that cannot be read."""
    path = dismissals_path(house)
    for line in path.read_bytes().splitlines() if path.exists() else []:
        try:
            row = json.loads(line)
            made = {name: row[name] for name in ("practice_id", "item_id", "fact_fingerprint")}
            made["until"] = date.fromisoformat(row["until"])
            yield made if all(isinstance(made[name], str) for name in ("practice_id", "item_id", "fact_fingerprint")) else None
        except (ValueError, KeyError, TypeError):
            yield None


def dismissals_in_force(house: House) -> list[dict[str, object]]:
    """The newest dismissal of each item, by practice and item."""
    newest = {(row["practice_id"], row["item_id"]): row for row in _dismissals(house) if row is not None}
    return [
        {
            "practice_id": row["practice_id"],
            "item_id": row["item_id"],
            "fact_fingerprint": row["fact_fingerprint"],
            "dismissed_until": row["until"],
        }
        for _, row in sorted(newest.items())
    ]


@cache
def _business_days() -> pa.Table:
    """Every day with whether it is one: Monday to Friday and no US federal holiday (its observed day, where it falls on a weekend)."""
    federal = set(holidays.country_holidays("US", years=range(FIRST_DAY.year, LAST_DAY.year + 2)))
    days = [FIRST_DAY + timedelta(days=n) for n in range((LAST_DAY - FIRST_DAY).days + 1)]
    return pa.table({"day": days, "is_business_day": [day.weekday() < 5 and day not in federal for day in days]}, BUSINESS_DAYS)
