"""Comparisons of the office's marts that are more than row against row."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from decimal import Decimal
from typing import Any

from . import rules
from .calendars import next_month

Row = dict[str, Any]
OF_UNDOCUMENTED_TIME = ("month", "patient_id", "member_id", "kind", "minutes", "dollars_at_stake", "due_on")


def worklist_differences(
    expected: list[Row], actual: list[Row], undocumented_time: list[Row], newest: dict[str, date], there: list[Row]
) -> list[str]:
    """The undocumented time stands on the list as it is in its own mart, but for members who are gone; the other kinds where they may and must.

    `newest`: each practice's newest month; its undocumented time has to be on the list. `there`: the members who can be asked.
    """
    found = []
    items = {(row["practice_id"], row["item_id"]): row for row in undocumented_time}
    allowed = {(row["practice_id"], row["patient_id"], row["month"], row["kind"]): row for row in expected}
    listed: set[tuple[Any, ...]] = set()
    ids: set[tuple[Any, ...]] = set()
    for row in actual:
        key = (row["practice_id"], row["item_id"])
        about = (row["practice_id"], row["patient_id"], _date(row["month"]), row["kind"])
        name = f"worklist practice={about[0]} patient={about[1]} month={about[2]} kind={about[3]}"
        if key in ids:
            found.append(f"{name}: item_id {row['item_id']} stands twice")
        ids.add(key)
        listed.add(about)
        if row["kind"] in rules.ITEM_KINDS:
            item = items.get(key)
            if not item:
                found.append(f"{name}: item {row['item_id']} is not in undocumented_time")
                continue
            if {"practice_id": row["practice_id"], "member_id": item["member_id"]} not in there:
                item = {**item, "member_id": None}  # the office's
            found += [f"{name}: {c} is {row[c]}, in undocumented_time {item[c]}" for c in OF_UNDOCUMENTED_TIME if row[c] != item[c]]
        elif about not in allowed:
            found.append(f"{name}: published, no reading calls for it")
        elif allowed[about]["due_on"] is not None and row["due_on"] != allowed[about]["due_on"]:
            found.append(f"{name}: due_on: expected {allowed[about]['due_on']}, actual {row['due_on']}")
    for key, item in items.items():
        if _date(item["month"]) == newest.get(item["practice_id"]) and key not in ids:
            found.append(f"worklist practice={key[0]} item={key[1]}: undocumented time of the newest month is not on the list")
    for about, row in allowed.items():
        if row["must"] and about not in listed:
            found.append(
                f"worklist practice={about[0]} patient={about[1]} month={about[2]} kind={about[3]}: expected, not published"
            )
    return found


def gap_differences(expected: list[Row], actual: list[Row]) -> list[str]:
    """The causes of a month add up to its eligible patients, and each patient counts at the base code's value."""
    found = []
    of_month = {(row["practice_id"], row["month"]): (row["eligible"], row["base_amount"]) for row in expected}
    patients: dict[tuple[Any, ...], int] = defaultdict(int)
    for row in actual:
        key = (row["practice_id"], _date(row["month"]))
        if key not in of_month:
            continue  # the comparison row by row says so
        patients[key] += row["patients"]
        base = of_month[key][1]
        if base is not None and Decimal(str(row["dollars"])) != base * row["patients"]:
            found.append(
                f"revenue_gap practice={key[0]} month={key[1]} cause={row['cause']}: {row['dollars']} is not {row['patients']} x {base}"
            )
    for key, (eligible, _) in of_month.items():
        if patients[key] != eligible:
            found.append(f"revenue_gap practice={key[0]} month={key[1]}: {patients[key]} patients, {eligible} are eligible")
    return found


def projection_differences(expected: list[Row], actual: list[Row]) -> list[str]:
    """24 months of each basis after the newest one; the pace adds ten a month; the history adds the mean of three."""
    found = []
    rows = {(row["practice_id"], row["basis"], _date(row["month"])): row for row in actual}
    if len(rows) != len(actual):
        found.append("enrollment_projection: published twice")
    wanted = set()
    for facts in expected:
        practice_id, newest = facts["practice_id"], facts["newest_month"]
        months = [next_month(newest, ahead) for ahead in range(1, 25)]
        wanted |= {(practice_id, basis, month) for basis in rules.BASES for month in months}
        for basis in rules.BASES:
            series = [rows[practice_id, basis, month] for month in months if (practice_id, basis, month) in rows]
            if len(series) == 24:
                found += [
                    f"enrollment_projection practice={practice_id} basis={basis} {text}" for text in _series(facts, basis, series)
                ]
    for key in sorted(wanted ^ rows.keys(), key=str):
        text = "expected, not published" if key in wanted else "published, not expected"
        found.append(f"enrollment_projection practice={key[0]} month={key[2]} basis={key[1]}: {text}")
    return found


def _series(facts: Row, basis: str, series: list[Row]) -> list[str]:
    found = []
    if any(row["enrolled"] is None for row in series):
        return ["enrolled is null"]
    values = [Decimal(str(row["enrolled"])) for row in series]
    now = facts["enrolled"][facts["newest_month"]]
    if basis == "pace":
        steps = [rules.PACE] * 24
        tolerance = Decimal(0)
    else:
        mean = mean_net_enrollment(facts)
        if mean is None:
            steps, tolerance = [], Decimal(0)  # fewer than three complete months before: the spec names no mean
        else:
            steps, tolerance = [mean] * 24, Decimal("0.51")  # whole patients or fractions of them
    expected = Decimal(now)
    for row, value, step in zip(series, values, steps, strict=False):
        expected += step
        if abs(value - max(expected, Decimal(0))) > tolerance:
            found.append(f"month={row['month']}: expected {expected} enrolled, actual {value}")
    for row, value in zip(series, values, strict=True):
        amount = facts["base_amounts"][_date(row["month"])]
        if amount is not None and abs(Decimal(str(row["monthly_revenue"])) - value * amount) > Decimal("0.01"):
            found.append(f"month={row['month']}: {row['monthly_revenue']} is not {value} x {amount}")
    return found


def mean_net_enrollment(facts: Row) -> Decimal | None:
    # The newest night's own month is open to its last day (rules.md A6b, month_open): the one before it is the last complete one.
    newest = next_month(facts["newest_month"], -1)
    before = next_month(newest, -3)
    if before not in facts["enrolled"] or newest not in facts["enrolled"]:
        return None
    return Decimal(facts["enrolled"][newest] - facts["enrolled"][before]) / 3


def _date(value: Any) -> date:
    return date.fromisoformat(str(value)[:10])
