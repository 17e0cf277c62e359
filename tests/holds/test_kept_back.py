"""What a close kept back for a fault in the claim is held in the calendar of closes until a close claims it."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from .bench import build, rows
from .clinic import Clinic, configure

pytestmark = pytest.mark.xdist_group("holds")

OCTOBER = date(2026, 10, 1)
CALENDAR = "select claimable, claimable_amount, held, held_amount from marts.close_calendar where practice_id = 'alpha' and month = '2026-10-01'"


@pytest.mark.long
def test_what_the_newest_close_kept_back_is_held_and_not_claimable_in_the_calendar(tmp_path, monkeypatch):
    configure(tmp_path, [Clinic("alpha", 1)])
    Clinic("alpha", 1).land(tmp_path)
    wanted = ("close_calendar", "patient_month_decisions")
    with build(tmp_path, wanted) as con:
        worth = {
            row["patient_id"]: row["allowed_amount"]
            for row in rows(
                con, "from marts.patient_month_decisions where decision = 'claimable' and month = '2026-10-01' order by patient_id"
            )
        }
        [before] = rows(con, CALENDAR)
    assert len(worth) > 2 and (before["claimable"], before["claimable_amount"]) == (len(worth), sum(worth.values()))
    kept, waits, *_ = worth

    def held_rows(house):
        common = {"practice_id": "alpha", "month": OCTOBER, "close_version": 1, "detail": "told", "dollars_at_stake": Decimal(0)}
        return [
            {**common, "patient_id": kept, "reason": "claim_error"},
            {**common, "patient_id": waits, "reason": "undocumented_time"},  # decided again since: documented by now
        ]

    monkeypatch.setattr("orchestration.transform.office.held_rows", held_rows)
    with build(tmp_path, wanted) as con:
        [after] = rows(con, CALENDAR)
    assert (after["claimable"], after["held"]) == (before["claimable"] - 1, before["held"] + 1)
    assert after["held_amount"] - before["held_amount"] == before["claimable_amount"] - after["claimable_amount"] == worth[kept] > 0
