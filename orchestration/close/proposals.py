"""Proposals as they lie in the home: `closes/<practice_id>/<YYYY-MM>/proposals/<NNN>.json` (orchestration/close/propose.py writes them)."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

from orchestration.close.versions import months
from orchestration.house import House

FILES = "[0-9][0-9][0-9].json"
_SAID = {"practice_id", "month", "version", "newest_night", "totals", "claims", "held"}


def lying(house: House) -> list[tuple[str, date, Path]]:
    """Practice, month and file of every proposal, in this order."""
    return [(name, month, path) for name, month, folder in months(house) for path in sorted((folder / "proposals").glob(FILES))]


def read(path: Path) -> dict[str, Any] | None:
    """What was proposed; None where the file is damaged."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return None
    return found if isinstance(found, dict) and found.keys() >= _SAID else None
