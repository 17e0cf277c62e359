"""What a practice's systems knew, and since when: from this follow the files of every night."""

from __future__ import annotations

from datetime import date

from orchestration.demo.tables import COLUMNS, PANEL, Row, key_of

Version = tuple[date, Row | None]
"""The local day since which a row reads so; None when it is gone since then."""


class History:
    """All versions of all rows of one practice."""

    def __init__(self) -> None:
        self.versions: dict[str, dict[tuple[str, ...], list[Version]]] = {table: {} for table in COLUMNS}

    def learn(self, table: str, row: Row, on: date) -> None:
        """From this day on the systems show this row (a new one, or a new state of the row with its key)."""
        unknown = set(row) - set(COLUMNS[table])
        if unknown:
            raise ValueError(f"{table} has no column {', '.join(sorted(unknown))}")
        versions = self.versions[table].setdefault(key_of(table, row), [])
        versions.append((on, row))
        versions.sort(key=lambda version: version[0])  # stable: of one day, the last one learnt counts

    def forget(self, table: str, key: tuple[str, ...], on: date) -> None:
        """From this day on the row is in no snapshot."""
        versions = self.versions[table][key]
        versions[:] = [version for version in versions if version[0] < on]
        versions.append((on, None))

    def forget_patient(self, patient_id: str, on: date) -> None:
        """The patient leaves the panel: every panel table shows nothing of them any more."""
        for table in PANEL:
            for key, versions in self.versions[table].items():
                if any(row is not None and row.get("patient_id") == patient_id for _, row in versions):
                    self.forget(table, key, on)

    def as_of(self, day: date) -> dict[str, list[Row]]:
        """All rows of the twelve tables as known at the end of a day: what one full extract would hold."""
        return {
            table: [row for versions in keyed.values() if (row := newest(versions, day)) is not None]
            for table, keyed in self.versions.items()
        }


def newest(versions: list[Version], day: date) -> Row | None:
    """The state of a row at the end of a day."""
    found = None
    for on, row in versions:
        if on > day:
            break
        found = row
    return found
