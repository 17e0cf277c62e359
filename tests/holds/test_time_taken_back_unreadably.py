"""A row of the time log in quarantine may take back time that stands: the claim that counts the time waits, and one that went out is looked at."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal

import pytest

from orchestration.close import acceptances
from orchestration.close.rebuild import rebuild
from orchestration.house import House, write_private
from orchestration.transform.compiled import models, run

from .bench import build, rows
from .clinic import NEWEST_NIGHT, Clinic, configure, nights, write
from .test_drift import OCTOBER
from .test_quarantined_facts import MODELS, close, held_for_a_fact, put_packet, table

pytestmark = pytest.mark.xdist_group("holds")

SEPTEMBER, NOVEMBER, LATER = date(2026, 9, 1), date(2026, 11, 1), date(2026, 11, 20)
EVERY = (*MODELS, "worklist")
ITEMS = "from marts.worklist where kind in ('quarantined_time', 'claim_error')"


@pytest.fixture
def home(tmp_path):
    home, clinic = tmp_path / "home", Clinic("alpha", 1)
    configure(home, [clinic])
    clinic.land(home)
    return home


class Counting(Clinic):
    """The first patient's time is no care, and the second needs none."""

    def panel(self):
        panel = super().panel()
        return {
            **panel,
            "consents": [{**row, "program": "apcm" if row["patient_id"] == "1-P02" else "ccm"} for row in panel["consents"]],
        }

    def log(self, night):
        first = {"activity": "billing"} if night == date(2026, 10, 13) else {}
        return [{**row, **(first if row["patient_id"] == "1-P01" else {})} for row in super().log(night)]


def entry(number, night, **said):
    """That entry once more, changed on November 3."""
    row = next(row for row in Clinic("alpha", 1).log(night) if row["patient_id"] == f"1-P{number:02d}")
    return {**row, "updated_at": "2026-11-03T20:00:00Z", **said}


def changes():
    night = date(2026, 10, 13)
    start = entry(2, night)["started_at"]
    return [
        entry(1, night, voided="yes"),  # a void
        entry(2, night, ended_at=start[:10] + " 2 PM"),  # it may be shorter
        entry(3, night, voided="yes", patient_id="1-P04"),  # of who has the time that stands
        entry(5, night, entry_id="new", voided="no"),  # nothing of it stands
        entry(6, date(2026, 9, 29), voided="yes"),  # of another month
        entry(7, night, entry_id="", voided="yes"),  # of nobody knows which entry
        entry(8, date(2026, 10, 15), voided="yes", patient_id=""),
    ]


def items(con):
    return {row["item_id"]: row for row in rows(con, ITEMS)}


def claim_october(home, files):
    packet = put_packet(files, home / "closes" / "alpha" / "2026-10" / "v1")
    approval = {"approved_by": "R. Roe", "approved_at": "2026-11-05T12:00:00+00:00", "waiver": None}
    write_private(packet / "approval.json", json.dumps(approval))
    return packet


@pytest.mark.long
def test_a_row_that_may_take_back_time_that_stands_holds_the_claims_of_that_entrys_months_until_it_is_accepted_or_lands_good(
    home, tmp_path
):
    write(home, "alpha", NEWEST_NIGHT, "time_entries", changes())
    with build(home, EVERY) as con:
        packet = put_packet(close(home, con, waived=True), tmp_path / "held")
        found = rows(con, "from marts.close_holds where kind = 'quarantined_row' order by patient_id")
        told = items(con)
    assert [(one["patient_id"], one["first_month_held"], one["last_month_held"], one["holds_what"]) for one in found] == [
        *((f"1-P0{n}", OCTOBER, OCTOBER, "claim") for n in (1, 2, 3)),
        ("1-P06", SEPTEMBER, SEPTEMBER, "claim"),
        ("1-P08", OCTOBER, OCTOBER, "claim"),
    ]
    held = table((packet / "held.csv").read_bytes())
    assert {row["patient_id"] for row in held} == {f"1-P0{n}" for n in (1, 2, 3, 8)}
    assert held[0]["detail"] == (
        "in quarantine: time_entries of 2026-11-04 line 2 (voided). Land a snapshot (of the time log: that night again, or the row in a later one) "
        "without the fault, or accept the row (ccm accept)"
    )
    assert Decimal(held[0]["dollars_at_stake"]) > 60
    assert rebuild(packet).is_same

    # Those whose entry nobody knows are minutes that are missing, as before.
    assert {(one, row["month"]) for one, row in told.items()} == {
        *((f"quarantined_time:1-P0{n}:2026-11-04:2026-10", OCTOBER) for n in (1, 2, 3, 8)),
        ("quarantined_time:1-P06:2026-11-04:2026-09", SEPTEMBER),
        *((f"quarantined_time:1-P0{n}:2026-11-04", date(2026, 11, 1)) for n in (5, 7)),
    }
    first = told["quarantined_time:1-P01:2026-11-04:2026-10"]
    assert first["detail"] == (
        "Rows of the time log of 2026-11-04, line 2 could not be taken in and may change time that counts, so that a claim of 2026-10 waits: "
        "the page Data quality says why. Correct them at the source: a later night brings them right, or that night is landed again, or accept "
        "them (ccm accept)."
    )
    assert (first["dollars_at_stake"], first["due_on"], first["last_day"]) == (0, date(2026, 11, 2), date(2027, 10, 31))
    assert "count for nobody: the page" in told["quarantined_time:1-P05:2026-11-04"]["detail"]

    acceptances.record(House(home), "alpha", [{"hold_id": found[0]["hold_id"], "by": "R. Roe", "why": "no void"}])
    write(home, "alpha", date(2026, 11, 5), "time_entries", [entry(2, date(2026, 10, 13), voided="true")])
    with build(home, EVERY) as con:
        accepted = put_packet(close(home, con), tmp_path / "accepted")
        assert "quarantined_time:1-P01:2026-11-04:2026-10" not in items(con)
    assert held_for_a_fact({"held.csv": (accepted / "held.csv").read_bytes()}).keys() == {"1-P03", "1-P08"}
    (said,) = json.loads((accepted / "manifest.json").read_text())["accepted"]
    assert (said["patient_id"], said["table_name"], said["explanation"]) == (
        "1-P01", "time_entries", "in quarantine for its voided: it may take back time that counts",
    )  # fmt: skip
    assert rebuild(accepted).is_same


@pytest.mark.long
def test_a_claim_waits_only_for_rows_that_may_take_back_time_which_it_counts(tmp_path):
    clinic = Counting("alpha", 1, patients=6)
    home, night = tmp_path / "home", date(2026, 10, 13)
    configure(home, [clinic])
    clinic.land(home)
    log = {row["patient_id"]: row for row in clinic.log(night)}
    over = {
        # Two and a half months of a timer, and ten minutes on either side of a midnight: local time is five hours behind.
        "1-P03": {"entry_id": "long", "started_at": "2026-08-15T12:00:00Z", "ended_at": "2026-11-02T12:00:00Z"},
        "1-P04": {"entry_id": "late", "started_at": "2026-11-01T04:50:00Z", "ended_at": "2026-11-01T05:10:00Z"},
    }
    others = [{**log[who], **said, "updated_at": "2026-11-03T12:00:00Z"} for who, said in over.items()]
    write(home, "alpha", date(2026, 11, 3), "time_entries", [*clinic.log(date(2026, 11, 3)), *others])
    voids = [*(log[f"1-P0{n}"] for n in (1, 2, 5, 6)), *others]
    write(
        home,
        "alpha",
        NEWEST_NIGHT,
        "time_entries",
        [{**row, "voided": "yes", "updated_at": "2026-11-04T12:00:00Z"} for row in voids],
    )
    with build(home, EVERY) as con:
        packet = put_packet(close(home, con), tmp_path / "packet")
        found = rows(con, "from marts.close_holds where kind = 'quarantined_row' order by patient_id")
        told = {one: row["month"] for one, row in items(con).items()}
        # As it was when every entry that stood with documented time was thought to count.
        con.execute("update intermediate.int_quarantined_rows__entries set counted_from = first_month, counted_to = last_month")
        run(con, home, [models()["int_quarantined_facts"]])
        older = put_packet(close(home, con), tmp_path / "older")
    assert [(one["patient_id"], one["first_month_held"], one["last_month_held"]) for one in found] == [
        ("1-P04", OCTOBER, NOVEMBER), ("1-P05", OCTOBER, OCTOBER), ("1-P06", OCTOBER, OCTOBER),
    ]  # fmt: skip
    held = table((packet / "held.csv").read_bytes())
    assert {row["patient_id"] for row in held} == {"1-P04", "1-P05", "1-P06"}
    # What counts for nothing may be minutes that are missing, and APCM misses none.
    assert {one for one, month in told.items() if month == OCTOBER} == {
        f"quarantined_time:1-P0{n}:2026-11-04:2026-10" for n in (4, 5, 6)
    }
    assert {one for one, month in told.items() if month == NOVEMBER} == {
        "quarantined_time:1-P01:2026-11-04", "quarantined_time:1-P03:2026-11-04", "quarantined_time:1-P04:2026-11-04:2026-11",
    }  # fmt: skip
    assert rebuild(packet).is_same
    assert {row["patient_id"] for row in table((older / "held.csv").read_bytes())} == {f"1-P0{n}" for n in range(1, 7)}
    assert rebuild(older).is_same


@pytest.mark.long
def test_time_that_does_not_count_as_it_stands_is_taken_back_by_nothing(home):
    night = date(2026, 10, 13)
    for number, said in ((1, {"voided": "true"}), (2, {"note_id": ""}), (3, {"ended_at": ""})):
        row = entry(number, night, **said)
        write(
            home, "alpha", date(2026, 10, 14 + number), "time_entries", [*Clinic("alpha", 1).log(date(2026, 10, 14 + number)), row]
        )
    write(home, "alpha", NEWEST_NIGHT, "time_entries", [entry(number, night, voided="yes") for number in (1, 2, 3)])
    with build(home, EVERY) as con:
        assert rows(con, "from marts.close_holds where kind = 'quarantined_row'") == []


@pytest.mark.long
def test_of_a_claim_that_went_out_it_is_on_the_work_list_behind_the_final_day_until_it_is_mended(home):
    with build(home, EVERY) as con:
        claim_october(home, close(home, con))
    clinic = Clinic("alpha", 1)
    for night in nights(date(2026, 11, 5), LATER):
        clinic.land_night(home, night, as_panel=night == LATER)
    write(home, "alpha", LATER, "time_entries", [entry(1, date(2026, 10, 13), voided="yes")])
    with build(home, EVERY) as con:
        (item,) = items(con).values()
        assert rows(con, "from marts.post_close_changes") == []
    assert (item["item_id"], item["month"]) == ("quarantined_time:1-P01:2026-11-20:2026-10", OCTOBER)
    assert "could not be taken in and may take back time that was claimed: the page" in item["detail"]
    assert (item["dollars_at_stake"], item["due_on"]) == (0, date(2027, 1, 19))

    night = date(2027, 3, 2)
    clinic.land_night(home, night, as_panel=True)
    with build(home, EVERY) as con:
        assert items(con).keys() == {item["item_id"]}, "overdue, and still there"
    write(home, "alpha", night, "time_entries", [entry(1, date(2026, 10, 13), voided="true")])
    with build(home, EVERY) as con:
        assert items(con) == {}
