"""The asset graph, its jobs and its schedules."""

from __future__ import annotations

import importlib
import os
from datetime import date, datetime
from zoneinfo import ZoneInfo

import dagster as dg
import pytest

from orchestration.house import House
from tests.pipeline.homes import copy

pytestmark = pytest.mark.xdist_group("demo")


@pytest.fixture(scope="module")
def definitions(demo, tmp_path_factory):
    home = copy(demo[0], tmp_path_factory.mktemp("graph") / "home")
    before = os.environ.get("CCM_HOME")
    os.environ["CCM_HOME"] = str(home)
    yield importlib.reload(importlib.import_module("orchestration.definitions")), House(home)
    if before is None:
        del os.environ["CCM_HOME"]
    else:
        os.environ["CCM_HOME"] = before


def context(definitions, tick):
    return dg.build_schedule_context(
        scheduled_execution_time=tick,
        repository_def=definitions[0].defs.get_repository_def(),
        instance=dg.DagsterInstance.ephemeral(),
    )


def keys(graph, path):
    return {key.to_user_string() for key in graph.get(dg.AssetKey(path)).parent_keys}


def test_data_walks_once_from_the_lake_through_the_marts_and_the_gate_to_the_packets(definitions):
    graph = definitions[0].defs.resolve_asset_graph()
    assert keys(graph, ["close", "packets"]) == {"gate/rulings"}
    assert keys(graph, ["close", "posted_claims"]) == {"close/packets"}
    assert {"marts/patient_month_decisions", "marts/claimable_codes", "marts/minute_ledger"} <= keys(graph, ["gate", "rulings"])
    assert {"lake/time_entries", "staging/stg_files"} <= keys(graph, ["staging", "stg_time_entries"])
    groups = {graph.get(key).group_name for key in graph.materializable_asset_keys}
    assert groups == {
        "take_in", "rules", "staging", "panel", "minutes", "decisions", "payments", "office", "holds", "gate", "close", "publish", "answers",
    }  # fmt: skip
    assert "answers/remittances" in keys(graph, ["marts", "remittances"]) and "answers/remittances" in keys(
        graph, ["answers", "posted_answers"]
    )


def test_taking_in_is_partitioned_by_night_and_every_test_is_a_check_on_its_asset(definitions):
    graph = definitions[0].defs.resolve_asset_graph()
    assert isinstance(graph.get(dg.AssetKey(["lake", "time_entries"])).partitions_def, dg.DailyPartitionsDefinition)
    checks = {(key.asset_key.to_user_string(), key.name) for key in graph.asset_check_keys}
    assert ("lake/time_entries", "rows_keep_the_contract") in checks
    assert ("marts/undocumented_time", "no_time_without_a_note") in checks
    assert ("marts/minute_ledger", "seconds_of_every_entry_add_up_to_its_elapsed_time") in checks
    assert len(checks) > 60
    # One practice's red check must not keep the others' marts from being published; the gate does the stopping.
    assert not [key for key in graph.asset_check_keys if graph.get_check_spec(key).blocking]


@pytest.mark.parametrize("zone", ["America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles"])
def test_the_night_runs_at_two_in_each_time_zone_for_its_own_practices(definitions, zone):
    schedule = definitions[0].defs.resolve_schedule_def(f"nightly_{zone.lower().replace('/', '_')}")
    assert (schedule.execution_timezone, schedule.cron_schedule) == (zone, "0 2 * * *")
    # The night of the end of daylight saving time as well.
    tick = datetime(2026, 11, 1, 2, 0, tzinfo=ZoneInfo(zone))
    request = schedule.evaluate_tick(context(definitions, tick)).run_requests[0]
    assert request.partition_key == "2026-11-01"
    assert len(request.run_config["ops"]["take_in"]["config"]["practice_ids"]) == 1


def test_the_month_end_schedule_closes_for_a_standing_approver_and_waits_for_the_others(definitions):
    defs, house = definitions[0].defs, definitions[1]
    new_york = defs.resolve_schedule_def("month_end_america_new_york")
    tick = datetime(2026, 12, 3, 5, 0, tzinfo=ZoneInfo("America/New_York"))
    request = new_york.evaluate_tick(context(definitions, tick)).run_requests[0]
    config = request.run_config["ops"]["close__packets"]["config"]
    assert (config["month"], config["practice_ids"]) == ("2026-11", ["hudson"])
    assert config["approved_by"]
    chicago = defs.resolve_schedule_def("month_end_america_chicago")
    tick = datetime(2026, 12, 3, 5, 0, tzinfo=ZoneInfo("America/Chicago"))
    evaluated = chicago.evaluate_tick(context(definitions, tick))
    assert not evaluated.run_requests and "waits for an approver: prairie" in evaluated.skip_message
    early = datetime(2026, 12, 2, 5, 0, tzinfo=ZoneInfo("America/New_York"))
    assert not new_york.evaluate_tick(context(definitions, early)).run_requests
    assert house.practices_yaml.exists() and date(2026, 12, 3)
