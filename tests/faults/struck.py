"""What runs a `ccm` command, or one part of it, that is struck down, or that only counts where it could be. Its arguments are MODE -- COMMAND... A part is
`part:NAME` (below), run on CCM_HOME without Dagster: the parts are what writes durably. Like a command, a part begins with the sweep.

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
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any


def close(practice_id: str, month: str) -> None:
    """The close of one practice-month, after the gate."""
    from orchestration.close.claim_file import judge_here
    from orchestration.close.closing import Approval, closing
    from orchestration.close.in_common import InCommon
    from orchestration.close.packet import finish
    from orchestration.house import House
    from orchestration.practices import load_practices

    house = House.from_environment()
    practice, day = load_practices(house.practices_yaml)[practice_id], date.fromisoformat(f"{month}-01")
    finish(closing(house, practice, day, Approval("Ann Lee"), judge_here, InCommon(house, day)))


def publish() -> None:
    """The marts' publication."""
    from orchestration.answer.publish import publish
    from orchestration.house import House

    publish(House.from_environment())


def take_in() -> None:
    """What landed comes into the lake."""
    from orchestration.house import House
    from orchestration.practices import load_practices
    from orchestration.take_in.lake import take_in

    house = House.from_environment()
    practices = load_practices(house.practices_yaml)
    take_in(house, {name: practice.time_zone for name, practice in practices.items()})


def answers() -> None:
    """What the payers answered comes into the lake."""
    from orchestration.house import House
    from orchestration.payers.inbox import take_in_answers

    take_in_answers(House.from_environment())


PARTS: dict[str, Callable[..., None]] = {"close": close, "publish": publish, "take_in": take_in, "answers": answers}


def main() -> None:
    mode, _, value = sys.argv[1].partition(":")
    command = sys.argv[3:]
    counts = {"write": 0, "step": 0}

    def struck(function: Any, kind: str) -> Any:
        def wrapper(*arguments: Any, **settings: Any) -> Any:
            counts[kind] += 1
            if mode == kind and counts[kind] == int(value):
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments, **settings)

        return wrapper

    for name in ("rename", "replace", "fsync"):
        setattr(os, name, struck(getattr(os, name), "write"))
    if mode == "small":
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(value), int(value)))
    try:
        if command[0].startswith("part:"):
            from orchestration.house import House, sweep

            sweep(House.from_environment())
            PARTS[command[0].removeprefix("part:")](*command[1:])
        else:
            import dagster._core.execution.plan.execute_plan as plan

            plan.dagster_event_sequence_for_step = struck(plan.dagster_event_sequence_for_step, "step")  # type: ignore[attr-defined]
            sys.argv = ["ccm", *command]
            from orchestration.command.main import main as ccm

            ccm()
    finally:
        if mode == "count":
            Path(value).write_text(json.dumps(counts))
