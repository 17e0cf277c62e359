"""Compares an opinion with the published marts, row for row and column for column."""

import json
from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from . import office_marts
from .office import Between, OneOf

if TYPE_CHECKING:
    from .judge import Opinion

Row = dict[str, Any]

KEYS = {
    "eligibility": ("practice_id", "patient_id", "month"),
    "minute_ledger": ("practice_id", "entry_id", "month", "disposition"),
    "patient_month_minutes": ("practice_id", "patient_id", "month"),
    "patient_month_decisions": ("practice_id", "patient_id", "month"),
    "claimable_codes": ("practice_id", "patient_id", "month", "procedure_code"),
    "undocumented_time": ("practice_id", "patient_id", "month", "kind", "entry_id", "appointment_id"),
    "enrollment_funnel": ("practice_id", "month", "stage_number"),
    "enrollment_status": ("practice_id", "patient_id", "month"),
    "worklist": ("practice_id", "patient_id", "month", "kind"),
    "revenue_gap": ("practice_id", "month", "cause"),
    "enrollment_projection": ("practice_id", "month", "basis"),
    "row_accounting": ("practice_id", "extract_date", "table_name"),
    "quarantine": ("practice_id", "extract_date", "table_name", "line_number"),
}
NOT_PUBLISHED = {"amount_of_patient_month", "eligible", "base_amount", "is_rejected"}
SHARE_TOLERANCE = Decimal("0.00006")  # share_of_previous may be published with four decimals


def plain(column: str, value: Any) -> Any:
    """A value in the form in which two of them are compared."""
    if isinstance(value, OneOf):
        return OneOf(plain(column, item) for item in value)
    if value is None or isinstance(value, Between):
        return value
    if column == "month" or isinstance(value, datetime):
        return date.fromisoformat(str(value)[:10])
    if column == "alternatives":
        found = json.loads(value, parse_float=Decimal) if isinstance(value, str) else value
        return [
            (
                item["track"],
                int(item["minutes"] or 0),
                tuple(sorted((code["code"], int(code["units"])) for code in item["codes"])),
                plain("allowed_amount", item["allowed_amount"]),
            )
            for item in found
        ]
    if column == "flags":
        return sorted(set(value))
    if column == "condition_groups":  # a group by three characters of its code has no name in the contract
        return sorted(group.removeprefix("ccir_").lower() for group in value)
    if column == "share_of_previous":
        return Decimal(str(value))
    if isinstance(value, (Decimal, float)) or column.endswith(("_amount", "_payment", "dollars_at_stake")):
        return int((Decimal(str(value)) * 100).to_integral_value())
    if isinstance(value, (list, tuple)):
        return list(value)
    return value


def is_same(column: str, expected: Any, actual: Any) -> bool:
    if isinstance(expected, OneOf):
        return actual in expected
    if isinstance(expected, Between):
        return expected.low <= actual <= expected.high
    if column == "alternatives" and expected and actual:  # the chosen one first, the others in any order
        return expected[0] == actual[0] and sorted(expected[1:], key=str) == sorted(actual[1:], key=str)
    if column == "share_of_previous" and expected is not None and actual is not None:
        return abs(expected - actual) <= SHARE_TOLERANCE
    return bool(expected == actual)


def shown(column: str, value: Any) -> str:
    if isinstance(value, OneOf):
        return "one of " + (", ".join(sorted(shown(column, item) for item in value)) or "nothing")
    is_money = isinstance(value, int) and column.endswith(("_amount", "_payment", "dollars_at_stake"))
    return f"{Decimal(value) / 100:.2f}" if is_money else str(value)


def published(marts: Path, tables: Iterable[str] = tuple(KEYS)) -> dict[str, list[Row]]:
    connection = duckdb.connect()
    try:
        path = str(marts).replace("'", "''")
        connection.execute(f"attach '{path}' as published (read_only)")
        found = {}
        for table in tables:
            cursor = connection.execute(f"select * from published.main.{table}")
            names = [column[0] for column in cursor.description]
            found[table] = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        return found
    finally:
        connection.close()


def shares_by_item_id(expected: list[Row], actual: list[Row]) -> None:
    """Gives the expected items the dollars that the published item_ids call for (the remainder: the smallest)."""
    from .judge import split_dollars

    keys = KEYS["undocumented_time"]
    item_ids = {tuple(plain(c, row[c]) for c in keys): str(row["item_id"]) for row in actual}
    of_patient_month: dict[tuple[Any, ...], list[Row]] = {}
    for row in expected:
        of_patient_month.setdefault(tuple(row[c] for c in keys[:3]), []).append(row)
    for rows in of_patient_month.values():
        rows.sort(key=lambda row: item_ids.get(tuple(row[c] for c in keys), "~"))
        shares = split_dollars(rows[0]["amount_of_patient_month"], [row["minutes"] for row in rows])
        for row, share in zip(rows, shares, strict=True):
            row["dollars_at_stake"] = share


def differences(opinion: "Opinion", marts_path: Path, tables: tuple[str, ...] = tuple(KEYS)) -> list[str]:
    """One message for each row that is only on one side and each column that differs; empty: all the same."""
    marts = published(marts_path, {*tables, "undocumented_time"})
    found: list[str] = []
    for table in tables:
        if table == "worklist":
            newest = {row["practice_id"]: row["newest_month"] for row in opinion.enrollment_projection}
            found += office_marts.worklist_differences(
                opinion.worklist, marts[table], marts["undocumented_time"], newest, opinion.members_there
            )
        elif table == "enrollment_projection":
            found += office_marts.projection_differences(opinion.enrollment_projection, marts[table])
        else:
            if table == "revenue_gap":
                found += office_marts.gap_differences(opinion.revenue_gap, marts[table])
            found += row_by_row(opinion, table, marts)
    return list(dict.fromkeys(found))


def row_by_row(opinion: "Opinion", table: str, marts: dict[str, list[Row]]) -> list[str]:
    found: list[str] = []
    keys = KEYS[table]
    rows = [dict(row) for row in getattr(opinion, table)]
    actual_rows = marts[table]
    if table == "undocumented_time":
        shares_by_item_id(rows, actual_rows)
    if table == "quarantine":  # what a rejected file as a whole is put down as is the product's own affair
        rejected = {tuple(row[c] for c in keys[:3]) for row in opinion.row_accounting if row["is_rejected"]}
        actual_rows = [row for row in actual_rows if tuple(plain(c, row[c]) for c in keys[:3]) not in rejected]
    expected = {tuple(plain(c, row[c]) for c in keys): row for row in rows}
    actual: dict[tuple[Any, ...], Row] = {}
    for row in actual_rows:
        key = tuple(plain(c, row[c]) for c in keys)
        if key in actual and table != "quarantine":  # a line may be bad in several columns
            found.append(f"{table} {where(keys, key)}: published twice")
        actual[key] = row
    for key in sorted(expected.keys() | actual.keys(), key=str):
        if key not in actual:
            found.append(f"{table} {where(keys, key)}: expected, not published: {brief(expected[key], keys)}")
            continue
        if key not in expected:
            found.append(f"{table} {where(keys, key)}: published, not expected: {brief(actual[key], keys)}")
            continue
        for column in expected[key]:
            if column in keys or column in NOT_PUBLISHED:
                continue
            if column not in actual[key]:
                found.append(f"{table}: column {column} is not published")
                continue
            want, got = plain(column, expected[key][column]), plain(column, actual[key][column])
            if not is_same(column, want, got):
                message = f"{column}: expected {shown(column, want)}, actual {shown(column, got)}"
                found.append(f"{table} {where(keys, key)}: {message}")
    return found


def where(keys: tuple[str, ...], values: tuple[Any, ...]) -> str:
    return " ".join(f"{name.removesuffix('_id')}={value}" for name, value in zip(keys, values, strict=True))


def brief(row: Row, keys: tuple[str, ...]) -> str:
    return ", ".join(f"{name}={value}" for name, value in row.items() if name not in keys and name not in NOT_PUBLISHED)
