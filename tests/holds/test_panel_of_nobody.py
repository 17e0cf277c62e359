"""A `patients` file without one good row is no panel: the one of before stands, and the practice does not close on it."""

from __future__ import annotations

from datetime import date

import pytest

from orchestration.gate.gate import _by_completeness, _by_holds, _seen
from orchestration.practices import load_practices

from .bench import MARTS, build, rows
from .clinic import NEWEST_NIGHT, PANEL_NIGHTS, Clinic, configure, write
from .test_drift import OCTOBER

pytestmark = pytest.mark.xdist_group("holds")

AFTER = [night for night in PANEL_NIGHTS if night > date(2026, 10, 31)]


@pytest.fixture
def home(tmp_path):
    clinic = Clinic("alpha", 1)
    configure(tmp_path, [clinic])
    clinic.land(tmp_path)
    return tmp_path


def refusals(home):
    practice = load_practices(home / "practices.yaml")["alpha"]
    with build(home, (*MARTS, "int_months")) as con:
        seen = _seen(con, ["alpha"], OCTOBER)
        said = rows(
            con,
            "select extract_date, explanation from marts.extract_drift where measure = 'rejected_file' and table_name = 'patients'",
        )
    found = [*_by_completeness(seen, practice, OCTOBER), *_by_holds(seen.holds, practice)]
    assert {row["extract_date"] for row in said} >= {
        night for night in AFTER if any(f"patients of {night} stands rejected" in one for one in found)
    }
    return found


def no_rows(panel):
    return []


def no_good_rows(panel):
    return [{**row, "deceased_date": "09/15/2026"} if not n else {**row, "sex": "female"} for n, row in enumerate(panel)]


@pytest.mark.long
@pytest.mark.parametrize("spoilt", [no_rows, no_good_rows])
def test_a_month_does_not_close_on_a_panel_of_before_its_end_behind_which_nothing_good_came(home, spoilt):
    panel = Clinic("alpha", 1).panel()["patients"]
    for night in AFTER:
        write(home, "alpha", night, "patients", spoilt(panel))
    found = refusals(home)
    assert (
        f"patients: the newest accepted file is of {PANEL_NIGHTS[-3]}, not after 2026-10-31; land it and run `ccm nightly`" in found
    )
    assert (
        f"patients of {NEWEST_NIGHT} stands rejected (it has not one good row, and the panel of before stands); land that night's file again and run "
        "`ccm nightly`"
    ) in found


@pytest.mark.long
def test_nor_does_it_where_the_newest_has_no_good_row_though_one_of_after_its_end_has_until_one_comes_that_has(home):
    panel = Clinic("alpha", 1).panel()["patients"]
    write(home, "alpha", NEWEST_NIGHT, "patients", no_good_rows(panel))
    (found,) = refusals(home)
    assert found.startswith(f"patients of {NEWEST_NIGHT} stands rejected (it has not one good row")
    write(home, "alpha", NEWEST_NIGHT, "patients", [*no_good_rows(panel)[:1], *panel[1:]])
    assert refusals(home) == []


def test_an_older_file_without_a_good_row_and_a_table_that_is_empty_on_purpose_refuse_nothing(home):
    write(home, "alpha", PANEL_NIGHTS[-2], "patients", [])
    for night in PANEL_NIGHTS:
        write(home, "alpha", night, "assessments", [])
        write(home, "alpha", night, "outreach", [])
    assert refusals(home) == []
