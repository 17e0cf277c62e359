"""One practice's files may be as bad as they like: every model is built, and the others' rows are what they would have been without it."""

from __future__ import annotations

import pytest

from orchestration.transform import compiled

from . import vile
from .bench import build, rows
from .clinic import NEWEST_NIGHT, Clinic, configure, write
from .isolation import of_the_well

pytestmark = pytest.mark.xdist_group("holds")


@pytest.mark.long
def test_a_vile_practice_leaves_every_row_of_another_as_it_was_and_is_named_as_the_one_at_fault(tmp_path):
    found = {}
    for kind in ("clean", "vile"):
        home, well, other = tmp_path / kind, Clinic("beta", 2), Clinic("alpha", 1)
        configure(home, [well, other])
        well.land(home)
        if kind == "vile":
            vile.land(home, other, seed=6, every=4)
        else:
            other.land(home)
        with build(home, list(compiled.models())) as con:
            found[kind] = {schema: of_the_well(con, schema, ("beta",)) for schema in ("marts", "intermediate")}
            at_fault = {row["practice_id"] for row in rows(con, "select distinct practice_id from marts.close_holds")}
        assert at_fault == ({"alpha"} if kind == "vile" else set())
    for schema, tables in found["clean"].items():
        assert {name for name in tables if tables[name] != found["vile"][schema][name]} == set()
    assert sum(len(listed) for listed in found["clean"]["marts"].values()) > 500
    assert all(
        found["clean"]["intermediate"][name]
        for name in ("int_time_segments", "int_patient_months__minutes", "int_members__current")
    )


@pytest.mark.long
def test_numbers_at_the_ends_of_their_range_stop_nobodys_night(tmp_path):
    well, other = Clinic("beta", 2), Clinic("alpha", 1)
    configure(tmp_path, [well, other])
    ends = ("9223372036854775807", "-9223372036854775808", "9223372036854775807", "315360001", "0")
    for clinic in (well, other):
        clinic.land(tmp_path)
    # Two of the largest for one patient and month, so that what adds them up is beyond the range.
    night, patient, at = NEWEST_NIGHT, other.id(1), "2026-10-13T15:00:00Z"
    write(tmp_path, "alpha", night, "time_entries", [
        {**other.log(night.replace(day=3))[0], "entry_id": f"E{n}", "patient_id": patient, "started_at": at, "ended_at": "", "duration_seconds": seconds}
        for n, seconds in enumerate(ends)
    ])  # fmt: skip
    write(tmp_path, "alpha", night, "calls", [
        {"call_id": f"C{n}", "patient_id": patient, "member_id": other.rn, "started_at": at, "duration_seconds": seconds, "updated_at": at}
        for n, seconds in enumerate(ends)
    ])  # fmt: skip
    write(tmp_path, "alpha", night, "services", [
        {**other.visits()[0], "service_id": f"S{n}", "units": units, "service_date": "2026-10-13"} for n, units in enumerate(ends)
    ])  # fmt: skip
    write(tmp_path, "alpha", night, "coverages", [{**other.panel()["coverages"][0], "priority": priority} for priority in ends])
    with build(tmp_path, list(compiled.models())) as con:
        claimable = rows(
            con, "select practice_id from marts.patient_month_decisions where month = date '2026-10-01' and decision = 'claimable'"
        )
        assert [row["practice_id"] for row in claimable].count("beta") == well.patients
        assert rows(con, "select count(*) as n from staging.stg_time_entries where entry_id in ('E0', 'E1', 'E2', 'E3', 'E4')") == [
            {"n": 5}
        ]
