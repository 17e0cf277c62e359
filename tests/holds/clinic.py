"""Small practices whose every patient is claimable in October 2026, night by night, and the ways to spoil a file of theirs."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import yaml

from orchestration.code_forms import is_valid_npi
from orchestration.contracts import extract_contracts

FIRST_NIGHT, NEWEST_NIGHT = date(2026, 9, 22), date(2026, 11, 4)
PANEL_NIGHTS = (FIRST_NIGHT, date(2026, 10, 6), date(2026, 10, 20), date(2026, 11, 3), NEWEST_NIGHT)
PATIENTS = 12
_LETTERS = "ACDEFGHJKMNPQRTUVWXY"

Row = dict[str, str]
Spoil = Callable[[list[Row]], list[Row]]


def npi(number: int) -> str:
    return next(text for digit in range(10) if is_valid_npi(text := f"1{number:08d}{digit}"))


def mbi(number: int) -> str:
    return f"1{_LETTERS[number // 20 % 20]}{number % 10}4{_LETTERS[number % 20]}{_LETTERS[7]}5{_LETTERS[3]}{_LETTERS[9]}7{number // 400 % 10}"


@dataclass
class Clinic:
    """One practice. `number` tells it from the others: its ids, NPIs, tax id and submitter."""

    practice_id: str
    number: int
    patients: int = PATIENTS
    settings: dict[str, object] = field(default_factory=dict)

    def configuration(self) -> dict[str, object]:
        return {
            "practice_id": self.practice_id, "name": f"Clinic Number {self.number}", "npi": npi(1000 + self.number), "tax_id": f"12345678{self.number}",
            "taxonomy_code": "207Q00000X", "address": {"line1": "1 Main St", "city": "Springfield", "state": "IL", "postal_code": "627010001"},
            "phone": "2175550100", "time_zone": "America/Chicago", "place_of_service": "11", "mac": "06102", "locality": "99",
            "submitter_id": f"CLINIC{self.number:02d}", "receiver": {"id": "06102", "name": "NGS MEDICARE"},
            "payer": {"id": "06102", "name": "MEDICARE PART B"}, **self.settings,
        }  # fmt: skip

    def id(self, number: int) -> str:
        return f"{self.number}-P{number:02d}"

    def panel(self) -> dict[str, list[Row]]:
        who = range(1, self.patients + 1)
        tables: dict[str, list[Row]] = {
            "patients": [
                {
                    "patient_id": self.id(n), "first_name": "Ada", "last_name": f"Young{_LETTERS[n % 20]}", "birth_date": "1950-02-03", "sex": "F",
                    "address_line1": f"{n} Elm St", "city": "Springfield", "state": "IL", "postal_code": "62701", "billing_practitioner_id": self.md,
                }
                for n in who
            ],
            "coverages": [
                {
                    "patient_id": self.id(n), "coverage_type": "medicare_part_b", "member_id": mbi(100 * self.number + n), "priority": "1",
                    "effective_date": "2020-01-01",
                }
                for n in who
            ],
            "conditions": [
                {
                    "condition_id": f"{self.id(n)}-{code}", "patient_id": self.id(n), "icd10_code": code, "clinical_status": "active",
                    "recorded_date": "2024-01-05",
                }
                for n in who
                for code in ("I10", "E119")
            ],
            "consents": [
                {
                    "consent_id": f"{self.id(n)}-C", "patient_id": self.id(n), "program": "ccm", "consented_on": "2026-08-10", "method": "verbal",
                    "documented": "true",
                }
                for n in who
            ],
            "care_plans": [
                {"care_plan_id": f"{self.id(n)}-L", "patient_id": self.id(n), "established_on": "2026-08-10", "copy_given_on": "2026-08-10"}
                for n in who
            ],
            "stays": [
                {
                    "stay_id": f"{self.id(n)}-S", "patient_id": self.id(n), "stay_type": "inpatient", "admitted_on": "2026-06-01",
                    "discharged_on": "2026-06-04",
                }
                for n in who
            ],
            "care_team": [
                {"member_id": self.md, "name": "Jane Doe, MD", "credential": "MD", "npi": npi(2000 + self.number), "taxonomy_code": "207Q00000X"},
                {"member_id": self.rn, "name": "Ruth Roe", "credential": "RN"},
            ],
        }  # fmt: skip
        return tables

    @property
    def md(self) -> str:
        return f"{self.number}-MD"

    @property
    def rn(self) -> str:
        return f"{self.number}-RN"

    def log(self, night: date) -> list[Row]:
        """Tuesdays and Thursdays the nurse is ten minutes on each patient."""
        if night.weekday() not in (1, 3):
            return []
        rows = []
        for n in range(1, self.patients + 1):
            minute = 14 * 60 + 12 * n
            start, end = (f"{night}T{m // 60:02d}:{m % 60:02d}:00Z" for m in (minute, minute + 10))
            rows.append(
                {
                    "entry_id": f"{self.id(n)}-{night}", "patient_id": self.id(n), "member_id": self.rn, "program": "ccm",
                    "activity": "care_coordination", "started_at": start, "ended_at": end, "entry_method": "timer", "face_to_face": "false",
                    "note_id": f"N-{n}-{night}", "recorded_at": end, "updated_at": end, "voided": "false",
                }
            )  # fmt: skip
        return rows

    def visits(self) -> list[Row]:
        return [
            {
                "service_id": f"{self.id(n)}-V", "patient_id": self.id(n), "member_id": self.md, "procedure_code": "99214",
                "service_date": "2026-08-10", "units": "1", "billed_by": "own_practice", "ccm_discussed": "true", "updated_at": "2026-08-10T20:00:00Z",
            }
            for n in range(1, self.patients + 1)
        ]  # fmt: skip

    def land(self, home: Path, until: date = NEWEST_NIGHT) -> None:
        for night in nights(FIRST_NIGHT, until):
            self.land_night(home, night)

    def land_night(self, home: Path, night: date, spoil: dict[str, Spoil] | None = None, as_panel: bool | None = None) -> None:
        """One night's files; `spoil` changes the rows of a table before they are written."""
        tables = self.panel() if (night in PANEL_NIGHTS if as_panel is None else as_panel) else {}
        tables["time_entries"] = self.log(night)
        if night in (FIRST_NIGHT, NEWEST_NIGHT) or as_panel:
            tables["services"] = self.visits() if night == FIRST_NIGHT else []
        for table, rows in tables.items():
            write(home, self.practice_id, night, table, spoil[table](rows) if spoil and table in spoil else rows)


def nights(first: date, last: date) -> Iterable[date]:
    return (first + timedelta(days=n) for n in range((last - first).days + 1))


def path_of(home: Path, practice_id: str, night: date, table: str) -> Path:
    return home / "landing" / practice_id / f"{night}" / f"{table}.csv"


def write(
    home: Path, practice_id: str, night: date, table: str, rows: list[Row], without: tuple[str, ...] = (), extra: str = ""
) -> None:
    names = [name for name in extract_contracts()[table].names if name not in without] + ([extra] if extra else [])
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n", extrasaction="ignore", restval="")
    writer.writeheader()
    writer.writerows(rows)
    put(home, practice_id, night, table, text.getvalue().encode())


def put(home: Path, practice_id: str, night: date, table: str, content: bytes) -> None:
    path = path_of(home, practice_id, night, table)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_symlink():
        path.unlink()
    path.write_bytes(content)


def configure(home: Path, clinics: Iterable[Clinic]) -> None:
    home.mkdir(parents=True, exist_ok=True)
    (home / "practices.yaml").write_text(yaml.safe_dump({"practices": [clinic.configuration() for clinic in clinics]}))
