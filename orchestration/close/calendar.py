"""The calendar of closes as Dagster partitions: practice x month, so that the grid of `close/packets` is the calendar."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

import dagster as dg

from orchestration.engine import open_marts
from orchestration.house import House, HouseError
from orchestration.practices import load_practices

# Both sides grow by themselves: practices with practices.yaml, months with the nights that are published.
PRACTICES = dg.DynamicPartitionsDefinition(name="practices")
MONTHS = dg.DynamicPartitionsDefinition(name="months")
CLOSES = dg.MultiPartitionsDefinition({"month": MONTHS, "practice": PRACTICES})


def key_of(practice_id: str, month: date) -> dg.MultiPartitionKey:
    """The partition of a practice's month (its first day)."""
    return dg.MultiPartitionKey({"month": f"{month:%Y-%m}", "practice": practice_id})


def register(instance: dg.DagsterInstance, practice_ids: Iterable[str], months: Iterable[date] = ()) -> None:
    """Makes rows and columns of the grid for what has none. A practice that is no longer configured keeps its row: its closes stand."""
    for name, wanted in (("practices", practice_ids), ("months", [f"{month:%Y-%m}" for month in months])):
        new = sorted(set(wanted) - set(instance.get_dynamic_partitions(name)))
        if new:
            instance.add_dynamic_partitions(name, new)


def published_months(house: House) -> list[date]:
    """The months of close_calendar as published; none before the first night."""
    if not house.marts.exists():
        return []
    with open_marts(house) as marts:
        return [row[0] for row in marts.execute("select distinct month from close_calendar order by month").fetchall()]


def first_months(house: House) -> dict[str, date] | None:
    """The first month that each practice has in close_calendar as published; None where nothing that can be read is."""
    if not house.marts.exists():
        return None
    try:
        with open_marts(house) as marts:
            return dict(marts.execute("select practice_id, min(month) from close_calendar group by practice_id").fetchall())
    except HouseError:
        return None


def register_published(instance: dg.DagsterInstance, house: House) -> None:
    """The grid as the published calendar has it."""
    register(instance, load_practices(house.practices_yaml), published_months(house))
