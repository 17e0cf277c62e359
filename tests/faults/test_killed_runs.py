"""A killed run keeps no slot of a pool: the next one does not wait for it, and Dagster says that it failed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import dagster as dg
import pytest
from dagster._core.test_utils import create_run_for_test

from orchestration.house import House
from orchestration.operate import living_runs
from orchestration.operate.instance import prepare_environment
from orchestration.operate.living_runs import bury_the_dead, is_dead

JOB = """
import os, signal, sys
import dagster as dg

@dg.asset(pool="warehouse")
def held():
    if {kill}:
        os.kill(os.getpid(), signal.SIGKILL)
    return 1

job = dg.Definitions(assets=[held], jobs=[dg.define_asset_job("one", executor_def=dg.in_process_executor)]).resolve_job_def("one")
with dg.DagsterInstance.get() as instance:
    result = job.execute_in_process(instance=instance, raise_on_error=False)
print("done", result.success)
"""


@pytest.fixture
def house(tmp_path, monkeypatch):
    house = House(tmp_path / "home")
    for name in ("CCM_HOME", "DAGSTER_HOME"):
        monkeypatch.setenv(name, os.environ.get(name, ""))
    prepare_environment(house)
    return house


def run(*, kill):
    return subprocess.run(
        [sys.executable, "-c", JOB.format(kill=kill)],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
        check=False,
    )


@pytest.mark.long
def test_a_run_that_was_killed_inside_a_pool_does_not_stop_the_next_one_and_is_marked_as_failed(house):
    assert run(kill=True).returncode == -signal.SIGKILL
    with dg.DagsterInstance.get() as instance:
        info = instance.event_log_storage.get_concurrency_info("warehouse")
        killed = info.claimed_slots[0].run_id
        assert is_dead(killed)
    done = run(kill=False)  # without the lock it would wait for ever
    assert "done True" in done.stdout, done.stderr
    with dg.DagsterInstance.get() as instance:
        assert bury_the_dead(instance, shell_is_ours=False) == [killed]
        assert instance.get_run_by_id(killed).status == dg.DagsterRunStatus.FAILURE
        assert bury_the_dead(instance, shell_is_ours=False) == []


@pytest.mark.long
def test_a_living_run_keeps_its_slot(house):
    waits = JOB.format(kill=False).replace("    return 1", "    print('inside', flush=True); sys.stdin.read(); return 1")
    living = subprocess.Popen(
        [sys.executable, "-c", waits], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        assert any(line.startswith("inside") for line in living.stdout)
        with dg.DagsterInstance.get() as instance:
            storage = instance.event_log_storage
            holder = storage.get_concurrency_info("warehouse").claimed_slots[0].run_id
            assert not is_dead(holder)
            status = storage.claim_concurrency_slot("warehouse", "another", "held")
            assert not status.is_claimed
            assert storage.get_concurrency_info("warehouse").claimed_slots[0].run_id == holder
            assert bury_the_dead(instance, shell_is_ours=False) == []
    finally:
        out, _ = living.communicate("\n")
    assert "done True" in out


def test_a_run_that_died_before_it_claimed_anything_is_waited_for_and_then_marked_as_failed(house, monkeypatch):
    with dg.DagsterInstance.get() as instance:
        run = create_run_for_test(instance, "respond", status=dg.DagsterRunStatus.STARTING)
        assert bury_the_dead(instance, shell_is_ours=False) == []
        later = time.time() + living_runs.PATIENCE.total_seconds() + 60
        monkeypatch.setattr(living_runs.time, "time", lambda: later)
        assert bury_the_dead(instance, shell_is_ours=False) == [run.run_id]
        assert instance.get_run_by_id(run.run_id).status == dg.DagsterRunStatus.FAILURE
