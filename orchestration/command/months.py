"""Reading a month from the command line."""

from __future__ import annotations

from datetime import date

from orchestration.house import HouseError


def month_of(text: str) -> date:
    """'YYYY-MM' as the month's first day; HouseError for anything else."""
    try:
        if len(text) != 7:
            raise ValueError
        return date.fromisoformat(f"{text}-01")
    except ValueError:
        raise HouseError(f"--month {text!r}: write the month as YYYY-MM, such as 2026-10") from None
