"""The work lists as files: one XLSX and one CSV per practice and night, for people who live in spreadsheets.

The same items give the same bytes. Text is always text: a value that a spreadsheet would take for a formula is stored as a string.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from openpyxl import Workbook
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from orchestration.answer.worklist import Capacity, Item, Person, capacity, kinds, newest_nights, open_marts, people, work_items
from orchestration.house import House, write_private

MONEY, DAY, MONTH, WHOLE, TENTH = '"$"#,##0.00', "yyyy-mm-dd", "yyyy-mm", "#,##0", "#,##0.0"
# A spreadsheet takes text that begins so for a formula.
FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")
WIDEST = 90
LONGEST_CELL = 32_767


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
    Field("Month", MONTH, lambda item: item.month),
    Field("Kind", None, lambda item: item.kind.replace("_", " ")),
    Field("Item", None, lambda item: item.item_id),
)
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
    return ILLEGAL_CHARACTERS_RE.sub(" ", str(value))[:LONGEST_CELL]


def with_names(fields: Sequence[Field], known: Mapping[str, Person]) -> tuple[Field, ...]:
    """The fields with name and phone number after the patient's id."""

    def part(name: str) -> Any:
        return lambda row: getattr(known[row.patient_id], name) if row.patient_id in known else ""

    place = [field.header for field in fields].index("Patient") + 1
    return (*fields[:place], Field("Name", None, part("name")), Field("Phone", None, part("phone")), *fields[place:])


def xlsx(
    items: Sequence[Item], groups: Iterable[str], team: Capacity | None, night: date, known: Mapping[str, Person] | None = None
) -> bytes:
    """The workbook: All, a sheet for each group of kinds, Capacity."""
    book = Workbook()
    first = book.active
    assert first is not None
    book.remove(first)
    item_fields = with_names(ITEM_FIELDS, known) if known is not None else ITEM_FIELDS
    plan_fields = with_names(PLAN_FIELDS, known) if known is not None else PLAN_FIELDS
    _table(book.create_sheet("All"), item_fields, items)
    for group in groups:
        _table(book.create_sheet(group.capitalize()), item_fields, [item for item in items if item.kind_group == group])
    _capacity(book.create_sheet("Capacity"), plan_fields, team)
    book.properties.creator = "CCM billing capture"
    book.properties.title = f"Work list of {night}"
    buffer = io.BytesIO()
    book.save(buffer)
    return _without_clock(buffer.getvalue(), night)


def _put(sheet: Worksheet, row: int, column: int, value: Any, number_format: str | None) -> None:
    cell = sheet.cell(row, column)
    if value is None:
        return
    if number_format is None:
        text = text_of(value)
        cell.value = text
        cell.data_type = "s"
        # Edited by hand, such a cell stays text.
        cell.quotePrefix = text.startswith(FORMULA_SIGNS)
    else:
        cell.value = value
        cell.number_format = number_format


def _table(sheet: Worksheet, fields: Sequence[Field], rows: Sequence[Any], top: int = 1) -> None:
    """A table with a frozen header, filters and widths that fit."""
    for column, field in enumerate(fields, 1):
        header = sheet.cell(top, column, field.header)
        header.font = Font(bold=True, color="FFFFFF")
        header.fill = PatternFill("solid", fgColor="1F3864")
        header.alignment = Alignment(vertical="center", horizontal="left" if field.number_format is None else "right")
        widest = len(field.header) + 4  # the filter's arrow
        for number, row in enumerate(rows, top + 1):
            value = field.value(row)
            _put(sheet, number, column, value, field.number_format)
            widest = max(widest, _shown_width(value, field.number_format) + 2)
            if field.number_format is None and widest > WIDEST:
                sheet.cell(number, column).alignment = Alignment(wrap_text=True, vertical="top")
        letter = get_column_letter(column)
        sheet.column_dimensions[letter].width = min(max(widest, sheet.column_dimensions[letter].width if top > 1 else 0), WIDEST)
    sheet.freeze_panes = f"A{top + 1}"
    sheet.auto_filter.ref = f"A{top}:{get_column_letter(len(fields))}{top + max(len(rows), 1)}"
    sheet.page_setup.orientation = "landscape"
    sheet.page_setup.fitToHeight = 0
    sheet.sheet_properties.pageSetUpPr.fitToPage = True  # type: ignore[union-attr]
    sheet.print_title_rows = f"{top}:{top}"


def _shown_width(value: Any, number_format: str | None) -> int:
    if value is None:
        return 0
    if number_format == MONEY:
        return len(f"${value:,.2f}")
    if number_format == MONTH:
        return 7
    return len(text_of(value))


def _capacity(sheet: Worksheet, fields: Sequence[Field], team: Capacity | None) -> None:
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
    for number, (label, value, number_format) in enumerate(facts, 1):
        sheet.merge_cells(start_row=number, start_column=1, end_row=number, end_column=4)
        _put(sheet, number, 1, label, None)
        _put(sheet, number, 5, value, number_format)
        sheet.cell(number, 5).font = Font(bold=True)
    _table(sheet, fields, team.plan if team is not None else (), top=len(facts) + 2)


def _without_clock(content: bytes, night: date) -> bytes:
    """The same workbook with the night for its dates: openpyxl writes the time of saving into the properties and the archive."""
    stamp = datetime(night.year, night.month, night.day).strftime("%Y-%m-%dT%H:%M:%SZ")
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as saved, zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as fixed:
        for name in saved.namelist():
            part = saved.read(name)
            if name == "docProps/core.xml":
                part = re.sub(rb"(<dcterms:(created|modified)[^>]*>)[^<]*", rb"\g<1>" + stamp.encode(), part)
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            fixed.writestr(entry, part)
    return buffer.getvalue()


def csv_text(items: Sequence[Item], known: Mapping[str, Person] | None = None) -> str:
    """The list as CSV (UTF-8, RFC 4180). Text that a spreadsheet would take for a formula has an apostrophe before it."""
    fields = with_names(ITEM_FIELDS, known) if known is not None else ITEM_FIELDS
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


def write_worklists(house: House, practice_ids: Sequence[str] | None = None) -> list[Written]:
    """Writes worklists/<practice_id>/<newest night>.xlsx and .csv (0600) for every published practice, or the given ones: whole, and only
    where the list has changed."""
    with open_marts(house):  # held open, what reads it below does not open the file anew
        nights = newest_nights(house)
        groups = list(dict.fromkeys(group for _, group in kinds(house)))
        wanted = [name for name in nights if practice_ids is None or name in practice_ids]
        by_practice: dict[str, list[Item]] = {name: [] for name in wanted}
        for item in work_items(house, wanted[0] if len(wanted) == 1 else None):
            if item.practice_id in by_practice:
                by_practice[item.practice_id].append(item)
        return [_write(house, name, nights[name], groups, items) for name, items in by_practice.items()]


def _write(house: House, practice_id: str, night: date, groups: Sequence[str], items: Sequence[Item]) -> Written:
    team = capacity(house, practice_id)
    target = house.worklists / practice_id / f"{night}.xlsx"
    files = (target, target.with_suffix(".csv"))
    seal = house.state / "worklists" / f"{practice_id}.sha256"
    content = json.dumps([str(night), [asdict(item) for item in items], asdict(team) if team else None], default=str)
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
    team = capacity(house, practice_id)
    wanted = {item.patient_id for item in items} | {row.patient_id for row in (team.plan if team else ())}
    known = people(house, practice_id, sorted(wanted))
    target = house.worklists / practice_id / f"{night}-with-names.xlsx"
    groups = list(dict.fromkeys(group for _, group in kinds(house)))
    write_private(target, xlsx(items, groups, team, night, known))
    write_private(target.with_suffix(".csv"), csv_text(items, known))
    return target, target.with_suffix(".csv")
