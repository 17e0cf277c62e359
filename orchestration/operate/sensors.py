"""What starts runs by itself, besides the clock: a complete drop, a failed night, a late extract, a new practice, a payer's answer."""

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg

from orchestration.close.calendar import MONTHS, PRACTICES, published_months
from orchestration.deliver.fetch import deliver, faults
from orchestration.house import House
from orchestration.notices import Notice, tell
from orchestration.operate.drops import Late, drops, late_extracts
from orchestration.operate.living_runs import FROM_SHELL, PATIENCE, bury_the_dead
from orchestration.payers.assets import POSTED
from orchestration.payers.inbox import pending
from orchestration.practices import load_practices
from orchestration.runbook import check_spec
from orchestration.schedules.jobs import night_config, nightly_job, respond_job
from orchestration.take_in.assets import DELIVERED, NIGHTS, delivered

INBOX_SECONDS = 60
# A failed night is tried again after so long; after the last of these somebody has to look.
BACKOFF = (timedelta(minutes=5), timedelta(minutes=20), timedelta(minutes=60))
RECENT = timedelta(days=2)  # a night that failed before is made good by the nights since, or was given up
UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
FIRST_RUN, ATTEMPT = "ccm/first_run", "ccm/attempt"
NIGHT_FINISHED = dg.AssetCheckKey(dg.AssetKey(["answer", "published_marts"]), "night_finished")
ANSWERS_POSTED = dg.AssetCheckKey(POSTED.asset_key, POSTED.name)
EXTRACTS_CAME = dg.AssetCheckKey(dg.AssetKey(["lake", "files"]), "extracts_came_in_time")


def now() -> datetime:
    """The clock of the sensors; tests put another in its place."""
    return datetime.now(UTC)


@dg.sensor(
    name="landing",
    job=nightly_job,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Starts a night when what a practice dropped is complete: a _SUCCESS file, or nothing changed for quiet_minutes. One at a time.",
)
def landing_sensor(context: dg.SensorEvaluationContext) -> Iterator[Any]:
    on_its_way = dg.RunsFilter(job_name=nightly_job.name, statuses=UNFINISHED, updated_after=now() - PATIENCE)
    if context.instance.get_run_records(on_its_way, limit=1):
        # Two thousand practices drop at all hours: a run asked for each minute would queue them faster than they end, each with most of the same.
        yield dg.SkipReason("a night has yet to end; what is complete by then is asked for together")
        return
    house = House.from_environment()
    found = drops(house, load_practices(house.practices_yaml), now())
    if not found.ready:
        said = [f"still dropping: {', '.join(found.still)}"] if found.still else []
        said += (
            [f"dated ahead of the clock, `ccm nightly` takes it in if that is right: {', '.join(found.ahead)}"]
            if found.ahead
            else []
        )
        yield dg.SkipReason("; ".join(said) or "nothing new in landing/")
        return
    night = max(one.extract_date for one in found.ready)
    # The same files are tried once; a failed night is the retry sensor's.
    text = "\n".join(f"{one.file_name}\0{one.size_bytes}\0{one.mtime_ns}\0{one.ctime_ns}" for one in found.ready)
    yield dg.RunRequest(
        run_key=hashlib.sha256(text.encode()).hexdigest(),
        partition_key=min(night.isoformat(), NIGHTS.get_last_partition_key() or night.isoformat()),
        run_config=night_config(found.practice_ids, night),
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
    # When it came here: a file's own time may be of another clock, and ahead of this one.
    elif time.time() - max(stat.st_ctime for _, stat in waiting) < INBOX_SECONDS:
        yield dg.SkipReason(f"{len(waiting)} files in inbox/, the newest written less than {INBOX_SECONDS} seconds ago")
    else:
        # The same files are asked for once; a failed run is the retry sensor's. Of another owner or other rights they are asked for again.
        text = "\n".join(f"{name}\0{stat.st_size}\0{stat.st_mtime_ns}\0{stat.st_ctime_ns}" for name, stat in waiting)
        yield dg.RunRequest(run_key=hashlib.sha256(text.encode()).hexdigest())


@dg.sensor(
    name="retry_night",
    job=nightly_job,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Tries a failed night again after 5, 20 and 60 minutes, then gives up loudly: a red check, an error in the log, a notice.",
)
def retry_sensor(context: dg.SensorEvaluationContext) -> Iterator[Any]:
    bury_the_dead(context.instance, shell_is_ours=False)
    practices = set(load_practices(House.from_environment().practices_yaml))
    # Newest first: of each night's tries only the newest counts, and later nights that went well make good for an earlier one of the same practices.
    seen: set[str] = set()
    made_good: set[str] = set()
    failed = []
    for record in _recent(context.instance, nightly_job, 200):
        run = record.dagster_run
        named = _practices_of(run)
        its_own = practices if named is None else named & practices
        if run.status == dg.DagsterRunStatus.SUCCESS:
            made_good |= its_own
        if its_own <= made_good:
            continue
        first = run.tags.get(FIRST_RUN, run.run_id)
        if first in seen:
            continue
        seen.add(first)
        if _has_failed(context.instance, run):
            failed.append(record)
    yield from _tried_again(context, failed, "night", _night_given_up)


@dg.sensor(
    name="retry_answers",
    job=respond_job,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Tries again to post the payers' answers as retry_night does a night, and gives up as loudly.",
)
def retry_answers_sensor(context: dg.SensorEvaluationContext) -> Iterator[Any]:
    # Each run takes in and posts whatever there is: only the newest counts. The killed ones are marked by retry_night.
    newest = _recent(context.instance, respond_job, 1)
    failed = [record for record in newest if _has_failed(context.instance, record.dagster_run)]
    yield from _tried_again(context, failed, "run of payers' answers", _answers_given_up)


def _recent(instance: dg.DagsterInstance, job: Any, limit: int) -> Sequence[Any]:
    return instance.get_run_records(dg.RunsFilter(job_name=job.name, created_after=now() - RECENT), limit=limit)


def _has_failed(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Whether a run failed, or was ended with its service (a restart, an update). One that somebody stopped stays stopped."""
    if run.status == dg.DagsterRunStatus.CANCELED:
        return FROM_SHELL not in run.tags and not instance.all_logs(run.run_id, of_type=dg.DagsterEventType.RUN_CANCELING)
    return run.status == dg.DagsterRunStatus.FAILURE


def _tried_again(
    context: dg.SensorEvaluationContext,
    failed: list[Any],
    what: str,
    give_up: Callable[[dg.SensorEvaluationContext, dg.DagsterRun, int], None],
) -> Iterator[Any]:
    """Asks for each failed run once more when its time has come; `give_up` with the number of tries where it was the last. The cursor has what was given up."""
    given_up: list[str] = json.loads(context.cursor) if context.cursor else []
    asked = False
    for record in failed:
        run = record.dagster_run
        first = run.tags.get(FIRST_RUN, run.run_id)
        if first in given_up:
            continue
        attempt = int(run.tags.get(ATTEMPT, "0"))
        if attempt < len(BACKOFF):
            ended = record.end_time or record.update_timestamp.timestamp()
            if now().timestamp() - ended >= BACKOFF[attempt].total_seconds():
                asked = True
                yield dg.RunRequest(
                    run_key=f"retry {run.run_id}",
                    partition_key=run.tags.get("dagster/partition"),
                    run_config=run.run_config,
                    tags={FIRST_RUN: first, ATTEMPT: str(attempt + 1)},
                )
            continue
        given_up.append(first)
        give_up(context, run, attempt)
    context.update_cursor(json.dumps(given_up[-100:]))
    if not asked:
        yield dg.SkipReason(f"no failed {what} waits for another try")


def _practices_of(run: dg.DagsterRun) -> set[str] | None:
    """Whose night a run takes in; None: everybody's."""
    config: Any = run.run_config
    named = config.get("ops", {}).get("take_in", {}).get("config", {}).get("practice_ids")
    return None if named is None else set(named)


def _night_given_up(context: dg.SensorEvaluationContext, run: dg.DagsterRun, attempts: int) -> None:
    night = run.tags.get("dagster/partition", "?")
    text = f"the night of {night} failed and {attempts} tries after it as well; see run {run.run_id} in Dagster, then `ccm doctor` and `ccm nightly`"
    _give_up(context, NIGHT_FINISHED, {"night": night, "run": run.run_id}, "night_failed", f"the night of {night} failed", text)


def _answers_given_up(context: dg.SensorEvaluationContext, run: dg.DagsterRun, attempts: int) -> None:
    text = f"payers' answers could not be posted, nor by {attempts} tries after it; see run {run.run_id} in Dagster, then `ccm doctor` and `ccm respond`"
    _give_up(context, ANSWERS_POSTED, {"run": run.run_id}, "answers_failed", "payers' answers were not posted", text)


def _give_up(
    context: dg.SensorEvaluationContext, check: dg.AssetCheckKey, metadata: dict[str, str], kind: str, subject: str, text: str
) -> None:
    context.log.error(text)
    context.instance.report_runless_asset_event(
        dg.AssetCheckEvaluation(asset_key=check.asset_key, check_name=check.name, passed=False, metadata=metadata)
    )
    house = House.from_environment()
    tell(house, load_practices(house.practices_yaml), Notice(kind, (), subject, (text,)))


@dg.sensor(
    name="late_extracts",
    minimum_interval_seconds=300,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="An extract that did not come by its hour (operations.extracts_due), or came without what usually comes, makes a red check on "
    "lake/files, and a notice, once.",
)
def late_extracts_sensor(context: dg.SensorEvaluationContext) -> Any:
    house = House.from_environment()
    practices = load_practices(house.practices_yaml)
    late = late_extracts(house, practices, now())
    said = sorted(str(one) for one in late)
    before: list[str] | None = json.loads(context.cursor) if context.cursor else None
    if said == before:
        return dg.SkipReason(f"{len(said)} extracts late, as before" if said else "every extract came")
    for practice_id in sorted({one.practice_id for one in late}):
        own = tuple(str(one) for one in late if one.practice_id == practice_id)
        if set(own) - set(before or ()):
            tell(house, practices, Notice("late_extract", (practice_id,), f"{practice_id}: extracts are late", own))
    context.update_cursor(json.dumps(said))
    passed, metadata = _came(late)
    return dg.SensorResult(
        asset_events=[
            dg.AssetCheckEvaluation(
                asset_key=EXTRACTS_CAME.asset_key, check_name=EXTRACTS_CAME.name, passed=passed, metadata=metadata
            )
        ]
    )


def _came(late: list[Late]) -> tuple[bool, dict[str, str]]:
    return not late, {
        "practices": ", ".join(sorted({one.practice_id for one in late})) or "none",
        "late": "; ".join(str(one) for one in late) or "nothing",
    }


_CAME = check_spec(
    EXTRACTS_CAME.name,
    EXTRACTS_CAME.asset_key,
    "Every practice's panel, scheduling and time-log extract came by its hour (operations.extracts_due of practices.yaml), with every table that "
    "usually comes. Reads the clock: "
    "the sensor late_extracts keeps it up to date, no nightly run asks it, no close depends on it.",
)


@dg.asset_check(asset=_CAME.asset_key, name=_CAME.name, description=_CAME.description, metadata=_CAME.metadata)
def extracts_came_in_time() -> dg.AssetCheckResult:
    house = House.from_environment()
    passed, metadata = _came(late_extracts(house, load_practices(house.practices_yaml), now()))
    return dg.AssetCheckResult(passed=passed, metadata=metadata)


@dg.sensor(
    name="calendar",
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="A new practice of practices.yaml and a new month appear in the grid of closes by themselves.",
)
def calendar_sensor(context: dg.SensorEvaluationContext) -> Any:
    house = House.from_environment()
    practices = set(load_practices(house.practices_yaml)) - set(context.instance.get_dynamic_partitions("practices"))
    months = {f"{month:%Y-%m}" for month in published_months(house)} - set(context.instance.get_dynamic_partitions("months"))
    if not practices and not months:
        return dg.SkipReason("nothing new")
    return dg.SensorResult(
        dynamic_partitions_requests=[
            *([PRACTICES.build_add_request(sorted(practices))] if practices else []),
            *([MONTHS.build_add_request(sorted(months))] if months else []),
        ]
    )


@dg.sensor(
    name="deliveries",
    minimum_interval_seconds=300,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Fetches complete nights from the practices' servers (`delivery` of practices.yaml) into landing/; a server that cannot be read makes the "
    "check deliveries_came red, and a notice, once.",
)
def deliveries_sensor(context: dg.SensorEvaluationContext) -> Any:
    house = House.from_environment()
    practices = load_practices(house.practices_yaml)
    outcomes = deliver(house, practices, now())
    if not outcomes:
        return dg.SkipReason("no practice has a delivery")
    for outcome in outcomes:
        if outcome.fetched or outcome.fault:
            context.log.info(f"{outcome.practice_id}: {len(outcome.fetched)} files fetched; {outcome.fault or 'nothing wrong'}")
    passed, metadata = delivered(faults(house, practices))
    said = json.dumps([passed, metadata], sort_keys=True)
    if said == context.cursor:
        return dg.SkipReason(f"{sum(len(one.fetched) for one in outcomes)} files fetched; the check is as it was")
    context.update_cursor(said)
    return dg.SensorResult(
        asset_events=[
            dg.AssetCheckEvaluation(asset_key=DELIVERED.asset_key, check_name=DELIVERED.name, passed=passed, metadata=metadata)
        ]
    )


SENSORS = [
    landing_sensor,
    inbox_sensor,
    retry_sensor,
    retry_answers_sensor,
    late_extracts_sensor,
    calendar_sensor,
    deliveries_sensor,
]
