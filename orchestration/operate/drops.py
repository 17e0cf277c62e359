"""When what a practice dropped is complete, and which extracts are late. Only schedules and sensors ask: this is where the clock counts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from orchestration.contracts import extract_contracts
from orchestration.house import House
from orchestration.mapping.choice import choices
from orchestration.practices import Practice
from orchestration.storage import Prefix, StorageError, listed
from orchestration.take_in.lake import newest_accepted, pending
from orchestration.take_in.landing import COMPLETE, LandedTable, discover

# A sensor looks at the newest nights; what is older and changed is taken in by the nightly schedule.
DAYS_BACK = 7


@dataclass(frozen=True)
class Drops:
    """What of landing/ is new or changed: of practices whose every such night is complete, and of those that still drop."""

    ready: tuple[LandedTable, ...]
    still: tuple[str, ...]
    ahead: tuple[str, ...] = ()  # practice and night of folders that are dated ahead of the clock

    @property
    def practice_ids(self) -> list[str]:
        return sorted({one.practice_id for one in self.ready})


def drops(house: House, practices: Mapping[str, Practice], now: datetime) -> Drops:
    """New or changed nights of the last days. Complete: a `_SUCCESS` not older than the night's files, or nothing changed for the
    practice's quiet_minutes. `now` has a time zone."""
    since = (now - timedelta(days=DAYS_BACK)).date()
    landed = discover(house, practices, since=since, mapped=choices(house, practices))
    wanted = pending(house, landed, {name: practice.time_zone for name, practice in practices.items()})
    by_practice: dict[str, list[LandedTable]] = {}
    ahead = set()
    for one in wanted:
        if is_ahead(practices[one.practice_id], one.extract_date, now):
            ahead.add(f"{one.practice_id} {one.extract_date}")
        else:
            by_practice.setdefault(one.practice_id, []).append(one)
    ready: list[LandedTable] = []
    still = []
    for name, tables in sorted(by_practice.items()):
        nights = {one.extract_date for one in tables}
        if all(_is_complete(house, practices[name], night, now) for night in nights):
            ready += tables
        else:
            still.append(name)
    return Drops(tuple(ready), tuple(still), tuple(sorted(ahead)))


def is_ahead(practice: Practice, night: date, now: datetime) -> bool:
    """Whether a night is dated later than tomorrow, the practice's local day: a mistyped year would end the filing of every month before it."""
    return night > now.astimezone(practice.zone).date() + timedelta(days=1)


def _is_complete(house: House, practice: Practice, night: date, now: datetime) -> bool:
    try:
        marked, written, newest = (_times_on_disk if house.landing_url is None else _times_in_storage)(house, practice, night, now)
    except OSError:
        return False  # taken away or not to be read now: asked again by the next tick
    except StorageError as error:
        if error.is_general:
            raise
        return False  # this practice's own trouble
    return is_complete(marked, written, newest, practice.operations.quiet_minutes, now)


def is_complete(marked: float | None, written: float, newest: float, quiet_minutes: int, now: datetime) -> bool:
    """Whether a night is all there, by its times in seconds since 1970: marked so after its newest file was written, or not touched for a while."""
    if marked is not None and marked >= written:
        return True
    return now.timestamp() - newest >= quiet_minutes * 60


# Both give, in seconds since 1970 (UTC): when the night was marked complete (None: it is not), when the newest of its files was written, and when
# anything of it was last touched.


def _times_on_disk(house: House, practice: Practice, night: date, now: datetime) -> tuple[float | None, float, float]:
    folder = house.landing / practice.practice_id / night.isoformat()
    with os.scandir(folder) as entries:
        stats = {entry.name: entry.stat(follow_symlinks=False) for entry in entries}
    mark = stats.pop(COMPLETE, None)
    # When they came here: their own times may be the sender's, of another clock, and a mark that was copied before its files has a later one than they do.
    written = max((s.st_ctime for s in stats.values()), default=0.0)
    own = [time for s in (folder.stat(), *stats.values()) if (time := s.st_mtime) <= now.timestamp()]
    return mark.st_ctime if mark else None, written, max([folder.stat().st_ctime, written, *own])


def _times_in_storage(house: House, practice: Practice, night: date, _: datetime) -> tuple[float | None, float, float]:
    assert house.landing_url is not None
    below = f"{practice.practice_id}/{night}/"
    times = {one.name.removeprefix(below): one.modified_ns / 1e9 for one in listed(Prefix.of(house.landing_url), below)}
    mark = times.pop(COMPLETE, None)
    written = max(times.values(), default=0.0)
    return mark, written, max(written, mark or 0.0)


@dataclass(frozen=True)
class Late:
    """An extract that did not come by its hour: the night that is due, and the newest one there is."""

    practice_id: str
    extract: str
    due: date
    newest: date | None

    def __str__(self) -> str:
        return f"{self.practice_id}: {self.extract} of {self.due} has not come; the newest is {f'of {self.newest}' if self.newest else 'missing'}"


def late_extracts(house: House, practices: Mapping[str, Practice], now: datetime) -> list[Late]:
    """Extracts whose newest accepted night is older than the one that is due by now, by practice and extract. `now` has a time zone."""
    extract_of = {table: contract.extract for table, contract in extract_contracts().items() if not contract.is_optional}
    newest: dict[tuple[str, str], date] = {}
    for (name, table), night in newest_accepted(house).items():
        if table in extract_of:
            newest[name, extract_of[table]] = max(newest.get((name, extract_of[table]), night), night)
    found = []
    for name, practice in sorted(practices.items()):
        due = due_night(practice, now)
        for extract in dict.fromkeys(extract_of.values()):
            there = newest.get((name, extract))
            if there is None or there < due:
                found.append(Late(name, extract, due, there))
    return found


def due_night(practice: Practice, now: datetime) -> date:
    """The newest night whose extracts should be there: the practice's local day and hour, its weekdays where it works on weekdays only."""
    local = now.astimezone(practice.zone)
    settings = practice.operations
    day = local.date() - timedelta(days=settings.due_days_after)
    if local.time() < time.fromisoformat(settings.extracts_due):
        day -= timedelta(days=1)
    while settings.nights == "weekdays" and day.weekday() > 4:
        day -= timedelta(days=1)
    return day
