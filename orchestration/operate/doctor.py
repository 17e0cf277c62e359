"""What is wrong with an installation, and what to do about it. Only reads."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from importlib import metadata
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import duckdb
from packaging.requirements import Requirement

from orchestration.close.x12.claim_rules import of_this_release
from orchestration.discretion import Refused, defect
from orchestration.engine import Damaged, is_damage, open_database
from orchestration.house import LOST_AND_FOUND, PROJECT_ROOT, House, HouseError
from orchestration.lake_batches import batch_numbers
from orchestration.lake_owner import not_ours
from orchestration.lists import few
from orchestration.mapping.choice import choices
from orchestration.operate.drops import HABITS_BACK, due_night, gaps, is_ahead
from orchestration.practices import Practice, load_practices
from orchestration.take_in.damage import RESTORE_BATCHES, damage, told_damaged, unreadable
from orchestration.take_in.ledger import accepted_nights, ledger, nights_that_came

NIGHTS_BACK = 35
LEAST_FREE_BYTES = 2 * 1024**3
BACKUP_IS_OLD = timedelta(days=2)
INBOX_IS_OLD = timedelta(hours=2)  # a failed run was tried again for the last time by then
DAEMON_IS_SILENT = timedelta(minutes=5)

MEND = "mend that first, then ask again"
LAND_AGAIN = (
    "`ccm nightly` says what is wrong with each, `ccm check FILE` whether a mended one is right; land it again, then `ccm nightly`"
)
TIME_ZONE_DATA = "`make setup` (the package `tzdata`), or the system's own"

State = Literal["ok", "warning", "bad"]


@dataclass(frozen=True)
class Diagnosis:
    """One question and its answer; `remedy` is what to do, empty when it is well."""

    question: str
    state: State
    said: str
    remedy: str = ""


def examine(house: House, now: datetime | None = None) -> list[Diagnosis]:
    """Every question in order. One that cannot be answered is bad and says why; it keeps no other from being asked."""
    moment = now or datetime.now(UTC)
    practices: dict[str, Practice] = {}
    found: list[Diagnosis] = []
    questions: list[tuple[str, Callable[[], Iterable[Diagnosis]]]] = [
        ("versions", lambda: [_versions()]),
        ("practices.yaml", lambda: _configured(house, practices)),
        ("home", lambda: [_written(house)]),
        ("permissions", lambda: _permissions(house)),
        ("time zones", lambda: _time_zones(practices)),
        ("disk", lambda: _disk(house)),
        ("leftovers", lambda: _leftovers(house)),
        ("lake", lambda: _lake(house)),
        ("answers", lambda: _answers(house)),
        ("inbox", lambda: _inbox(house, moment)),
        ("nights", lambda: _nights(house, practices, moment)),
        ("warehouse", lambda: _warehouse(house)),
        ("closes", lambda: _closes(house, practices)),
        ("records", lambda: _records(house)),
        ("runs", lambda: _runs(house, moment)),
        ("backup", lambda: _backup(house, moment)),
    ]
    for question, answer in questions:
        try:
            found += answer()
        except (HouseError, OSError, duckdb.Error) as error:
            said = str(error) if isinstance(error, HouseError) else f"cannot be looked at ({type(error).__name__})"
            found.append(Diagnosis(question, "bad", said, MEND))
        except Exception as error:
            told = defect(house, "ccm doctor", error)
            remedy = MEND if isinstance(told, Refused) else "send that file to whoever maintains ccm"
            found.append(Diagnosis(question, "bad", str(told), remedy))
    return found


def _versions() -> Diagnosis:
    lock = PROJECT_ROOT / "requirements.lock"
    wrong = []
    for line in lock.read_text(encoding="utf-8").splitlines() if lock.exists() else ():
        if not line[:1].isalnum():
            continue  # a hash or a comment
        pinned = Requirement(line.rstrip(" \\"))
        if pinned.marker and not pinned.marker.evaluate():
            continue
        try:
            installed = metadata.version(pinned.name)
        except metadata.PackageNotFoundError:
            continue  # an extra, or of the tests
        if not pinned.specifier.contains(installed):
            wrong.append(f"{pinned.name} {installed} instead of {str(pinned.specifier).lstrip('=')}")
    if wrong:
        return Diagnosis(
            "versions", "bad", few(wrong), "run `make setup` in a fresh checkout: a close names the versions it was made with"
        )
    return Diagnosis("versions", "ok", f"Python {sys.version.split()[0]}, DuckDB {duckdb.__version__}, as locked")


def _configured(house: House, practices: dict[str, Practice]) -> Iterator[Diagnosis]:
    try:
        practices.update(load_practices(house.practices_yaml))
        yield Diagnosis("practices.yaml", "ok", f"{len(practices)} practices")
    except HouseError as error:
        yield Diagnosis("practices.yaml", "bad", str(error), "correct it: no night and no close runs without it")
        return
    strange = [
        f"{name}: {few(codes)}"
        for name, one in sorted(practices.items())
        if (codes := sorted(one.charges.keys() - of_this_release().codes))
    ]
    if strange:
        yield Diagnosis(
            "charges",
            "warning",
            f"{few(strange)}: no code of care management",
            "correct what is mistyped; fees of other services are not used",
        )
    if any(practice.mappings for practice in practices.values()):
        troubles = choices(house, practices).troubles()
        for practice_id, said in troubles.items():
            yield Diagnosis(
                "mappings", "bad", f"{practice_id}: {'; '.join(said)}", "correct it: until then its files are left alone"
            )
        if not troubles:
            yield Diagnosis("mappings", "ok", ", ".join(sorted(name for name, practice in practices.items() if practice.mappings)))


def _written(house: House) -> Diagnosis:
    """Asked of the system: nothing is written to find out."""
    ours = (house.root, house.lake, house.closes, house.state, house.state / "dagster")
    closed = [str(folder) for folder in ours if folder.exists() and not os.access(folder, os.W_OK | os.X_OK)]
    if closed:
        return Diagnosis(
            "home", "bad", f"cannot be written: {few(closed)}", "mount its disk for writing, or give its owner the right: until then no night and no close runs"
        )  # fmt: skip
    return Diagnosis("home", "ok", "can be written")


def _permissions(house: House) -> Iterator[Diagnosis]:
    open_ones, foreign = [], []
    for folder, folders, names in os.walk(house.root):
        if Path(folder) == house.root and LOST_AND_FOUND in folders:
            folders.remove(LOST_AND_FOUND)
        for name in (*folders, *names):
            path = Path(folder) / name
            status = path.lstat()
            if stat.S_ISLNK(status.st_mode):
                continue
            # Who drops extracts and answers may own them; nobody else may read them.
            if status.st_uid != os.getuid() and house.landing not in path.parents and house.inbox not in path.parents:
                foreign.append(path.relative_to(house.root).as_posix())
            if status.st_mode & 0o077:
                open_ones.append(path.relative_to(house.root).as_posix())
    if stat.S_IMODE(house.root.stat().st_mode) & 0o077:
        open_ones.insert(0, ".")
    if open_ones:
        yield Diagnosis(
            "permissions", "bad", f"others may read {len(open_ones)} files or folders: {few(open_ones)}",
            f"chmod -R go= {house.root}",
        )  # fmt: skip
    if foreign:
        yield Diagnosis(
            "permissions",
            "bad",
            f"{len(foreign)} files are another user's: {few(foreign)}",
            "run every ccm as one user; chown them",
        )
    if not open_ones and not foreign:
        yield Diagnosis("permissions", "ok", "only this user reads the home")


def _time_zones(practices: dict[str, Practice]) -> Iterator[Diagnosis]:
    try:
        # The Energy Policy Act's rule, in force since 2007: data that does not know it is no data.
        known = ZoneInfo("America/New_York").utcoffset(datetime(2026, 11, 1, 12)) == timedelta(hours=-5)
        for practice in practices.values():
            ZoneInfo(practice.time_zone)
    except ZoneInfoNotFoundError as error:
        yield Diagnosis("time zones", "bad", str(error), TIME_ZONE_DATA)
        return
    if known:
        yield Diagnosis(
            "time zones", "ok", ", ".join(sorted({practice.time_zone for practice in practices.values()})) or "no practice yet"
        )
    else:
        yield Diagnosis("time zones", "bad", "the time zone data does not know when daylight saving time ends", TIME_ZONE_DATA)


def _disk(house: House) -> Iterator[Diagnosis]:
    free = shutil.disk_usage(house.root).free
    # A night writes the warehouse's tables anew and the marts beside the old ones.
    wanted = max(LEAST_FREE_BYTES, 3 * sum(path.stat().st_size for path in (house.warehouse, house.marts) if path.exists()))
    said = f"{free / 1024**3:.1f} GiB free"
    if free < wanted:
        yield Diagnosis(
            "disk",
            "bad",
            f"{said}, a night may want {wanted / 1024**3:.1f}",
            "make room: `ccm tidy --runs 400 --landing 400 --dry-run` says what may go",
        )
    else:
        yield Diagnosis("disk", "ok", said)


def _leftovers(house: House) -> Iterator[Diagnosis]:
    from orchestration.operate.living_runs import is_locked

    scratch = [path.relative_to(house.root).as_posix() for path in house.root.rglob(".*.tmp")]
    held = sorted(path.stem for path in house.state.glob("*.lock") if is_locked(path))
    if held:
        yield Diagnosis(
            "locks", "warning", f"held by a running process: {few(held)}", "wait for it; a lock is free when its process ends"
        )
    else:
        yield Diagnosis("locks", "ok", "none held: no night or close is running")
    if scratch and not held:
        yield Diagnosis("leftovers", "warning", f"{len(scratch)} of a killed run: {few(scratch)}", "`ccm nightly` clears them")


def _lake(house: House) -> Iterator[Diagnosis]:
    numbers = batch_numbers(house)
    if not numbers:
        yield Diagnosis("lake", "warning", "nothing has been taken in yet", "land extracts, then `ccm nightly`")
        return
    if lost := damage(house):
        yield Diagnosis("lake", "bad", lost, RESTORE_BATCHES)
        return
    # Whoever keeps objects proves them by checksums of its own; to read them all would be to fetch them all.
    if house.lake_url is None and (damaged := unreadable(house)):
        said, _, mend = told_damaged(damaged).partition("; ")
        yield Diagnosis("lake", "bad", said, mend)
        return
    files = len(ledger(house))
    if of_another := not_ours(house):
        said, _, mend = of_another.partition(". ")
        yield Diagnosis("lake", "bad", said, mend)
        return
    yield Diagnosis("lake", "ok", f"{len(numbers) - 1} batches, {files} files")


def _answers(house: House) -> Iterator[Diagnosis]:
    from orchestration.payers.inbox import batch_numbers, lost

    gaps, broken = lost(house)
    found = [f"batches missing: {few(gaps)}"] if gaps else []
    found += [f"batches without all of their files: {few(broken)}"] if broken else []
    if found:
        yield Diagnosis("answers", "bad", "; ".join(found), "restore lake/answers from the backup, then `ccm nightly`")
    elif answered := batch_numbers(house):
        yield Diagnosis("answers", "ok", f"{len(answered) - 1} batches of payers' answers")


def _inbox(house: House, now: datetime) -> Iterator[Diagnosis]:
    from orchestration.payers.inbox import pending

    # When they came here: a file's own time may be of another clock.
    came = [path.stat().st_ctime for path in pending(house) if path.exists()]
    if came and now.timestamp() - min(came) >= INBOX_IS_OLD.total_seconds():
        since = datetime.fromtimestamp(min(came), UTC)
        yield Diagnosis(
            "inbox",
            "warning",
            f"{len(came)} files of inbox/ are not posted, the oldest since {since:%Y-%m-%d %H:%M} UTC",
            "`ccm respond`; why it failed before is in its run in Dagster",
        )
    else:
        yield Diagnosis("inbox", "ok", f"{len(came)} files that have just come" if came else "every file was posted")


def _nights(house: House, practices: dict[str, Practice], now: datetime) -> Iterator[Diagnosis]:
    accepted, came = accepted_nights(house), nights_that_came(house)
    lacking: dict[str, dict[date, list[str]]] = {}
    for gap in gaps(house, (now - timedelta(days=NIGHTS_BACK) - HABITS_BACK).date()):
        lacking.setdefault(gap.practice_id, {}).setdefault(gap.night, []).append(gap.what)
    wanting = []
    for name, practice in practices.items():
        if house.landing_url is None and (house.landing / name).is_symlink():
            wanting.append(name)
            yield Diagnosis(
                "nights", "warning", f"{name}: landing/{name} is a link, nothing in it is taken in", "make it a folder, or mount there what it leads to"
            )  # fmt: skip
        nights = accepted.get(name)
        if not nights and name in came:
            failed = [night.isoformat() for night in sorted(came[name], reverse=True)]
            yield Diagnosis("nights", "warning", f"{name}: every file that landed was rejected, of {few(failed)}", LAND_AGAIN)
            continue
        if not nights:
            yield Diagnosis(
                "nights", "warning", f"{name}: no night has been taken in", f"land it in {house.landing / name}/YYYY-MM-DD/"
            )
            continue
        if ahead := sorted(night.isoformat() for night in nights if is_ahead(practice, night, now)):
            wanting.append(name)
            yield Diagnosis(
                "nights", "bad", f"{name}: {few(ahead)} is dated ahead of this machine's clock: the practice's today is then",
                "if a folder's date was mistyped: close nothing, and put the backup of before it back (`ccm restore`)",
            )  # fmt: skip
        due = due_night(practice, now)
        first = max(min(nights), due - timedelta(days=NIGHTS_BACK))
        days = [
            due - timedelta(days=number) for number in range((due - first).days + 1)
        ]  # the newest first: those can still be asked for
        if failed := [day.isoformat() for day in days if day in came[name] - nights]:
            wanting.append(name)
            yield Diagnosis(
                "nights",
                "warning",
                f"{name}: of {len(failed)} of the last {len(days)} nights every file was rejected: {few(failed)}",
                LAND_AGAIN,
            )
        missing = [
            day.isoformat()
            for day in days
            if day not in came[name] and (practice.operations.nights == "every_day" or day.weekday() < 5)
        ]
        if missing:
            wanting.append(name)
            yield Diagnosis(
                "nights", "warning", f"{name}: {len(missing)} of the last {len(days)} nights did not come: {few(missing)}",
                "ask whoever sends its extracts; nights may land late, in any order",
            )  # fmt: skip
        if in_part := [f"{day} ({', '.join(lacking[name][day])})" for day in days if day in lacking.get(name, {})]:
            wanting.append(name)
            yield Diagnosis(
                "nights", "warning", f"{name}: {len(in_part)} of the last {len(days)} nights came without what usually comes: {few(in_part)}",
                "ask whoever sends its extracts; the missing files may land late, in any order",
            )  # fmt: skip
    if practices and not wanting and all(accepted.get(name) for name in practices):
        yield Diagnosis("nights", "ok", f"every practice's last {NIGHTS_BACK} nights came")


def _warehouse(house: House) -> Iterator[Diagnosis]:
    from orchestration.operate.living_runs import is_locked, opened_lock

    lock = house.state / "warehouse.lock"
    if not lock.exists():
        yield from _databases(house)
    elif is_locked(lock):
        yield Diagnosis(
            "warehouse", "warning", "a night, a close or another command is at work on it", "ask again when it has ended"
        )
    else:
        with opened_lock(lock) as handle:  # who opens it to look must not be in the way of who opens it to write
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield from _databases(house)


def _databases(house: House) -> Iterator[Diagnosis]:
    from orchestration.transform.state import is_up_to_date, present_inputs

    for path, name in ((house.warehouse, "warehouse"), (house.marts, "marts")):
        if not path.exists():
            yield Diagnosis(name, "warning", f"{path.name} is not there", "`ccm nightly` makes it")
            return
        if damage := _damage_of(path):
            said, _, mend = damage.partition("; ")
            yield Diagnosis(name, "bad", said, mend)
            return
    if house.practices_yaml.exists() and not is_up_to_date(house, present_inputs(house)):
        yield Diagnosis("marts", "warning", "something is newer than the published marts", "`ccm nightly`")
    else:
        yield Diagnosis("marts", "ok", "published from what is there now")


def _damage_of(path: Path) -> str:
    """What is to be said of a database of which a part cannot be read; nothing where all of it can. Reads every table."""
    try:
        with open_database(path, "opened") as database:
            for schema, table in database.execute("select schema_name, table_name from duckdb_tables()").fetchall():
                database.execute(f'select bit_xor(hash(rows)) from "{schema}"."{table}" as rows').fetchall()
    except (Damaged, duckdb.IOException) as error:
        if not is_damage(error):
            raise
        return str(Damaged(path))
    return ""


def _closes(house: House, practices: dict[str, Practice]) -> Iterator[Diagnosis]:
    import hashlib

    from orchestration.close import proposals
    from orchestration.close.transitions import unlike_the_record
    from orchestration.close.versions import DAMAGED, MANIFEST, copied_from, in_folders, nobodys_folders
    from orchestration.transform.closes import packets_lost

    wrong, packets = [], 0
    copies: dict[str, str] = {}
    for packet in in_folders(house):
        if of := copied_from(packet.folder):
            copies[packet.name] = of
            continue
        packets += 1
        path = packet.folder / MANIFEST
        try:
            outputs = json.loads(path.read_text(encoding="utf-8"))["outputs"].items()
        except (ValueError, KeyError, TypeError, AttributeError):
            wrong.append(path.relative_to(house.closes).as_posix())
            continue
        try:  # the one file that no manifest names
            json.loads((path.parent / "approval.json").read_text(encoding="utf-8"))["approved_by"]
        except DAMAGED:
            wrong.append(f"{path.parent.relative_to(house.closes)}/approval.json")
        for name, sha256 in outputs:
            file = path.parent / name
            if not file.is_file() or hashlib.sha256(file.read_bytes()).hexdigest() != sha256:
                wrong.append(f"{path.parent.relative_to(house.closes)}/{name}")
    recorded = {
        f"{record.parent.name}/{name}"
        for record in house.closes.glob("*/transitions.jsonl")
        for name in unlike_the_record(house, record.parent.name)
    }
    unlike = sorted(recorded.union(set(packets_lost(house)) - set(copies)))
    remedy = "restore these packets from the backup: they are evidence, and what they claimed would be claimed again"
    if unlike:
        yield Diagnosis("closes", "bad", f"gone, damaged, or others than were closed: {few(unlike)}", remedy)
    if wrong:
        yield Diagnosis("closes", "bad", f"not as their manifest says: {few(wrong)}", remedy)
    told = {name: f"{name} (of {of})" for name, of in copies.items() if name not in recorded}
    holding = [said for name, said in told.items() if name.partition("/")[0] in practices]
    if holding:
        yield Diagnosis(
            "closes",
            "bad",
            f"copies of other packets, which keep their practice from closing: {few(holding)}",
            "move them out of closes/, restore what was closed there from the backup, if anything was, then `ccm nightly`",
        )
    nobodys = [*nobodys_folders(house), *(said for said in told.values() if said not in holding)]
    if nobodys:
        yield Diagnosis(
            "closes",
            "warning",
            f"left alone, no packets of a practice: {few(nobodys)}",
            "move these folders out of closes/: copies are kept by `ccm backup`",
        )
    damaged = [path.relative_to(house.closes).as_posix() for _, _, path in proposals.lying(house) if proposals.read(path) is None]
    if damaged:
        yield Diagnosis(
            "closes", "warning", f"proposals that cannot be read: {few(damaged)}", "`ccm close --propose` writes another"
        )
    if not unlike and not wrong and not holding:
        yield Diagnosis("closes", "ok", f"{packets} packets, every file as its manifest says")


def _records(house: House) -> Iterator[Diagnosis]:
    """Lines of the append-only records that cannot be read. Nothing rests on them and nobody is stopped by them; what they said is not known."""
    from orchestration.close import acceptances, transitions
    from orchestration.transform.office import dismissals_path, unreadable_dismissals

    found = [
        f"{path.relative_to(house.root)} line {number}"
        for pattern, unreadable in (("transitions.jsonl", transitions.unreadable), ("acceptances.jsonl", acceptances.unreadable))
        for path in sorted(house.closes.glob(f"*/{pattern}"))
        for number in unreadable(house, path.parent.name)
    ]
    found += [f"{dismissals_path(house).relative_to(house.root)} line {number}" for number in unreadable_dismissals(house)]
    if found:
        yield Diagnosis(
            "records",
            "warning",
            f"cannot be read: {few(found)}",
            "restore these files from the backup; what is left out was not said",
        )
    else:
        yield Diagnosis("records", "ok", "every line of what was proposed, closed, accepted and put off can be read")


def _runs(house: House, now: datetime) -> Iterator[Diagnosis]:
    from orchestration.operate.instance import looked_at
    from orchestration.operate.living_runs import is_dead, unfinished

    if not (house.state / "dagster" / "dagster.yaml").exists():
        yield Diagnosis("daemon", "warning", "Dagster has never run here", "`ccm ui`, or the services of deploy/")
        return
    with looked_at(house) as instance:
        dead = [run.run_id for run in unfinished(instance) if is_dead(run.run_id)]
        beats = [beat for beat in instance.get_daemon_heartbeats().values() if beat]
    if dead:
        yield Diagnosis(
            "runs", "warning", f"{len(dead)} were killed before they ended", "`ccm nightly` marks them as failed and goes on"
        )
    newest = max((beat.timestamp for beat in beats), default=0.0)
    age = now - datetime.fromtimestamp(newest, UTC)
    if not newest or age > DAEMON_IS_SILENT:
        said = f"no sign of life since {datetime.fromtimestamp(newest, UTC):%Y-%m-%d %H:%M} UTC" if newest else "has never run"
        yield Diagnosis(
            "daemon", "warning", f"the daemon that runs schedules and sensors {said}", "`ccm ui`, or start its service (deploy/)"
        )
    else:
        yield Diagnosis("daemon", "ok", "schedules and sensors are running")


def _backup(house: House, now: datetime) -> Iterator[Diagnosis]:
    record = house.state / "backups.json"
    if not record.exists():
        yield Diagnosis("backup", "warning", "there is none", "`ccm backup --to FOLDER` on another disk, nightly")
        return
    try:
        content = json.loads(record.read_text(encoding="utf-8"))
        made = datetime.strptime(content["made_at"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        folder = Path(content["folder"])
    except (ValueError, KeyError, TypeError):
        yield Diagnosis("backup", "warning", f"{record} cannot be read", "`ccm backup --to FOLDER` writes it anew")
        return
    if now - made > BACKUP_IS_OLD:
        yield Diagnosis("backup", "warning", f"the newest is of {made:%Y-%m-%d %H:%M} UTC", "`ccm backup --to FOLDER`")
    elif not folder.is_dir():
        yield Diagnosis("backup", "warning", f"{folder} is not to be seen from here", "check its disk")
    else:
        yield Diagnosis("backup", "ok", f"of {made:%Y-%m-%d %H:%M} UTC")
