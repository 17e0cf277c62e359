"""The files of the work list: what a spreadsheet makes of them."""

from __future__ import annotations

import csv
import io
import zipfile
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal

import pytest
import xlsxwriter
from openpyxl import load_workbook

from orchestration.answer.worklist import Capacity, Item, Person, Planned
from orchestration.answer.worklist_files import _Looks, _put, csv_text, xlsx
from orchestration.house import HouseError

NIGHT = date(2026, 10, 26)
GROUPS = ["time to document", "minutes this month", "claims", "enrollment", "care plans"]
ITEM = Item(
    "p", "missing_note:e1:2026-10", "missing_note", "time to document", "Write the note for the 12 min logged on 2026-10-14.", "P1", "RN1",
    date(2026, 10, 1), 12, Decimal("66.13"), date(2026, 11, 2), 7, date(2027, 10, 31), None, "f",
)  # fmt: skip
CLAIM = replace(
    ITEM,
    item_id="denied_claim:C1",
    kind="denied_claim",
    kind_group="claims",
    member_id=None,
    minutes=None,
    dollars_at_stake=Decimal("-22.72"),
)
TEAM = Capacity(
    date(2026, 10, 1), Decimal("67.9"), 4, 271, 2, 30, Decimal("132.26"), 1, 8, Decimal("66.13"),
    (Planned(1, "P1", 12, 8, "99490", Decimal("66.13"), 8, True), Planned(2, "P2", 0, 300, "99490", Decimal("66.13"), 308, False)),
)  # fmt: skip
FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", '=HYPERLINK("http://x","y")', "=cmd|'/c calc'!A1"]


def book(items, team=TEAM, known=None):
    return load_workbook(io.BytesIO(xlsx(items, GROUPS, team, NIGHT, known)))


def table(sheet, top=1):
    rows = list(sheet.iter_rows(min_row=top, values_only=True))
    return [dict(zip(rows[0], row, strict=True)) for row in rows[1:] if any(value is not None for value in row)]


def test_the_workbook_has_all_items_then_a_sheet_for_each_group_then_the_capacity():
    sheets = book([ITEM, CLAIM])
    assert sheets.sheetnames == ["All", "Time to document", "Minutes this month", "Claims", "Enrollment", "Care plans", "Capacity"]
    assert [row["Item"] for row in table(sheets["All"])] == [ITEM.item_id, CLAIM.item_id]
    assert [row["Item"] for row in table(sheets["Time to document"])] == [ITEM.item_id]
    assert [row["Who"] for row in table(sheets["Claims"])] == ["billing office"]
    assert table(sheets["Enrollment"]) == []


def test_the_header_stays_in_sight_every_column_can_be_filtered_and_nothing_is_cut_off():
    sheet = book([ITEM, CLAIM])["All"]
    assert sheet.freeze_panes == "A2"
    assert sheet.auto_filter.ref == "A1:K3"
    for column in sheet.columns:
        shown = max(len(str(cell.value)) for cell in column if cell.value is not None and not isinstance(cell.value, datetime))
        assert sheet.column_dimensions[column[0].column_letter].width >= shown
    assert sheet.print_title_rows == "$1:$1"


def test_numbers_are_numbers_dates_are_dates_and_the_rest_is_text():
    row = next(book([ITEM])["All"].iter_rows(min_row=2))
    by_header = {cell.column: cell for cell in row}
    assert [by_header[n].data_type for n in range(1, 12)] == ["n", "s", "s", "s", "n", "d", "n", "d", "d", "s", "s"]
    assert (by_header[1].value, by_header[1].number_format) == (66.13, '"$"#,##0.00')
    assert (by_header[5].value, by_header[7].value) == (12, 7)
    assert (by_header[6].value, by_header[8].value) == (datetime(2026, 11, 2), datetime(2027, 10, 31))


@pytest.mark.parametrize("text", FORMULAS)
def test_text_that_looks_like_a_formula_is_stored_as_a_string(text):
    item = replace(ITEM, patient_id=text, member_id=text, detail=text, item_id=text)
    content = xlsx([item], GROUPS, TEAM, NIGHT, {text: Person(text, text)})
    with zipfile.ZipFile(io.BytesIO(content)) as parts:
        assert not [name for name in parts.namelist() if name.startswith("xl/worksheets/") and b"<f>" in parts.read(name)]
    row = table(load_workbook(io.BytesIO(content))["All"])[0]
    assert {row[name] for name in ("Patient", "Name", "Phone", "Who", "What to do", "Item")} == {text}
    plain = next(csv.DictReader(io.StringIO(csv_text([item]))))
    assert {plain[name] for name in ("Patient", "Who", "What to do", "Item")} == {"'" + text}
    assert plain["Worth"] == "66.13"


def test_a_negative_amount_stays_a_number_in_both_files():
    assert table(book([CLAIM])["All"])[0]["Worth"] == -22.72
    assert next(csv.DictReader(io.StringIO(csv_text([CLAIM]))))["Worth"] == "-22.72"


def test_the_csv_of_several_practices_says_whose_each_item_is():
    assert next(csv.reader(io.StringIO(csv_text([ITEM]))))[0] == "Worth"
    rows = list(csv.DictReader(io.StringIO(csv_text([ITEM, replace(ITEM, practice_id="=other")], of_several=True))))
    assert [row["Practice"] for row in rows] == [ITEM.practice_id, "'=other"]
    assert rows[0]["Item"] == ITEM.item_id


def test_control_characters_and_endless_text_make_no_broken_file():
    item = replace(ITEM, detail="a\x00b\x1fc", patient_id="x" * 40_000)
    row = table(book([item])["All"])[0]
    assert row["What to do"] == "a b c" and len(row["Patient"]) == 32_767


def test_what_a_sheet_has_no_room_for_is_an_error_and_not_left_out():
    book = xlsxwriter.Workbook(io.BytesIO(), {"in_memory": True})
    sheet, looks = book.add_worksheet(), _Looks(book)
    for value, number_format in (("P1", None), (12, "0"), (NIGHT, "yyyy-mm-dd")):
        _put(sheet, looks, 1_048_575, 0, value, number_format)
        with pytest.raises(HouseError, match="no room"):
            _put(sheet, looks, 1_048_576, 0, value, number_format)


@pytest.mark.parametrize("worth", ["100.00", "-22.70", "9999999999.99"])
def test_a_cell_of_money_has_the_very_decimal(worth):
    content = xlsx([replace(ITEM, dollars_at_stake=Decimal(worth))], GROUPS, None, NIGHT)
    with zipfile.ZipFile(io.BytesIO(content)) as parts:
        assert f"<v>{worth}</v>" in parts.read("xl/worksheets/sheet1.xml").decode()
    assert table(load_workbook(io.BytesIO(content))["All"])[0]["Worth"] == float(worth)


def test_the_same_items_give_the_same_bytes_and_the_only_date_is_the_night():
    one, two = (xlsx([ITEM, CLAIM], GROUPS, TEAM, NIGHT) for _ in range(2))
    assert one == two
    with zipfile.ZipFile(io.BytesIO(one)) as parts:
        assert {entry.date_time for entry in parts.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        core = parts.read("docProps/core.xml").decode()
    assert core.count("2026-10-26T00:00:00Z") == 2


def test_the_capacity_says_what_can_still_be_reached():
    sheet = book([ITEM])["Capacity"]
    facts = {sheet.cell(row, 1).value: sheet.cell(row, 5).value for row in range(1, 9)}
    assert facts["Usual credited minutes on a business day"] == 67.9
    assert facts["Business days left in 2026-10"] == 4
    assert facts["Worth within reach"] == 66.13
    assert sheet.column_dimensions["E"].width >= len("$132,260.00") + 2
    assert [(row["Patient"], row["Minutes to go"], row["Within reach"]) for row in table(sheet, 10)] == [
        ("P1", 8, "yes"),
        ("P2", 300, "no"),
    ]
    assert sheet.freeze_panes == "A11" and sheet.auto_filter.ref == "A10:H12"


def test_names_stand_only_in_a_list_that_was_asked_for_with_names():
    known = {"P1": Person("O'Neil, Ada", "2125550100")}
    assert "Name" not in table(book([ITEM])["All"])[0]
    row = table(book([ITEM], known=known)["All"])[0]
    assert (row["Name"], row["Phone"]) == ("O'Neil, Ada", "2125550100")
    assert [r["Name"] for r in table(book([ITEM], known=known)["Capacity"], 10)] == ["O'Neil, Ada", None]
