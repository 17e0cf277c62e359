"""Files in exactly the layout in which CMS publishes them, with figures given by a test. Descriptors are made up: CMS's are the AMA's."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

MONTHS = {"A": "January", "B": "April", "C": "July", "D": "October"}

# The stacked header of the 2025 files, from the lowest row up; position by position.
_LOWEST = """\
HCPCS,MOD,DESCRIPTION,CODE,PAYMENT,RVU,PE RVU,INDICATOR,PE RVU,INDICATOR,RVU,TOTAL,TOTAL,IND,DAYS,OP,OP,OP,PROC,SURG,SURG,SURG,SURG,
BASE,FACTOR,PROCEDURES,FLAG,INDICATOR,AMOUNT,AMOUNT,AMOUNT"""
_ABOVE = """\
,,,STATUS,MEDICARE ,WORK,NON-FAC,NA,FACILITY,NA,MP,NON-FACILITY,FACILITY,PCTC,GLOB,PRE,INTRA,POST,MULT,BILAT,ASST,CO-,TEAM,
ENDO,CONV,DIAGNOSTIC,CALCULATION,FAMILY,PAYMENT,PAYMENT,PAYMENT"""
_HIGHER = ",,,,FOR,,,NON-FAC,,FACILITY ,,,,,,,,,,,,,,,,SUPERVISION OF,,IMAGING,FOR OPPS,FOR OPPS,FOR OPPS"
HEADER, ABOVE, HIGHER = (text.replace("\n", "").split(",") for text in (_LOWEST, _ABOVE, _HIGHER))
PRICE_INDICATOR = 23  # the column that 2026 has and the years before have not


@dataclass
class ValueRow:
    """One row: figures as text. A total that is None is the right sum."""

    code: str
    work: str
    office: str
    facility: str
    malpractice: str
    status: str = "A"
    modifier: str = ""
    office_total: str | None = None
    facility_total: str | None = None
    factor: str | None = None

    @classmethod
    def of_seed(cls, row: Mapping[str, str]) -> ValueRow:
        names = ("procedure_code", "work_rvu", "nonfacility_pe_rvu", "facility_pe_rvu", "malpractice_rvu", "status_code")
        return cls(*(row[name] for name in names))


@dataclass
class CmsRelease:
    """A release's PPRRVU files to be."""

    year: int
    quarter: str
    released: str  # mm/dd/yyyy
    factor: str
    rows: list[ValueRow]
    qualifying_factor: str | None = None
    banner_rows: int = 9
    bom: bool = False
    encoding: str = "utf-8"
    header: list[str] = field(default_factory=lambda: list(HEADER))

    def write(self, folder: Path) -> list[Path]:
        """One file before 2026, nonQPP and QPP from then on."""
        month = MONTHS[self.quarter][:3]
        folder.mkdir(parents=True, exist_ok=True)
        if self.qualifying_factor is None:
            return [self._write(folder / f"PPRRVU{self.year}_{month}.csv", self.factor)]
        return [
            self._write(folder / f"PPRRVU{self.year}_{month}_{kind}.csv", factor)
            for kind, factor in (("nonQPP", self.factor), ("QPP", self.qualifying_factor))
        ]

    def _write(self, path: Path, factor: str) -> Path:
        wide = self.year >= 2026
        width = len(self.header) + wide
        banner = [
            f"{self.year} National Physician Fee Schedule Relative Value File {MONTHS[self.quarter]} Release",
            f"CPT codes and descriptions only are copyright {self.year - 1} American Medical Association.  All Rights Reserved. ",
            f"Dental codes (D codes) are copyright {self.year}/27 American Dental Association.  All Rights Reserved.",
            " ",
            f"RELEASED {self.released}",
        ]
        rows = [["", "", text, *[""] * (width - 3)] for text in banner]
        rows += [["", "", " ", *[""] * (width - 3)] for _ in range(self.banner_rows - len(banner) - 2)]
        for labels in (HIGHER, ABOVE, self.header):
            cells = [*labels]
            if wide:
                cells.insert(PRICE_INDICATOR, "IND" if labels is self.header else "PRIC" if labels is ABOVE else "")
            rows.append(cells)
        for row in self.rows:
            office = row.office_total or str(Decimal(row.work) + Decimal(row.office) + Decimal(row.malpractice))
            facility = row.facility_total or str(Decimal(row.work) + Decimal(row.facility) + Decimal(row.malpractice))
            cells = [
                row.code, row.modifier, f"Made-up wörds, {row.code}, 1 cal mo", row.status, "", row.work, row.office, "", row.facility,
                "NA" if row.office == row.facility else "", row.malpractice, office, facility, "0", "XXX", "0.00", "0.00", "0.00",
                "0", "0", "0", "0", "0", "", row.factor or factor, "09", "0", "99", "0.00", "0.00", "0.00",
            ]  # fmt: skip
            if wide:
                cells.insert(PRICE_INDICATOR, "9")
            rows.append(cells)
        rows.append([""] * width)
        return _write(path, rows, self.encoding, self.bom)


def write_gpcis(
    folder: Path, year: int, localities: Iterable[Mapping[str, str]], *, name: str | None = None, work_label: str | None = None
) -> Path:
    """A GPCI file: title, blank row, header, localities, blank row, footnotes. Figures as CMS writes them, without trailing zeros."""

    def short(figure: str) -> str:
        return figure.rstrip("0").rstrip(".") or "0"

    rows = [
        [f"ADDENDUM E. FINAL CY {year} GEOGRAPHIC PRACTICE COST INDICES (GPCIs) BY STATE AND MEDICARE LOCALITY", *[""] * 6],
        [""] * 7,
        [
            "Medicare Administrative Contractor (MAC)", "State", "Locality Number", "Locality Name",
            work_label or f"{year} PW GPCI (with 1.0 Floor)", f"{year} PE GPCI", f"{year} MP GPCI",
        ],
    ]  # fmt: skip
    for row in localities:
        stars = {"AK": "*", "MT": "**", "NV": "**", "ND": "**", "SD": "**", "WY": "**"}.get(row["state"], "")
        indices = [short(row[column]) for column in ("work_gpci", "pe_gpci", "malpractice_gpci")]
        rows.append([row["mac"], row["state"], row["locality"], row["locality_name"] + stars, *indices])
    rows.append([""] * 7)
    rows.append(["* Work GPCI reflects a 1.5 floor in Alaska established by the MIPPA.", *[""] * 6])
    rows.append(["** PE GPCI reflects a 1.0 floor for frontier states established by the ACA.", *[""] * 6])
    folder.mkdir(parents=True, exist_ok=True)
    return _write(folder / (name or f"GPCI{year}.csv"), rows, "utf-8", False)


def _write(path: Path, rows: list[list[str]], encoding: str, bom: bool) -> Path:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    path.write_bytes((b"\xef\xbb\xbf" if bom else b"") + text.getvalue().encode(encoding))
    return path
