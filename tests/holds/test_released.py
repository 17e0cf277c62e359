"""What let a held claim go, from real packets: the decisions and the undocumented time that a close froze say it patient by patient."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from orchestration.close import transitions
from orchestration.close.claim_file import drafted
from orchestration.close.freeze import freeze
from orchestration.close.ground import Ground, software_versions
from orchestration.close.packet import compose
from orchestration.close.rebuild import _NEEDED
from orchestration.house import House, write_private
from orchestration.practices import load_practices

from .bench import build
from .clinic import FIRST_NIGHT, NEWEST_NIGHT, Clinic, Row, configure, nights, write
from .test_drift import OCTOBER

pytestmark = pytest.mark.xdist_group("holds")


def close(home: Path, version: int, waiver: str | None = None) -> None:
    """A version of October, published as a close does it."""
    practice = load_practices(home / "practices.yaml")["alpha"]
    with build(home, _NEEDED) as con:
        waived, inputs = waiver is not None, freeze(con, practice, OCTOBER, {})
        ground = Ground(practice, practice.canonical_json(), OCTOBER, version, waived, inputs, {}, software_versions())
        files = compose(con, ground, drafted(con, ground), lambda: version).files
    approval = {"approved_by": "Ann Lee", "approved_at": f"2026-11-0{4 + version}T08:00:00+00:00", "waiver": waiver}
    for name, content in (*files.items(), ("approval.json", json.dumps(approval).encode())):
        write_private(home / "closes" / "alpha" / "2026-10" / f"v{version}" / name, content)
    transitions.record_closes(House(home), "alpha")


def released(home: Path, version: int) -> dict[str, tuple[str, str]]:
    (line,) = [one for one in transitions.read(House(home), "alpha") if one["version"] == version]
    return {one["patient_id"]: (one["was"], one["by"]) for one in line["released"]}


@pytest.mark.parametrize(
    ("settings", "waiver", "by"),
    [
        ({}, "the auditor agreed", "waived"),
        pytest.param({"close": {"first_day": 1, "final_day": 2}}, None, "final_day", marks=pytest.mark.long),
    ],
)
def test_of_two_held_claims_the_documented_one_is_told_from_the_one_that_was_let_go(
    tmp_path: Path, settings: dict[str, object], waiver: str | None, by: str
) -> None:
    home, clinic = tmp_path / "home", Clinic("alpha", 1, patients=3)
    configure(home, [clinic])

    def without_notes(rows: list[Row]) -> list[Row]:
        return [{**row, "note_id": ""} if row["patient_id"] != clinic.id(3) else row for row in rows]

    for night in nights(FIRST_NIGHT, NEWEST_NIGHT):
        clinic.land_night(home, night, {"time_entries": without_notes} if night > date(2026, 10, 9) else None)
    close(home, 1)
    assert released(home, 1) == {}
    # The second patient's notes are written; the first one's are not.
    late = [
        row
        for night in nights(date(2026, 10, 10), date(2026, 10, 31))
        for row in clinic.log(night)
        if row["patient_id"] == clinic.id(2)
    ]
    write(home, "alpha", NEWEST_NIGHT, "time_entries", [{**row, "updated_at": f"{NEWEST_NIGHT}T12:00:00Z"} for row in late])
    configure(home, [Clinic("alpha", 1, patients=3, settings=settings)])
    close(home, 2, waiver)
    assert released(home, 2) == {
        clinic.id(1): ("undocumented_time", by),
        clinic.id(2): ("undocumented_time", "documented"),
    }
