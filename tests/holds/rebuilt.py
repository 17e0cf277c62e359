"""What a rebuild runs over a packet's frozen rows: the models, each with a number of its SQL but for comments and white space (`make rebuilt`). Whoever
changes one is asked what becomes of packets of before."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from orchestration.close.rebuild import _GIVEN, _NEEDED
from orchestration.transform import compiled

KEPT = Path(__file__).with_name("rebuilt.txt")
_PARTS = re.compile(r"""(--[^\n]*|/\*.*?\*/)|('(?:[^']|'')*'|"[^"]*"|\w+|[^\w\s])""", re.DOTALL).findall


def number(sql: str) -> str:
    """The same for SQL that says the same in the same words."""
    return hashlib.sha256("\0".join(said for _, said in _PARTS(sql) if said).encode()).hexdigest()[:12]


def drawn() -> str:
    """A line for each model, by name."""
    return "".join(sorted(f"{model.name} {number(model.sql)}\n" for model in compiled.in_order(_NEEDED, given=_GIVEN)))


if __name__ == "__main__":
    KEPT.write_text(drawn(), encoding="utf-8")
    print(f"{KEPT.name}: do packets that were closed before still come out the same (ADR 7)?")
