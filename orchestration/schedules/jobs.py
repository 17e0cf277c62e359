"""The jobs, their schedules in each practice's time zone, and the sensor on inbox/."""

import hashlib
import time
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import dagster as dg

from orchestration.close.versions import versions
from orchestration.house import House
from orchestration.payers.inbox import pending
from orchestration.practices import Practice, load_practices
from orchestration.take_in.assets import NIGHTS

NIGHTLY_HOUR, MONTH_END_HOUR = 2, 5
INBOX_SECONDS = 60

# One process for a run's steps: starting a process per step costs more than the steps do.
IN_PROCESS = dg.in_process_executor

nightly_job = dg.define_asset_job(
    "nightly",
    selection=(dg.AssetSelection.all() - dg.AssetSelection.groups("gate", "close", "answers")),
    executor_def=IN_PROCESS,
    partitions_def=NIGHTS,
    description="Takes in what landed, judges it, rebuilds the marts, publishes them.",
)
month_end_job = dg.define_asset_job(
    "month_end",
    selection=dg.AssetSelection.groups("gate", "close") | dg.AssetSelection.keys(["answer", "reports"]),
    executor_def=IN_PROCESS,
    description="Closes a month for the practices whose gate is open, publishes the marts, reports.",
)
respond_job = dg.define_asset_job(
    "respond",
    selection=dg.AssetSelection.groups("answers") | dg.AssetSelection.keys(["answer", "reports"]),
    executor_def=IN_PROCESS,
    description="Takes in what the payers put into inbox/, posts it, publishes the marts, reports.",
)


@dg.sensor(
    name="inbox",
    job=respond_job,
    minimum_interval_seconds=INBOX_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Posts what the payers put into inbox/, once nobody has written to it for a minute.",
)
def inbox_sensor(context: dg.SensorEvaluationContext) -> Iterator[Any]:
    house = House.from_environment()
    waiting = [(path.relative_to(house.inbox).as_posix(), path.stat()) for path in pending(house) if path.exists()]
    if not waiting:
        yield dg.SkipReason("nothing new in inbox/")
    elif time.time() - max(stat.st_mtime for _, stat in waiting) < INBOX_SECONDS:
        yield dg.SkipReason(f"{len(waiting)} files in inbox/, the newest written less than {INBOX_SECONDS} seconds ago")
    else:
        # The same files are tried once: what is wrong with them is in the run, not in another try.
        text = "\n".join(f"{name}\0{stat.st_size}\0{stat.st_mtime_ns}" for name, stat in waiting)
        yield dg.RunRequest(run_key=hashlib.sha256(text.encode()).hexdigest())


def schedules(practices: dict[str, Practice]) -> list[dg.ScheduleDefinition]:
    """A nightly and a month-end schedule for each time zone that a practice lives in."""
    made = []
    for zone in sorted({practice.time_zone for practice in practices.values()}):
        made += [_nightly_in(zone), _month_end_in(zone)]
    return made


def _slug(zone: str) -> str:
    return zone.lower().replace("/", "_").replace("-", "_").replace("+", "_")


def _practices_in(zone: str) -> list[Practice]:
    house = House.from_environment()
    return [practice for practice in load_practices(house.practices_yaml).values() if practice.time_zone == zone]


def _nightly_in(zone: str) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=f"nightly_{_slug(zone)}",
        job=nightly_job,
        cron_schedule=f"0 {NIGHTLY_HOUR} * * *",
        execution_timezone=zone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )
    def nightly(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        night = context.scheduled_execution_time.date().isoformat()
        return dg.RunRequest(
            run_key=f"{zone} {night}",
            partition_key=night,
            run_config={"ops": {"take_in": {"config": {"practice_ids": [p.practice_id for p in _practices_in(zone)]}}}},
        )

    return nightly


def _month_end_in(zone: str) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=f"month_end_{_slug(zone)}",
        job=month_end_job,
        cron_schedule=f"0 {MONTH_END_HOUR} * * *",
        execution_timezone=zone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )
    def month_end(context: dg.ScheduleEvaluationContext) -> Iterator[Any]:
        today = context.scheduled_execution_time.date()
        month = (today.replace(day=1) - timedelta(days=1)).replace(day=1)
        yield from month_end_requests(House.from_environment(), _practices_in(zone), month, today)

    return month_end


def month_end_requests(house: House, practices: list[Practice], month: date, today: date) -> Iterator[Any]:
    """A close for each practice whose standing approver lets the schedule write claims; the others wait for `ccm close --approved-by`."""
    due = [p for p in practices if today >= p.first_close_day(month) and p.close.standing_approver]
    # A month that is closed is tried again until its final day: what was held may have been documented since.
    due = [p for p in due if today.day <= p.close.final_day or not versions(house, p.practice_id, month)]
    for practice in due:
        yield dg.RunRequest(
            run_key=f"{practice.practice_id} {month:%Y-%m} {today}",
            run_config=close_config(month, str(practice.close.standing_approver), [practice.practice_id], None),
            tags={"practice": practice.practice_id, "month": f"{month:%Y-%m}"},
        )
    if not due:
        waiting = [
            p.practice_id for p in practices if today >= p.first_close_day(month) and not versions(house, p.practice_id, month)
        ]
        yield dg.SkipReason(
            f"{month:%Y-%m} waits for an approver: {', '.join(waiting)}; run `ccm close --month {month:%Y-%m} --approved-by NAME`"
            if waiting
            else f"nothing to close for {month:%Y-%m}"
        )


def close_config(
    month: date, approved_by: str, practice_ids: list[str] | None, waiver: str | None, propose_only: bool = False
) -> dict[str, Any]:
    """Run configuration of the month_end job."""
    config = {
        "month": f"{month:%Y-%m}",
        "approved_by": approved_by,
        "practice_ids": practice_ids,
        "waiver": waiver,
        "propose_only": propose_only,
    }
    return {"ops": {"gate__rulings": {"config": config}, "close__packets": {"config": config}}}
