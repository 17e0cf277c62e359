"""What an import made, what it could not map, and what was made up."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any


@dataclass(frozen=True)
class Unmapped:
    """Rows of the export that left no trace or lost something, counted: never whose they are."""

    what: str
    reason: str
    rows: int
    detail: str = ""


@dataclass
class ImportReport:
    """Counts of one import. `to_text` for people, `to_json` for `--json`."""

    source: str
    seed: int
    as_of: date
    nights: tuple[date, ...]
    practices: dict[str, str] = field(default_factory=dict)
    """practice_id to name."""
    sites: dict[str, int] = field(default_factory=dict)
    """practice_id to how many sites of the export it is made of."""
    rows: dict[str, dict[str, int]] = field(default_factory=dict)
    """Data rows by practice and table, over all nights."""
    records: dict[str, dict[str, int]] = field(default_factory=dict)
    """Distinct rows by practice and table, as known on the last night."""
    panel: dict[str, dict[str, int]] = field(default_factory=dict)
    """By practice, on the last night: patients, those with Part B outside Medicare Advantage, those with a consent."""
    unmapped: list[Unmapped] = field(default_factory=list)
    overlaid: list[str] = field(default_factory=list)
    assumptions: list[str] = field(default_factory=list)
    closable: tuple[date, ...] = ()
    """Months (first days) that the landed nights are enough to close."""
    was_there: bool = False
    """The home holds the very same import already; nothing was written."""

    def count(self, what: str, reason: str | None = None) -> int:
        """Rows of `unmapped` with that subject, and reason if one is given."""
        return sum(one.rows for one in self.unmapped if one.what == what and reason in (None, one.reason))

    def to_json(self) -> dict[str, Any]:
        content = asdict(self)
        for key in ("nights", "closable"):
            content[key] = [day.isoformat() for day in content[key]]
        return content | {"as_of": self.as_of.isoformat()}

    def to_text(self) -> str:
        lines = [
            f"Synthea export {self.source}, as of {self.as_of}"
            + (" (this home holds this very import already; nothing was written)" if self.was_there else ""),
            f"{len(self.nights)} nights from {self.nights[0]} to {self.nights[-1]}; months that can close: "
            + (", ".join(f"{month:%Y-%m}" for month in self.closable) or "none"),
            "",
            "Practices",
        ]
        for practice_id, name in self.practices.items():
            panel = self.panel[practice_id]
            lines.append(
                f"  {practice_id}: {name}, {self.sites[practice_id]} sites; {panel['patients']} patients, "
                f"{panel['part_b']} with Part B, {panel['consented']} with a documented consent"
            )
        lines += ["", f"{'Table':<14}{'rows on the last night':>24}{'rows landed, all nights':>26}"]
        for table in next(iter(self.rows.values())):
            now = sum(counts[table] for counts in self.records.values())
            landed = sum(counts[table] for counts in self.rows.values())
            lines.append(f"{table:<14}{now:>24,}{landed:>26,}")
        lines += ["", "Not mapped"]
        for one in self.unmapped:
            detail = f" ({one.detail})" if one.detail else ""
            lines.append(f"  {one.rows:>7,}  {one.what}: {one.reason}{detail}")
        if not self.unmapped:
            lines.append("  nothing")
        lines += ["", f"Made up, because no export has it (seed {self.seed})"]
        lines += [f"  - {text}" for text in self.overlaid]
        lines += ["", "Taken for granted"]
        lines += [f"  - {text}" for text in self.assumptions]
        return "\n".join(lines)
