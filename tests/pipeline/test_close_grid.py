"""Dagster's grid of closes is the calendar of closes: the demo's months, practice by practice."""

from __future__ import annotations

import os

import dagster as dg
import pytest

from orchestration.close.assets import GATE, MAY_CLOSE, NOTHING_WAITS, PACKETS
from orchestration.house import House
from orchestration.operate.instance import prepare_environment
from tests.pipeline.homes import copy, rows

pytestmark = pytest.mark.xdist_group("grid")


@pytest.fixture(scope="module")
def instance(demo, tmp_path_factory):
    before = {name: os.environ.get(name) for name in ("CCM_HOME", "DAGSTER_HOME")}
    prepare_environment(House(copy(demo[0], tmp_path_factory.mktemp("grid") / "home")))
    with dg.DagsterInstance.get() as instance:
        yield instance
    for name, value in before.items():
        os.environ.pop(name) if value is None else os.environ.update({name: value})


def calendar(home):
    return {f"{row['month']:%Y-%m}|{row['practice_id']}": row for row in rows(home, "from close_calendar")}


def newest(instance, asset, check):
    """partition -> the newest outcome of a check, as the grid shows it."""
    found = {}
    for record in instance.event_log_storage.get_asset_check_execution_history(dg.AssetCheckKey(asset, check), limit=1000):
        outcome = record.event.dagster_event.event_specific_data
        found.setdefault(outcome.partition, outcome)
    return found


def test_the_grid_has_a_mark_where_a_month_is_closed_and_none_where_it_is_due(demo, instance):
    months = calendar(demo[0])
    closed = {key for key, row in months.items() if row["state"] == "closed"}
    assert closed and instance.get_materialized_partitions(PACKETS) == closed
    assert months["2026-10|highpines"]["state"] == "due"


def test_a_refused_month_is_red_with_its_reason_and_only_that_one(demo, instance):
    gate = newest(instance, GATE, MAY_CLOSE)
    # Another test asks for the month that is not over.
    assert {key for key, outcome in gate.items() if not outcome.passed and not key.startswith("2026-11")} == {"2026-10|highpines"}
    assert "time_entries" in gate["2026-10|highpines"].metadata["refusals"].value


def test_a_closed_month_says_its_version_and_what_it_still_holds(demo, instance):
    waits = newest(instance, PACKETS, NOTHING_WAITS)
    months = calendar(demo[0])
    for key, outcome in waits.items():
        if months[key]["state"] == "closed" and outcome.metadata["state"].value.startswith("closed"):
            assert outcome.metadata["state"].value == f"closed v{months[key]['close_version']}", key
            assert outcome.passed == (outcome.metadata["held"].value == "0")
    assert any(not outcome.passed for outcome in waits.values())
    assert not waits["2026-10|highpines"].passed and waits["2026-10|highpines"].severity == dg.AssetCheckSeverity.ERROR
