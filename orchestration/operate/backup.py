"""Backups of a home: snapshots that share what has not changed, proved by their hashes before anything is restored.

`<to>/<stamp>/home/...` is the home, its landing wherever that is, without what a night makes again (the warehouse, dbt's target, scratch);
`<to>/<stamp>/manifest.json` has the SHA-256 of every file. A snapshot appears whole, by one rename. What is as it was in the snapshot before is a hard link
to it, so that a nightly backup of years of history costs what the night brought.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from errno import ENOENT
from glob import escape
from pathlib import Path
from typing import Any

from orchestration.discretion import refused_by_the_system
from orchestration.house import (
    LANDING,
    LOST_AND_FOUND,
    RESTORING,
    House,
    HouseError,
    clear_dead,
    is_alive,
    sync_folder,
    write_private,
)
from orchestration.lake_owner import mark_restored

# While these are held nothing of the home changes but what lands. In the order in which everybody takes them: a build that holds the warehouse may have to
# give the lake or the answers a table that came with a release.
LOCKS = ("run", "warehouse", "lake", "answers", "control_numbers")
# Made again by the next night, or scratch of this machine.
LEFT_OUT = (
    "warehouse.duckdb",
    "warehouse.duckdb.wal",
    "spark",
    ".state/dbt",
    ".state/dbt-spark",
    ".state/what-if",
    ".state/runs",
    ".state/backups.json",
    LOST_AND_FOUND,
)
# Here files come and go beside the locks: what is dropped, and what Dagster's services write.
GOES_ON = ("landing/", "inbox/", ".state/dagster/")
MANIFEST = "manifest.json"
_STAMP = "%Y%m%dT%H%M%SZ"
_ANOTHER = "take another snapshot"
_CHUNK = 1024 * 1024


@dataclass(frozen=True)
class Snapshot:
    """A finished backup: `files` in all, `new_files` and `new_bytes` that the one before did not have."""

    folder: Path
    files: int
    bytes: int
    new_files: int
    new_bytes: int


def backup(house: House, to: Path, now: datetime | None = None) -> Snapshot:
    """Writes a snapshot of the home below `to`. Waits for a running night. Raises HouseError for what a user can mend."""
    to = to.expanduser().resolve()
    if to == house.root or house.root in to.parents:
        raise HouseError(f"{to}: a backup inside the home is lost with it; name a folder on another disk")
    if not house.practices_yaml.exists():
        raise HouseError(f"{house.root}: is no home (it has no practices.yaml); name one with --home or CCM_HOME")
    to.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _alone(to):
        return _backup(house, to, now)


@contextlib.contextmanager
def _alone(to: Path) -> Iterator[None]:
    """Waits until no other backup, of whatever home, writes below a folder. Where the disk has no locks each is proved whole before it has its name."""
    with (to / ".backup.lock").open("a") as handle:
        with contextlib.suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _backup(house: House, to: Path, now: datetime | None) -> Snapshot:
    clear_dead(to.glob(".*.tmp"))
    name = f"{now or datetime.now(UTC):{_STAMP}}"
    final = to / name
    if final.exists():
        raise HouseError(f"{final}: exists already and is never overwritten; run again in a second")
    before = snapshots_of(house, to)
    earlier = _manifest(before[-1]) if before else {"files": {}, "made_at": ""}
    scratch = to / f".{name}.{os.getpid()}.tmp"
    files: dict[str, dict[str, Any]] = {}
    new_files = new_bytes = 0
    with contextlib.ExitStack() as locks:
        for lock in LOCKS:
            locks.enter_context(house.lock(lock))
        try:
            for path in _wanted(house, to):
                relative = _name(house, path)
                target = scratch / "home" / relative
                target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                old = earlier["files"].get(relative)
                is_database = relative.startswith(".state/") and path.suffix == ".db"  # what is dropped may be named anything
                try:
                    stat = path.stat()
                    stamp = {"size": stat.st_size, "mtime_ns": stat.st_mtime_ns}
                    is_same = old is not None and {key: old[key] for key in stamp} == stamp
                    if is_database and is_same:
                        is_same = _is_at_rest(path, stat.st_mtime_ns, earlier["made_at"])
                    if old and is_same and _linked(before[-1] / "home" / relative, target):
                        files[relative] = old
                        continue
                    sha256 = _taken_of_database(path, target) if is_database else _copied(path, target)
                    files[relative] = {**stamp, "sha256": sha256}
                except FileNotFoundError:
                    # An upload that ended under another name, a run of Dagster that was removed: the next snapshot has what became of it.
                    if path.exists() or not relative.startswith(GOES_ON):
                        raise
                    target.unlink(missing_ok=True)
                    continue
                if old and is_database and sha256 == old["sha256"] and _shared(before[-1] / "home" / relative, target, sha256):
                    continue
                new_files += 1
                new_bytes += stat.st_size
            content = {"home": house.root.name, "made_at": name, "files": dict(sorted(files.items()))}
            write_private(scratch / MANIFEST, json.dumps(content, indent=1) + "\n")
            if lost := [relative for relative in files if not (scratch / "home" / relative).is_file()]:
                raise HouseError(
                    f"{to}: is no whole backup, {len(lost)} of its files were taken away meanwhile ({lost[0]}); let nobody else clear that folder, run again"
                )
            scratch.rename(final)
            sync_folder(to)
        except OSError as error:
            raise HouseError(f"{to}: the backup could not be written: {refused_by_the_system(error)}") from None
        except sqlite3.Error as error:
            raise HouseError(
                f"{path}: SQLite could not copy it ({getattr(error, 'sqlite_errorname', type(error).__name__)}); make room, run again"
            ) from None
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        write_private(house.state / "backups.json", json.dumps({"folder": str(final), "made_at": name}) + "\n")
    return Snapshot(final, len(files), sum(one["size"] for one in files.values()), new_files, new_bytes)


def snapshots(to: Path) -> list[Path]:
    """The finished snapshots below a folder, oldest first."""
    return sorted(path.parent for path in to.glob(f"[0-9]*/{MANIFEST}"))


def snapshots_of(house: House, to: Path) -> list[Path]:
    """Those of this home, by its folder's name: several homes may be backed up to one folder."""
    return [one for one in snapshots(to) if _home_of(one) == house.root.name]


def snapshot_around(root: Path) -> Path | None:
    """The snapshot that a folder is, or lies in the home of; None for any other."""
    around = [root, *(folder.parent for folder in (root, *root.parents) if folder.name == "home")]
    return next((one for one in around if (one / MANIFEST).is_file() and _home_of(one) is not None), None)


def _home_of(snapshot: Path) -> str | None:
    try:
        name: str | None = _manifest(snapshot).get("home")
        return name
    except HouseError:
        return None  # a damaged one stops no new one, and is for `verify` to tell


def verify(snapshot: Path) -> list[str]:
    """What of a snapshot is not as its manifest says; empty when all is. Reads every byte."""
    files = _manifest(snapshot)["files"]
    found = [f"{name}: is missing" for name in files if not (snapshot / "home" / name).is_file()]
    found += [
        f"{name}: its SHA-256 is another"
        for name, one in files.items()
        if (snapshot / "home" / name).is_file() and _sha256(snapshot / "home" / name) != one["sha256"]
    ]
    there = {path.relative_to(snapshot / "home").as_posix() for path in (snapshot / "home").rglob("*") if path.is_file()}
    return sorted(found + [f"{name}: is not in the manifest" for name in there - files.keys()])


def restore(snapshot: Path, house: House, takes_over_lake: bool = False) -> int:
    """Makes a home from a snapshot, once its hashes are proved; gives the number of files. The home must be empty (a new disk
    with its lost+found is) or not exist. A lake in object storage it only reads, unless it takes it over from the home of before.

    The warehouse is not in it: `ccm nightly` makes it again from the lake, the marts as published are back at once.
    """
    if not (snapshot / MANIFEST).is_file():
        raise HouseError(f"{snapshot}: is no snapshot of `ccm backup` (it has no {MANIFEST}); name one of <to>/<stamp>")
    if not house.is_empty:
        raise HouseError(f"{house.root}: is not empty; restore into a new folder and move it into place")
    wrong = verify(snapshot)
    if wrong:
        raise HouseError(f"{snapshot}: is damaged, nothing was restored: {'; '.join(wrong[:5])}; {_ANOTHER}")
    files = _manifest(snapshot)["files"]
    # A folder that is there may be a disk, which nothing can be put in the place of, and whose files are not to go by way of another disk.
    is_there = house.root.is_dir()
    if is_there:
        _undo_killed(house, files)
    scratch = (
        house.root / f"{RESTORING}{os.getpid()}.tmp" if is_there else house.root.with_name(f".{house.root.name}.{os.getpid()}.tmp")
    )
    clear_dead(house.root.glob(f"{RESTORING}*.tmp"))
    clear_dead(house.root.parent.glob(f".{escape(house.root.name)}.*.tmp"))
    moved: list[Path] = []
    try:
        for name, one in files.items():
            target = scratch / name
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            _copied(snapshot / "home" / name, target)
            os.utime(target, ns=(one["mtime_ns"], one["mtime_ns"]))
        mark_restored(scratch / "lake", takes_over_lake)
        if is_there:
            # What has no practices.yaml is no home yet.
            for path in sorted(scratch.iterdir(), key=lambda one: one.name == house.practices_yaml.name):
                if path.name == house.practices_yaml.name:
                    sync_folder(house.root)
                path.rename(house.root / path.name)
                moved.append(path)
            with contextlib.suppress(PermissionError):  # another user's disk: `ccm doctor` tells
                house.root.chmod(0o700)
            sync_folder(house.root)
        else:
            scratch.rename(house.root)
            sync_folder(house.root.parent)
    except OSError as error:
        raise HouseError(f"{house.root}: could not be restored: {refused_by_the_system(error)}") from None
    finally:
        if not house.practices_yaml.exists():
            for path in moved:
                (house.root / path.name).rename(path)
        shutil.rmtree(scratch, ignore_errors=True)
    house.prepare()
    return len(files)


def _undo_killed(house: House, files: dict[str, Any]) -> None:
    """Takes away what a killed restore of this snapshot had put into place. HouseError, with all left as it is, for a file that is not the snapshot's."""
    for scratch in house.root.glob(f"{RESTORING}*.tmp"):
        if is_alive(int(pid := scratch.name.split(".")[-2])):
            raise HouseError(
                f"{house.root}: process {pid} is restoring into it; wait for its end; is that no `ccm restore`, empty the folder and run again"
            )
    if not house.is_half_restored:
        return
    tops = [path for path in house.root.iterdir() if path.name != LOST_AND_FOUND and not path.name.startswith(RESTORING)]
    for path in (one for top in tops for one in (top, *top.rglob("*")) if one.is_symlink() or not one.is_dir()):
        name, stat = path.relative_to(house.root).as_posix(), path.lstat()
        wanted = files.get(name)
        # lake/where.json says of a restored home that it is one.
        if wanted is None or (
            name != "lake/where.json" and (stat.st_size, stat.st_mtime_ns) != (wanted["size"], wanted["mtime_ns"])
        ):
            raise HouseError(
                f"{house.root}: a restore into it was killed, and {name} is not of this snapshot; name the snapshot of then, "
                "or move that file away, and run `ccm restore` again"
            )
    for top in tops:
        shutil.rmtree(top) if top.is_dir() else top.unlink()


def _manifest(snapshot: Path) -> dict[str, Any]:
    """home, made_at, and files: path -> size, mtime_ns, sha256. HouseError where it is not that."""
    try:
        content: dict[str, Any] = json.loads((snapshot / MANIFEST).read_text(encoding="utf-8"))
        made_at, home, files = content["made_at"], content["home"], content["files"].values()
        is_whole = isinstance(home, str) and all({"size", "mtime_ns", "sha256"} <= one.keys() for one in files)
        datetime.strptime(made_at, _STAMP)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise HouseError(f"{snapshot / MANIFEST}: cannot be read ({type(error).__name__}); {_ANOTHER}") from None
    if not is_whole:
        raise HouseError(f"{snapshot / MANIFEST}: is no manifest of `ccm backup`; {_ANOTHER}")
    return content


def _wanted(house: House, to: Path) -> Iterator[Path]:
    """The files to keep. What a link leads to is the home's, too: a lake on another disk, a configuration that is kept elsewhere. So is a landing that
    CCM_LANDING names; what landed in the home before is there beside it."""
    away = house.landing_folder
    if away is None or away.resolve().is_relative_to(house.root.resolve()):
        yield from _below(house, house.root, to)
        return
    if not away.is_dir():
        raise HouseError(
            f"{away}: is not there, and {LANDING} says that extracts are; mount it, or correct the setting, and run again"
        )
    taken = set()
    for path in _below(house, away, to):
        taken.add(_name(house, path))
        yield path
    yield from (path for path in _below(house, house.root, to) if _name(house, path) not in taken)


def _name(house: House, path: Path) -> str:
    """A file's path in a snapshot's `home`."""
    if path.is_relative_to(house.root):
        return path.relative_to(house.root).as_posix()
    return f"landing/{path.relative_to(house.landing).as_posix()}"


def _below(house: House, root: Path, to: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(root, followlinks=True):
        here = Path(folder)
        folders[:] = sorted(
            name
            for name in folders
            if not _is_left_out(house, here / name)
            and not _leads_back(root, here / name, to)
            and (root == house.root or (here / name).resolve() != house.root.resolve())
        )
        for name in sorted(names):
            path = here / name
            if _is_left_out(house, path):
                continue
            if path.is_file():
                yield path
            elif path.is_symlink() and not name.startswith("."):
                raise HouseError(f"{path}: is a link that leads nowhere; mount what it leads to, or remove it, and run again")


def _leads_back(root: Path, folder: Path, to: Path) -> bool:
    """Whether a folder is the backups' own, or a link to one that it lies in."""
    if folder.resolve() == to:
        return True
    above = [one.resolve() for one in folder.parents if one.is_relative_to(root)] if folder.is_symlink() else []
    return any(one.is_relative_to(folder.resolve()) for one in above)


def _is_at_rest(database: Path, mtime_ns: int, made_at: str) -> bool:
    """Whether SQLite holds nothing beside a database's file, and nobody wrote to that while the snapshot of then was made or since."""
    beside = database.with_name(f"{database.name}-wal")
    began = datetime.strptime(made_at, _STAMP).replace(tzinfo=UTC).timestamp()
    return not (beside.exists() and beside.stat().st_size) and mtime_ns < began * 1e9


def _linked(old: Path, target: Path) -> bool:
    """False where the disk has no hard links, or the snapshot before has lost the file: then it is copied."""
    try:
        os.link(old, target)
        return True
    except OSError:
        return False


def _shared(old: Path, target: Path, sha256: str) -> bool:
    """Puts a link to the snapshot before in the place of a copy that is no other than what it has, by its bytes; whether it did."""
    link = target.with_name(f".{target.name}.link")
    if not old.is_file() or _sha256(old) != sha256 or not _linked(old, link):
        return False
    link.replace(target)
    return True


def _is_left_out(house: House, path: Path) -> bool:
    relative = _name(house, path)
    is_scratch = path.name.startswith(".") and path.name.endswith(".tmp")
    # Of what is dropped no link is read by taking in: it may lead to anything.
    is_dropped = relative.startswith("inbox/") or (relative.startswith("landing/") and relative.count("/") > 1)
    return (
        relative in LEFT_OUT
        or is_scratch
        or (is_dropped and path.is_symlink())
        or path.suffix == ".lock"
        or path.name.endswith((".db-wal", ".db-shm"))
    )


def _taken_of_database(path: Path, target: Path) -> str:
    """Copies a database of Dagster's as SQLite itself does, because a web server may write to it meanwhile; a damaged one as it is. Gives the SHA-256 of the
    copy."""
    stat = path.stat()
    try:
        with (
            contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True)) as source,
            contextlib.closing(sqlite3.connect(target)) as copy,
        ):
            source.backup(copy)
    except sqlite3.OperationalError:
        if path.exists():
            raise
        raise FileNotFoundError(ENOENT, os.strerror(ENOENT), str(path)) from None
    except sqlite3.DatabaseError:
        target.unlink(missing_ok=True)
        return _copied(path, target)
    target.chmod(0o600)
    os.utime(target, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    return _sha256(target)


def _copied(source: Path, target: Path) -> str:
    """Copies a file (0600) with its times; gives its SHA-256."""
    digest = hashlib.sha256()
    with source.open("rb") as reading, target.open("xb") as writing:
        os.fchmod(writing.fileno(), 0o600)
        while data := reading.read(_CHUNK):
            digest.update(data)
            writing.write(data)
        writing.flush()
        os.fsync(writing.fileno())
    stat = source.stat()
    os.utime(target, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    return digest.hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
