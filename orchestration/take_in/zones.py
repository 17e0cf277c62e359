"""Local time to UTC as a small table: DuckDB's ICU chooses its own way for times that occur twice, and needs 3
s a million."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pyarrow as pa

# The years that work is logged in, and that nights can be of. Another day is asked for by itself (`far_days`): each day here is asked of each night's zones.
FIRST_DAY, LAST_DAY = date(2018, 1, 1), date(2046, 12, 31)
_DAYS = (LAST_DAY - FIRST_DAY).days + 1
_DAY_SECONDS = 86_400
_SCHEMA = pa.schema(
    [
        ("zone", pa.int64()),
        ("day", pa.date32()),
        ("offset_before", pa.int64()),
        ("switch_second", pa.int64()),
        ("offset_after", pa.int64()),
    ]
)


def _offset(zone: ZoneInfo, local: datetime) -> int:
    """Seconds east of UTC. fold=0: the first of two equal times, and the offset before a gap, which moves
    forward by it."""
    offset = local.replace(tzinfo=zone).utcoffset()
    assert offset is not None  # a ZoneInfo always knows
    return int(offset.total_seconds())


def _switch(zone: ZoneInfo, start: datetime, before: int, after: int) -> int:
    """The second of the day at which its offset changes; past the day's end: it does not."""
    if before == after:
        return _DAY_SECONDS
    low, high = 0, _DAY_SECONDS
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(zone, start + timedelta(seconds=middle)) == before:
            low = middle
        else:
            high = middle
    return high


@cache
def _days(name: str) -> tuple[pa.Array, pa.Array, pa.Array]:
    """Of each day: the offset before its switch, the second of the day it comes at, the one after."""
    zone = ZoneInfo(name)
    midnight = datetime.combine(FIRST_DAY, time.min)
    offsets = [_offset(zone, midnight + timedelta(days=day)) for day in range(_DAYS + 1)]
    switches = [_switch(zone, midnight + timedelta(days=day), *offsets[day : day + 2]) for day in range(_DAYS)]
    return tuple(pa.array(values, pa.int64()) for values in (offsets[:-1], switches, offsets[1:]))


@cache
def alike(one: str, other: str) -> bool:
    """Whether two zones' clocks are the same on every day from FIRST_DAY to LAST_DAY, such as a zone's and that of its other name."""
    try:
        return one == other or all(mine.equals(its) for mine, its in zip(_days(one), _days(other), strict=True))
    except ZoneInfoNotFoundError:
        return False  # a name of a night of before, which this machine's zones do not have


def switches(name: str) -> list[tuple[datetime, int]]:
    """From when on, by the zone's own clock, it is how many seconds ahead of UTC; of the days from FIRST_DAY to LAST_DAY, the first entry at their start."""
    before, second, after = (part.to_pylist() for part in _days(name))
    start = datetime.combine(FIRST_DAY, time.min)
    return [(start, before[0])] + [
        (start + timedelta(days=day, seconds=second[day]), after[day]) for day in range(_DAYS) if second[day] < _DAY_SECONDS
    ]


def far_days(days: Iterable[tuple[int, str, date]]) -> pa.Table:
    """The same as `zone_days` for single days (number of the zone, its name, day) that lie before FIRST_DAY or behind LAST_DAY: old dates and slips of
    the pen, which are taken to UTC like any other time."""
    rows = []
    for number, name, day in days:
        zone, start = ZoneInfo(name), datetime.combine(day, time.min)
        before = _offset(zone, start)
        after = _offset(zone, start + timedelta(days=1)) if day < date.max else before
        rows.append((number, day, before, _switch(zone, start, before, after), after))
    return pa.table(
        [pa.array(values, kind) for values, kind in zip(zip(*rows, strict=True), _SCHEMA.types, strict=True)], schema=_SCHEMA
    )


def zone_days(names: list[str]) -> pa.Table:
    """(zone, day, offset_before, switch_second, offset_after): one row per zone and day from FIRST_DAY to LAST_DAY.

    A local time at `second` of `day` is offset_before seconds ahead of UTC while second < switch_second, else
    offset_after.
    """
    first = (FIRST_DAY - date(1970, 1, 1)).days
    days = pa.array(range(first, first + _DAYS), pa.int32()).cast(pa.date32())
    parts = []
    for number, name in enumerate(names):
        columns = [pa.repeat(pa.scalar(number, pa.int64()), _DAYS), days, *_days(name)]
        parts.append(pa.table(columns, schema=_SCHEMA))
    return pa.concat_tables(parts)
