"""Local time to UTC as a small table: DuckDB's ICU chooses its own way for times that occur twice, and needs 3
s a million."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import pyarrow as pa

FIRST_DAY, LAST_DAY = date(1950, 1, 1), date(2100, 12, 31)
_DAYS = (LAST_DAY - FIRST_DAY).days + 1
_DAY_SECONDS = 86_400


def _offset(zone: ZoneInfo, local: datetime) -> int:
    """Seconds east of UTC. fold=0: the first of two equal times, and the offset before a gap, which moves
    forward by it."""
    offset = local.replace(tzinfo=zone).utcoffset()
    assert offset is not None  # a ZoneInfo always knows
    return int(offset.total_seconds())


@cache
def _days(name: str) -> tuple[pa.Array, pa.Array, pa.Array]:
    """Of each day: the offset before its switch, the second of the day it comes at (past the day's end: none),
    the one after."""
    zone = ZoneInfo(name)
    midnight = datetime.combine(FIRST_DAY, datetime.min.time())
    offsets = [_offset(zone, midnight + timedelta(days=day)) for day in range(_DAYS + 1)]
    switches = [_DAY_SECONDS] * _DAYS
    for day in range(_DAYS):
        if offsets[day] != offsets[day + 1]:
            low, high = 0, _DAY_SECONDS
            start = midnight + timedelta(days=day)
            while high - low > 1:
                middle = (low + high) // 2
                if _offset(zone, start + timedelta(seconds=middle)) == offsets[day]:
                    low = middle
                else:
                    high = middle
            switches[day] = high
    return tuple(pa.array(values, pa.int64()) for values in (offsets[:-1], switches, offsets[1:]))


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
        parts.append(pa.table(columns, names=["zone", "day", "offset_before", "switch_second", "offset_after"]))
    return pa.concat_tables(parts)
