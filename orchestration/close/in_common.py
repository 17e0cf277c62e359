"""What the closes of one month have in common, read once for all practices of a run and not once for each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from orchestration.close.freeze import rule_files
from orchestration.close.versions import packets
from orchestration.house import House, HouseError
from orchestration.practices import load_practices

SUBJECTS_FILE = "claim_subjects.parquet"


def _read(path: Path, columns: list[str] | None = None) -> pa.Table:
    try:
        return pq.read_table(path, columns=columns)
    except (OSError, pa.ArrowException):
        raise HouseError(f"{path}: cannot be read; restore this packet from the backup") from None


class InCommon:
    """For as long as nobody else writes the warehouse or a packet: the run that closes holds the lock that sees to it.

    Raises HouseError for a packet that cannot be read where nobody knows any more under which tax id it claimed."""

    def __init__(self, house: House, month: date) -> None:
        self._month = f"{month:%Y-%m}"
        self._house = house
        self._rules: Mapping[str, bytes] | None = None
        self._sent: dict[str, int] | None = None
        self._by_tax_id: dict[str, list[Path]] = {}
        self._by_practice: dict[str, list[Path]] = {}
        self._with_tax_id: dict[str, set[str]] = {}
        for practice in load_practices(house.practices_yaml).values() if house.practices_yaml.exists() else ():
            self._with_tax_id.setdefault(practice.tax_id, set()).add(practice.practice_id)
        for packet in packets(house, month=month, having=SUBJECTS_FILE):
            path = packet.folder / SUBJECTS_FILE
            try:
                self._add(path)
            except HouseError:
                # Whoever has its tax id meets it in `subjects`; a damaged packet is nobody else's trouble.
                tax_ids = self._tax_ids_as_read(path)
                if not tax_ids:
                    raise
                self._place(path, tax_ids)

    def _add(self, path: Path) -> None:
        self._place(path, pc.unique(_read(path, ["tax_id"])["tax_id"]).to_pylist())

    def _place(self, path: Path, tax_ids: Iterable[str]) -> None:
        for tax_id in tax_ids:
            self._by_tax_id.setdefault(tax_id, []).append(path)
        self._by_practice.setdefault(path.parents[2].name, []).append(path)

    def _tax_ids_as_read(self, path: Path) -> list[str]:
        """Under which tax ids a packet claimed, as a night read it while it was whole."""
        file, packet = self._house.lake / "configuration" / "claim_lines.parquet", path.parent
        lines = _read(file, ["practice_id", "month", "close_version", "tax_id"]) if file.exists() else None
        wanted = (packet.parents[1].name, self._month, int(packet.name[1:]))
        found = {
            row["tax_id"]
            for row in (lines.to_pylist() if lines else ())
            if (row["practice_id"], f"{row['month']:%Y-%m}", row["close_version"]) == wanted
        }
        return sorted(found)

    def published(self, packet: Path) -> None:
        """A packet of this month that has just come to stand."""
        self._add(packet / SUBJECTS_FILE)

    def subjects(self, tax_id: str, practice_id: str) -> list[tuple[str, str, str, str]]:
        """Who was claimed for the month under this tax id, and by this practice and those that have this tax id now under whatever tax id they had, in the
        order of the packets' folders: practice, claim, patient, MBI ('' where there is none). Raises HouseError where one of these packets cannot be read."""
        own = [path for name in self._with_tax_id.get(tax_id, set()) | {practice_id} for path in self._by_practice.get(name, ())]
        return [
            (path.parents[2].name, row["claim_id"], row["patient_id"], row["mbi"] or "")
            for path in sorted({*self._by_tax_id.get(tax_id, ()), *own})
            for row in _read(path).to_pylist()
            if row["tax_id"] == tax_id or path in own
        ]

    def rules(self, warehouse: duckdb.DuckDBPyConnection) -> Mapping[str, bytes]:
        """The rule rows as every packet freezes them."""
        if self._rules is None:
            self._rules = rule_files(warehouse)
        return self._rules

    def highest_number(self, submitter_id: str) -> int:
        """The highest control number that a packet of this submitter had as the run began; 0 without one. Ids that differ in case alone are one."""
        if self._sent is None:
            self._sent = {}
            path = self._house.lake / "configuration" / "claim_lines.parquet"
            lines = _read(path, ["submitter_id", "control_number"]) if path.exists() else None
            for row in lines.group_by("submitter_id").aggregate([("control_number", "max")]).to_pylist() if lines else ():
                name = (row["submitter_id"] or "").upper()
                self._sent[name] = max(self._sent.get(name, 0), row["control_number_max"] or 0)
        return self._sent.get(submitter_id.upper(), 0)
