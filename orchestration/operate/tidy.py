"""What may go: old runs of Dagster, landed files that the lake holds, old backups. The lake and the closes stay: claims are kept for years
(rules.md B7: 7 years, 10 for the False Claims Act's look-back), and every dollar answers from them.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg

from orchestration.house import House, HouseError
from orchestration.mapping.choice import choices
from orchestration.operate.backup import snapshots_of
from orchestration.operate.instance import opened
from orchestration.practices import load_practices
from orchestration.take_in.landing import discover
from orchestration.take_in.ledger import newest_files
from orchestration.take_in.scan import digest

LEAST_RUN_DAYS, LEAST_LANDING_DAYS, LEAST_BACKUPS = 7, 40, 1
_RUNS_A_TURN = 500


@dataclass(frozen=True)
class Tidied:
    """What is gone; `left`: what of it was asked for and is not this command's to remove, with what to do."""

    runs: int
    landed_files: int
    landed_bytes: int
    backups: int
    left: str | None = None


def tidy(
    house: House, now: datetime, run_days: int | None, landing_days: int | None, backups: tuple[Path, int] | None, dry: bool
) -> Tidied:
    """Removes finished runs and landed files older than so many days, and all but the newest backups; `dry` only counts.

    A landed file goes only when the lake holds exactly these bytes as accepted, and its night is not the newest of its practice. Of a landing in object
    storage none goes: that is said, and the rest done. Raises HouseError before anything is removed.
    """
    for name, given, least in (("--runs", run_days, LEAST_RUN_DAYS), ("--landing", landing_days, LEAST_LANDING_DAYS)):
        if given is not None and given < least:
            raise HouseError(f"{name} {given}: keeps less than {least} days; the office still asks about those")
    left = None
    if landing_days is not None and house.landing_url is not None:
        left = f"--landing: {house.landing_url} is object storage; give the bucket a lifecycle rule of at least {LEAST_LANDING_DAYS} days"
        if run_days is None and backups is None:
            raise HouseError(left)
        landing_days = None
    if backups is not None and backups[1] < LEAST_BACKUPS:
        raise HouseError(f"--keep-backups {backups[1]}: keep at least {LEAST_BACKUPS}")
    if backups is not None and not backups[0].is_dir():
        raise HouseError(f"--backups {backups[0]}: there is no such folder; name the one that `ccm backup --to` writes to")
    runs = _runs(now - timedelta(days=run_days), dry) if run_days is not None else 0
    files = _landed(house, (now - timedelta(days=landing_days)).date()) if landing_days is not None else []
    old = snapshots_of(house, backups[0])[: -backups[1]] if backups else []
    size = sum(path.stat().st_size for path in files)
    if not dry:
        for path in files:
            path.unlink()
            if not any(path.parent.iterdir()):
                path.parent.rmdir()
        for snapshot in old:
            shutil.rmtree(snapshot)
    return Tidied(runs, len(files), size, len(old), left)


def _runs(before: datetime, dry: bool) -> int:
    finished = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
    wanted = dg.RunsFilter(statuses=finished, created_before=before)
    with opened() as instance:
        if dry:
            return instance.get_runs_count(wanted)
        gone = 0
        while runs := instance.get_runs(wanted, limit=_RUNS_A_TURN):
            for run in runs:
                instance.delete_run(run.run_id)
                # What its steps printed lies apart from it.
                instance.compute_log_manager.delete_logs(prefix=[run.run_id])
            gone += len(runs)
        return gone


def _landed(house: House, before: date) -> list[Path]:
    held = {record.key: record for record in newest_files(house)}
    newest: dict[str, date] = {}
    for practice_id, night, _ in held:
        newest[practice_id] = max(newest.get(practice_id, night), night)
    found: dict[Path, None] = {}
    wanted: set[Path] = set()  # a file of several tables stays while one of them needs it
    practices = load_practices(house.practices_yaml)
    for one in discover(house, practices, up_to=before - timedelta(days=1), mapped=choices(house, practices)):
        record = held.get(one.key)
        is_kept = record is not None and record.outcome == "accepted" and one.extract_date < newest[one.practice_id]
        if is_kept and record is not None and len(one.files) == 1 and one.fault is None and digest(one) == record.sha256:
            found[one.files[0]] = None
        else:
            wanted.update(one.files)
    return [path for path in found if path not in wanted]


def utc_now() -> datetime:
    return datetime.now(UTC)
