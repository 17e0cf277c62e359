"""Runs the Dagster jobs that the schedules run, in this process, on the instance of the home."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import uuid4

from orchestration.house import House, HouseError
from orchestration.operate.instance import opened, prepare_environment
from orchestration.practices import Practice, load_practices


@dataclass(frozen=True)
class JobResult:
    """How a job ended; `outcomes`: practice_id -> what the close came to (closed, proposed or refused), also of a month-end that broke off behind it."""

    success: bool
    outcomes: Mapping[str, Any]
    errors: Sequence[str]


class Pipeline:
    """The definitions, loaded once for any number of runs on one home."""

    def __init__(self, house: House) -> None:
        self.house = house
        prepare_environment(house)
        warnings.filterwarnings("ignore")
        from orchestration.definitions import defs

        self._defs = defs
        for name in ("dagster", "great_expectations", "dbt", "pyx12"):
            logging.getLogger(name).setLevel(logging.CRITICAL)

    def nightly(self, night: date, *, full: bool = False, practice_ids: list[str] | None = None) -> JobResult:
        """The nightly job up to a night, which is the run's partition; earlier nights with something new come with it."""
        from orchestration.take_in.assets import NIGHTS

        config = {
            "ops": {
                "transform_and_decide": {"config": {"full": full}},
                "take_in": {"config": {"practice_ids": practice_ids, "up_to": night.isoformat(), "is_delivered": True}},
            }
        }
        # Dagster knows no partition after today; a folder dated ahead of this machine's clock is taken in all the same.
        return self._run("nightly", config, min(night.isoformat(), NIGHTS.get_last_partition_key() or night.isoformat()))

    def backfill(self, night: date) -> JobResult:
        """The backfill job up to a night: what landed by then is taken in and judged, and nothing is rebuilt."""
        from orchestration.take_in.assets import NIGHTS

        config = {"ops": {"take_in": {"config": {"up_to": night.isoformat(), "is_delivered": True}}}}
        return self._run("backfill", config, min(night.isoformat(), NIGHTS.get_last_partition_key() or night.isoformat()))

    def month_end(
        self, month: date, approved_by: str, practice_ids: list[str] | None, waiver: str | None, propose_only: bool = False
    ) -> JobResult:
        """The month-end job: gate, packets (or only proposals), marts."""
        from orchestration.close.calendar import key_of
        from orchestration.schedules.jobs import close_config

        wanted = practice_ids or list(load_practices(self.house.practices_yaml))
        if not wanted:
            raise HouseError(f"{self.house.practices_yaml}: has no practice")
        config = close_config(approved_by, wanted, waiver, propose_only)
        return self._run("month_end", config, key_of(wanted[0], month), month)

    def respond(self) -> JobResult:
        """The respond job: what the payers put into inbox/ is taken in and posted, and the marts are published."""
        return self._run("respond", {}, None)

    def _run(self, job: str, config: dict[str, Any], partition: str | None, month: date | None = None) -> JobResult:
        from orchestration.close.assets import outcomes_of
        from orchestration.close.calendar import register
        from orchestration.discretion import plainly
        from orchestration.operate.living_runs import FROM_SHELL, bury_the_dead

        quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
        run_id = str(uuid4())
        try:
            with self.house.lock("run"), opened() as instance:
                bury_the_dead(instance, shell_is_ours=True)
                if month:
                    register(instance, load_practices(self.house.practices_yaml), [month])
                result = self._defs.resolve_job_def(job).execute_in_process(
                    run_config={**config, **quiet},
                    partition_key=partition,
                    instance=instance,
                    run_id=run_id,
                    tags={FROM_SHELL: "yes"},
                    raise_on_error=False,
                )
        except Exception as broken:
            # Dagster could not write down what its run did; what went out by then is told all the same.
            if not (outcomes := outcomes_of(run_id)):
                raise
            return JobResult(False, outcomes, [str(plainly(job, broken))])
        errors = []
        for event in result.all_events:
            if event.is_step_failure:
                error = event.step_failure_data.error
                cause = error.cause or error if error else None
                text = cause.message.strip().splitlines()[-1] if cause else "failed"
                errors.append(f"{event.step_key}: {text}")
        return JobResult(result.success, outcomes_of(run_id), errors)


@dataclass(frozen=True)
class Work:
    """The newest landed night, or where nothing lies in landing/ any more the newest one taken in, and whether any landed file up to it is new or changed."""

    night: date
    is_new: bool


def months_to_do(house: House, practices: Mapping[str, Practice], up_to: date | None) -> dict[date, date]:
    """The months that have a landed night that is new or changed: first day -> the newest of these nights, ascending."""
    from orchestration.mapping.choice import choices
    from orchestration.take_in.landing import discover
    from orchestration.take_in.pending import pending

    months: dict[date, date] = {}
    landed = discover(house, practices, up_to, mapped=choices(house, practices))
    zones = {practice_id: practice.time_zone for practice_id, practice in practices.items()}
    for night in sorted(one.extract_date for one in pending(house, landed, zones)):
        months[night.replace(day=1)] = night
    return months


def work_to_do(house: House, practices: Mapping[str, Practice], up_to: date | None) -> Work | None:
    """What a nightly run would take in; None when nothing up to this night has landed and nothing was ever taken in."""
    from orchestration.mapping.choice import choices
    from orchestration.take_in.landing import discover
    from orchestration.take_in.ledger import nights_taken_in
    from orchestration.take_in.pending import pending

    landed = discover(house, practices, up_to, mapped=choices(house, practices))
    if not landed:
        # The lake keeps what it took in: landing/ may be cleared, and everything is built from the lake all the same.
        taken = [night for night in nights_taken_in(house) if up_to is None or night <= up_to]
        return Work(max(taken), False) if taken else None
    zones = {practice_id: practice.time_zone for practice_id, practice in practices.items()}
    return Work(max(table.extract_date for table in landed), bool(pending(house, landed, zones)))
