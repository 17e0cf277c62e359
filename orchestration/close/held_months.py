"""Of which months a hold is: from its first to its last, either of them null where there is no end. The models ask so, too (macro holds_month)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any


def holds_month(month: str = "$month") -> str:
    """The question in SQL, of the columns first_month_held and last_month_held; `month` is an expression for its first day."""
    return f"coalesce(first_month_held <= {month}, true) and coalesce(last_month_held >= {month}, true)"


def is_held(hold: Mapping[str, Any], month: date) -> bool:
    """The same of one row of close_holds; marts of an earlier release have no first month."""
    first: date | None = hold.get("first_month_held")
    last: date | None = hold["last_month_held"]
    return (first or month) <= month <= (last or month)
