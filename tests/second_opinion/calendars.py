"""Instants are whole seconds since 1970 UTC; days and months are those of the practice's time zone."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

TIMESTAMP = re.compile(r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,]\d+)?)?(Z|z|[+-]\d\d(?::?\d\d)?)?")


@cache
def day_start(zone: str, day: date) -> int:
    """First second of a local day."""
    return int(datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).timestamp())


@cache
def day_of(zone: str, second: int) -> date:
    return datetime.fromtimestamp(second, ZoneInfo(zone)).date()


def instant(zone: str, text: str) -> int:
    """ISO 8601 text as an instant; ValueError when it is none.

    Without an offset: the first of two equal local times, and a skipped local time is moved forward by the gap
    (what zoneinfo does for fold=0).
    """
    found = TIMESTAMP.fullmatch(text)
    if not found:
        raise ValueError(f"not a timestamp: {text}")
    year, month, day, hour, minute = (int(found[i]) for i in range(1, 6))
    local = datetime(year, month, day, hour, minute, int(found[6] or 0))
    offset = found[7]
    if not offset:
        return int(local.replace(tzinfo=ZoneInfo(zone), fold=0).timestamp())
    shift = timedelta()
    if offset not in "Zz":
        digits = offset[1:].replace(":", "").ljust(4, "0")
        shift = timedelta(hours=int(digits[:2]), minutes=int(digits[2:])) * (-1 if offset[0] == "-" else 1)
    return int(local.replace(tzinfo=UTC).timestamp()) - int(shift.total_seconds())


def by_day(zone: str, start: int, end: int) -> Iterator[tuple[date, range]]:
    """The seconds from start up to end, one range for each local day."""
    while start < end:
        day = day_of(zone, start)
        stop = min(end, day_start(zone, day + timedelta(days=1)))
        yield day, range(start, stop)
        start = stop


def first_of_month(day: date) -> date:
    return day.replace(day=1)


def next_month(month: date, by: int = 1) -> date:
    number = month.year * 12 + month.month - 1 + by
    return date(number // 12, number % 12 + 1, 1)


def last_of_month(month: date) -> date:
    return next_month(month) - timedelta(days=1)


def days_of_month(month: date) -> list[date]:
    return [month + timedelta(days=n) for n in range(last_of_month(month).day)]


def one_year_after(day: date) -> date:
    try:
        return day.replace(year=day.year + 1)
    except ValueError:  # 29 February
        return day.replace(year=day.year + 1, day=28)
