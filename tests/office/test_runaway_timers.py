"""What the work list says of a timer that ran too long."""

from __future__ import annotations

from datetime import date

import pytest

from tests.holds.bench import build, rows
from tests.holds.clinic import Clinic, configure

pytestmark = pytest.mark.xdist_group("holds")


def test_a_timer_that_ran_over_a_months_edge_is_told_with_its_own_start_and_length_in_both_months(tmp_path):
    home, clinic = tmp_path / "home", Clinic("alpha", 1, patients=2)
    configure(home, [clinic])
    over, within = clinic.log(date(2026, 10, 29))
    # From 23:50 on the last of October, and the clocks go back that night.
    over |= {"entry_id": "OVER", "started_at": "2026-11-01T04:50:00Z", "ended_at": "2026-11-01T09:00:00Z"}
    within |= {"entry_id": "WITHIN", "started_at": "2026-10-29T13:00:00Z", "ended_at": "2026-10-29T16:20:30Z"}
    for night in (date(2026, 10, 5), date(2026, 11, 4)):
        clinic.land_night(home, night, {"time_entries": lambda _: [over, within]}, as_panel=True)
    with build(home, ("worklist",)) as con:
        found = rows(con, "select item_id, minutes, detail from marts.worklist where kind = 'runaway_timer'")
    told = {row["item_id"].removeprefix("runaway_timer:"): (row["minutes"], row["detail"].partition(":")[0]) for row in found}
    assert told == {
        "OVER:2026-10": (10, "The timer of 2026-10-31 ran 250 min, of which 10 could count in 2026-10"),
        "OVER:2026-11": (240, "The timer of 2026-10-31 ran 250 min, of which 240 could count in 2026-11"),
        "WITHIN:2026-10": (200, "The timer of 2026-10-29 ran 200 min"),
    }
