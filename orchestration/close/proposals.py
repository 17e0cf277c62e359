"""Proposals as they lie in the home: `closes/<practice_id>/<YYYY-MM>/proposals/<NNN>.json` (orchestration/close/propose.py writes them)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FILES = "[0-9][0-9][0-9].json"
_SAID = {"practice_id", "month", "version", "newest_night", "totals", "claims", "held"}


def read(path: Path) -> dict[str, Any] | None:
    """What was proposed; None where the file is damaged."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return None
    return found if isinstance(found, dict) and found.keys() >= _SAID else None
