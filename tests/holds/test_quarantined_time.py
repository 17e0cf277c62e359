"""A row of the time log in quarantine is no minute of anybody: the work list says so until it has come right."""

from __future__ import annotations

from datetime import date

import pytest

from .bench import build, rows
from .clinic import Clinic, configure, nights, write

pytestmark = pytest.mark.xdist_group("holds")

OCTOBER = date(2026, 10, 1)
TIMES = "select item_id, patient_id, month, member_id, detail, dollars_at_stake, due_on, last_day from marts.worklist where kind = 'quarantined_time'"


@pytest.fixture
def home(tmp_path):
    home, clinic = tmp_path / "home", Clinic("alpha", 1, patients=4)
    configure(home, [clinic])
    clinic.land(home, until=date(2026, 10, 20))
    return home


def items(home):
    with build(home, ("worklist",)) as con:
        return {row["item_id"]: row for row in rows(con, TIMES)}


def test_rows_of_the_time_log_in_quarantine_are_on_the_work_list_by_patient_and_night_until_a_later_night_or_the_same_again_brings_them_right(
    home,
):
    bad = {"member_id": ""}
    night = date(2026, 10, 13)
    log = Clinic("alpha", 1, patients=4).log(night)
    spoiled = [{**row, **bad} if row["patient_id"] in ("1-P01", "1-P02", "1-P03") else row for row in log]
    stranger = {**log[0], "entry_id": "other", "patient_id": "nobody", **bad}
    write(home, "alpha", night, "time_entries", [*spoiled, {**log[0], "entry_id": "more", **bad}, stranger])
    found = items(home)
    assert found.keys() == {f"quarantined_time:1-P0{n}:2026-10-13" for n in (1, 2, 3)}
    first = found["quarantined_time:1-P01:2026-10-13"]
    assert first["detail"].startswith("Rows of the time log of 2026-10-13, line 2 and 1 more could not be taken in")
    assert (first["month"], first["member_id"], first["dollars_at_stake"]) == (OCTOBER, None, 0)
    assert (first["due_on"], first["last_day"]) == (date(2026, 11, 2), date(2026, 11, 19))
    assert "of 2026-10-13, line 3 could" in found["quarantined_time:1-P02:2026-10-13"]["detail"]

    # The tracker sends one of them again with what it logged on the 15th; another, with a fault once more, is a matter of both nights.
    later = date(2026, 10, 15)
    again = Clinic("alpha", 1, patients=4).log(later)
    write(home, "alpha", later, "time_entries", [*again, log[0], {**log[1], **bad}])
    assert items(home).keys() == {
        "quarantined_time:1-P01:2026-10-13",  # the one more
        "quarantined_time:1-P02:2026-10-13",
        "quarantined_time:1-P02:2026-10-15",
        "quarantined_time:1-P03:2026-10-13",
    }

    # What the 15th could not say may change now what the 13th says.
    write(home, "alpha", night, "time_entries", log)
    assert items(home).keys() == {"quarantined_time:1-P02:2026-10-15:2026-10"}


@pytest.mark.long
def test_they_are_of_the_month_of_the_day_before_their_night_and_gone_with_its_final_day_or_where_no_claim_wants_the_minutes(home):
    clinic = Clinic("alpha", 1, patients=4)
    for night in nights(date(2026, 10, 21), date(2026, 11, 1)):
        clinic.land_night(home, night)
    bad = [{**row, "entry_id": row["entry_id"] + "-late", "member_id": ""} for row in clinic.log(date(2026, 10, 29))]
    write(home, "alpha", date(2026, 11, 1), "time_entries", bad)
    panel = clinic.panel()
    panel["consents"] = panel["consents"][1:]  # nobody may count minutes of who agreed to nothing
    for table, landed in panel.items():
        write(home, "alpha", date(2026, 11, 1), table, landed)
    assert {row["item_id"]: row["month"] for row in items(home).values()} == {
        f"quarantined_time:1-P0{n}:2026-11-01": OCTOBER for n in (2, 3, 4)
    }
    for table, landed in panel.items():
        write(home, "alpha", date(2026, 11, 20), table, landed)
    assert items(home) == {}


def test_those_of_the_first_night_on_the_first_of_a_month_are_of_that_month(tmp_path):
    home, clinic = tmp_path / "home", Clinic("alpha", 1, patients=2)
    configure(home, [clinic])
    night = date(2026, 9, 1)
    clinic.land_night(home, night, {"time_entries": lambda log: [{**row, "member_id": ""} for row in log[:1]]}, as_panel=True)
    assert [row["month"] for row in items(home).values()] == [night]
