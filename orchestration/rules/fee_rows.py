"""The fee seeds of a folder and what a loading would add to them: rows with their dates and citation, and how they are written."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

from orchestration.house import HouseError
from orchestration.rules.seeds import Row, read_seed, seed_text

REFERENCE = "reference"
RVUS, GPCIS, FACTORS, FILES = "rule_rvus", "rule_gpcis", "rule_conversion_factors", "rule_fee_files"
ORDER = {
    RVUS: ("procedure_code", "release", "effective_from"),
    GPCIS: ("mac", "locality", "state", "effective_from", "release"),
    FACTORS: ("qualifying_apm_participant", "effective_from", "release"),
    FILES: ("effective_from", "release", "kind", "file_name"),
}


@dataclass(frozen=True)
class AmountChange:
    """A national amount of one unit of a claimable code, in dollars, on the first of the service dates that it holds for; None: no price."""

    procedure_code: str
    service_date: date
    amount: str  # 'office', 'office, qualifying participant' or 'facility'
    before: Decimal | None
    after: Decimal | None


@dataclass(frozen=True)
class LocalityChange:
    """What one unit of the base code comes to in a locality, in dollars, on the first of the service dates that it holds for."""

    mac: str
    state: str
    locality: str
    service_date: date
    procedure_code: str
    before: Decimal | None
    after: Decimal | None


@dataclass
class Loading:
    """What would be written: rows to add by seed, what they change, and what a person should know. `texts` are the whole seeds with the additions."""

    releases: list[str] = field(default_factory=list)
    files: list[dict[str, Any]] = field(default_factory=list)
    additions: dict[str, list[Row]] = field(default_factory=lambda: {seed: [] for seed in ORDER})
    notices: list[str] = field(default_factory=list)
    lacks: list[str] = field(default_factory=list)  # what of the files' years has no price with these rows either
    amounts: list[AmountChange] = field(default_factory=list)
    localities: list[LocalityChange] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        return not any(self.additions.values())


class FeeSeeds:
    """The fee seeds of a folder, with the additions so far."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows = {seed: read_seed(folder / REFERENCE / f"{seed}.csv") for seed in ORDER}
        self.before = {seed: list(rows) for seed, rows in self.rows.items()}
        described = yaml.safe_load((folder / REFERENCE / "_reference.yml").read_text(encoding="utf-8"))
        self.types: dict[str, dict[str, str]] = {
            seed["name"]: seed["config"]["column_types"] for seed in described["seeds"] if seed["name"] in ORDER
        }

    def of(self, seed: str, **wanted: str) -> list[Row]:
        return [row for row in self.rows[seed] if all(row[name] == value for name, value in wanted.items())]

    def text(self, seed: str) -> str:
        rows = sorted(self.rows[seed], key=lambda row: tuple(row[name] for name in ORDER[seed]))
        return seed_text(self.types[seed], rows)


def add_rows(existing: FeeSeeds, loading: Loading, seed: str, rows: Iterable[Row]) -> None:
    """Adds rows to a seed."""
    added = list(rows)
    existing.rows[seed] += added
    loading.additions[seed] += added


def dated(first_day: date, citation: str) -> Row:
    """The columns that every rule row ends with; it holds to the end of its first day's year."""
    return {
        "effective_from": first_day.isoformat(),
        "effective_to": date(first_day.year, 12, 31).isoformat(),
        "confidence": "source",
        "citation": citation,
    }


def citation_of(path: Path, release: str) -> str:
    """The file of CMS that a row is from."""
    return f"CMS {path.stem} ({release})"


def holds(row: Mapping[str, str], day: str) -> bool:
    """Whether a dated row holds on a day, YYYY-MM-DD."""
    return row["effective_from"] <= day <= (row["effective_to"] or "9999-12-31")


def claimable_codes(folder: Path, since: date, until: date) -> set[str]:
    """Codes that a rule can claim on some day of these."""
    return {row["procedure_code"] for row in claiming_rows(folder) if touches(row, since, until)}


def claiming_rows(folder: Path) -> list[Row]:
    """The rule rows by which a code is claimed."""
    rules = folder / "rules"
    return [*read_seed(rules / "rule_bands.csv"), *read_seed(rules / "rule_apcm_levels.csv")]


def touches(row: Mapping[str, str], since: date, until: date) -> bool:
    """Whether a dated row holds on some day of these."""
    return row["effective_from"] <= until.isoformat() and since.isoformat() <= (row["effective_to"] or "9999-12-31")


def write_seeds(loading: Loading, folder: Path) -> list[Path]:
    """Writes the seeds that got rows into a folder: all of them are written aside first, so that a full disk leaves the old ones."""
    written: list[tuple[Path, Path]] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for seed, rows in loading.additions.items():
            final = folder / f"{seed}.csv"
            if not rows and final.exists():
                continue
            scratch = folder / f".{seed}.{os.getpid()}.tmp"
            written.append((scratch, final))
            scratch.write_text(loading.texts[seed], encoding="ascii")
            scratch.chmod(final.stat().st_mode & 0o777 if final.exists() else 0o644)
        for scratch, final in written:
            scratch.replace(final)
    except OSError as error:
        raise HouseError(
            f"{folder}: the seeds cannot be written ({error.strerror}); nothing was changed unless said above"
        ) from None
    finally:
        for scratch, _ in written:
            scratch.unlink(missing_ok=True)
    return [final for _, final in written]
