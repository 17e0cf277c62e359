"""An opinion published as a marts.duckdb of its own, so that the comparison can be tested without a build."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow

from tests.second_opinion import Opinion, rules
from tests.second_opinion.calendars import next_month
from tests.second_opinion.compare import KEYS
from tests.second_opinion.office import Between, OneOf
from tests.second_opinion.office_marts import mean_net_enrollment

MONEY = ("_amount", "_payment", "dollars_at_stake", "dollars", "monthly_revenue")
Row = dict[str, Any]


def publish(opinion: Opinion, path: Path) -> None:
    tables = {table: [dict(row) for row in getattr(opinion, table)] for table in KEYS}
    for row in tables["undocumented_time"]:
        row["item_id"] = f"{row['kind']} {row['entry_id'] or row['appointment_id']} {row['month']}"
    tables["worklist"] = worklist(tables)
    tables["revenue_gap"] = revenue_gap(tables["revenue_gap"])
    tables["enrollment_projection"] = projection(tables["enrollment_projection"])
    with duckdb.connect(str(path)) as connection:
        for table, rows in tables.items():
            rows = [{name: one_of(value) for name, value in row.items()} for row in rows]
            types = {name: kind(name, [row[name] for row in rows]) for name in rows[0]}
            values = pyarrow.Table.from_pylist([{name: plain(row[name], types[name]) for name in types} for row in rows])
            columns = ", ".join(f"cast({name} as {of_type}) as {name}" for name, of_type in types.items())
            connection.register("given", values)
            connection.execute(f"create table {table} as select {columns} from given")


def one_of(value: Any) -> Any:
    return min(value, key=str) if isinstance(value, OneOf) else value


def plain(value: Any, of_type: str) -> Any:
    if of_type == "json":
        return json.dumps(value, default=str)
    return sorted(value) if isinstance(value, set) else value


def kind(name: str, values: list[object]) -> str:
    if name == "alternatives":
        return "json"
    if name in ("flags", "condition_groups"):
        return "varchar[]"
    if name.endswith(MONEY):
        return "decimal(12,2)"
    value = next((value for value in values if value is not None), "")
    names = {"bool": "boolean", "int": "bigint", "date": "date", "Decimal": "decimal(9,4)"}
    return names.get(type(value).__name__, "varchar")


def worklist(tables: dict[str, list[Row]]) -> list[Row]:
    """The undocumented time, and what has to be there."""
    columns = ("practice_id", "item_id", "month", "patient_id", "member_id", "kind", "minutes", "dollars_at_stake", "due_on")
    items = [{name: row[name] for name in columns} for row in tables["undocumented_time"]]
    more = [row for row in tables["worklist"] if row["must"] and row["kind"] not in rules.ITEM_KINDS]
    for row in more:
        item_id = f"{row['kind']} {row['patient_id']} {row['month']}"
        items.append({**dict.fromkeys(columns), **{n: row[n] for n in columns if n in row}, "item_id": item_id, "minutes": 0})
    return items


def revenue_gap(rows: list[Row]) -> list[Row]:
    """Of the causes that may be, the first that may have more, until all eligible patients are in one."""
    months: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        months.setdefault((row["practice_id"], row["month"]), []).append(row)
    found = []
    for causes in months.values():
        left = causes[0]["eligible"] - sum(row["patients"].low for row in causes)
        for row in causes:
            between: Between = row["patients"]
            more = min(left, between.high - between.low)
            left -= more
            patients = between.low + more
            named = {name: row[name] for name in ("practice_id", "month", "cause")}
            found.append({**named, "patients": patients, "dollars": patients * (row["base_amount"] or Decimal(0))})
    return found


def projection(facts: list[Row]) -> list[Row]:
    found = []
    for fact in facts:
        steps = {"pace": Decimal(rules.PACE), "history": mean_net_enrollment(fact) or Decimal(0)}
        for basis, step in steps.items():
            for ahead in range(1, 25):
                month = next_month(fact["newest_month"], ahead)
                enrolled = round(max(fact["enrolled"][fact["newest_month"]] + step * ahead, Decimal(0)))
                found.append(
                    {
                        "practice_id": fact["practice_id"],
                        "month": month,
                        "basis": basis,
                        "enrolled": enrolled,
                        "monthly_revenue": enrolled * (fact["base_amounts"][month] or Decimal(0)),
                    }
                )
    return found
