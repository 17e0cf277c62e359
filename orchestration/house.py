"""The home folder (CCM_HOME): where everything is read and written at run time, privately and atomically."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import chain
from pathlib import Path
from urllib.parse import unquote

PROJECT_ROOT = Path(__file__).resolve().parents[1]
DBT_PROJECT = PROJECT_ROOT / "dbt_project"
DATA_CONTRACTS = PROJECT_ROOT / "data_contracts"

# Where the landed extracts and the lake's batches are, when not in the home.
LANDING, LAKE = "CCM_LANDING", "CCM_LAKE"
_S3_URL = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9._=-]+)*/?")

LOST_AND_FOUND = "lost+found"  # of a disk's own, at its root
RESTORING = ".restore."  # scratch of `ccm restore` in a home that it makes

PRACTICE_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")

# Every file of the home holds or points to protected health information: nobody but its owner reads it.
os.umask(0o077)


class HouseError(Exception):
    """Something a user can mend: the text says what, where and what to do. Never carries a patient's data."""


@dataclass(frozen=True)
class House:
    """Paths of one home folder. Creating it makes nothing; `prepare` makes the folders (0700)."""

    root: Path
    lake_url: str | None = None  # s3://bucket/prefix with the lake's batches
    landing_url: str | None = None  # s3://bucket/prefix that is read as landing/
    landing_folder: Path | None = None  # landing/ on another disk

    @classmethod
    def at(cls, root: Path) -> House:
        """A home folder with the landing and the lake that CCM_LANDING and CCM_LAKE name. Raises HouseError for what is neither a URL nor a folder."""
        lake, landing = (os.environ.get(name) or None for name in (LAKE, LANDING))
        for name, url in ((LAKE, lake), (LANDING, landing)):
            if url is not None and url.startswith("s3://") and not _S3_URL.fullmatch(url):
                raise HouseError(f"{name}: is no URL like s3://bucket/prefix (letters, digits, '.', '-', '_', '='); correct it")
        if lake is not None and not lake.startswith("s3://"):
            raise HouseError(
                f"{LAKE}: names no object storage (s3://bucket/prefix); for another disk mount it as lake/ of the home"
            )
        root = root.expanduser().resolve()
        if landing is None or landing.startswith("s3://"):
            return cls(root, lake and lake.rstrip("/"), landing and landing.rstrip("/"))
        folder = Path(unquote(landing.removeprefix("file://"))).expanduser()
        if not folder.is_absolute():
            raise HouseError(f"{LANDING}: name a folder by its whole path, file:///folder or s3://bucket/prefix")
        return cls(root, lake and lake.rstrip("/"), None, folder)

    @classmethod
    def from_environment(cls) -> House:
        """The home named by CCM_HOME, else `data/` of the checkout."""
        return cls.at(Path(os.environ.get("CCM_HOME") or PROJECT_ROOT / "data"))

    def prepare(self) -> House:
        for folder in (self.root, self.landing, self.inbox, self.lake, self.closes, self.state):
            try:
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            except OSError as error:
                raise HouseError(f"{folder}: cannot make this folder ({error.strerror}); check CCM_HOME") from None
            # What lands may well be another user's; the rest is ours to write.
            if folder not in (self.landing, self.inbox) and not os.access(folder, os.W_OK | os.X_OK):
                raise HouseError(
                    f"{folder}: cannot be written; give its owner the right to write there, then run the same command again"
                )
        return self

    @property
    def is_empty(self) -> bool:
        """Whether nothing is there yet, or a new disk, or what a killed `ccm restore` left."""
        if self.is_half_restored:
            return True
        inside = self.root.iterdir() if self.root.is_dir() else ()
        return all(path.name == LOST_AND_FOUND or path.name.startswith(RESTORING) for path in inside)

    @property
    def is_half_restored(self) -> bool:
        """Whether `ccm restore` is at work here or was killed: practices.yaml comes last."""
        return not self.practices_yaml.exists() and any(self.root.glob(f"{RESTORING}*.tmp"))

    @property
    def practices_yaml(self) -> Path:
        return self.root / "practices.yaml"

    @property
    def mappings(self) -> Path:
        """The practice's own mappings, beside the shipped ones."""
        return self.root / "mappings"

    @property
    def landing(self) -> Path:
        return self.landing_folder or self.root / "landing"

    @property
    def inbox(self) -> Path:
        return self.root / "inbox"

    @property
    def lake(self) -> Path:
        return self.root / "lake"

    @property
    def warehouse(self) -> Path:
        return self.root / "warehouse.duckdb"

    @property
    def marts(self) -> Path:
        return self.root / "marts.duckdb"

    @property
    def closes(self) -> Path:
        return self.root / "closes"

    def closes_of(self, practice_id: str) -> Path:
        """The folder of a practice's closes. HouseError for what is no practice's id: it could lead elsewhere."""
        if not PRACTICE_ID.fullmatch(practice_id):
            raise HouseError(
                f"--practice {practice_id}: is no practice's id (1 to 64 letters, digits, '-' and '_'); see practices.yaml"
            )
        return self.closes / practice_id

    @property
    def worklists(self) -> Path:
        return self.root / "worklists"

    @property
    def reports(self) -> Path:
        return self.root / "reports"

    @property
    def state(self) -> Path:
        """Run-time state that is not data: Dagster's instance, dbt's target folder, locks, verdicts."""
        return self.root / ".state"

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Waits for, then holds, an exclusive lock of this home. The kernel frees it when the process ends."""
        self.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self.state / f"{name}.lock").open("a") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield


def no_pattern(path: Path | str) -> str:
    """A path that DuckDB takes as it stands: it would read a bracket or a star of the home's name as a pattern."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in str(path))


def write_private(path: Path, content: bytes | str) -> None:
    """Writes a whole file (0600) or nothing: a reader sees the old content or the new, a crash leaves no half file."""
    data = content.encode() if isinstance(content, str) else content
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    scratch = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with scratch.open("wb") as handle:
            os.fchmod(handle.fileno(), 0o600)
            handle.write(data)
            handle.flush()
            os.fsync(handle.fileno())
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Makes a rename in this folder survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def move_into_place(scratch: Path, final: Path) -> None:
    """Publishes a finished folder under its name by one rename; refuses to touch what is already there."""
    if final.exists():
        raise HouseError(f"{final}: exists already and is never overwritten")
    final.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    for path in [scratch, *scratch.rglob("*")]:
        path.chmod(0o700 if path.is_dir() else 0o600)
    scratch.rename(final)
    sync_folder(final.parent)


def sweep(house: House, silent_for: timedelta | None = None) -> None:
    """Removes what killed processes left half-written beside the data: scratch files (.<name>.<pid>.tmp) whose process is no more. With `silent_for` only
    what nobody wrote to for so long: the number of a living process in another container of this home is nobody's here.

    The lake, landing/ and inbox/ are not swept: taking in clears its own scratch, under its own lock.
    """
    places = (
        house.root.glob(".*.tmp"),
        *(
            folder.rglob(".*.tmp")
            for folder in (house.state, house.closes, house.worklists, house.reports, house.lake / "configuration")
        ),
    )
    clear_dead(chain.from_iterable(places), silent_for)


def clear_dead(scratch: Iterable[Path], silent_for: timedelta | None = None) -> None:
    """Removes those of these scratch files and folders (.<name>.<pid>.tmp) whose process is no more, and that have been left alone for so long."""
    for path in scratch:
        pid = path.name.split(".")[-2]
        if pid.isdecimal() and not is_alive(int(pid)) and (silent_for is None or _is_silent(path, silent_for)):
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _is_silent(path: Path, silent_for: timedelta) -> bool:
    """Whether nothing was written to this file, or anywhere in this folder, for so long."""
    try:
        newest = max(one.lstat().st_mtime for one in (path, *path.rglob("*")))
    except FileNotFoundError:
        return False  # somebody is at it
    return time.time() - newest >= silent_for.total_seconds()


def clear_scratch(folder: Path) -> None:
    """Removes what a killed run left: names that begin with a dot and end in .tmp are never data."""
    for path in folder.glob(".*.tmp"):
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
