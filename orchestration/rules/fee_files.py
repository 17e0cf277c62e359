"""Reads CMS's own fee files as they are published: PPRRVU (relative values) and GPCI (practice cost indices).

Layout (rules.md B4.3). PPRRVU: a banner of varying length, then a header stacked over several rows whose last row begins with `HCPCS`; its labels
repeat, so columns are taken by position and their stacked labels are asserted. The conversion factor alone is found by its label, because files
before 2026 have one column fewer in front of it. GPCI: a title, a header row, the localities, then footnotes; by position, because the name of
the fourth column changes with the floor. Descriptors are dropped while reading and never kept.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path

from orchestration.house import HouseError

QUARTERS = {"jan": "A", "apr": "B", "jul": "C", "oct": "D"}

_TITLE = re.compile(r"(\d{4})\s+national physician fee schedule relative value file\s+([a-z]{3})[a-z]*\s+release", re.IGNORECASE)
_RELEASED = re.compile(r"\bRELEASED\s+(\d{1,2}/\d{1,2}/\d{4})", re.IGNORECASE)
_VALUE_FILE_NAME = re.compile(r"PPRRVU(?:20)?(\d{2})_?(JAN|APR|JUL|OCT)", re.IGNORECASE)
_GPCI_TITLE = re.compile(r"\bCY\s*(\d{4})\b", re.IGNORECASE)
_GPCI_FILE_NAME = re.compile(r"GPCI(?:20)?(\d{2})", re.IGNORECASE)

# Position, and the labels that the two lowest rows of the stacked header carry there.
_LABELS = {
    0: ("", "HCPCS"),
    1: ("", "MOD"),
    3: ("STATUS", "CODE"),
    5: ("WORK", "RVU"),
    6: ("NON-FAC", "PE RVU"),
    8: ("FACILITY", "PE RVU"),
    10: ("MP", "RVU"),
    11: ("NON-FACILITY", "TOTAL"),
    12: ("FACILITY", "TOTAL"),
}
_WORK, _NONFACILITY_PE, _FACILITY_PE, _MALPRACTICE, _NONFACILITY_TOTAL, _FACILITY_TOTAL = 5, 6, 8, 10, 11, 12
_NAMES = {
    _WORK: "WORK RVU",
    _NONFACILITY_PE: "NON-FAC PE RVU",
    _FACILITY_PE: "FACILITY PE RVU",
    _MALPRACTICE: "MP RVU",
    _NONFACILITY_TOTAL: "NON-FACILITY TOTAL",
    _FACILITY_TOTAL: "FACILITY TOTAL",
}

# Social Security Act 1848(e)(1)(G) and (I): work in Alaska is at least 1.5, practice expense in the frontier states at least 1.0.
ALASKA_WORK_FLOOR = Decimal("1.5")
FRONTIER_STATES = frozenset({"MT", "ND", "NV", "SD", "WY"})
FRONTIER_PE_FLOOR = Decimal("1.0")
WORK_FLOOR = Decimal("1.0")

_NEXT_STEP = "take the file anew from the zip that CMS publishes for the release; nothing was written"
_FAULTS_SHOWN = 5


@dataclass(frozen=True)
class RelativeValues:
    """One code without a modifier: CMS's status letter and RVUs with two decimals."""

    procedure_code: str
    status_code: str
    work: Decimal
    nonfacility_pe: Decimal
    facility_pe: Decimal
    malpractice: Decimal


@dataclass(frozen=True)
class ValueFile:
    """A PPRRVU file that adds up. `values` by code, rows with a modifier left out; `is_qualifying` is None where the name does not tell."""

    path: Path
    sha256: str
    year: int
    quarter: str
    released_on: date
    conversion_factor: Decimal
    is_qualifying: bool | None
    rows_read: int
    values: dict[str, RelativeValues]
    # Every figure of every row, modifiers too, by code and modifier: what the two files of a release must have in common.
    figures: dict[tuple[str, str], tuple[str, ...]] = field(repr=False)

    @property
    def release(self) -> str:
        return f"RVU{self.year % 100:02d}{self.quarter}"


@dataclass(frozen=True)
class Locality:
    """Indices of one Medicare locality, three decimals; the key is MAC, state and locality together, with their leading zeros."""

    mac: str
    state: str
    locality: str
    name: str
    work: Decimal
    practice_expense: Decimal
    malpractice: Decimal


@dataclass(frozen=True)
class IndexFile:
    """A GPCI file that adds up."""

    path: Path
    sha256: str
    year: int
    has_work_floor: bool
    localities: list[Locality]


class _Faults:
    """Collects what is wrong with a file, so that its owner hears of more than the first fault."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.found: list[str] = []
        self.count = 0

    def add(self, line: int, column: str, what: str) -> None:
        self.count += 1
        if self.count <= _FAULTS_SHOWN:
            self.found.append(f"{self.path}: line {line}, column {column}: {what}")

    def refuse(self) -> None:
        if self.count:
            more = [f"... and {self.count - _FAULTS_SHOWN} more faults of this file"] if self.count > _FAULTS_SHOWN else []
            raise HouseError("\n".join([*self.found, *more, f"{self.path}: refused; {_NEXT_STEP}"]))


def read_fee_file(path: Path) -> ValueFile | IndexFile:
    """Reads a PPRRVU or GPCI file, told apart by its content. HouseError names file, line, column and rule when it does not add up."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise HouseError(f"{path}: cannot be read ({error.strerror}); nothing was written") from None
    records = _records(path, content)
    sha256 = hashlib.sha256(content).hexdigest()
    for place, (_, cells) in enumerate(records):
        if cells and cells[0].upper() == "HCPCS":
            return _value_file(path, sha256, records, place)
        if len(cells) > 6 and cells[1].upper() == "STATE" and cells[2].upper().startswith("LOCALITY"):
            return _index_file(path, sha256, records, place)
    raise HouseError(
        f"{path}: no row begins with HCPCS and none is the header of a GPCI file, so it is neither a PPRRVU nor a GPCI file; "
        "give the .csv files of CMS's release, such as PPRRVU2026_Jul_nonQPP.csv and GPCI2026.csv; nothing was written"
    )


def _records(path: Path, content: bytes) -> list[tuple[int, list[str]]]:
    """Line number and stripped cells of every record; blank ones too."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    records: list[tuple[int, list[str]]] = []
    try:
        for cells in reader:
            records.append((reader.line_num, [cell.strip() for cell in cells]))
    except csv.Error as error:
        raise HouseError(f"{path}: line {reader.line_num}: not readable as CSV ({error}); {_NEXT_STEP}") from None
    return records


def _is_blank(cells: list[str]) -> bool:
    return not any(cell.strip("\x1a") for cell in cells)


def _number(text: str, places: int) -> Decimal | None:
    """A figure of at most `places` decimals, not negative; None for anything else."""
    if not re.fullmatch(r"\d*\.?\d*", text):
        return None
    try:
        value = Decimal(text)
        exact = value.quantize(Decimal(1).scaleb(-places))
    except InvalidOperation:
        return None
    return exact if exact == value else None


def _value_file(path: Path, sha256: str, records: list[tuple[int, list[str]]], header: int) -> ValueFile:
    header_line, labels = records[header]
    above = records[header - 1][1] if header else []
    faults = _Faults(path)

    def stacked(place: int) -> tuple[str, str]:
        return (above[place].upper() if place < len(above) else "", labels[place].upper() if place < len(labels) else "")

    for place, wanted in _LABELS.items():
        if stacked(place) != wanted and not (wanted[0] == "" and stacked(place)[1] == wanted[1]):
            faults.add(
                header_line,
                str(place + 1),
                f"the header reads {' '.join(stacked(place)).strip() or 'nothing'!r}, not {' '.join(wanted).strip()!r}: the layout is another one",
            )
    factors = [place for place in range(len(labels)) if stacked(place) == ("CONV", "FACTOR")]
    if len(factors) != 1:
        faults.add(header_line, "CONV FACTOR", f"{len(factors)} columns carry this label; there must be one")
    faults.refuse()

    year, quarter, released_on = _release_of(path, records[:header])
    values, figures, factor, rows_read = _values(path, records[header + 1 :], factors[0], len(labels))
    name = path.stem.upper()
    is_qualifying = False if "NONQP" in name else True if "QP" in name else None
    return ValueFile(path, sha256, year, quarter, released_on, factor, is_qualifying, rows_read, values, figures)


def _release_of(path: Path, banner: list[tuple[int, list[str]]]) -> tuple[int, str, date]:
    """Year, quarter letter and day of release: the banner says them, and a name that says otherwise is refused."""
    cells = [(line, cell) for line, row in banner for cell in row if cell]
    titles = [(line, found) for line, cell in cells if (found := _TITLE.search(cell))]
    released = [(line, found[1]) for line, cell in cells if (found := _RELEASED.search(cell))]
    if len(titles) != 1 or titles[0][1][2].lower() not in QUARTERS:
        raise HouseError(
            f"{path}: line 1: no banner row says '<year> National Physician Fee Schedule Relative Value File <month> Release', "
            f"so the release is not known; {_NEXT_STEP}"
        )
    if not released:
        raise HouseError(
            f"{path}: line 1: no banner row says 'RELEASED <month/day/year>', so the release is not known; {_NEXT_STEP}"
        )
    line, title = titles[0]
    year, quarter = int(title[1]), QUARTERS[title[2].lower()]
    named = _VALUE_FILE_NAME.search(path.name)
    if named and (2000 + int(named[1]), QUARTERS[named[2].lower()]) != (year, quarter):
        raise HouseError(f"{path}: line {line}: the banner says {title[0]!r}, the name of the file says otherwise; {_NEXT_STEP}")
    try:
        released_on = datetime.strptime(released[0][1], "%m/%d/%Y").date()
    except ValueError:
        raise HouseError(f"{path}: line {released[0][0]}: RELEASED {released[0][1]} is no day; {_NEXT_STEP}") from None
    return year, quarter, released_on


def _values(
    path: Path, records: list[tuple[int, list[str]]], factor_place: int, width: int
) -> tuple[dict[str, RelativeValues], dict[tuple[str, str], tuple[str, ...]], Decimal, int]:
    faults = _Faults(path)
    values: dict[str, RelativeValues] = {}
    figures: dict[tuple[str, str], tuple[str, ...]] = {}
    factor: Decimal | None = None
    for line, cells in records:
        if _is_blank(cells):
            continue
        if len(cells) != width:
            faults.add(line, "HCPCS", f"the row has {len(cells)} columns, the header {width}")
            continue
        code, modifier = cells[0].upper(), cells[1].upper()
        if not re.fullmatch(r"[0-9A-Z]{5}", code):
            faults.add(line, "HCPCS", f"{cells[0][:12]!r} is no procedure code")
            continue
        if (code, modifier) in figures:
            faults.add(line, "HCPCS", f"{code} {modifier or 'without a modifier'} stands twice in the file")
            continue
        numbers = {place: _number(cells[place], 2) for place in _NAMES}
        for place, value in numbers.items():
            if value is None:
                faults.add(line, _NAMES[place], f"{code}: {cells[place][:12]!r} is no figure with two decimals")
        this_factor = _number(cells[factor_place], 4)
        if this_factor is None or this_factor <= 0:
            faults.add(line, "CONV FACTOR", f"{code}: {cells[factor_place][:12]!r} is no conversion factor")
        elif factor is None:
            factor = this_factor
        elif this_factor != factor:
            faults.add(line, "CONV FACTOR", f"{code}: {this_factor}, where the rows before have {factor}: one file has one factor")
        figures[code, modifier] = (cells[3], *(cells[place] for place in _NAMES))
        read = [value for value in numbers.values() if value is not None]
        if len(read) < len(numbers):
            continue
        work, office, facility, malpractice, office_total, facility_total = read
        for total, parts, place, part in (
            (office_total, work + office + malpractice, _NONFACILITY_TOTAL, "NON-FAC PE"),
            (facility_total, work + facility + malpractice, _FACILITY_TOTAL, "FACILITY PE"),
        ):
            if total != parts:
                faults.add(line, _NAMES[place], f"{code}: {total} is not {parts}, the sum of WORK, {part} and MP")
        if not re.fullmatch(r"[A-Z]", cells[3].upper()):
            faults.add(line, "STATUS CODE", f"{code}: {cells[3][:12]!r} is no status letter")
        if not modifier:
            values[code] = RelativeValues(code, cells[3].upper(), work, office, facility, malpractice)
    faults.refuse()
    if factor is None:
        raise HouseError(f"{path}: no row follows the header; {_NEXT_STEP}")
    return values, figures, factor, len(figures)


def _index_file(path: Path, sha256: str, records: list[tuple[int, list[str]]], header: int) -> IndexFile:
    header_line, labels = records[header]
    faults = _Faults(path)
    for column, word in ((4, "PW GPCI"), (5, "PE GPCI"), (6, "MP GPCI")):
        if word not in labels[column].upper():
            faults.add(
                header_line, str(column + 1), f"the header reads {labels[column]!r}, not {word!r}: the layout is another one"
            )
    faults.refuse()
    years = {int(found[1]) for _, row in records[:header] for cell in row if (found := _GPCI_TITLE.search(cell))}
    named = _GPCI_FILE_NAME.search(path.name)
    years |= {2000 + int(named[1])} if named else set()
    if len(years) != 1:
        raise HouseError(
            f"{path}: line 1: title and name say {' and '.join(map(str, sorted(years))) or 'no year'}; "
            f"the title must say 'CY <year>' and the name, if it has a year, the same; {_NEXT_STEP}"
        )
    # The header of a file without the floor speaks of no floor, or says 'without'.
    floor = labels[4].upper()
    has_floor = "FLOOR" in floor and "WITHOUT" not in floor
    localities: dict[tuple[str, str, str], Locality] = {}
    for line, cells in records[header + 1 :]:
        if _is_blank(cells):
            continue
        if cells[0].startswith("*") or not any(cells[1:]):
            continue  # a footnote
        place = _locality(faults, line, cells, has_floor)
        if place is None:
            continue
        key = (place.mac, place.state, place.locality)
        if key in localities:
            faults.add(
                line, "Locality Number", f"MAC {place.mac}, state {place.state}, locality {place.locality} stand twice in the file"
            )
        localities[key] = place
    faults.refuse()
    if not localities:
        raise HouseError(f"{path}: no row follows the header; {_NEXT_STEP}")
    return IndexFile(path, sha256, years.pop(), has_floor, [localities[key] for key in sorted(localities)])


def _locality(faults: _Faults, line: int, cells: list[str], has_floor: bool) -> Locality | None:
    if len(cells) < 7:
        faults.add(line, "MP GPCI", f"the row has {len(cells)} columns, not 7")
        return None
    mac, state, locality = cells[0], cells[1].upper(), cells[2]
    for value, pattern, column, form in (
        (mac, r"\d{5}", "Medicare Administrative Contractor", "five digits with their leading zeros"),
        (state, r"[A-Z]{2}", "State", "two letters"),
        (locality, r"\d{2}", "Locality Number", "two digits with their leading zeros"),
    ):
        if not re.fullmatch(pattern, value):
            faults.add(line, column, f"{value[:12]!r} is not {form} (a spreadsheet may have dropped zeros)")
            return None
    numbers = []
    for cell, column in zip(cells[4:7], ("PW GPCI", "PE GPCI", "MP GPCI"), strict=True):
        number = _number(cell, 3)
        if number is None or number <= 0:
            faults.add(line, column, f"{cell[:12]!r} is no index with three decimals")
            return None
        numbers.append(number)
    work, expense, malpractice = numbers
    where = f"{state} locality {locality}"
    if has_floor and work < WORK_FLOOR:
        faults.add(line, "PW GPCI", f"{where}: {work} is under the floor of 1.0 that the header promises")
    if state == "AK" and work < ALASKA_WORK_FLOOR:
        faults.add(line, "PW GPCI", f"{where}: {work} is under Alaska's statutory floor of 1.5")
    if state in FRONTIER_STATES and expense < FRONTIER_PE_FLOOR:
        faults.add(line, "PE GPCI", f"{where}: {expense} is under the frontier states' statutory floor of 1.0")
    name = cells[3].rstrip("*").strip()
    return Locality(mac, state, locality, name, work, expense, malpractice)
