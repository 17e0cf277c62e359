"""Rule seeds as they lie in a folder: plain CSV, rows as text."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable, Mapping
from pathlib import Path

from orchestration.house import DBT_PROJECT, HouseError

SEEDS = DBT_PROJECT / "seeds"

Row = dict[str, str]


def seed_files(folder: Path = SEEDS) -> list[Path]:
    """Every seed below a folder, by name."""
    return sorted(folder.rglob("*.csv"), key=lambda path: path.name)


def rules_version() -> str:
    """Names the rule seeds by their content: 'rules-' and the first 16 hex digits of a SHA-256 over names and bytes."""
    digest = hashlib.sha256()
    for path in seed_files():
        digest.update(f"{path.name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return f"rules-{digest.hexdigest()[:16]}"


def read_seed(path: Path) -> list[Row]:
    """Rows of a seed in the order of the file; HouseError when it cannot be read."""
    try:
        with path.open(encoding="utf-8", newline="") as handle:
            return list(csv.DictReader(handle, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise HouseError(
            f"{path}: this rule seed cannot be read ({type(error).__name__}); restore it from the repository"
        ) from None


def seed_text(columns: Iterable[str], rows: Iterable[Mapping[str, str]]) -> str:
    """A seed's text: one header, LF at every line's end, quotes only where they must be."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def codes_of_rules(folder: Path = SEEDS) -> frozenset[str]:
    """Every procedure code that a rule names or that the fee schedule already prices."""
    codes: set[str] = set()
    for path in seed_files(folder):
        with path.open(encoding="utf-8") as handle:
            has_codes = "procedure_code" in handle.readline().rstrip("\n").split(",")
        if has_codes:
            codes.update(row["procedure_code"] for row in read_seed(path))
    return frozenset(codes)
