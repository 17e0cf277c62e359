"""What of a practice's month has been claimed by a state of it (a packet, or the live marts), what the close keeps back, and what is owed since."""

from __future__ import annotations

import csv
import json
from datetime import date

from orchestration.answer.explain.source import Row, Source
from orchestration.answer.explain.story import TOLD_OF_A_CHANGE, kept_back
from orchestration.close.versions import month_folder, reading
from orchestration.house import House


def claims_that_stand(source: Source, practice_id: str, month: date) -> dict[str, Row]:
    """patient_id -> claim_id and close_version of the claim that no payer has turned back unprocessed; of a packet: as it was known then, with its own."""
    table = "claims" if source.packet is None else "claim_history"
    rows = source.rows(
        f"select patient_id, claim_id, close_version from {table} where practice_id = ? and month = ? and status <> 'rejected' order by close_version",
        [practice_id, month],
    )
    found = {row["patient_id"]: row for row in rows}
    for row in _of_packet(source, "claims.csv"):
        found[row["patient_id"]] = {"claim_id": row["claim_id"], "close_version": source.manifest["version"]}
    return found


def lines_that_stand(source: Source, practice_id: str, month: date) -> dict[str, Row]:
    """claim_id -> codes and allowed_amount as they went out; of a packet none: its own claims are as it drafted them."""
    tables = {row["name"] for row in source.rows("select table_name as name from information_schema.tables")}
    if source.packet is not None or "claim_line_payments" not in tables:
        return {}
    rows = source.rows(
        """
        select claim_id, list(procedure_code || ' x ' || units order by procedure_code) as codes, sum(allowed_amount) as allowed_amount
        from claim_line_payments where practice_id = ? and month = ? group by claim_id
        """,
        [practice_id, month],
    )
    return {row["claim_id"]: row for row in rows}


def reasons_kept_back(source: Source, practice_id: str, month: date, decisions: dict[str, Row]) -> dict[str, Row]:
    """patient_id -> reason and detail of what a close does not send though the rules let it through."""
    from orchestration.transform.office import held_of

    held = held_of(source.house, practice_id, month) if source.packet is None else _of_packet(source, "held.csv")
    found = {}
    for patient_id in sorted({str(row["patient_id"]) for row in held} & decisions.keys()):
        if row := kept_back(source, [practice_id, patient_id, month], decisions[patient_id]):
            found[patient_id] = row
    return found


def changes_since(source: Source, practice_id: str, month: date) -> dict[str, Row]:
    """patient_id -> the post-close change of the patient-month; of a packet none."""
    if source.packet is not None:
        return {}
    rows = source.rows("select * from post_close_changes where practice_id = ? and month = ?", [practice_id, month])
    # Marts of an earlier release have no dates.
    return {row["patient_id"]: {name: row.get(name) for name in TOLD_OF_A_CHANGE} for row in rows}


def waiver_of(house: House, practice_id: str, month: date, version: int) -> str | None:
    """Why what was held went out with this version, if it did."""
    packet = month_folder(house, practice_id, month) / f"v{version}"
    with reading(packet):
        waiver: str | None = json.loads((packet / "approval.json").read_text(encoding="utf-8"))["waiver"]
    return waiver


def _of_packet(source: Source, name: str) -> list[dict[str, str]]:
    if source.packet is None:
        return []
    with reading(source.packet), (source.packet / name).open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))
