"""The jobs, and their schedules in each practice's time zone."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import dagster as dg

from orchestration.close.calendar import CLOSES, first_months, key_of, register
from orchestration.close.versions import versions
from orchestration.gate.gate import refused_by_configuration
from orchestration.house import House
from orchestration.judge.assets import judge_extracts
from orchestration.practices import Practice, load_practices
from orchestration.signposts import Group
from orchestration.take_in.assets import NIGHTS, take_in_assets

NIGHTLY_HOUR, MONTH_END_HOUR = 2, 5
# How much later than its date a night may come. Nothing is held any more once the newest night is the final day's, whatever the clock says.
BEHIND_THE_FINAL_DAY = timedelta(days=10)
NIGHT_OF = "ccm/night_of"  # whose night a run is: tries of the same night have it in common

# One process for a run's steps: starting a process per step costs more than the steps do.
IN_PROCESS = dg.in_process_executor
# What a night comes to does not depend on when it runs: the sensor late_extracts asks this one.
READS_THE_CLOCK = dg.AssetSelection.checks(dg.AssetCheckKey(dg.AssetKey(["lake", "files"]), "extracts_came_in_time"))

nightly_job = dg.define_asset_job(
    "nightly",
    selection=dg.AssetSelection.all() - dg.AssetSelection.groups(Group.GATE, Group.CLOSE, Group.ANSWERS) - READS_THE_CLOCK,
    executor_def=IN_PROCESS,
    partitions_def=NIGHTS,
    description="Takes in what landed, judges it, rebuilds the marts, publishes them.",
)
# Of a backfill's months only the last has to be built: what stands between is not published.
backfill_job = dg.define_asset_job(
    "backfill",
    selection=(dg.AssetSelection.assets(take_in_assets) | dg.AssetSelection.checks(judge_extracts)) - READS_THE_CLOCK,
    executor_def=IN_PROCESS,
    partitions_def=NIGHTS,
    description="Takes in what landed up to a night and judges it, without rebuilding: `ccm backfill` runs it once for each month, then a night.",
)
month_end_job = dg.define_asset_job(
    "month_end",
    selection=dg.AssetSelection.groups(Group.GATE, Group.CLOSE) | dg.AssetSelection.keys(["answer", "reports"]),
    executor_def=IN_PROCESS,
    partitions_def=CLOSES,
    description="Closes a practice's month if its gate is open, publishes the marts, reports. Without an approver it proposes.",
)
respond_job = dg.define_asset_job(
    "respond",
    selection=dg.AssetSelection.groups(Group.ANSWERS) | dg.AssetSelection.keys(["answer", "reports"]),
    executor_def=IN_PROCESS,
    description="Takes in what the payers put into inbox/, posts it, publishes the marts, reports.",
)


def night_config(practice_ids: list[str], up_to: date | None = None) -> dict[str, Any]:
    """Run configuration of the nightly job for these practices; `up_to` when the run's partition is an earlier night."""
    config: dict[str, Any] = {"practice_ids": practice_ids}
    return {"ops": {"take_in": {"config": {**config, "up_to": up_to.isoformat()} if up_to else config}}}


def schedules(practices: dict[str, Practice]) -> list[dg.ScheduleDefinition]:
    """A nightly and a month-end schedule for each time zone that a practice lives in."""
    made = []
    for zone in sorted({practice.time_zone for practice in practices.values()}):
        made += [_nightly_in(zone), _month_end_in(zone)]
    return made


def _slug(zone: str) -> str:
    return zone.lower().replace("/", "_").replace("-", "_").replace("+", "_plus_")


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
        night = context.scheduled_execution_time.date()
        return dg.RunRequest(
            run_key=f"{zone} {night}",
            # Partitions are days of UTC: where the clock is far ahead of it, tonight's has not begun.
            partition_key=min(night.isoformat(), NIGHTS.get_last_partition_key() or night.isoformat()),
            run_config=night_config([p.practice_id for p in _practices_in(zone)], night),
            tags={NIGHT_OF: zone},
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
        house, practices, month = House.from_environment(), _practices_in(zone), month_before(today)
        asked = {one: list(month_end_requests(house, practices, one, today)) for one in (month_before(month), month)}
        requested = {one: found for one, found in asked.items() if isinstance(found[0], dg.RunRequest)}
        register(context.instance, [practice.practice_id for practice in practices], [*requested, month])
        for found in requested.values() or [asked[month]]:
            yield from found

    return month_end


def month_before(day: date) -> date:
    """First day of the month before a day's."""
    return (day.replace(day=1) - timedelta(days=1)).replace(day=1)


def month_end_requests(house: House, practices: list[Practice], month: date, today: date) -> Iterator[Any]:
    """One run for the practices whose month is due (ADR 17): a close where a standing approver lets the schedule write claims, else a proposal, which
    waits for `ccm close --approved-by` or an approver's name in the launchpad.

    Daily until it is closed, in the following month and until some days behind the final day, and for a standing approver until then in any case: what was
    held may have been documented since, what was proposed may have changed, and what the final day releases goes out once the practice's nights have come
    that far. Never for a month before a practice's first, nor for a practice whose claims are not written here: the gate would refuse it every day.
    """
    due = []
    began = first_months(house)
    for practice in practices:
        if today < practice.first_close_day(month) or refused_by_configuration(practice):
            continue
        is_awaited = today <= practice.final_close_day(month) + BEHIND_THE_FINAL_DAY
        if versions(house, practice.practice_id, month):
            # Without a standing approver the supplement is the approver's: `ccm status` and the work list say what became claimable.
            if practice.close.standing_approver and is_awaited:
                due.append(practice.practice_id)
        elif (is_awaited or month_before(today) == month) and (began is None or began.get(practice.practice_id, date.max) <= month):
            due.append(practice.practice_id)
    if not due:
        yield dg.SkipReason(f"nothing is due for {month:%Y-%m}")
        return
    config = close_config(None, due if len(due) > 1 else None, None, standing_approvers=True)
    yield dg.RunRequest(
        run_key=f"{practices[0].time_zone} {month:%Y-%m} {today}",
        partition_key=key_of(due[0], month),
        run_config=config,
        tags={"ccm/month": f"{month:%Y-%m}", "ccm/practices": due[0] if len(due) == 1 else f"{len(due)} practices"},
    )


def close_config(
    approved_by: str | None,
    practice_ids: list[str] | None,
    waiver: str | None,
    propose_only: bool = False,
    standing_approvers: bool = False,
) -> dict[str, Any]:
    """Run configuration of the month_end job; its month and practice are the run's partition."""
    config = {
        "approved_by": approved_by,
        "practice_ids": practice_ids,
        "waiver": waiver,
        "propose_only": propose_only,
        "standing_approvers": standing_approvers,
    }
    return {"ops": {op: {"config": config} for op in ("gate__rulings", "close__packets")}}
