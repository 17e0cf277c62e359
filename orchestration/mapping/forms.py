"""Foreign forms of dates, times, durations and file names, written as people write them: MM/DD/YYYY, h:mm, timer_{YYYYMMDD}.csv."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

# What may stand in a form, the longest first, and DuckDB's word for it.
_TOKENS = {
    "YYYY": "%Y", "YY": "%y", "MMMM": "%B", "MMM": "%b", "MM": "%m", "M": "%m", "DD": "%d", "D": "%d", "HH": "%H", "H": "%H",
    "hh": "%I", "h": "%I", "mm": "%M", "ss": "%S", "fff": "%f", "AM": "%p",
}  # fmt: skip
_TOKEN = re.compile("|".join(sorted(_TOKENS, key=len, reverse=True)))
_DAY_TOKENS = ("%Y", "%y"), ("%m", "%b", "%B"), ("%d",)
_ZONE = re.compile(r" ?(TZ|Z)$")
DURATIONS = ("seconds", "minutes", "hours", "h:mm", "h:mm:ss", "mm:ss", "units")
# Seconds since 1970, and the contract's own form.
INSTANT_WORDS = ("iso", "unix", "unix_ms")
# What exports of US systems write behind a time, and its offset.
ZONE_NAMES = {
    "UTC": "Z", "GMT": "Z", "EST": "-05:00", "EDT": "-04:00", "CST": "-06:00", "CDT": "-05:00", "MST": "-07:00", "MDT": "-06:00",
    "PST": "-08:00", "PDT": "-07:00", "AKST": "-09:00", "AKDT": "-08:00", "HST": "-10:00",
}  # fmt: skip


@dataclass(frozen=True)
class TimeForm:
    """A form of a date or an instant. `strptime`: DuckDB's; `zone`: an offset (`Z`) or a zone's short name (`TZ`) stands behind."""

    written: str
    strptime: str
    zone: Literal["Z", "TZ"] | None

    @property
    def has_short_year(self) -> bool:
        return "%y" in self.strptime

    @property
    def has_time(self) -> bool:
        return "%H" in self.strptime or "%I" in self.strptime


def time_form(written: str, *, is_instant: bool) -> TimeForm:
    """Reads a form such as `MM/DD/YYYY hh:mm AM`. Raises ValueError with what is wrong with it."""
    found = _ZONE.search(written)
    strptime = ""
    rest = written[: found.start()] if found else written
    place = 0
    while place < len(rest):
        token = _TOKEN.match(rest, place)
        if token:
            strptime += _TOKENS[token[0]]
            place = token.end()
            continue
        letter = rest[place]
        if letter.isalpha() and letter != "T":
            raise ValueError(f"{written!r}: {letter!r} is no part of a form; YYYY MM DD HH (or hh with AM) mm ss are, for example")
        strptime += "%%" if letter == "%" else letter
        place += 1
    form = TimeForm(written, strptime, found[1] if found else None)  # type: ignore[arg-type]
    for wanted in _DAY_TOKENS:
        if sum(strptime.count(token) for token in wanted) != 1:
            raise ValueError(f"{written!r}: wants one year, one month (MM, not mm) and one day")
    if is_instant and not form.has_time:
        raise ValueError(f"{written!r}: wants the hour, HH or hh")
    if ("%I" in strptime) != ("%p" in strptime):
        raise ValueError(f"{written!r}: hh goes with AM, HH without")
    if not is_instant and (form.has_time or form.zone):
        raise ValueError(f"{written!r}: a date's form has no time; where the export has one, cut it off with pattern")
    return form


@dataclass(frozen=True)
class FileForm:
    """The vendor's name of a file: text, `*`, and a date in braces."""

    written: str
    pattern: re.Pattern[str]
    strptime: str | None

    def night(self, name: str) -> date | None:
        """The date in a file's name; None where its form has none. Raises ValueError where the name's is no date."""
        found = self.pattern.fullmatch(name)
        if found is None:
            raise ValueError("is no name of this form")
        if self.strptime is None:
            return None
        return datetime.strptime(found["date"], self.strptime).date()


_BRACES = re.compile(r"\{([^{}]*)\}")
_FILE_TOKENS = {"YYYY": r"\d{4}", "YY": r"\d{2}", "MM": r"\d{2}", "DD": r"\d{2}", "MMM": "[A-Za-z]{3}"}


def file_form(written: str) -> FileForm:
    """Reads `timer_export_{YYYYMMDD}*.csv`. Raises ValueError with what is wrong with it."""
    if "/" in written or "\\" in written or written.startswith("."):
        raise ValueError(f"{written!r}: is the name of a file, without folders")
    braces = _BRACES.findall(written)
    if len(braces) > 1 or written.count("{") != len(braces) or written.count("}") != len(braces):
        raise ValueError(f"{written!r}: has one date in braces at most, such as {{YYYYMMDD}}")
    if not braces:
        return FileForm(written, re.compile(_globbed(written)), None)
    form = time_form(braces[0], is_instant=False)
    before, _, behind = written.partition("{" + braces[0] + "}")
    dated = "".join(_FILE_TOKENS.get(part) or re.escape(part) for part in re.split(r"(YYYY|YY|MMM|MM|DD)", braces[0]) if part)
    return FileForm(written, re.compile(f"{_globbed(before)}(?P<date>{dated}){_globbed(behind)}"), form.strptime)


def _globbed(text: str) -> str:
    return "[^/]*".join(re.escape(part) for part in text.split("*"))
