"""What a FHIR import landed, and what of the export it did not: by resource and reason, never whose it is."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any

from orchestration.importers.report import Unmapped


@dataclass(frozen=True)
class Resource:
    """One resource type: lines = older + deleted + used + not used. `older`: versions that a newer one of the same id replaced."""

    lines: int
    older: int
    deleted: int
    used: int

    @property
    def unused(self) -> int:
        return self.lines - self.older - self.deleted - self.used


@dataclass
class FhirReport:
    """Counts of one import. `to_text` for people, `to_json` for `--json`."""

    source: str
    practice_id: str
    night: date
    exports: int
    resources: dict[str, Resource] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    """Rows landed by table; a table that is not here was not landed."""
    unmapped: list[Unmapped] = field(default_factory=list)
    """Resources that gave nothing (they add up to `unused`), by resource and reason."""
    lacking: list[Unmapped] = field(default_factory=list)
    """Resources that gave something and lost something, and what of the folder was not read."""
    assumptions: list[str] = field(default_factory=list)
    was_there: bool = False
    """The night's folder held the very same files already; nothing was written."""

    def count(self, what: str, reason: str | None = None) -> int:
        """Resources of `unmapped` and `lacking` with that subject, and reason if one is given."""
        return sum(one.rows for one in (*self.unmapped, *self.lacking) if one.what == what and reason in (None, one.reason))

    def to_json(self) -> dict[str, Any]:
        content = asdict(self) | {"night": self.night.isoformat()}
        content["resources"] = {name: asdict(one) | {"unused": one.unused} for name, one in self.resources.items()}
        return content

    def to_text(self) -> str:
        told = "FHIR export" if self.exports == 1 else f"{self.exports} FHIR exports in"
        lines = [f"{told} {self.source}, landed for {self.practice_id} as the night of {self.night}"]
        if self.was_there:
            lines.append("The night's folder held the very same files already; nothing was written.")
        lines += ["", f"{'Resource':<18}{'lines':>12}{'older':>10}{'deleted':>10}{'used':>12}{'not used':>12}"]
        for name, one in self.resources.items():
            lines.append(f"{name:<18}{one.lines:>12,}{one.older:>10,}{one.deleted:>10,}{one.used:>12,}{one.unused:>12,}")
        lines += ["", f"{'Table':<18}{'rows landed':>12}"]
        lines += [f"{table:<18}{count:>12,}" for table, count in self.rows.items()]
        for title, found in (("Not used", self.unmapped), ("Used in part, or not read", self.lacking)):
            lines += ["", title]
            for lost in found:
                detail = f" ({lost.detail})" if lost.detail else ""
                lines.append(f"  {lost.rows:>9,}  {lost.what}: {lost.reason}{detail}")
            if not found:
                lines.append("  nothing")
        lines += ["", "Taken for granted"]
        lines += [f"  - {text}" for text in self.assumptions]
        return "\n".join(lines)
