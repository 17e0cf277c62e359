"""Reading a month from the command line."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date

from orchestration.house import House, HouseError


def month_of(text: str) -> date:
    """'YYYY-MM' as the month's first day; HouseError for anything else."""
    try:
        if len(text) != 7:
            raise ValueError
        return date.fromisoformat(f"{text}-01")
    except ValueError:
        fault = "there is no such month" if re.fullmatch(r"\d{4}-\d\d", text) else "write the month as YYYY-MM, such as 2026-10"
        raise HouseError(f"--month {text!r}: {fault}") from None


def nobody_has(house: House, month: date, practice_ids: Iterable[str], whose: str = "no practice has") -> list[str]:
    """What to say of a month that none of these practices has: which closed it before their extracts ceased to speak of it, or that there is none."""
    from orchestration.close.versions import packets

    asked = set(practice_ids)
    closed = {packet.practice_id: packet.number for packet in packets(house, month=month) if packet.practice_id in asked}
    return [
        f"{name} {month:%Y-%m}: closed v{number}, and no extract speaks of it now; `ccm diff --month {month:%Y-%m} --from v{number}` says what became of it"
        for name, number in closed.items()
    ] or [f"{month:%Y-%m}: {whose} this month; `ccm status` lists the months there are"]
