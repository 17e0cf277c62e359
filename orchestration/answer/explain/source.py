"""Where a story is read from: the published marts, or the frozen packet of a close. Both hold the same tables."""

from __future__ import annotations

import calendar
import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq

from orchestration.close import acceptances
from orchestration.close.freeze import Frozen, thaw
from orchestration.close.versions import MANIFEST, packets, reading
from orchestration.engine import open_marts
from orchestration.house import House, HouseError
from orchestration.practices import load_practices

Row = dict[str, Any]

# The files of a packet by the mart that they hold.
_PACKET_TABLES = {
    "patient_month_decisions": "decisions.parquet",
    **{
        name: f"{name}.parquet"
        for name in (
            "minute_ledger", "patient_month_minutes", "eligibility", "claimable_codes", "patient_month_evidence", "patient_facts",
            "time_entry_facts", "undocumented_time", "fee_schedule_prices", "landed_files",
        )
    },
}  # fmt: skip


@dataclass(frozen=True)
class Source:
    """Tables to ask, the practice's configuration, and where it all comes from. `packet` is None for the live marts."""

    house: House
    connection: duckdb.DuckDBPyConnection
    practice: Mapping[str, Any]
    name: str
    packet: Path | None = None
    manifest: Mapping[str, Any] = field(default_factory=dict)
    approval: Mapping[str, Any] = field(default_factory=dict)
    acceptances: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # by hold_id, of the live marts: who and why

    def rows(self, sql: str, parameters: list[Any] | None = None) -> list[Row]:
        cursor = self.connection.execute(sql, parameters or [])
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def one(self, sql: str, parameters: list[Any]) -> Row | None:
        found = self.rows(sql, parameters)
        return found[0] if found else None


@contextmanager
def of_marts(house: House, practice_id: str) -> Iterator[Source]:
    """The live marts. HouseError when nothing is published, or the practice is not configured."""
    if not house.marts.exists():
        raise HouseError(f"{house.marts}: nothing is published yet; run `ccm nightly` first")
    practices = load_practices(house.practices_yaml)
    if practice_id not in practices:
        raise HouseError(f"--practice {practice_id}: not in practices.yaml; it has {', '.join(practices)}")
    with open_marts(house) as connection:
        accepted = {row["hold_id"]: row for row in acceptances.in_force(house) if row["practice_id"] == practice_id}
        yield Source(house, connection, json.loads(practices[practice_id].canonical_json()), "marts.duckdb", acceptances=accepted)


@contextmanager
def of_packet(house: House, packet: Path) -> Iterator[Source]:
    """The frozen packet of a close. Raises HouseError where it is damaged."""
    with duckdb.connect() as connection:
        with reading(packet):
            manifest = json.loads((packet / MANIFEST).read_text(encoding="utf-8"))
            approval = json.loads((packet / "approval.json").read_text(encoding="utf-8"))
            frozen = thaw((packet / "inputs.zip").read_bytes())
            for table, name in _PACKET_TABLES.items():
                connection.register(table, pq.read_table(packet / name))
            for name in frozen.names("rules"):
                connection.register(Path(name).stem, pq.read_table(io.BytesIO(frozen.files[name])))
            # What the house knew then of the month's earlier claims.
            connection.register("claim_history", frozen.table("history.parquet").rename_columns({"claimed_on": "submitted_on"}))
            coverage_answers(connection, frozen)
            _member_facts(connection, frozen)
            practice = frozen.json("practice.json")
        yield Source(house, connection, practice, str(packet.relative_to(house.root)), packet, manifest, approval)


def coverage_answers(connection: duckdb.DuckDBPyConnection, frozen: Frozen) -> None:
    """The table of that name, as the payers' 271s stood at the close. Packets of practices that had none have no such file."""
    connection.execute(
        "create table coverage_answers (practice_id varchar, patient_id varchar, meaning varchar, is_covered boolean, starts_on date, ends_on date, "
        "answered_on date, file_sha256 varchar)"
    )
    if "coverage_answers.parquet" in frozen.files:
        connection.register("frozen_answers", frozen.table("coverage_answers.parquet"))
        connection.execute(
            "insert into coverage_answers by name select practice_id, patient_id, meaning, is_covered, starts_on, ends_on, answered_on, file_sha256 "
            "from frozen_answers"
        )


def _member_facts(connection: duckdb.DuckDBPyConnection, frozen: Frozen) -> None:
    """The mart of that name as of the close, each row with its file: those of the care team are in no other table of a packet."""
    connection.register("frozen_team", frozen.table("lake/care_team.parquet"))
    connection.register("frozen_files", frozen.table("lake/files.parquet"))
    connection.execute(
        """
        create table member_facts as
        select team.practice_id, team.member_id, team.credential, team.taxonomy_code, team.active_from, team.active_to, team.line_number,
            files.file_name as landed_path, files.sha256
        from frozen_team as team
        inner join frozen_files as files on team.file_id = files.file_id
        qualify row_number() over (partition by team.member_id order by team.extract_date desc) = 1
        """
    )


@contextmanager
def since(source: Source) -> Iterator[Source | None]:
    """The published marts, for what became of a packet's claims since, whether its practice is still configured or not; None where they cannot be read."""
    with ExitStack() as stack:
        live = None
        if source.house.marts.exists():
            try:
                live = Source(source.house, stack.enter_context(open_marts(source.house)), source.practice, "marts.duckdb")
            except (HouseError, duckdb.Error):
                live = None  # `ccm doctor` names them; the packet is told without
        yield live


def is_in_force(rule: Row, day: date) -> bool:
    """Whether the dated rule row holds on the day. In a packet of an earlier release a rule may have no dates."""
    return (rule.get("effective_from") or date.min) <= day <= (rule.get("effective_to") or date.max)


def seconds_basis(rule_bands: Iterable[Row], track: str | None, month: date) -> str | None:
    """Whose seconds the track counts (rule_bands): 'credited' or 'practitioner'. None where it counts none (apcm) or there is no track."""
    last_day = month.replace(day=calendar.monthrange(month.year, month.month)[1])
    found = {row["seconds_basis"] for row in rule_bands if row["track"] == track and is_in_force(row, last_day)}
    return found.pop() if found else None


def counted_dispositions(basis: str | None, is_practitioner: bool) -> tuple[str, ...]:
    """The dispositions whose seconds of an entry make the claim. The practitioner's own count whole: that another's run beside them takes nothing of them."""
    if basis == "practitioner":
        return ("credited", "concurrent") if is_practitioner else ()
    return ("credited",) if basis else ()


def claimed_in(house: House, practice_id: str, patient_id: str, month: date) -> Path | None:
    """The newest packet whose claims have this patient-month."""
    found = None
    for packet in packets(house, practice_id, month):
        if claim_lines(packet.folder, patient_id):
            found = packet.folder
    return found


def claim_lines(packet: Path, patient_id: str) -> list[dict[str, str]]:
    """The patient's rows of claims.csv. Raises HouseError where it is damaged."""
    with reading(packet), (packet / "claims.csv").open(encoding="utf-8", newline="") as handle:
        return [row for row in csv.DictReader(handle) if row["patient_id"] == patient_id]


def held_row(packet: Path, patient_id: str) -> dict[str, str] | None:
    """The patient's row of held.csv. Raises HouseError where it is damaged."""
    with reading(packet), (packet / "held.csv").open(encoding="utf-8", newline="") as handle:
        return next((row for row in csv.DictReader(handle) if row["patient_id"] == patient_id), None)
