"""What the office's models need besides the extracts: claims that the scrub kept back, work that was put off, the business calendar."""

from __future__ import annotations

import csv
import json
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import holidays
import pyarrow as pa

from orchestration.close.versions import HELD_AFTER
from orchestration.house import House, HouseError

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
    """What is held of each practice-month: the rows of held.csv of its newest complete packet, or of the last close behind it that sent nothing."""
    newest: dict[Path, int] = {}
    for manifest in house.closes.glob("*/*/v*/manifest.json"):
        month, version = manifest.parent.parent, int(manifest.parent.name.removeprefix("v"))
        newest[month] = max(version, newest.get(month, 0))
    rows: list[dict[str, object]] = []
    for month, version in sorted(newest.items()):
        after = month / HELD_AFTER.format(version)
        with (after if after.exists() else month / f"v{version}" / "held.csv").open(encoding="utf-8", newline="") as handle:
            for row in csv.DictReader(handle):
                rows.append(
                    {
                        "practice_id": month.parent.name,
                        "patient_id": row["patient_id"],
                        "month": date.fromisoformat(row["month"]),
                        "close_version": version,
                        "reason": row["reason"],
                        "detail": row["detail"],
                        "dollars_at_stake": Decimal(row["dollars_at_stake"]),
                    }
                )
    return rows


def dismissals_path(house: House) -> Path:
    return house.worklists / "dismissals.jsonl"


def read_dismissals(house: House) -> list[dict[str, Any]]:
    """Every dismissal ever recorded, in the order of recording. Raises HouseError naming the line that cannot be read."""
    path = dismissals_path(house)
    if not path.exists():
        return []
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            row = json.loads(line)
            row["until"] = date.fromisoformat(row["until"])
            rows.append({name: row[name] for name in ("practice_id", "item_id", "fact_fingerprint", "until")})
        except (ValueError, KeyError, TypeError):
            raise HouseError(f"{path}, line {number}: is no record of a dismissal; restore the file from the backup") from None
    return rows


def dismissals_in_force(house: House) -> list[dict[str, object]]:
    """The newest dismissal of each item, by practice and item."""
    newest = {(row["practice_id"], row["item_id"]): row for row in read_dismissals(house)}
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
