"""Reading a month from the command line."""

from __future__ import annotations

import re
from datetime import date

from orchestration.house import HouseError


def month_of(text: str) -> date:
    """'YYYY-MM' as the month's first day; HouseError for anything else."""
    try:
        if len(text) != 7:
            raise ValueError
        return date.fromisoformat(f"{text}-01")
    except ValueError:
        fault = "there is no such month" if re.fullmatch(r"\d{4}-\d\d", text) else "write the month as YYYY-MM, such as 2026-10"
        raise HouseError(f"--month {text!r}: {fault}") from None
