"""Runs the Dagster jobs that the schedules run, in this process, on the instance of the home."""

from __future__ import annotations

import json
import logging
import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from orchestration.house import House, HouseError, write_private
from orchestration.practices import load_practices

DAGSTER_YAML = """\
# Written by ccm. Telemetry is off; one run at a time holds the warehouse.
event_log_storage:
  module: orchestration.command.event_log
  class: OpenSqliteEventLogStorage
  config:
    base_dir: {base_dir}
telemetry:
  enabled: false
nux:
  enabled: false
concurrency:
  pools:
    default_limit: 1
    granularity: op
"""


@dataclass(frozen=True)
class JobResult:
    """How a job ended; `outputs` by op name, for those that have one."""

    success: bool
    outputs: Mapping[str, Any]
    errors: Sequence[str]


def prepare_environment(house: House) -> None:
    """Points Dagster, dbt and Great Expectations at this home and keeps them from calling out."""
    if any(letter == "?" or not letter.isprintable() for letter in str(house.root)):
        # Dagster puts it into a database's URL.
        raise HouseError(f"{str(house.root)!r}: a home's path has no question mark and no control character; name another folder")
    house.prepare()
    dagster_home = house.state / "dagster"
    dagster_home.mkdir(parents=True, exist_ok=True, mode=0o700)
    settings = dagster_home / "dagster.yaml"
    wanted = DAGSTER_YAML.format(base_dir=json.dumps(str(dagster_home / "history")))
    if not settings.exists() or settings.read_text() != wanted:
        write_private(settings, wanted)
    os.environ["CCM_HOME"] = str(house.root)
    os.environ["DAGSTER_HOME"] = str(dagster_home)
    os.environ.update(DBT_SEND_ANONYMOUS_USAGE_STATS="false", DO_NOT_TRACK="1", GX_ANALYTICS_ENABLED="false")


class Pipeline:
    """The definitions, loaded once for any number of runs on one home."""

    def __init__(self, house: House) -> None:
        self.house = house
        prepare_environment(house)
        warnings.filterwarnings("ignore")
        import dagster as dg

        from orchestration.definitions import defs

        self._dagster = dg
        self._defs = defs
        for name in ("dagster", "great_expectations", "dbt", "pyx12"):
            logging.getLogger(name).setLevel(logging.CRITICAL)

    def nightly(self, night: date, *, full: bool = False, practice_ids: list[str] | None = None) -> JobResult:
        """The nightly job up to a night, which is the run's partition; earlier nights with something new come with it."""
        from orchestration.take_in.assets import NIGHTS

        config = {
            "ops": {
                "transform_and_decide": {"config": {"full": full}},
                "take_in": {"config": {"practice_ids": practice_ids, "up_to": night.isoformat()}},
            }
        }
        # Dagster knows no partition after today; a folder dated ahead of this machine's clock is taken in all the same.
        return self._run("nightly", config, min(night.isoformat(), NIGHTS.get_last_partition_key() or night.isoformat()))

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
        return self._run("month_end", config, key_of(self._partition_of(wanted, month), month), month)

    def _partition_of(self, practice_ids: list[str], month: date) -> str:
        """Whose partition a run for several practices has: the first whose month may close, because a run that closes anything makes a mark there."""
        from orchestration.gate.gate import rule_on
        from orchestration.transform.state import build_inputs

        practices = load_practices(self.house.practices_yaml)
        if len(practice_ids) > 1 and self.house.warehouse.exists():
            with self.house.lock("warehouse"):
                inputs = build_inputs(self.house)
                for name in practice_ids:
                    if rule_on(self.house, practices[name], month, inputs).may_close:
                        return name
        return practice_ids[0]

    def respond(self) -> JobResult:
        """The respond job: what the payers put into inbox/ is taken in and posted, and the marts are published."""
        return self._run("respond", {}, None)

    def _run(self, job: str, config: dict[str, Any], partition: str | None, month: date | None = None) -> JobResult:
        from orchestration.close.assets import outcomes_of
        from orchestration.close.calendar import register
        from orchestration.command.living_runs import FROM_SHELL, bury_the_dead

        quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
        with self.house.lock("run"), self._dagster.DagsterInstance.get() as instance:
            bury_the_dead(instance, shell_is_ours=True)
            if month:
                register(instance, load_practices(self.house.practices_yaml), [month])
            result = self._defs.resolve_job_def(job).execute_in_process(
                run_config={**config, **quiet},
                partition_key=partition,
                instance=instance,
                tags={FROM_SHELL: "yes"},
                raise_on_error=False,
            )
        outputs: dict[str, Any] = {"close__packets": outcomes_of(result.run_id)} if result.success else {}
        errors = []
        for event in result.all_events:
            if event.is_step_failure:
                error = event.step_failure_data.error
                cause = error.cause or error if error else None
                text = cause.message.strip().splitlines()[-1] if cause else "failed"
                errors.append(f"{event.step_key}: {text}")
        return JobResult(result.success, outputs, errors)


@dataclass(frozen=True)
class Work:
    """The newest landed night, and whether any landed file up to it is new or changed."""

    night: date
    is_new: bool


def work_to_do(house: House, zones: dict[str, str], up_to: date | None) -> Work | None:
    """What a nightly run would take in; None when nothing has landed at all."""
    from orchestration.take_in.lake import pending
    from orchestration.take_in.landing import discover

    landed = discover(house, list(zones), up_to)
    if not landed:
        return None
    return Work(max(table.extract_date for table in landed), bool(pending(house, landed, zones)))
