"""The dbt project as it lies on disk and what dbt made of it: where they are, and what names the state that they are in."""

from __future__ import annotations

import hashlib
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

from orchestration.house import DBT_PROJECT, House

# What dbt made of the project when it was last parsed. It names no home, so that all homes of this checkout share it.
PARSED = DBT_PROJECT / "target" / "parsed"


def project_fingerprint() -> str:
    """SHA-256 over every file that dbt reads: models, seeds, tests, macros, configuration."""
    digest = hashlib.sha256()
    for path in sorted(DBT_PROJECT.rglob("*")):
        relative = path.relative_to(DBT_PROJECT)
        if path.is_file() and relative.parts[0] not in ("target", "logs") and path.suffix in (".sql", ".yml", ".csv"):
            digest.update(f"{relative}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def seeds_fingerprint() -> str:
    """SHA-256 over the seeds and how they are typed: they are loaded again only when this changes."""
    digest = hashlib.sha256()
    for path in sorted([*(DBT_PROJECT / "seeds").rglob("*"), *(DBT_PROJECT / "settings").rglob("*")]):
        if path.is_file():
            digest.update(f"{path.name}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def target_folder(house: House) -> Path:
    """Where dbt writes what it makes of the project for this home."""
    return house.state / "dbt" / "target"


def state_of_project() -> str:
    """Names the project, where it lies (dbt keeps the path of its seeds) and the dbt that reads it."""
    text = f"{project_fingerprint()}\0{DBT_PROJECT}\0{version('dbt-core')}\0{version('dbt-duckdb')}"
    return hashlib.sha256(text.encode()).hexdigest()


def load_manifest(path: Path) -> dict[str, Any]:
    """A manifest as dbt wrote it."""
    manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return manifest
