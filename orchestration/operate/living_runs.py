"""Runs that were killed. Dagster's pools keep the slot of a killed run for ever, and every later night would wait for it.

Whoever claims a slot holds a lock on `.state/runs/<run_id>.lock`, which the kernel frees when the process ends, however it ends. A slot whose
run's lock is free is given back when the next run asks for it; the run itself is marked as failed.
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import IO, Any

from dagster import DagsterInstance, DagsterRunStatus, RunsFilter
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage

from orchestration.house import House

FROM_SHELL = "ccm/shell"  # tag of the runs that a `ccm` command runs itself, one at a time
# A run whose process died before it claimed anything has no lock that tells: it is waited for so long, and no longer.
PATIENCE = timedelta(hours=6)
_held: dict[str, IO[str]] = {}
_DAY_SECONDS = 86_400


def _lock_file(run_id: str) -> Path:
    return House.from_environment().state / "runs" / f"{run_id}.lock"


def hold(run_id: str) -> None:
    """Marks a run as living for as long as this process does."""
    if run_id in _held:
        return
    path = _lock_file(run_id)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle = path.open("a")
    fcntl.flock(handle, fcntl.LOCK_EX)
    _held[run_id] = handle
    for old in path.parent.glob("*.lock"):
        try:
            if time.time() - old.stat().st_mtime > _DAY_SECONDS and is_dead(old.stem):
                old.unlink()
        except FileNotFoundError:
            continue  # another run swept it


def is_dead(run_id: str) -> bool:
    """Whether no process holds the run's lock; also where there never was one."""
    path = _lock_file(run_id)
    return not (path.exists() and is_locked(path))


def opened_lock(path: Path) -> IO[str]:
    """A lock's file for who only looks: a disk may be mounted so that nothing can be written."""
    try:
        return path.open("a")
    except OSError:
        return path.open("r")


def is_locked(path: Path) -> bool:
    """Whether some process holds the lock of this file."""
    with opened_lock(path) as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


class SlotsOfTheLiving(SqlEventLogStorage):
    """An event log whose concurrency slots belong to living runs only."""

    def claim_concurrency_slot(self, concurrency_key: str, run_id: str, step_key: str, priority: int | None = None) -> Any:
        hold(run_id)
        self._free_the_dead(concurrency_key)
        return super().claim_concurrency_slot(concurrency_key, run_id, step_key, priority)

    def check_concurrency_claim(self, concurrency_key: str, run_id: str, step_key: str) -> Any:
        status = super().check_concurrency_claim(concurrency_key, run_id, step_key)
        if status.is_claimed or not self._free_the_dead(concurrency_key):
            return status
        return super().check_concurrency_claim(concurrency_key, run_id, step_key)

    def _free_the_dead(self, concurrency_key: str) -> bool:
        info = self.get_concurrency_info(concurrency_key)
        runs = {one.run_id for one in info.claimed_slots} | {one.run_id for one in info.pending_steps}
        dead = [run_id for run_id in sorted(runs) if is_dead(run_id)]
        for run_id in dead:
            self.free_concurrency_slots_for_run(run_id)
        return bool(dead)


def bury_the_dead(instance: DagsterInstance, *, shell_is_ours: bool) -> list[str]:
    """Marks killed runs as failed and gives their ids. `shell_is_ours`: the caller holds the home's `run` lock, so that no other run of a
    `ccm` command is alive, also none that was killed before it claimed anything."""
    buried = []
    for record in _unfinished(instance):
        run = record.dagster_run
        if run.run_id in _held:
            continue
        is_silent = time.time() - record.update_timestamp.timestamp() > PATIENCE.total_seconds()
        is_killed = is_dead(run.run_id) and (is_silent or _lock_file(run.run_id).exists())
        if is_killed or (shell_is_ours and run.tags.get(FROM_SHELL)):
            instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
            instance.report_run_failed(
                run, "Its process ended before the run did (killed, or the machine stopped); nothing is half done."
            )
            buried.append(run.run_id)
    return buried


def unfinished(instance: DagsterInstance) -> Iterable[Any]:
    """Runs that have begun and not ended."""
    return [record.dagster_run for record in _unfinished(instance)]


def _unfinished(instance: DagsterInstance) -> Sequence[Any]:
    statuses = [DagsterRunStatus.STARTED, DagsterRunStatus.STARTING, DagsterRunStatus.CANCELING]
    return instance.get_run_records(RunsFilter(statuses=statuses))
