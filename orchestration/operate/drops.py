"""When what a practice dropped is complete, and which extracts are late. Only schedules and sensors ask: this is where the clock counts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from orchestration.contracts import extract_contracts
from orchestration.house import House
from orchestration.mapping.choice import choices
from orchestration.practices import Practice
from orchestration.storage import Prefix, StorageError, listed
from orchestration.take_in.landing import COMPLETE, LandedTable, discover
from orchestration.take_in.ledger import accepted_files, newest_accepted
from orchestration.take_in.pending import pending

# A sensor looks at the newest nights; what is older and changed is taken in by the nightly schedule.
DAYS_BACK = 7
# What a practice usually sends is seen by so many days. A table is usual that came with all but MAY_MISS of the last HABIT_NIGHTS nights of its extract, once
# there are LEAST_NIGHTS of them.
HABITS_BACK = timedelta(days=30)
HABIT_NIGHTS, LEAST_NIGHTS, MAY_MISS = 10, 5, 1


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
    """An extract that did not come by its hour: the night that is due, and the newest one there is. Of one that came in part, the tables that it lacks."""

    practice_id: str
    extract: str
    due: date
    newest: date | None
    lacks: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.lacks:
            return f"{self.practice_id}: {self.extract} of {self.due} lacks {', '.join(self.lacks)}; the rest is of {self.newest}"
        return f"{self.practice_id}: {self.extract} of {self.due} has not come; the newest is {f'of {self.newest}' if self.newest else 'missing'}"


def late_extracts(house: House, practices: Mapping[str, Practice], now: datetime) -> list[Late]:
    """Extracts whose newest accepted night is older than the one that is due by now, or that of tables which usually come with them; by practice and
    extract. `now` has a time zone."""
    extract_of = _extracts()
    newest: dict[tuple[str, str], date] = {}
    of_table = newest_accepted(house)
    for (name, table), night in of_table.items():
        if table in extract_of:
            newest[name, extract_of[table]] = max(newest.get((name, extract_of[table]), night), night)
    lacking: dict[tuple[str, str], list[str]] = {}
    for gap in gaps(house, (now - HABITS_BACK).date()):
        # A later night of the table has all that the due one lacked, or whoever sends it knows what it left out.
        key = (gap.practice_id, gap.extract)
        if gap.table is None or gap.practice_id not in practices or newest[key] != gap.night:
            continue
        if of_table[gap.practice_id, gap.table] < due_night(practices[gap.practice_id], now):
            lacking.setdefault(key, []).append(gap.table)
    found = []
    for name, practice in sorted(practices.items()):
        due = due_night(practice, now)
        for extract in dict.fromkeys(extract_of.values()):
            there = newest.get((name, extract))
            if there is None or there < due:
                found.append(Late(name, extract, due, there))
            elif (name, extract) in lacking:
                found.append(Late(name, extract, due, there, tuple(lacking[name, extract])))
    return found


@dataclass(frozen=True)
class Gap:
    """A night that came without what usually comes: a table of an extract that came, or (`table` None) all of an extract."""

    practice_id: str
    night: date
    extract: str
    table: str | None

    @property
    def what(self) -> str:
        return self.table or self.extract


def gaps(house: House, since: date) -> list[Gap]:
    """What accepted nights from `since` on lack, by practice, night, extract and table. Raises HouseError when a batch is damaged.

    What usually comes: up to the newest night that had it, it came with all but one of the last ten nights of its extract (an extract: of its practice),
    of five at least (HABIT_NIGHTS). So a table that is sent weekly, or on weekdays only, is not asked for, and one that stopped is, for as long as `since`
    sees it.
    """
    extract_of = _extracts()
    files = accepted_files(house, since)
    files = files.filter(pc.is_in(files["table_name"], value_set=pa.array(list(extract_of))))
    contracts = pa.table({"table_name": list(extract_of), "extract": list(extract_of.values())})
    with duckdb.connect() as con:
        con.register("files", files).register("contracts", contracts)
        return [Gap(*row) for row in con.execute(_GAPS).fetchall()]


_GAPS = f"""
with came as (
    select distinct files.practice_id, files.extract_date as night, contracts.extract, files.table_name
    from files inner join contracts using (table_name)
),

-- What may come, and what it comes with: a table with its extract, an extract with its practice.
parts as (
    select practice_id, extract as whole, extract, table_name, night from came
    union all
    select distinct practice_id, '' as whole, extract, null as table_name, night from came
),

wholes as (select distinct practice_id, whole, night from parts),

kinds as (select distinct practice_id, whole, extract, table_name from parts),

nights as (
    select kinds.practice_id, kinds.whole, kinds.extract, kinds.table_name, wholes.night, parts.night is not null as has_come
    from kinds
    inner join wholes using (practice_id, whole)
    left join parts
        on kinds.practice_id = parts.practice_id and kinds.whole = parts.whole and kinds.extract = parts.extract
        and kinds.table_name is not distinct from parts.table_name and wholes.night = parts.night
),

habits as (
    select
        *,
        count(*) over newest >= {LEAST_NIGHTS} and count(*) filter (has_come) over newest >= count(*) over newest - {MAY_MISS} as is_usual
    from nights
    window newest as (
        partition by practice_id, whole, extract, table_name order by night rows between {HABIT_NIGHTS - 1} preceding and current row
    )
),

judged as (
    select
        *,
        last_value(case when has_come then is_usual end ignore nulls) over (
            partition by practice_id, whole, extract, table_name order by night
        ) as was_usual
    from habits
)

select practice_id, night, extract, table_name from judged
where not has_come and was_usual
order by practice_id, night, extract, table_name
"""


def _extracts() -> dict[str, str]:
    """The extract of each table that somebody waits for."""
    return {table: contract.extract for table, contract in extract_contracts().items() if not contract.is_optional}


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
