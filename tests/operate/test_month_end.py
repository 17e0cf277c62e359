"""Whose months the month_end schedule asks for, by what is published and how practices are configured."""

from __future__ import annotations

from datetime import date

import dagster as dg
import duckdb
import pytest

from orchestration.house import House
from orchestration.practices import load_practices
from orchestration.schedules.jobs import month_end_requests
from tests.holds.clinic import Clinic, configure

OCTOBER, NOVEMBER = date(2026, 10, 1), date(2026, 11, 1)


@pytest.fixture
def house(tmp_path):
    return House(tmp_path / "home").prepare()


def published(house, *months):
    """Marts of which close_calendar alone is there. `months`: practice_id and month."""
    with duckdb.connect(str(house.marts)) as marts:
        marts.execute("create table close_calendar (practice_id varchar, month date)")
        marts.executemany("insert into close_calendar values (?, ?)", months)


def asked(house, practices, month, day):
    (request,) = month_end_requests(house, list(practices.values()), month, day)
    if isinstance(request, dg.SkipReason):
        return []
    named = request.run_config["ops"]["close__packets"]["config"]["practice_ids"]
    return named or [request.partition_key.keys_by_dimension["practice"]]


def test_a_month_before_a_practices_first_is_asked_for_on_no_day(house):
    configure(house.root, [Clinic("alpha", 1), Clinic("beta", 2), Clinic("gamma", 3)])
    practices = load_practices(house.practices_yaml)
    # Nothing is published: what is due is the run's to say.
    assert asked(house, practices, OCTOBER, date(2026, 11, 10)) == ["alpha", "beta", "gamma"]
    published(house, ("alpha", date(2026, 9, 1)), ("alpha", OCTOBER), ("beta", NOVEMBER))
    assert asked(house, practices, OCTOBER, date(2026, 11, 10)) == ["alpha"]
    assert asked(house, {"beta": practices["beta"]}, OCTOBER, date(2026, 11, 30)) == []
    # A month whose nights have not come is asked for: its refusal tells the office.
    assert asked(house, practices, NOVEMBER, date(2026, 12, 10)) == ["alpha", "beta"]


def test_marts_that_cannot_be_read_keep_no_month_from_being_asked_for(house):
    configure(house.root, [Clinic("alpha", 1)])
    house.marts.write_bytes(b"no database")
    assert asked(house, load_practices(house.practices_yaml), OCTOBER, date(2026, 11, 10)) == ["alpha"]


def test_a_clinic_whose_claims_are_not_written_here_is_asked_for_no_month(house):
    configure(house.root, [Clinic("alpha", 1, settings={"facility_type": "rhc"}), Clinic("beta", 2)])
    practices = load_practices(house.practices_yaml)
    assert asked(house, practices, OCTOBER, date(2026, 11, 10)) == ["beta"]
    assert asked(house, {"alpha": practices["alpha"]}, OCTOBER, date(2026, 11, 10)) == []
