"""The fee schedule (rules.md A7): plain multiplication in decimals, rounded once."""

import csv
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

from . import rules
from .landing import without_blanks

CENT = Decimal("0.01")


def to_cents(amount: Decimal) -> Decimal:
    return amount.quantize(CENT, rounding=ROUND_HALF_UP)


class Reference:
    """CMS's and AHRQ's figures, from the seeds."""

    def __init__(self, seeds: Path):
        self.rvus: dict[str, list[dict[str, str]]] = {}
        for row in self._read(seeds, "rule_rvus"):
            self.rvus.setdefault(row["procedure_code"], []).append(row)
        self.gpcis: dict[tuple[str, str, str], list[dict[str, str]]] = {}
        for row in self._read(seeds, "rule_gpcis"):
            self.gpcis.setdefault((row["mac"], row["state"], row["locality"]), []).append(row)
        self.factors = self._read(seeds, "rule_conversion_factors")
        self.prefixes = [(r["condition_group"], r["icd10_prefix"]) for r in self._read(seeds, "rule_condition_prefixes")]
        groups = self._read(seeds, "rule_condition_groups")
        self.acute_groups = {r["condition_group"] for r in groups if r["is_acute"].lower() == "true"}
        self.ccir_chronic = {r["icd10_code"] for r in self._read(seeds, "rule_ccir_chronic_codes")}
        self.categories = {r["icd10_code"]: r["effective_from"] for r in self._read(seeds, "rule_icd10_categories")}
        self._groups_of_code: dict[str, set[str]] = {}
        self._price: dict[tuple[Any, ...], Decimal | None] = {}

    @staticmethod
    def _read(seeds: Path, name: str) -> list[dict[str, str]]:
        path = next(iter(sorted(seeds.rglob(f"{name}.csv"))))
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def chronic_groups(self, icd10_code: str) -> set[str]:
        """The chronic condition groups of one code (A1.6)."""
        code = without_blanks(icd10_code).replace(".", "").upper()
        if code not in self._groups_of_code:
            named = {group for group, prefix in self.prefixes if code.startswith(prefix)}
            if not named and code in self.ccir_chronic:
                named = {code[:3]}
            self._groups_of_code[code] = named - self.acute_groups
        return self._groups_of_code[code]

    def is_category(self, icd10_code: str, day: date) -> bool:
        """Whether a code has codes below it, so that no payer takes it."""
        return self.categories.get(without_blanks(icd10_code).replace(".", "").upper(), "9999") <= day.isoformat()

    @staticmethod
    def _on(rows: list[dict[str, str]], day: date) -> dict[str, str] | None:
        """The newest release's row that holds a day."""
        text = day.isoformat()
        rows = [r for r in rows if r["effective_from"] <= text and (not r["effective_to"] or text <= r["effective_to"])]
        return max(rows, key=lambda r: (r.get("release", ""), r["effective_from"])) if rows else None

    def unit_allowed(
        self, practice: dict[str, Any], credential: str | None, code: str, day: date, national: bool = False
    ) -> Decimal | None:
        """Allowed amount of one unit; None when no release covers the day."""
        settings = ("mac", "locality", "gpci_state", "place_of_service", "qualifying_apm_participant")
        key = (*(practice.get(name) for name in settings), practice["address"]["state"], credential, code, day, national)
        if key not in self._price:
            self._price[key] = self._unit_allowed(practice, credential, code, day, national)
        return self._price[key]

    def _unit_allowed(
        self, practice: dict[str, Any], credential: str | None, code: str, day: date, national: bool
    ) -> Decimal | None:
        rvu = self._on(self.rvus.get(code, []), day)
        place = (practice["mac"], practice.get("gpci_state") or practice["address"]["state"], practice["locality"])
        gpci = self._on(self.gpcis.get(place, []), day)
        is_qp = "true" if practice.get("qualifying_apm_participant", False) else "false"
        factor = self._on([r for r in self.factors if r["qualifying_apm_participant"].lower() == is_qp], day)
        if not rvu or not factor or (not gpci and not national):
            return None
        expense = "facility_pe_rvu" if practice["place_of_service"] in rules.FACILITY_PLACES else "nonfacility_pe_rvu"
        total = Decimal(0)
        for value, index in (
            ("work_rvu", "work_gpci"),
            (expense, "pe_gpci"),
            ("malpractice_rvu", "malpractice_gpci"),
        ):
            total += Decimal(rvu[value]) * (Decimal(1) if national or not gpci else Decimal(gpci[index]))
        amount = total * Decimal(factor["conversion_factor"])
        if credential in rules.PAID_AT_85_PERCENT:
            amount *= Decimal("0.85")
        return to_cents(amount)
