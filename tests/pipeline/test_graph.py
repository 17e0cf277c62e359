"""The asset graph, its jobs and its schedules."""

from __future__ import annotations

import importlib
import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

import dagster as dg
import pytest
from dagster._core.definitions.partitions.context import partition_loading_context
from dagster._core.remote_representation.external_data import RepositorySnap
from dagster._core.test_utils import freeze_time
from dagster._serdes import deserialize_value, serialize_value
from dagster._utils.schedules import cron_string_iterator

from orchestration.house import PROJECT_ROOT, House
from orchestration.practices import load_practices
from orchestration.schedules import jobs
from orchestration.schedules.jobs import month_end_requests
from orchestration.signposts import Group, links
from orchestration.take_in.assets import NIGHTS
from tests.pipeline.graph import KEPT, drawn
from tests.pipeline.homes import copy

pytestmark = pytest.mark.xdist_group("graph")


@pytest.fixture(scope="module")
def definitions(demo, tmp_path_factory):
    home = copy(demo[0], tmp_path_factory.mktemp("graph") / "home")
    before = os.environ.get("CCM_HOME")
    os.environ["CCM_HOME"] = str(home)
    with dg.instance_for_test() as instance:
        yield importlib.reload(importlib.import_module("orchestration.definitions")), House(home), instance
    if before is None:
        del os.environ["CCM_HOME"]
    else:
        os.environ["CCM_HOME"] = before


def context(definitions, tick):
    return dg.build_schedule_context(
        scheduled_execution_time=tick,
        repository_def=definitions[0].defs.get_repository_def(),
        instance=definitions[2],
    )


def keys(graph, path):
    return {key.to_user_string() for key in graph.get(dg.AssetKey(path)).parent_keys}


def test_data_walks_once_from_the_lake_through_the_marts_and_the_gate_to_the_packets(definitions):
    graph = definitions[0].defs.resolve_asset_graph()
    assert keys(graph, ["close", "packets"]) == {"gate/rulings"}
    assert keys(graph, ["close", "posted_claims"]) == {"close/outcomes"}
    assert keys(graph, ["close", "outcomes"]) == {"close/packets"}
    assert {"marts/patient_month_decisions", "marts/claimable_codes", "marts/minute_ledger"} <= keys(graph, ["gate", "rulings"])
    assert {"lake/time_entries", "staging/stg_files"} <= keys(graph, ["staging", "stg_time_entries"])
    assert "answers/remittances" in keys(graph, ["marts", "remittances"]) and "answers/remittances" in keys(
        graph, ["answers", "posted_answers"]
    )


def test_the_graph_is_the_one_that_was_reviewed(definitions):
    assert drawn(definitions[0].defs) == KEPT.read_text(encoding="utf-8"), "`make graph` writes it anew: read the difference"


def test_the_graph_can_be_sent_to_dagsters_pages(definitions):
    snap = RepositorySnap.from_def(definitions[0].defs.get_repository_def())
    sent = deserialize_value(serialize_value(snap), RepositorySnap)
    assert {node.group_name for node in sent.asset_nodes} == set(Group.all())


def test_the_nights_are_every_day_up_to_the_newest_and_are_counted_once_for_each_of_them(monkeypatch):
    plain = dg.DailyPartitionsDefinition(start_date="2019-01-01", end_offset=1)
    assert NIGHTS.get_partition_keys() == plain.get_partition_keys()
    counted, before = [], dg.DailyPartitionsDefinition.get_partition_keys

    def counting(self, *given):
        counted.append(self)
        return before(self, *given)

    monkeypatch.setattr(dg.DailyPartitionsDefinition, "get_partition_keys", counting)
    assert NIGHTS.get_partition_keys() == NIGHTS.get_partition_keys() and not counted
    for moment in (datetime(2026, 3, 1, 12, tzinfo=UTC), datetime(2026, 3, 2, 12, tzinfo=UTC)):
        with partition_loading_context(moment):
            assert NIGHTS.get_partition_keys()[-1] == f"{moment:%Y-%m-%d}"
    assert len(counted) == 2
    # What the pages of Dagster keep of a backfill's nights can be read back.
    some = NIGHTS.subset_with_partition_keys(["2026-11-03", "2026-11-04"])
    assert NIGHTS.deserialize_subset(some.serialize()) == some


def test_every_asset_says_what_it_is_who_answers_for_it_and_whom_its_rows_speak_of(definitions):
    graph = definitions[0].defs.resolve_asset_graph()
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        assert node.description and not node.description.startswith("dbt "), key
        assert node.owners and node.kinds and node.group_name in Group.all(), key
        assert node.tags["phi"] in {"identifying", "patient_ids", "claim_ids", "none"}, key


def test_an_asset_names_its_files_by_their_path_in_the_checkout_and_they_are_there(definitions, monkeypatch):
    graph = definitions[0].defs.resolve_asset_graph()
    named = {
        value.text.partition("#")[0]
        for key in graph.get_all_asset_keys()
        for name, value in graph.get(key).metadata.items()
        if name in ("file", "yml", "contract", "contracts", "docs", "columns", "dictionary")
    }
    assert len(named) > 150 and not [path for path in named if not (PROJECT_ROOT / path).is_file()]
    dictionary = (PROJECT_ROOT / "docs" / "data-dictionary.md").read_text(encoding="utf-8")
    for key in graph.get_all_asset_keys():
        if page := graph.get(key).metadata.get("dictionary"):
            name = page.text.partition("#")[2]
            assert not name or f"\n### {name}\n" in dictionary or f'<a id="{name}"></a>' in dictionary, name
    ledger = graph.get(dg.AssetKey(["marts", "minute_ledger"])).metadata
    assert ledger["contract"].text == "data_contracts/marts/minute_ledger.odcs.yaml"
    opened = {Path(one.file_path).relative_to(PROJECT_ROOT).as_posix() for one in ledger["dagster/code_references"].code_references}
    assert "dbt_project/models/marts/minute_ledger.sql" in opened
    monkeypatch.setenv("CCM_DOCS_URL", "https://git.example.org/ccm/blob/main/")
    assert links(docs="docs/holds.md#to-mend")["docs"].url == "https://git.example.org/ccm/blob/main/docs/holds.md#to-mend"


def test_every_check_says_what_it_asks_and_names_its_section_of_the_runbook(definitions):
    graph = definitions[0].defs.resolve_asset_graph()
    for key in graph.asset_check_keys:
        spec = graph.get_check_spec(key)
        page, anchor = spec.metadata["runbook"].text.split("#")
        assert (PROJECT_ROOT / page).is_file() and anchor and spec.description.endswith(f" Red? {page}#{anchor}"), key
        assert len(spec.description.split(" Red? ")[0]) > 10, key


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


def test_the_month_end_schedule_asks_once_a_day_from_the_first_day_on_and_leaves_the_approver_to_the_run(definitions):
    defs, house = definitions[0].defs, definitions[1]
    assert house.practices_yaml.exists()
    new_york = defs.resolve_schedule_def("month_end_america_new_york")
    tick = datetime(2026, 12, 3, 5, 0, tzinfo=ZoneInfo("America/New_York"))
    request = new_york.evaluate_tick(context(definitions, tick)).run_requests[0]
    assert request.partition_key == "2026-11|hudson"
    asked = request.run_config["ops"]["close__packets"]["config"]
    # One practice: a refusal makes its run red. In whose name, practices.yaml says as the run begins.
    assert (asked["practice_ids"], asked["approved_by"], asked["standing_approvers"]) == (None, None, True)
    # The same tick twice is the same run.
    assert new_york.evaluate_tick(context(definitions, tick)).run_requests[0].run_key == request.run_key
    early = datetime(2026, 12, 2, 5, 0, tzinfo=ZoneInfo("America/New_York"))
    assert not new_york.evaluate_tick(context(definitions, early)).run_requests


def test_a_standing_approvers_month_is_asked_for_until_its_nights_have_come_to_the_final_day(definitions, monkeypatch):
    """At the last tick of the final day the newest night is the day before's or older: what that day releases would be claimed by nobody."""
    house = definitions[1]
    practices = load_practices(house.practices_yaml)
    closed = {"hudson", "prairie"}
    monkeypatch.setattr(jobs, "versions", lambda _house, practice_id, _month: [1] if practice_id in closed else [])
    for day, asked in {date(2026, 11, 20): True, date(2026, 11, 25): True, date(2026, 12, 1): False}.items():
        requests = list(month_end_requests(house, [practices["hudson"], practices["prairie"]], date(2026, 10, 1), day))
        assert isinstance(requests[0], dg.RunRequest) == asked, day
        assert not asked or requests[0].partition_key == "2026-10|hudson"
    late = practices["hudson"].model_copy(update={"close": practices["hudson"].close.model_copy(update={"final_day": 28})})
    (request,) = month_end_requests(house, [late], date(2026, 10, 1), date(2026, 12, 7))
    assert isinstance(request, dg.RunRequest)
    # Nothing of it closed at all (its nights came late): it is asked for as long.
    closed.clear()
    for day, asked in {date(2026, 12, 8): True, date(2026, 12, 9): False}.items():
        (request,) = month_end_requests(house, [late], date(2026, 10, 1), day)
        assert isinstance(request, dg.RunRequest) == asked, day
    closed.add("hudson")
    # And the schedule does ask for the month before the last.
    schedule = definitions[0].defs.resolve_schedule_def("month_end_america_new_york")
    monkeypatch.setattr(jobs, "load_practices", lambda _path: {"hudson": late})
    tick = datetime(2026, 12, 7, 5, 0, tzinfo=ZoneInfo("America/New_York"))
    keys = [one.partition_key for one in schedule.evaluate_tick(context(definitions, tick)).run_requests]
    assert keys == ["2026-10|hudson", "2026-11|hudson"]


def test_no_two_time_zones_have_a_schedule_in_common():
    assert len({jobs._slug(zone) for zone in available_timezones()}) == len(available_timezones())


@pytest.mark.parametrize("zone", ["Pacific/Guam", "Pacific/Honolulu", "America/Puerto_Rico", "America/Chicago"])
@pytest.mark.parametrize("day", [(2026, 12, 31), (2027, 1, 1), (2028, 2, 29), (2027, 3, 14)])
def test_the_night_runs_where_the_clock_is_ahead_of_utc_too(definitions, zone, day):
    tick = datetime(*day, 2, 0, tzinfo=ZoneInfo(zone))
    with freeze_time(tick.astimezone(UTC)):
        request = jobs._nightly_in(zone).evaluate_tick(context(definitions, tick)).run_requests[0]
    assert request.run_config["ops"]["take_in"]["config"]["up_to"] == str(tick.date())
    assert request.partition_key == min(tick.date(), tick.astimezone(UTC).date()).isoformat()


def test_two_thousand_practices_months_are_one_run(definitions, monkeypatch):
    """A run of its own for each would pay the models that hang on closes, and the publication, two thousand times."""
    monkeypatch.setattr(jobs, "first_months", lambda _house: None)
    house = definitions[1]
    one = load_practices(house.practices_yaml)["hudson"]
    many = [one.model_copy(update={"practice_id": f"p{number}"}) for number in range(2000)]
    (request,) = month_end_requests(house, many, date(2026, 11, 1), date(2026, 12, 3))
    assert request.run_config["ops"]["close__packets"]["config"]["practice_ids"] == [practice.practice_id for practice in many]
    (nothing,) = month_end_requests(house, many, date(2026, 11, 1), date(2026, 12, 2))
    assert isinstance(nothing, dg.SkipReason)


@pytest.mark.parametrize("zone", ["America/New_York", "America/Los_Angeles"])
@pytest.mark.parametrize("around", [datetime(2026, 3, 6), datetime(2026, 10, 30)])
def test_every_local_day_has_one_night_also_where_two_o_clock_does_not_exist_or_comes_twice(definitions, zone, around):
    schedule = definitions[0].defs.resolve_schedule_def(f"nightly_{zone.lower().replace('/', '_')}")
    ticks = cron_string_iterator(around.replace(tzinfo=ZoneInfo(zone)).timestamp(), schedule.cron_schedule, zone)
    days = [next(ticks).astimezone(ZoneInfo(zone)) for _ in range(5)]
    assert [day.date() for day in days] == [(around + timedelta(days=n)).date() for n in range(5)]
    assert {day.hour for day in days} <= {2, 3}  # three, on the night when two o'clock is skipped


def test_closes_are_partitioned_by_practice_and_month_and_their_checks_carry_the_partition(definitions):
    graph = definitions[0].defs.resolve_asset_graph()
    for key in (["gate", "rulings"], ["close", "packets"]):
        partitions = graph.get(dg.AssetKey(key)).partitions_def
        assert isinstance(partitions, dg.MultiPartitionsDefinition)
        assert {dimension.name for dimension in partitions.partitions_defs} == {"month", "practice"}
    checks = {key.name: graph.get_check_spec(key) for key in graph.asset_check_keys}
    assert checks["may_close"].partitions_def and checks["nothing_waits"].partitions_def
    # What reads the clock is asked by no nightly run: a night's outcome does not depend on when it runs.
    nightly = definitions[0].defs.resolve_job_def("nightly")
    assert nightly.nodes and not [node.name for node in nightly.nodes if "came_in_time" in node.name]
