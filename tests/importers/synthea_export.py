"""A small Synthea-like export, written by the tests in the layouts of two vintages."""

from __future__ import annotations

import csv
from datetime import date, timedelta
from pathlib import Path

SITES = {
    # id: name, city, state, zip. A VA site, a site with a ZIP code that is nobody's, and a hospital.
    "org-north": ("NORTH  STREET FAMILY PRACTICE", "PHILADELPHIA", "PA", "191291146"),
    "org-south": ("SOUTH STREET INTERNISTS", "PHILADELPHIA", "PA", "19148"),
    "org-east": ("EAST END CLINIC", "PHILADELPHIA", "PA", "181271623"),
    "org-va": ("Philadelphia VA Medical Center", "Philadelphia", "PA", "19104"),
    "org-hospital": ("CITY HOSPITAL", "PHILADELPHIA", "PA", "19104"),
}
PAYERS = {
    "pay-medicare": ("Medicare", "GOVERNMENT"),
    "pay-dual": ("Dual Eligible", "GOVERNMENT"),
    "pay-medicaid": ("Medicaid", "GOVERNMENT"),
    "pay-aetna": ("Aetna", "PRIVATE"),
    "pay-local": ("Local Mutual", "PRIVATE"),
    "pay-none": ("NO_INSURANCE", "NO_INSURANCE"),
    "pay-odd": ("Odd Fellows", "GOVERNMENT"),
}
HYPERTENSION, DIABETES, EMPLOYED, UNHEARD_OF = "59621000", "44054006", "160903007", "999999999"
# Everybody's site and payer, in turn; the last few have a fate of their own.
_TURNS = ("org-north", "org-north", "org-north", "org-south", "org-south", "org-east")
PEOPLE = 36


def write_export(folder: Path, vintage: str = "new") -> Path:
    """`new`: with ORGANIZATION, SYSTEM, NAME, START_DATE; `old`: none of them, START_YEAR, lower case, fewer files."""
    tables = _tables()
    if vintage == "old":
        tables = _as_old(tables)
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in tables.items():
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    return folder


def _tables() -> dict[str, list[dict[str, str]]]:
    tables: dict[str, list[dict[str, str]]] = {
        "organizations": [
            {"Id": key, "NAME": name, "ADDRESS": "1 Main St", "CITY": city, "STATE": state, "ZIP": zip_code,
             "PHONE": "2155550100"}
            for key, (name, city, state, zip_code) in SITES.items()
        ],
        "providers": [
            {"Id": f"doc-{key[4:]}", "ORGANIZATION": key, "NAME": f"Doc{n} Person{n}", "SPECIALITY": "GENERAL PRACTICE"}
            for n, key in enumerate(SITES)
        ],
        "payers": [{"Id": key, "NAME": name, "OWNERSHIP": owner} for key, (name, owner) in PAYERS.items()],
        "patients": [], "encounters": [], "conditions": [], "careplans": [], "payer_transitions": [],
    }  # fmt: skip
    for number in range(PEOPLE):
        _person(tables, number)
    return tables


def _person(tables: dict[str, list[dict[str, str]]], number: int) -> None:
    patient = f"pat-{number:02d}"
    site = "org-va" if number == 30 else _TURNS[number % len(_TURNS)]
    died = {31: "2024-05-01", 32: "2026-09-20"}.get(number, "")
    tables["patients"].append(
        {"Id": patient, "BIRTHDATE": f"{1940 + number % 12}-03-{number % 27 + 1:02d}", "DEATHDATE": died,
         "FIRST": f"First{number}", "MIDDLE": "", "LAST": f"Last{number}", "GENDER": "FM"[number % 2],
         "ADDRESS": "2 Side St", "CITY": "Philadelphia", "STATE": "Pennsylvania", "ZIP": "19145"}
    )  # fmt: skip
    if number != 33:  # who was never seen
        last = date(2024, 5, 1) if number == 31 else date(2026, 9, 5)
        for year in range(3):
            day = last - timedelta(days=365 * year + number)
            _visit(tables, f"{patient}-w{year}", patient, site, "wellness", "162673000", day)
        _visit(tables, f"{patient}-amb", patient, site, "ambulatory", "185349003", last - timedelta(days=90 + number))
    if number == 0:
        hospital = "org-hospital"
        _visit(tables, "stay-1", patient, hospital, "inpatient", "32485007", date(2026, 8, 20), date(2026, 8, 24))
        _visit(tables, "stay-2", patient, hospital, "snf", "32485007", date(2026, 8, 24), date(2026, 9, 10))
        _visit(tables, "er-1", patient, hospital, "emergency", "50849002", date(2026, 8, 20))
        _visit(tables, "odd-1", patient, site, "ambulatory", UNHEARD_OF, date(2026, 8, 11))
        # 23:30 in Philadelphia: the next day in UTC
        tables["encounters"].append(
            _encounter("late-1", patient, site, "ambulatory", "185349003", "2026-08-13T03:30:00Z", "2026-08-13T03:45:00Z")
        )
    for code, start, stop in (
        (HYPERTENSION, "2010-02-01", ""), (DIABETES, "2012-02-01", ""), (EMPLOYED, "2000-01-01", "2005-01-01"),
    ):  # fmt: skip
        tables["conditions"].append(_condition(patient, code, start, stop, "Full-time (finding)" if code == EMPLOYED else ""))
    if number == 1:
        tables["conditions"].append(_condition(patient, UNHEARD_OF, "2020-01-01", "", "Something (disorder)"))
    for n, (start, stop) in enumerate((("2015-01-01", ""), ("2015-01-01", "2016-01-01"), ("2026-01-01", "2026-09-15"))):
        if number % 2 == 0:
            tables["careplans"].append({"Id": f"{patient}-plan{n}", "START": start, "STOP": stop, "PATIENT": patient})
    for start, stop, payer, secondary in _coverage(number):
        tables["payer_transitions"].append(
            {"PATIENT": patient, "MEMBERID": f"{patient}-{payer}", "START_DATE": start, "END_DATE": stop,
             "PAYER": payer, "SECONDARY_PAYER": secondary}
        )  # fmt: skip


def _coverage(number: int) -> list[tuple[str, str, str, str]]:
    special = {
        2: [("2020-06-10T00:00:00Z", "2027-06-10T00:00:00Z", "pay-none", "")],
        3: [("2020-06-10T00:00:00Z", "2027-06-10T00:00:00Z", "pay-odd", "")],
        4: [("2020-06-10T00:00:00Z", "2027-06-10T00:00:00Z", "pay-local", "")],
        5: [
            ("2020-06-10T00:00:00Z", "2026-09-12T00:00:00Z", "pay-aetna", ""),
            ("2026-09-12T00:00:00Z", "2027-09-12T00:00:00Z", "pay-medicare", ""),
        ],
        6: [("2020-06-10T00:00:00Z", "2027-06-10T00:00:00Z", "pay-dual", "")],
        7: [("2020-06-10T00:00:00Z", "2027-06-10T00:00:00Z", "pay-medicare", "pay-aetna")],
    }
    renewed = [
        ("2020-06-10T00:00:00Z", "2023-06-12T00:00:00Z", "pay-medicare", ""),
        ("2023-06-12T00:00:00Z", "2027-06-12T00:00:00Z", "pay-medicare", ""),
    ]
    return special.get(number, renewed)


def _visit(
    tables: dict[str, list[dict[str, str]]],
    key: str, patient: str, site: str, kind: str, code: str, day: date, until: date | None = None,
) -> None:  # fmt: skip
    start, stop = f"{day}T15:00:00Z", f"{until or day}T15:30:00Z"
    tables["encounters"].append(_encounter(key, patient, site, kind, code, start, stop))


def _encounter(key: str, patient: str, site: str, kind: str, code: str, start: str, stop: str) -> dict[str, str]:
    return {
        "Id": key, "START": start, "STOP": stop, "PATIENT": patient, "ORGANIZATION": site,
        "PROVIDER": f"doc-{site[4:]}", "PAYER": "", "ENCOUNTERCLASS": kind, "CODE": code, "DESCRIPTION": "",
    }  # fmt: skip


def _condition(patient: str, code: str, start: str, stop: str, description: str) -> dict[str, str]:
    return {
        "START": start, "STOP": stop, "PATIENT": patient, "ENCOUNTER": "", "SYSTEM": "SNOMED-CT", "CODE": code,
        "DESCRIPTION": description,
    }  # fmt: skip


def _as_old(tables: dict[str, list[dict[str, str]]]) -> dict[str, list[dict[str, str]]]:
    gone = {"encounters": {"ORGANIZATION"}, "conditions": {"SYSTEM"}, "providers": {"NAME"}, "payers": {"OWNERSHIP"},
            "patients": {"MIDDLE"}, "payer_transitions": {"MEMBERID", "SECONDARY_PAYER"}}  # fmt: skip
    old = {}
    for name, rows in tables.items():
        old[name] = [{key.lower(): value for key, value in row.items() if key not in gone.get(name, ())} for row in rows]
    for row in old["payer_transitions"]:
        row["START_YEAR"], row["END_YEAR"] = row.pop("start_date")[:4], row.pop("end_date")[:4]
    del old["careplans"]
    return old
