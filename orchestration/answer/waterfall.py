"""From what the eligible patients are worth down to what is captured: the bars of the revenue gap, for the dashboard and the reports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Bar:
    """One bar from `start` to `end` dollars. `kind`: total, loss or kept."""

    label: str
    meaning: str
    kind: str
    patients: int
    dollars: Any
    start: Any
    end: Any


def gap_bars(rows: Iterable[Mapping[str, Any]]) -> list[Bar]:
    """The bars of revenue_gap rows (cause, meaning, patients, dollars; in the order of the causes, any number of practices and months): first
    all that is eligible, then each cause that costs something, last what is captured. What is left after the causes is what is captured."""
    causes: dict[str, list[Any]] = {}
    for row in rows:
        known = causes.setdefault(row["cause"], [row["meaning"], 0, 0])
        known[1] += row["patients"]
        known[2] += row["dollars"]
    patients, dollars = sum(one[1] for one in causes.values()), sum(one[2] for one in causes.values())
    bars = [Bar("eligible", "Eligible patients at the base code", "total", patients, dollars, 0, dollars)]
    left = dollars
    for cause, (meaning, count, worth) in causes.items():
        if cause != "captured" and count:
            bars.append(Bar(cause.replace("_", " "), meaning, "loss", count, worth, left - worth, left))
            left -= worth
    meaning, count, worth = causes.get("captured", ["", 0, 0])
    bars.append(Bar("captured", meaning, "kept", count, worth, 0, worth))
    return bars
