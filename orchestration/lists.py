"""How a list of names is told to people: the first of them, and how many more there are."""

from __future__ import annotations

from collections.abc import Sequence

MOST_NAMED = 5


def few(names: Sequence[object]) -> str:
    """The first of these names, and how many more there are."""
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(str(name) for name in names[:MOST_NAMED]) + more
