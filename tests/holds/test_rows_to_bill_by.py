"""A row in quarantine may be the one that makes a month billable: the work list says so before anybody pays back or lets the month go."""

from __future__ import annotations

from datetime import date

import pytest

from orchestration.close import acceptances
from orchestration.house import House

from .bench import build, rows
from .clinic import FIRST_NIGHT, NEWEST_NIGHT, Clinic, configure, path_of, write
from .test_drift import OCTOBER
from .test_quarantined_facts import MODELS, close, spoil
from .test_time_taken_back_unreadably import claim_october

pytestmark = pytest.mark.xdist_group("holds")

EVERY = (*MODELS, "worklist")
FAULTS = (
    ("coverages", 1, "effective_date", "01/01/2020"),
    ("consents", 2, "consented_on", "August"),
    ("care_plans", 3, "established_on", ""),
    ("conditions", 4, "clinical_status", "maybe"),
)


@pytest.fixture
def home(tmp_path):
    home, clinic = tmp_path / "home", Clinic("alpha", 1)
    configure(home, [clinic])
    clinic.land(home)
    return home


class Apcm(Clinic):
    """All consented to APCM, which needs no minutes, and nobody logs any."""

    def panel(self):
        panel = super().panel()
        return {**panel, "consents": [{**row, "program": "apcm"} for row in panel["consents"]]}

    def log(self, night):
        return []


def spoil_panel(home, night, clinic=None):
    for table, number, column, value in FAULTS:
        panel = (clinic or Clinic("alpha", 1)).panel()[table]
        write(
            home, "alpha", night, table,
            [spoil(row, column, value) if row["patient_id"] == f"1-P{number:02d}" else row for row in panel],
        )  # fmt: skip


def items(con, kind, month=OCTOBER):
    return {row["patient_id"]: row for row in rows(con, f"from marts.worklist where kind = '{kind}' and month = '{month}'")}


def accept(home, con, table):
    (hold,) = rows(con, f"from marts.close_holds where table_name = '{table}'")
    acceptances.record(House(home), "alpha", [{"hold_id": hold["hold_id"], "by": "R. Roe", "why": "it is so"}])


@pytest.mark.long
def test_a_month_of_which_nothing_is_claimed_for_want_of_a_row_in_quarantine_is_on_the_work_list_until_the_row_is_accepted(home):
    spoil_panel(home, NEWEST_NIGHT)
    with build(home, EVERY) as con:
        found = items(con, "quarantined_row")
        accept(home, con, "coverages")
    assert found.keys() == {f"1-P0{n}" for _, n, *_ in FAULTS}
    assert "would make it billable: coverages of 2026-11-04 line 2 (effective_date). The page" in found["1-P01"]["detail"]
    assert "August" not in found["1-P02"]["detail"] and found["1-P02"]["last_day"] == date(2026, 11, 19)
    with build(home, EVERY) as con:
        assert items(con, "quarantined_row").keys() == {f"1-P0{n}" for n in (2, 3, 4)}


@pytest.mark.long
def test_a_refund_for_want_of_a_row_in_quarantine_says_to_look_at_the_row_first(home):
    with build(home, EVERY) as con:
        claim_october(home, close(home, con))
    night = date(2026, 11, 20)
    Clinic("alpha", 1).land_night(home, night, as_panel=True)
    spoil_panel(home, night)
    stays = path_of(home, "alpha", night, "stays").read_text().replace(",inpatient,", ",rehab,")
    path_of(home, "alpha", night, "stays").write_text(stays)  # no reason of these refunds is found there
    with build(home, EVERY) as con:
        refunds = items(con, "refund_due")
        assert items(con, "quarantined_row") == {}
        accept(home, con, "coverages")
    assert refunds.keys() == {f"1-P0{n}" for _, n, *_ in FAULTS}
    for table, number, column, _ in FAULTS:
        said = f" A row could not be taken in and may say otherwise ({table} of 2026-11-20 line "
        detail = refunds[f"1-P0{number}"]["detail"]
        assert said in detail and f"({column})" in detail
        assert "): correct it at the source if it does, or accept it (ccm accept) if it does not, before you pay back." in detail
        assert refunds[f"1-P0{number}"]["dollars_at_stake"] < 0
    with build(home, EVERY) as con:
        refunds = items(con, "refund_due")
    assert "may say otherwise" not in refunds["1-P01"]["detail"] and "may say otherwise" in refunds["1-P02"]["detail"]


@pytest.mark.long
def test_a_month_that_needs_no_minutes_is_told_without_any(tmp_path):
    home, clinic = tmp_path / "home", Apcm("alpha", 1, patients=5)
    configure(home, [clinic])
    clinic.land(home)
    spoil_panel(home, NEWEST_NIGHT, clinic)
    with build(home, EVERY) as con:
        found = items(con, "quarantined_row")
        decided = {
            row["patient_id"]: row["reason"] for row in rows(con, f"from intermediate.int_decisions where month = '{OCTOBER}'")
        }
    # Fewer conditions are another level of APCM, and of whose consent nobody can read nobody knows whether it asks for minutes.
    assert decided == {"1-P01": "no_part_b", "1-P02": "no_consent", "1-P03": "no_care_plan", "1-P04": "ok", "1-P05": "ok"}
    assert found.keys() == {"1-P01", "1-P02", "1-P03"}


@pytest.mark.long
def test_a_visit_that_cannot_be_read_may_begin_care_management_of_every_later_month(home):
    visits = [spoil(row, "ccm_discussed", "yes") if row["patient_id"] == "1-P01" else row for row in Clinic("alpha", 1).visits()]
    write(home, "alpha", FIRST_NIGHT, "services", visits)
    with build(home, EVERY) as con:
        found = items(con, "quarantined_row")
        claim_october(home, close(home, con))
    assert found.keys() == {"1-P01"} and "services of 2026-09-22 line 2 (ccm_discussed)" in found["1-P01"]["detail"]

    # Of a claim that went out: its visit is landed again, and cannot be read any more.
    night = date(2026, 11, 20)
    Clinic("alpha", 1).land_night(home, night, as_panel=True)
    visits[1]["ccm_discussed"] = "yes"
    write(home, "alpha", FIRST_NIGHT, "services", visits)
    with build(home, EVERY) as con:
        (refund,) = items(con, "refund_due").values()
    assert refund["patient_id"] == "1-P02" and "may say otherwise (services of 2026-09-22 line 3" in refund["detail"]
