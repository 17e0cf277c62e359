"""Dagster's event log: kept open, written in bursts, and whole."""

from __future__ import annotations

import dagster as dg
import pytest
from dagster._core.storage.event_log import SqliteEventLogStorage

from orchestration.house import House
from orchestration.operate.event_log import BURST_EVENTS, OpenSqliteEventLogStorage
from orchestration.operate.instance import prepare_environment

CHECKS = [f"check_{number}" for number in range(BURST_EVENTS)]


@dg.asset(check_specs=[dg.AssetCheckSpec(name, asset="judged") for name in CHECKS])
def judged():
    yield dg.MaterializeResult(check_results=[dg.AssetCheckResult(check_name=name, passed=name != "check_7") for name in CHECKS])


@dg.asset(deps=[judged])
def broken():
    raise ValueError("on purpose")


@pytest.fixture
def instance(tmp_path, monkeypatch):
    for name in ("CCM_HOME", "DAGSTER_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    prepare_environment(House(tmp_path / "home"))
    with dg.DagsterInstance.get() as made:
        yield made


@pytest.mark.long
def test_a_home_keeps_its_event_log_open_and_another_process_reads_every_event_of_a_run(instance):
    log = instance.event_log_storage
    assert type(log) is OpenSqliteEventLogStorage
    ran = dg.materialize([judged, broken], instance=instance, raise_on_error=False)
    assert not ran.success
    # Read by another storage on the same files, as `ccm ui` does: nothing is left in an open transaction.
    other = SqliteEventLogStorage(log._base_dir)
    kinds = [record.event_log_entry.dagster_event_type for record in other.get_records_for_run(ran.run_id, limit=5000).records]
    assert kinds.count(dg.DagsterEventType.ASSET_CHECK_EVALUATION) == len(CHECKS)
    assert kinds.count(dg.DagsterEventType.STEP_FAILURE) == 1 and kinds[-1] == dg.DagsterEventType.PIPELINE_FAILURE
    latest = other.get_latest_asset_check_execution_by_key([dg.AssetCheckKey(judged.key, name) for name in CHECKS])
    assert {key.name for key, record in latest.items() if record.status.value == "FAILED"} == {"check_7"}
    assert other.get_asset_records([judged.key])[0].asset_entry.last_materialization_record.run_id == ran.run_id


@pytest.mark.long
def test_files_of_the_log_are_open_only_while_there_is_use_for_them(instance):
    log = instance.event_log_storage
    for _ in range(9):
        dg.materialize([broken], instance=instance, raise_on_error=False, selection=[broken])
    assert 1 <= len(log._open) <= 8
    assert all(log.get_records_for_run(run.run_id).records for run in instance.get_runs())
    log.dispose()
    assert not log._open


@pytest.mark.long
def test_the_description_of_dagsters_tables_is_read_once_and_not_for_every_event(instance, monkeypatch):
    dg.materialize([judged], instance=instance)
    described = []
    monkeypatch.setattr(
        "sqlalchemy.engine.reflection.Inspector.get_columns", lambda self, table, **_: described.append(table) or []
    )
    assert dg.materialize([judged], instance=instance).success
    assert "asset_keys" not in described
