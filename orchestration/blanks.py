"""What is there but says nothing: texts of nothing but blanks."""

from __future__ import annotations

import re

# What Python calls white space (\s of DuckDB's RE2 knows only the ASCII ones), and what has no width; dbt_project/macros/blanks.sql has the same.
BLANK = (
    r"[\x09-\x0d\x1c-\x20\x{85}\x{a0}\x{1680}\x{180e}\x{2000}-\x{200d}\x{2028}\x{2029}\x{202f}\x{205f}\x{2060}\x{3000}\x{feff}]*"
)
"""A pattern as DuckDB writes it."""
_PATTERN = re.compile(re.sub(r"\\x\{([0-9a-f]+)\}", lambda number: rf"\u{int(number[1], 16):04x}", BLANK))


def is_blank(text: str | None) -> bool:
    """Whether a text is null, empty or nothing but blanks."""
    return text is None or _PATTERN.fullmatch(text) is not None


def stated(text: str | None) -> str:
    """What somebody gave as a name or a reason, without blanks around it; empty where it says nothing."""
    return "" if text is None or is_blank(text) else text.strip()
