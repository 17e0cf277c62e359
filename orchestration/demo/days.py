"""Days, months and nights; and the clock of one practice."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo


def as_date(value: date | str | None) -> date | None:
    """A date given as a date, as ISO text or as the beginning of an ISO timestamp; None for None and empty text."""
    if value is None or value == "":
        return None
    if isinstance(value, datetime):
        return value.date()
    return value if isinstance(value, date) else date.fromisoformat(value[:10])


def month_of(day: date) -> date:
    return day.replace(day=1)


def next_month(month: date) -> date:
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def month_end(month: date) -> date:
    return next_month(month) - timedelta(days=1)


def months_between(first: date, last: date) -> list[date]:
    """The first days of all months that these days touch."""
    months = [month_of(first)]
    while next_month(months[-1]) <= last:
        months.append(next_month(months[-1]))
    return months


def nights_between(first: date, last: date) -> list[date]:
    """The nights on which an extract lands: Monday to Friday, and the first of each month whatever its weekday."""
    days = (first + timedelta(days=n) for n in range((last - first).days + 1))
    return [day for day in days if day.weekday() < 5 or day.day == 1]


def workdays(first: date, last: date) -> list[date]:
    days = (first + timedelta(days=n) for n in range((last - first).days + 1))
    return [day for day in days if day.weekday() < 5]


def workday_after(day: date, count: int) -> date:
    """The `count`-th weekday after a day."""
    while count:
        day += timedelta(days=1)
        count -= day.weekday() < 5
    return day


def some_day(rng: random.Random, first: date, last: date) -> date:
    """A day between two days, both included; the first when they are the wrong way round."""
    return first + timedelta(days=rng.randint(0, max(0, (last - first).days)))


class Clock:
    """Local time of a practice. Instants are held in UTC, so that sums of seconds are elapsed time."""

    def __init__(self, time_zone: str) -> None:
        self.zone = ZoneInfo(time_zone)

    def at(self, day: date, hour: int, minute: int = 0, second: int = 0) -> datetime:
        return datetime.combine(day, time(hour, minute, second), self.zone).astimezone(UTC)

    def day(self, instant: datetime) -> date:
        return instant.astimezone(self.zone).date()

    def some_time(self, rng: random.Random, day: date, first_hour: int = 8, last_hour: int = 17) -> datetime:
        return self.at(day, rng.randint(first_hour, last_hour - 1), rng.randint(0, 59), rng.randint(0, 59))

    def instant(self, value: datetime | str | None) -> datetime | None:
        """An instant given as a datetime or ISO text; without an offset it is local, as in the extracts."""
        if value is None or value == "":
            return None
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=self.zone)).astimezone(UTC)
