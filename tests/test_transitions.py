"""What let a held claim go is recorded patient by patient, and only what can let it go is named."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orchestration.close import transitions
from orchestration.house import House

BEFORE, FINAL_DAY = "2026-11-10", "2026-11-20"


class Month:
    """One practice's October as packets have it, as far as the record reads them."""

    def __init__(self, home: Path) -> None:
        self.house = House(home)
        self.folder = self.house.closes / "alpha" / "2026-10"

    def close(
        self,
        version: int,
        *claimed: str,
        held: dict[str, str] | None = None,
        waits: Iterable[str] = (),
        items: dict[str, str] | None = None,
        unresolved: dict[str, str] | None = None,
        night: str = BEFORE,
        waiver: str | None = None,
        accepted: Iterable[str] = (),
    ) -> None:
        """`waits`: claimed, though the rules hold them. `items`: patient -> what undocumented time would bring. `unresolved`: patient -> disposition."""
        packet = self.folder / f"v{version}"
        packet.mkdir(parents=True)
        manifest = {
            "month": "2026-10", "newest_night": night, "final_day": FINAL_DAY, "outputs": {"inputs.zip": "0"},
            "accepted": [{"patient_id": patient_id} for patient_id in accepted],
        }  # fmt: skip
        (packet / "manifest.json").write_text(json.dumps(manifest))
        approval = {"approved_at": f"2026-11-{20 + version}T08:00:00+00:00", "approved_by": "Ann Lee", "waiver": waiver}
        (packet / "approval.json").write_text(json.dumps(approval))
        write(packet / "claims.csv", [{"patient_id": patient_id} for patient_id in claimed], "patient_id")
        self.hold(packet / "held.csv", held or {})
        tables: dict[str, list[dict[str, object]]] = {
            "decisions": [{"patient_id": p, "decision": "held" if p in waits else "claimable"} for p in claimed],
            "undocumented_time": [{"patient_id": p, "dollars_at_stake": Decimal(worth)} for p, worth in (items or {}).items()],
            "minute_ledger": [{"patient_id": p, "disposition": d, "seconds": 600} for p, d in (unresolved or {}).items()],
        }
        for name, rows in tables.items():
            pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMAS[name]), packet / f"{name}.parquet")

    def hold(self, path: Path, held: dict[str, str]) -> None:
        write(path, [{"patient_id": p, "reason": reason} for p, reason in held.items()], "patient_id", "reason")

    def released(self, version: int = 2) -> dict[str, tuple[str, str]]:
        transitions.record_closes(self.house, "alpha")
        (line,) = [one for one in transitions.read(self.house, "alpha") if one["version"] == version]
        return {one["patient_id"]: (one["was"], one["by"]) for one in line["released"]}


SCHEMAS = {
    "decisions": pa.schema([("patient_id", pa.string()), ("decision", pa.string())]),
    "undocumented_time": pa.schema([("patient_id", pa.string()), ("dollars_at_stake", pa.decimal128(12, 2))]),
    "minute_ledger": pa.schema([("patient_id", pa.string()), ("disposition", pa.string()), ("seconds", pa.int64())]),
}


def write(path: Path, rows: list[dict[str, str]], *columns: str) -> None:
    with path.open("w", newline="") as handle:
        writer = csv.DictWriter(handle, columns)
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture
def october(tmp_path: Path) -> Month:
    return Month(tmp_path)


UNDOCUMENTED = {"P1": "undocumented_time", "P2": "undocumented_time", "P3": "undocumented_time"}


def test_what_was_documented_before_the_final_day_is_not_said_to_be_released_by_it(october: Month) -> None:
    october.close(1, held=UNDOCUMENTED)
    # P2's other note is still missing and brings nothing; P3 was let go with the time that held it.
    october.close(2, "P1", "P2", "P3", items={"P2": "0.00", "P3": "49.17"}, night=FINAL_DAY)
    assert october.released() == {
        "P1": ("undocumented_time", "documented"),
        "P2": ("undocumented_time", "documented"),
        "P3": ("undocumented_time", "final_day"),
    }


def test_time_that_would_make_the_claim_smaller_holds_it_too(october: Month) -> None:
    october.close(1, held={"P1": "undocumented_time"})
    october.close(2, "P1", items={"P1": "-22.72"}, night=FINAL_DAY)
    assert october.released() == {"P1": ("undocumented_time", "final_day")}


def test_of_unresolved_time_the_ledger_says_whether_it_still_stands(october: Month) -> None:
    october.close(1, held=dict.fromkeys(("P1", "P2", "P3", "P4"), "unresolved_time"))
    october.close(
        2, "P1", "P2", "P3", "P4", items={"P4": "49.17"}, unresolved={"P2": "staff_overlap", "P3": "runaway_timer"}, night=FINAL_DAY
    )
    assert {p: by for p, (_, by) in october.released().items()} == {
        "P1": "documented", "P2": "final_day", "P3": "final_day", "P4": "final_day",
    }  # fmt: skip


def test_a_waiver_released_what_the_rules_still_held_and_nothing_else(october: Month) -> None:
    october.close(1, held={**UNDOCUMENTED, "P4": "unresolved_time"})
    # Before the final day the decision says whether time holds the claim, whatever else of it is left.
    october.close(
        2, "P1", "P2", "P4", waits=["P1"], items={"P1": "49.17"}, unresolved={"P4": "staff_overlap"}, waiver="the auditor agreed"
    )
    october.close(3, "P3", items={"P3": "49.17"}, night=FINAL_DAY, waiver="the auditor agreed")
    assert october.released() == {
        "P1": ("undocumented_time", "waived"),
        "P2": ("undocumented_time", "documented"),
        "P4": ("unresolved_time", "documented"),
    }
    assert october.released(3) == {"P3": ("undocumented_time", "waived")}


@pytest.mark.parametrize(("night", "waiver"), [(BEFORE, None), (FINAL_DAY, None), (BEFORE, "all may go")])
def test_neither_a_day_nor_a_waiver_is_said_to_release_a_claim_error_or_a_row_in_quarantine(
    october: Month, night: str, waiver: str | None
) -> None:
    october.close(1, held={"P1": "claim_error", "P2": "quarantined_facts", "P3": "quarantined_facts"})
    october.close(2, "P1", "P2", "P3", accepted=["P3"], night=night, waiver=waiver)
    assert october.released() == {
        "P1": ("claim_error", "mended"),
        "P2": ("quarantined_facts", "mended"),
        "P3": ("quarantined_facts", "accepted"),
    }


def test_what_only_a_later_run_without_a_version_held_has_its_record_and_the_last_hold_counts(october: Month) -> None:
    october.close(1, "P9", held={"P1": "undocumented_time"})
    october.hold(october.folder / "held_after_v1.csv", {"P1": "claim_error", "P2": "undocumented_time"})
    october.close(2, "P1", "P2")
    # Of a run behind this version nothing is said of it.
    october.hold(october.folder / "held_after_v2.csv", {"P9": "claim_error"})
    assert october.released() == {"P1": ("claim_error", "mended"), "P2": ("undocumented_time", "documented")}


def test_a_claim_that_goes_out_again_was_released_once(october: Month) -> None:
    october.close(1, held={"P1": "undocumented_time"})
    october.close(2, "P1")
    october.close(3, "P1")  # the payer turned the first one back
    assert october.released() == {"P1": ("undocumented_time", "documented")} and october.released(3) == {}
