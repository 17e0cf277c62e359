"""A night that Dagster runs with nothing new: its checks say what stands, and nothing is built, published or written again."""

from __future__ import annotations

import hashlib
import importlib
from datetime import timedelta

import dagster as dg
import pytest

from orchestration.house import House
from tests.holds.clinic import NEWEST_NIGHT, Clinic, configure, nights, write
from tests.pipeline.homes import instance_of

pytestmark = pytest.mark.xdist_group("nothing_new")

FIRST = NEWEST_NIGHT - timedelta(days=4)
UNDOCUMENTED, DRIFT, MARTS = (
    dg.AssetKey(name) for name in (["marts", "undocumented_time"], ["marts", "extract_drift"], ["answer", "published_marts"])
)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A practice with a timer that was never stopped and a column that no longer comes."""
    home, clinic = tmp_path_factory.mktemp("nothing-new") / "home", Clinic("alpha", 1, patients=2)
    configure(home, [clinic])
    for night in nights(FIRST, NEWEST_NIGHT):
        clinic.land_night(
            home,
            night,
            {"time_entries": lambda found: [{**row, "ended_at": ""} for row in found[:1]] + found[1:]},
            as_panel=night in (FIRST, NEWEST_NIGHT - timedelta(days=1), NEWEST_NIGHT),
        )
    write(home, "alpha", NEWEST_NIGHT, "consents", clinic.panel()["consents"], without=("revoked_on",))
    return home


@pytest.fixture(scope="module")
def instance(home):
    with instance_of(home) as instance:
        yield instance


@pytest.fixture(scope="module")
def definitions(instance):
    return importlib.reload(importlib.import_module("orchestration.definitions")).defs


def night(definitions, instance, *, full=False, only=None):
    """A night as a schedule or Dagster's page runs it, or a few of its assets alone."""
    ran = definitions.resolve_job_def("nightly").execute_in_process(
        run_config={
            "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
            "ops": {"transform_and_decide": {"config": {"full": full}}},
        },
        partition_key=str(NEWEST_NIGHT),
        instance=instance,
        asset_selection=only,
    )
    assert ran.success
    return ran


@pytest.fixture(scope="module")
def first(definitions, instance):
    """The night that took everything in."""
    return night(definitions, instance)


def said(definitions, instance):
    """What Dagster's page has of each of the night's checks: its newest outcome, and what it tells of it."""
    keys = definitions.resolve_asset_graph().asset_check_keys
    newest = instance.event_log_storage.get_latest_asset_check_execution_by_key(sorted(keys))
    found = {}
    for key, record in newest.items():
        evaluation = record.event and record.event.dagster_event.event_specific_data
        found[key] = (record.status.value, evaluation.severity if evaluation and record.status.value == "FAILED" else None)
    return found


def stamps(home):
    """Everything of a home that a night may write, besides Dagster's own history, logs and the record of who ran what."""
    files = [home / "marts.duckdb", House(home).warehouse]
    files += [
        path
        for folder in ("worklists", "reports", "lake", ".state/verdicts")
        for path in (home / folder).rglob("*")
        if path.is_file()
    ]
    return {
        path.relative_to(home).as_posix(): (
            path.stat().st_ino,
            path.stat().st_mtime_ns,
            hashlib.sha256(path.read_bytes()).hexdigest(),
        )
        for path in files
    }


def made(instance, ran):
    """The assets that a run marks as made."""
    found = instance.get_records_for_run(ran.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION, limit=5000).records
    return {record.event_log_entry.dagster_event.asset_key.to_user_string() for record in found}


@pytest.mark.long
def test_a_night_with_nothing_new_leaves_every_check_as_it_stands_and_writes_nothing(home, instance, definitions, first):
    assert "marts/undocumented_time" in made(instance, first)
    before, written = said(definitions, instance), stamps(home)
    assert before[dg.AssetCheckKey(UNDOCUMENTED, "no_open_timer")][0] == "FAILED"
    assert before[dg.AssetCheckKey(DRIFT, "missing_column")] == ("FAILED", dg.AssetCheckSeverity.ERROR)
    assert before[dg.AssetCheckKey(MARTS, "night_finished")][0] == "SUCCEEDED"

    second = night(definitions, instance)
    assert said(definitions, instance) == before
    # What hangs on the publication goes on: the last run may have been killed behind it.
    assert made(instance, second) == {"answer/worklists", "answer/reports"}
    assert stamps(home) == written


@pytest.mark.long
def test_a_single_asset_that_is_run_from_the_page_with_nothing_new_keeps_its_checks_and_those_of_the_others(
    instance, definitions, first
):
    before = said(definitions, instance)
    assert before[dg.AssetCheckKey(UNDOCUMENTED, "no_open_timer")][0] == "FAILED"
    ran = night(definitions, instance, only=[UNDOCUMENTED])
    assert said(definitions, instance) == before and not made(instance, ran)


@pytest.mark.long
def test_a_full_build_with_nothing_new_is_published(home, instance, definitions, first):
    written = (home / "marts.duckdb").stat().st_ino
    assert {"marts/undocumented_time", "answer/published_marts"} <= made(instance, night(definitions, instance, full=True))
    assert (home / "marts.duckdb").stat().st_ino != written
