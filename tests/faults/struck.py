"""`python -m tests.faults.struck MODE -- COMMAND...`: runs a `ccm` command that is struck down, or that only counts where it could be.

MODE
  count:FILE    runs to the end and writes how many durable steps and Dagster steps it took
  write:N       SIGKILL before the N-th durable step (rename, replace, fsync), so that what comes after it is missing
  step:N        SIGKILL before the N-th Dagster step
  small:BYTES   no file may grow beyond so many bytes: a disk that is full
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from pathlib import Path
from typing import Any


def main() -> None:
    mode, _, value = sys.argv[1].partition(":")
    counts = {"write": 0, "step": 0}

    def strike(kind: str) -> None:
        counts[kind] += 1
        if mode == kind and counts[kind] == int(value):
            os.kill(os.getpid(), signal.SIGKILL)

    def struck(function: Any, kind: str) -> Any:
        def wrapper(*arguments: Any, **settings: Any) -> Any:
            strike(kind)
            return function(*arguments, **settings)

        return wrapper

    for name in ("rename", "replace", "fsync"):
        setattr(os, name, struck(getattr(os, name), "write"))
    import dagster._core.execution.plan.execute_plan as plan

    plan.dagster_event_sequence_for_step = struck(plan.dagster_event_sequence_for_step, "step")  # type: ignore[attr-defined]
    if mode == "small":
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(value), int(value)))
    sys.argv = ["ccm", *sys.argv[3:]]
    from orchestration.command.main import main as ccm

    try:
        ccm()
    finally:
        if mode == "count":
            Path(value).write_text(json.dumps(counts))


if __name__ == "__main__":
    main()
