"""The work lists as files: one XLSX and one CSV per practice and night, for people who live in spreadsheets.

The same items give the same bytes. Text is always text: a value that a spreadsheet would take for a formula is stored as a string.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from orchestration.answer.worklist import Capacity, Item, Person, capacities, kinds, newest_nights, open_marts, people, work_items
from orchestration.house import House, HouseError, write_private
from orchestration.money import in_dollars

MONEY, DAY, MONTH, WHOLE, TENTH = '"$"#,##0.00', "yyyy-mm-dd", "yyyy-mm", "#,##0", "#,##0.0"
# A spreadsheet takes text that begins so for a formula.
FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")
WIDEST, LEAST = 90, 13
LONGEST_CELL = 32_767
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")


@dataclass(frozen=True)
class Field:
    """One column of a list: its header, how its numbers look (null: text), and its value."""

    header: str
    number_format: str | None
    value: Any


ITEM_FIELDS = (
    Field("Worth", MONEY, lambda item: item.dollars_at_stake),
    Field("What to do", None, lambda item: item.detail),
    Field("Patient", None, lambda item: item.patient_id),
    Field("Who", None, lambda item: item.member_id or "billing office"),
    Field("Minutes", WHOLE, lambda item: item.minutes),
    Field("Due", DAY, lambda item: item.due_on),
    Field("Days left", WHOLE, lambda item: item.days_left),
    Field("Last day", DAY, lambda item: item.last_day),
    Field("Month", MONTH, lambda item: item.month),
    Field("Kind", None, lambda item: item.kind.replace("_", " ")),
    Field("Item", None, lambda item: item.item_id),
)
PRACTICE = Field("Practice", None, lambda item: item.practice_id)
PLAN_FIELDS = (
    Field("Place", WHOLE, lambda row: row.place),
    Field("Patient", None, lambda row: row.patient_id),
    Field("Minutes so far", WHOLE, lambda row: row.credited_minutes),
    Field("Minutes to go", WHOLE, lambda row: row.minutes_to_go),
    Field("Code", None, lambda row: row.procedure_code),
    Field("Worth", MONEY, lambda row: row.allowed_amount),
    Field("Minutes, added up", WHOLE, lambda row: row.minutes_so_far),
    Field("Within reach", None, lambda row: "yes" if row.is_reachable else "no"),
)


def text_of(value: Any) -> str:
    """A value as the text of a cell: without control characters, no longer than a cell may be."""
    return _CONTROL.sub(" ", str(value))[:LONGEST_CELL]


def with_names(fields: Sequence[Field], known: Mapping[str, Person]) -> tuple[Field, ...]:
    """The fields with name and phone number after the patient's id."""

    def part(name: str) -> Any:
        return lambda row: getattr(known[row.patient_id], name) if row.patient_id in known else ""

    place = [field.header for field in fields].index("Patient") + 1
    return (*fields[:place], Field("Name", None, part("name")), Field("Phone", None, part("phone")), *fields[place:])


def xlsx(
    items: Sequence[Item], groups: Iterable[str], team: Capacity | None, night: date, known: Mapping[str, Person] | None = None
) -> bytes:
    """The workbook: All, a sheet for each group of kinds, Capacity. Its only date is the night."""
    buffer = io.BytesIO()
    # In memory: what is not finished leaves no file with patients' ids in the machine's folder for temporary files.
    book = xlsxwriter.Workbook(buffer, {"in_memory": True})
    book.set_properties(
        {
            "title": f"Work list of {night}",
            "author": "CCM billing capture",
            "created": datetime(night.year, night.month, night.day),
        }
    )
    looks = _Looks(book)
    item_fields = with_names(ITEM_FIELDS, known) if known is not None else ITEM_FIELDS
    plan_fields = with_names(PLAN_FIELDS, known) if known is not None else PLAN_FIELDS
    rows = [_cells(item_fields, item) for item in items]
    _table(book.add_worksheet("All"), looks, item_fields, rows)
    for group in groups:
        of_group = [row for item, row in zip(items, rows, strict=True) if item.kind_group == group]
        _table(book.add_worksheet(group.capitalize()), looks, item_fields, of_group)
    _capacity(book.add_worksheet("Capacity"), looks, plan_fields, team)
    book.close()
    return buffer.getvalue()


class _Looks:
    """The formats of a workbook, each made once."""

    def __init__(self, book: xlsxwriter.Workbook) -> None:
        self._book = book
        self._made: dict[tuple[tuple[str, Any], ...], Format] = {}

    def __call__(self, **look: Any) -> Format:
        key = tuple(look.items())
        if key not in self._made:
            self._made[key] = self._book.add_format(look)
        return self._made[key]


def _cells(fields: Sequence[Field], row: Any) -> list[Any]:
    """The values of a row; text as a cell may hold it."""
    values = [field.value(row) for field in fields]
    return [
        text_of(value) if field.number_format is None and value is not None else value
        for field, value in zip(fields, values, strict=True)
    ]


def _put(sheet: Worksheet, looks: _Looks, row: int, column: int, value: Any, number_format: str | None, **look: Any) -> None:
    """Rows and columns are counted from 0."""
    if value is None or value == "":
        return
    if number_format is None:
        # Edited by hand, text that looks like a formula stays text.
        more = {"quote_prefix": True} if value.startswith(FORMULA_SIGNS) else {}
        fault = sheet.write_string(row, column, value, looks(**look, **more) if look or more else None)
    elif isinstance(value, date):
        fault = sheet.write_datetime(row, column, value, looks(num_format=number_format, **look))
    else:
        fault = sheet.write_number(row, column, value, looks(num_format=number_format, **look))
    if fault:  # XlsxWriter leaves out what a sheet has no room for, and only says so here
        raise HouseError(f"row {row + 1} of a work list: a workbook has no room for it; read the mart `worklist` instead")


def _table(sheet: Worksheet, looks: _Looks, fields: Sequence[Field], rows: Sequence[Sequence[Any]], top: int = 0) -> None:
    """A table with a frozen header, filters and widths that fit. A column too wide for a screen is wrapped."""
    for column, field in enumerate(fields):
        align = "left" if field.number_format is None else "right"
        sheet.write_string(
            top, column, field.header, looks(bold=True, font_color="#FFFFFF", bg_color="#1F3864", valign="vcenter", align=align)
        )
        widest = len(field.header) + 4  # the filter's arrow
        for row in rows:
            widest = max(widest, _shown_width(row[column], field.number_format) + 2)
        is_wrapped = field.number_format is None and widest > WIDEST
        look = {"text_wrap": True, "valign": "top"} if is_wrapped else {}
        for number, row in enumerate(rows, top + 1):
            _put(sheet, looks, number, column, row[column], field.number_format, **look)
        # What stands above a table has its columns too.
        sheet.set_column(column, column, min(max(widest, LEAST if top else 0), WIDEST))
    sheet.freeze_panes(top + 1, 0)
    sheet.autofilter(top, 0, top + max(len(rows), 1), len(fields) - 1)
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(top)


def _shown_width(value: Any, number_format: str | None) -> int:
    if value is None:
        return 0
    if number_format == MONEY:
        return len(in_dollars(value))
    if number_format == MONTH:
        return 7
    return len(str(value))


def _capacity(sheet: Worksheet, looks: _Looks, fields: Sequence[Field], team: Capacity | None) -> None:
    facts: list[tuple[str, Any, str]] = []
    if team is not None:
        facts = [
            ("Usual credited minutes on a business day", team.usual_daily_minutes, TENTH),
            (f"Business days left in {team.month:%Y-%m}", team.business_days_left, WHOLE),
            ("Minutes left at that pace", team.minutes_left, WHOLE),
            ("Patients who lack only minutes for the first code", team.patients, WHOLE),
            ("Minutes they still need", team.minutes_needed, WHOLE),
            ("Worth", team.needed_amount, MONEY),
            ("Patients within reach", team.patients_reachable, WHOLE),
            ("Worth within reach", team.reachable_amount, MONEY),
        ]
    for number, (label, value, number_format) in enumerate(facts):
        sheet.merge_range(number, 0, number, 3, label)
        _put(sheet, looks, number, 4, value, number_format, bold=True)
    plan = [_cells(fields, row) for row in team.plan] if team is not None else []
    _table(sheet, looks, fields, plan, top=len(facts) + 1)


def csv_text(items: Sequence[Item], known: Mapping[str, Person] | None = None, *, of_several: bool = False) -> str:
    """The list as CSV (UTF-8, RFC 4180), `of_several` practices with theirs first. Text that a spreadsheet would take for a formula has an
    apostrophe before it."""
    fields = with_names(ITEM_FIELDS, known) if known is not None else ITEM_FIELDS
    if of_several:
        fields = (PRACTICE, *fields)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(field.header for field in fields)
    for item in items:
        writer.writerow([_plain(field.value(item), field.number_format) for field in fields])
    return text.getvalue()


def _plain(value: Any, number_format: str | None) -> str:
    if value is None:
        return ""
    if number_format == MONTH:
        return f"{value:%Y-%m}"
    if number_format is None:
        text = text_of(value)
        return "'" + text if text.startswith(FORMULA_SIGNS) else text
    return f"{value:.2f}" if isinstance(value, Decimal) else str(value)


@dataclass(frozen=True)
class Written:
    """The files of one practice's list, and whether they were written now or stood already."""

    practice_id: str
    items: int
    files: tuple[Path, ...]
    is_new: bool


# Lists that are written together: their items are in memory at once, and a process of its own is worth its start for no fewer.
A_PART = 100


def write_worklists(house: House, practice_ids: Sequence[str] | None = None) -> list[Written]:
    """Writes worklists/<practice_id>/<newest night>.xlsx and .csv (0600) for every published practice, or the given ones: whole, and only
    where the list has changed. Of many practices on all cores, a part of them at a time."""
    nights = newest_nights(house)
    wanted = [name for name in nights if practice_ids is None or name in practice_ids]
    parts = [{name: nights[name] for name in wanted[first : first + A_PART]} for first in range(0, len(wanted), A_PART)]
    processes = min(os.cpu_count() or 1, len(parts))
    if processes < 2:
        return [one for part in parts for one in _write_part(house, part)]
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        return [one for done in pool.map(partial(_write_part, house), parts) for one in done]


def _write_part(house: House, nights: Mapping[str, date]) -> list[Written]:
    """The lists of these practices, each with its newest night."""
    with open_marts(house):  # held open, what reads it below does not open the file anew
        groups = list(dict.fromkeys(group for _, group in kinds(house)))
        teams = capacities(house, list(nights))
        by_practice: dict[str, list[Item]] = {name: [] for name in nights}
        for item in work_items(house, practice_ids=list(nights)):
            by_practice[item.practice_id].append(item)
        return [_write(house, name, nights[name], groups, items, teams.get(name)) for name, items in by_practice.items()]


def _write(
    house: House, practice_id: str, night: date, groups: Sequence[str], items: Sequence[Item], team: Capacity | None
) -> Written:
    target = house.worklists / practice_id / f"{night}.xlsx"
    files = (target, target.with_suffix(".csv"))
    seal = house.state / "worklists" / f"{practice_id}.sha256"
    content = json.dumps(
        [str(night), [[*vars(item).values()] for item in items], [*vars(team).values()] if team else None], default=str
    )
    digest = hashlib.sha256(content.encode()).hexdigest()
    if seal.exists() and seal.read_text() == digest and all(path.exists() for path in files):
        return Written(practice_id, len(items), files, False)
    write_private(files[0], xlsx(items, groups, team, night))
    write_private(files[1], csv_text(items))
    write_private(seal, digest)
    return Written(practice_id, len(items), files, True)


def write_with_names(house: House, practice_id: str, items: Sequence[Item]) -> tuple[Path, ...]:
    """The given items of one practice with names and phone numbers, beside the night's list, as <night>-with-names.xlsx and .csv (0600)."""
    night = newest_nights(house)[practice_id]
    team = capacities(house, [practice_id]).get(practice_id)
    wanted = {item.patient_id for item in items} | {row.patient_id for row in (team.plan if team else ())}
    known = people(house, practice_id, sorted(wanted))
    target = house.worklists / practice_id / f"{night}-with-names.xlsx"
    groups = list(dict.fromkeys(group for _, group in kinds(house)))
    write_private(target, xlsx(items, groups, team, night, known))
    write_private(target.with_suffix(".csv"), csv_text(items, known))
    return target, target.with_suffix(".csv")
