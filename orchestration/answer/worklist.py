"""The work lists: what someone should do next, read from marts.duckdb; names and phone numbers, only when asked for, from the lake."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import duckdb

from orchestration import engine, lake_batches
from orchestration.house import House, HouseError


@dataclass(frozen=True)
class Item:
    """One task. `minutes` is null where it is no matter of minutes, `member_id` where it is the billing office's; `last_day` is the
    last one on which doing it still brings its worth; `days_left` counts from the practice's newest night to `due_on`, below 0 once that has passed, or to
    `last_day` where that comes first."""

    practice_id: str
    item_id: str
    kind: str
    kind_group: str
    detail: str
    patient_id: str
    member_id: str | None
    month: date
    minutes: int | None
    dollars_at_stake: Decimal
    due_on: date
    days_left: int
    last_day: date
    dismissed_until: date | None
    fact_fingerprint: str


@dataclass(frozen=True)
class Person:
    """A patient as the newest panel row that had them: for lists that a caller asked to have names in, never for logs."""

    name: str
    phone: str


@dataclass(frozen=True)
class Capacity:
    """The care team's usual minutes against what the newest month still needs (mart `capacity`), with the plan (mart `capacity_plan`)."""

    month: date
    usual_daily_minutes: Decimal
    business_days_left: int
    minutes_left: int
    patients: int
    minutes_needed: int
    needed_amount: Decimal
    patients_reachable: int
    minutes_reachable: int
    reachable_amount: Decimal
    plan: tuple[Planned, ...]


@dataclass(frozen=True)
class Planned:
    """One patient who lacks nothing but minutes for the first code."""

    place: int
    patient_id: str
    credited_minutes: int
    minutes_to_go: int
    procedure_code: str
    allowed_amount: Decimal
    minutes_so_far: int
    is_reachable: bool


def open_marts(house: House) -> duckdb.DuckDBPyConnection:
    """The published marts, read-only. Raises HouseError when nothing is published yet, or by a version without work lists."""
    if not house.marts.exists():
        raise HouseError(f"{house.marts}: nothing is published yet; run `ccm nightly` first")
    marts = engine.open_marts(house)
    if not marts.execute("select 1 from duckdb_columns() where table_name = 'worklist' and column_name = 'last_day'").fetchall():
        marts.close()
        raise HouseError(f"{house.marts}: was published by another version; run `ccm nightly --full`")
    return marts


def newest_nights(house: House) -> dict[str, date]:
    """Each published practice's newest night: the only "today" that the lists know."""
    with open_marts(house) as marts:
        return dict(marts.execute("select practice_id, newest_night from practice_nights order by practice_id").fetchall())


def kinds(house: House) -> list[tuple[str, str]]:
    """(kind, group) of every kind of item, in the order of the lists."""
    with open_marts(house) as marts:
        return marts.execute("select kind, kind_group from rule_worklist_kinds order by precedence").fetchall()


def work_items(
    house: House,
    practice_id: str | None = None,
    month: date | None = None,
    kind: str | None = None,
    *,
    practice_ids: Sequence[str] | None = None,
    item_id: str | None = None,
    dismissed: bool | None = False,
) -> list[Item]:
    """The items, most dollars first, owed or to be had, then by due date. `dismissed`: only those put off (True), only the others (False), or both (None)."""
    wanted = [practice_id] if practice_id is not None else practice_ids
    with open_marts(house) as marts:
        rows = marts.execute(
            """
            select
                items.practice_id, items.item_id, items.kind, kinds.kind_group, items.detail, items.patient_id, items.member_id,
                items.month, items.minutes, items.dollars_at_stake, items.due_on,
                least(items.due_on, items.last_day) - nights.newest_night, items.last_day, items.dismissed_until, items.fact_fingerprint
            from worklist as items
            inner join rule_worklist_kinds as kinds on items.kind = kinds.kind
            inner join practice_nights as nights on items.practice_id = nights.practice_id
            where
                (? is null or items.practice_id in (select unnest(?::varchar[]))) and (? is null or items.month = ?) and (? is null or items.kind = ?)
                and (? is null or items.item_id = ?) and (? is null or (items.dismissed_until is not null) = ?)
            order by abs(items.dollars_at_stake) desc, items.due_on, kinds.precedence, items.practice_id, items.item_id
            """,
            [wanted, wanted, month, month, kind, kind, item_id, item_id, dismissed, dismissed],
        ).fetchall()
    return [Item(*row) for row in rows]


def has_month(house: House, month: date, practice_id: str | None = None) -> bool:
    """Whether this practice, or any, has this month (its first day)."""
    with open_marts(house) as marts:
        return bool(
            marts.execute(
                "select 1 from close_calendar where month = ? and (? is null or practice_id = ?) limit 1",
                [month, practice_id, practice_id],
            ).fetchall()
        )


def capacities(house: House, practice_ids: Sequence[str]) -> dict[str, Capacity]:
    """What the care teams of these practices can still reach this month; a practice without a published month has none."""
    with open_marts(house) as marts:
        found = marts.execute(
            """
            select practice_id, month, usual_daily_minutes, business_days_left, minutes_left, patients, minutes_needed, needed_amount,
                patients_reachable, minutes_reachable, reachable_amount
            from capacity where practice_id in (select unnest(?::varchar[]))
            """,
            [practice_ids],
        ).fetchall()
        planned = marts.execute(
            """
            select practice_id, place, patient_id, credited_minutes, minutes_to_go, procedure_code, allowed_amount, minutes_so_far, is_reachable
            from capacity_plan where practice_id in (select unnest(?::varchar[])) order by practice_id, place
            """,
            [practice_ids],
        ).fetchall()
    plans: defaultdict[str, list[Planned]] = defaultdict(list)
    for name, *row in planned:
        plans[name].append(Planned(*row))
    return {name: Capacity(*(*row, tuple(plans[name]))) for name, *row in found}


def people(house: House, practice_id: str, patient_ids: Sequence[str]) -> dict[str, Person]:
    """Names and phone numbers by patient id, from the newest accepted panel rows in the lake. They stand in no mart and no staging table."""
    numbers = lake_batches.batch_numbers(house)
    if not numbers:
        return {}
    with engine.connect(house) as con:
        rows = con.execute(
            f"""
            select patient_id, first_name, middle_name, last_name, phone
            from read_parquet(?{engine.reading()})
            where practice_id = ? and list_contains(?, patient_id)
            qualify row_number() over (partition by patient_id order by extract_date desc, file_id desc, line_number desc) = 1
            """,
            [[lake_batches.table(house, batch, "patients") for batch in numbers], practice_id, list(patient_ids)],
        ).fetchall()
    return {
        patient_id: Person(f"{last}, {' '.join(part for part in (first, middle) if part)}", phone or "")
        for patient_id, first, middle, last, phone in rows
    }
