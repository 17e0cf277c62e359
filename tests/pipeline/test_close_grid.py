"""Dagster's grid of closes is the calendar of closes: the demo's months, practice by practice."""

from __future__ import annotations

import importlib
from datetime import date

import dagster as dg
import pytest

from orchestration.close.assets import GATE, MAY_CLOSE, NOTHING_WAITS, OUTCOMES, PACKETS
from orchestration.house import House
from orchestration.practices import load_practices
from orchestration.schedules.jobs import month_end_requests
from tests.pipeline.homes import copy, instance_of, rows

pytestmark = pytest.mark.xdist_group("grid")


@pytest.fixture(scope="module")
def instance(demo, tmp_path_factory):
    with instance_of(copy(demo[0], tmp_path_factory.mktemp("grid") / "home")) as instance:
        yield instance


def calendar(home):
    return {f"{row['month']:%Y-%m}|{row['practice_id']}": row for row in rows(home, "from close_calendar")}


def newest(instance, asset, check):
    """partition -> the newest outcome of a check, as the grid shows it."""
    found = {}
    for record in instance.event_log_storage.get_asset_check_execution_history(dg.AssetCheckKey(asset, check), limit=1000):
        outcome = record.event.dagster_event.event_specific_data
        found.setdefault(outcome.partition, outcome)
    return found


@pytest.mark.long
def test_the_grid_has_a_mark_where_a_month_is_closed_and_none_where_it_is_due(demo, instance):
    months = calendar(demo[0])
    closed = {key for key, row in months.items() if row["state"] == "closed"}
    assert closed and instance.get_materialized_partitions(PACKETS) == closed
    assert months["2026-10|highpines"]["state"] == "due"


@pytest.mark.long
def test_a_refused_month_is_red_with_its_reason_and_only_that_one(demo, instance):
    gate = newest(instance, GATE, MAY_CLOSE)
    # Another test asks for the month that is not over.
    assert {key for key, outcome in gate.items() if not outcome.passed and not key.startswith("2026-11")} == {"2026-10|highpines"}
    assert "time_entries" in gate["2026-10|highpines"].metadata["refusals"].value


@pytest.mark.long
def test_a_closed_month_says_its_version_and_what_it_still_holds(demo, instance):
    waits = newest(instance, PACKETS, NOTHING_WAITS)
    months = calendar(demo[0])
    for key, outcome in waits.items():
        if months[key]["state"] == "closed" and outcome.metadata["state"].value.startswith("closed"):
            assert outcome.metadata["state"].value == f"closed v{months[key]['close_version']}", key
            assert outcome.passed == (outcome.metadata["held"].value == "0")
    assert any(not outcome.passed for outcome in waits.values())
    assert not waits["2026-10|highpines"].passed and waits["2026-10|highpines"].severity == dg.AssetCheckSeverity.ERROR


def test_the_schedules_run_for_several_practices_closes_proposes_or_refuses_each_by_its_own_rules(demo, tmp_path):
    home = copy(demo[0], tmp_path / "home")
    practices = load_practices(home / "practices.yaml")
    month, asked = date(2026, 10, 1), ["highpines", "hudson", "prairie"]
    (request,) = month_end_requests(House(home), [practices[name] for name in asked], month, date(2026, 11, 5))
    # prairie's month is closed, and its supplement waits for a name; asked for all the same it is proposed.
    assert (
        request.partition_key == "2026-10|highpines"
        and request.run_config["ops"]["close__packets"]["config"]["practice_ids"] == asked[:2]
    )
    for op in request.run_config["ops"].values():
        op["config"]["practice_ids"] = asked
    with instance_of(home) as instance:
        before = instance.get_materialized_partitions(PACKETS)
        definitions = importlib.reload(importlib.import_module("orchestration.definitions")).defs
        result = definitions.resolve_job_def("month_end").execute_in_process(
            run_config=request.run_config, partition_key=request.partition_key, instance=instance
        )
        assert result.success
        waits = newest(instance, PACKETS, NOTHING_WAITS)
        assert {name: waits[f"2026-10|{name}"].metadata["state"].value for name in asked} == {
            "highpines": "refused",
            "hudson": "closed v2",
            "prairie": "proposed v2",
        }
        # The run is the refused practice's; the grid has no mark there, and the marts learnt of what the others closed.
        assert instance.get_materialized_partitions(PACKETS) == before and "2026-10|highpines" not in before
        assert instance.get_materialized_partitions(OUTCOMES) >= {"2026-10|highpines"}
    assert calendar(home)["2026-10|hudson"]["close_version"] == 2
