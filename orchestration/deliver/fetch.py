"""Fetching: complete nights of a practice's source come into its landing folder, each file once, with what is known of it kept."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from orchestration.deliver.archives import unpack
from orchestration.deliver.sources import DeliveryError, NightError, Remote, Source, night_of_folder, opened
from orchestration.discretion import defect
from orchestration.house import House, HouseError, sync_folder, write_private
from orchestration.mapping.choice import Choices, MappedTable, choices
from orchestration.mapping.forms import file_form
from orchestration.notices import Notice, tell
from orchestration.operate.drops import is_complete
from orchestration.practices import Practice
from orchestration.settings.operations import Delivery
from orchestration.take_in.landing import COMPLETE, FIRST_NIGHT, LAST_NIGHT, tables_in

CHECKSUM = ".sha256"  # beside a file: its SHA-256, as sha256sum writes it
_AT_ONCE = 4
_LEAST_FREE = 1024**3


@dataclass(frozen=True)
class Outcome:
    """What a practice's delivery came to. `fetched`: night/name of what is new in landing/; `waiting`: nights that are still being dropped."""

    practice_id: str
    fetched: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()
    left_alone: tuple[str, ...] = ()
    fault: str | None = None


@dataclass
class _Night:
    files: list[Remote] = field(default_factory=list)
    checksums: dict[str, Remote] = field(default_factory=dict)  # path of a file -> that of its checksum
    marked: float | None = None


def deliver(house: House, practices: Mapping[str, Practice], now: datetime | None = None) -> list[Outcome]:
    """Fetches what is new of every practice that has a `delivery`, by practice. One practice's trouble is its own: it is in its outcome, and the office is
    told when it begins. Raises nothing but what stops every night."""
    wanted = {name: practice for name, practice in sorted(practices.items()) if practice.delivery is not None}
    if not wanted:
        return []
    mapped = choices(house, wanted)
    with house.lock("delivery"), ThreadPoolExecutor(_AT_ONCE) as pool:
        found = list(pool.map(lambda practice: _of_practice(house, practice, mapped, now or datetime.now(UTC)), wanted.values()))
        for outcome in found:
            try:
                before = _state(house, outcome.practice_id)
            except HouseError:
                continue  # said by its outcome, and by `faults` as long as it lasts
            last = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "fault": outcome.fault, "waiting": list(outcome.waiting)}
            _write_state(house, outcome.practice_id, {**before, "last": last})
            if outcome.fault is not None and (before.get("last") or {}).get("fault") != outcome.fault:
                tell(
                    house,
                    practices,
                    Notice(
                        "delivery_failed",
                        (outcome.practice_id,),
                        f"{outcome.practice_id}: extracts cannot be fetched",
                        (outcome.fault,),
                    ),
                )
    return found


def faults(house: House, practices: Mapping[str, Practice]) -> dict[str, str]:
    """practice_id -> why its last delivery failed."""
    found = {name: _last_fault(house, name) for name, one in sorted(practices.items()) if one.delivery}
    return {name: fault for name, fault in found.items() if fault}


def _last_fault(house: House, practice_id: str) -> str | None:
    try:
        fault: str | None = (_state(house, practice_id).get("last") or {}).get("fault")
        return fault
    except HouseError as error:
        return str(error)


def _of_practice(house: House, practice: Practice, mapped: Choices, now: datetime) -> Outcome:
    assert practice.delivery is not None
    name = practice.practice_id
    fetched: list[str] = []
    waiting: list[str] = []
    left_alone: list[str] = []
    damaged: list[str] = []
    fault = None
    scratch = house.landing / name / ".delivery.tmp"
    try:
        if house.landing_url is not None:
            raise DeliveryError("CCM_LANDING is object storage, where nothing is fetched to; drop the extracts there, or unset it")
        if scratch.parent.is_symlink():
            raise DeliveryError(
                f"landing/{name}: is a link, which no night takes in, and nothing is fetched into it; make it a folder and move into it what "
                "the link leads to, or mount that there"
            )
        if (within := _within_landing(house, practice.delivery)) is not None:
            raise DeliveryError(
                f"lies in {within}, where nights take in what is there as it is; name the folder that the sender drops into"
            )
        shutil.rmtree(scratch, ignore_errors=True)
        _state(house, name)  # what was fetched must be known before anything is
        with opened(practice.delivery) as source:
            listing = source.listed()
            left_alone += listing.left_alone
            damaged += listing.unread.values()
            nights = _nights(listing.files, practice.delivery, name, mapped, left_alone)
            state = _state(house, name)
            done = state.get("files", {})
            clock = _Clock(now, state.get("ahead", {}))
            complete = []
            for night, there in sorted(nights.items()):
                if night in listing.unread:  # what lies beside its folder is not all of it
                    continue
                new = [one for one in there.files if (done.get(one.path) or {}).get("stamp") != _stamp(one)]
                if new and _is_complete(there, clock, practice.operations.quiet_minutes):
                    complete.append((night, there, new))
                elif new:
                    waiting.append(night.isoformat())
            if clock.seen != clock.known:
                _write_state(house, name, {**state, "ahead": clock.seen})
            for night, there, new in complete:
                try:
                    fetched += _fetch(house, practice, source, night, there, new, scratch, mapped, left_alone)
                except NightError as error:
                    damaged.append(str(error))
        if damaged:
            raise DeliveryError("; ".join(damaged[:3]) + (f"; and {len(damaged) - 3} nights more" if len(damaged) > 3 else ""))
    except HouseError as error:
        fault = f"{practice.delivery.url}: {error}" if practice.delivery.url not in str(error) else str(error)
    except OSError as error:
        fault = f"landing/{name}: cannot be written ({error.strerror}); check the disk and its rights"
    except Exception as error:  # of this practice's source or files: it must not stop the others
        fault = f"{practice.delivery.url}: {defect(house, f'delivery of {name}', error)}"
    finally:
        if not scratch.parent.is_symlink():  # what it leads to is somebody else's
            shutil.rmtree(scratch, ignore_errors=True)
    return Outcome(name, tuple(fetched), tuple(waiting), tuple(left_alone), fault)


def _within_landing(house: House, delivery: Delivery) -> Path | None:
    """landing/, where the source is a folder of it: that of another practice, whose claims would go out twice."""
    scheme, *_, folder = delivery.place
    landing = house.landing.resolve()
    return house.landing if scheme == "file" and Path(os.path.realpath(folder)).is_relative_to(landing) else None


@dataclass
class _Clock:
    """Ours, for the times of a server whose clock is ahead of it: such a time counts as when it was first seen here. `known`: of the runs before; `seen`:
    for the next one."""

    now: datetime
    known: Mapping[str, list[Any]]
    seen: dict[str, list[Any]] = field(default_factory=dict)

    def time(self, path: str, modified: float, *more: Any) -> float:
        """Seconds since 1970 (UTC), never ahead of now."""
        if modified <= self.now.timestamp():
            return modified
        first, *stamp = self.known.get(path, [None])
        if stamp != [modified, *more]:
            first = self.now.timestamp()
        self.seen[path] = [first, modified, *more]
        return float(first)


def _is_complete(there: _Night, clock: _Clock, quiet_minutes: int) -> bool:
    written = max(clock.time(one.path, one.modified, one.size, one.tag) for one in there.files)
    if there.marked is None:
        return is_complete(None, written, written, quiet_minutes, clock.now)
    marked = clock.time(f"{there.files[0].path} {COMPLETE}", there.marked)
    # Where both are of the server's clock, it orders them; of what was seen here at once nobody knows which came first.
    is_behind = there.marked >= max(one.modified for one in there.files) or marked > written
    return is_behind or is_complete(None, written, max(written, marked), quiet_minutes, clock.now)


def _nights(
    listed: list[Remote], delivery: Delivery, practice_id: str, mapped: Choices, left_alone: list[str]
) -> dict[date, _Night]:
    """What was listed, by night. Files beside the nights' folders are of the night that their name says."""
    nights: dict[date, _Night] = {}
    marks: list[float] = []
    names = {one.path for one in listed}
    flat: set[date] = set()
    for one in listed:
        if one.name == COMPLETE:
            if not one.folder:
                marks.append(one.modified)
            elif (night := night_of_folder(one.folder)) is not None:
                nights.setdefault(night, _Night()).marked = one.modified
            continue
        path = one.path.removesuffix(CHECKSUM)
        is_checksum = path != one.path and path in names
        named = path.rpartition("/")[2]
        night = night_of_folder(one.folder) if one.folder else _night_of(named, delivery, practice_id, mapped)
        if night is None or not FIRST_NIGHT <= night <= LAST_NIGHT:
            left_alone.append(f"{one.path}: is of no night")
            continue
        if is_checksum:
            nights.setdefault(night, _Night()).checksums[path] = one
            continue
        if not named.lower().endswith(".zip") and isinstance(said := tables_in(named, night, mapped.of(practice_id, night)), str):
            left_alone.append(f"{one.path}: {said}")
            continue
        nights.setdefault(night, _Night()).files.append(one)
        if not one.folder:
            flat.add(night)
    for night in flat:
        there = nights[night]
        there.marked = max([*([there.marked] if there.marked is not None else []), *marks], default=None)
    return {night: there for night, there in nights.items() if there.files}


def _night_of(name: str, delivery: Delivery, practice_id: str, mapped: Choices) -> date | None:
    if delivery.archive is not None and name.lower().endswith(".zip"):
        try:
            return file_form(delivery.archive).night(name)
        except ValueError:
            return None
    for dated in mapped.chosen.get(practice_id, {}).values():
        for _, table in dated:
            if isinstance(table, MappedTable):
                try:
                    if (night := table.night(name)) is not None:
                        return night
                except ValueError:
                    continue
    return None


def _stamp(one: Remote) -> list[Any]:
    return [one.size, one.modified, one.tag]


def _fetch(
    house: House,
    practice: Practice,
    source: Source,
    night: date,
    there: _Night,
    new: list[Remote],
    scratch: Path,
    mapped: Choices,
    left_alone: list[str],
) -> list[str]:
    """One night: all that is new of it is fetched and proved before any of it is put into landing/."""
    folder = house.landing / practice.practice_id / night.isoformat()
    if folder.is_symlink():
        raise NightError(
            f"landing/{practice.practice_id}/{night}: is a link, which no night takes in; make it a folder and move into it what the link leads to"
        )
    free = shutil.disk_usage(house.landing).free
    if (wanted := sum(one.size for one in new)) > free - _LEAST_FREE:
        raise NightError(f"{night}: {wanted:,} bytes are more than the disk has room for; free some disk")
    chosen = mapped.of(practice.practice_id, night)
    ready: dict[str, Path] = {}
    proved: dict[str, dict[str, Any]] = {}
    for number, one in enumerate(new):
        own = scratch / night.isoformat() / str(number)
        own.mkdir(parents=True, mode=0o700)
        path = own / one.name
        sha256 = _read(source, one, path)
        checksum = there.checksums.get(one.path)
        if checksum is not None and sha256 != _told(source, checksum):
            raise NightError(f"{one.path}: its SHA-256 is not the one in {checksum.name}; send both again")
        files = [path]
        if one.name.lower().endswith(".zip"):
            unpacked = own / "unpacked"
            unpacked.mkdir(mode=0o700)
            files = []
            for member in unpack(path, one.path, unpacked):
                if isinstance(said := tables_in(member.name, night, chosen), str):
                    left_alone.append(f"{one.path}, {member.name}: {said}")
                else:
                    files.append(member)
        for file in files:
            if file.name in ready:
                raise NightError(f"{night}: two files are called {file.name}; keep one of them")
            ready[file.name] = file
        proved[one.path] = {
            "stamp": _stamp(one),
            "sha256": sha256,
            "files": sorted(file.name for file in files),
            "fetched_at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    (folder / COMPLETE).unlink(missing_ok=True)
    for name, file in ready.items():
        with file.open("rb") as handle:
            os.fsync(handle.fileno())
        file.replace(folder / name)
    write_private(folder / COMPLETE, b"")
    sync_folder(folder)
    state = _state(house, practice.practice_id)
    _write_state(house, practice.practice_id, {**state, "files": {**state.get("files", {}), **proved}})
    return [f"{night}/{name}" for name in sorted(ready)]


def _read(source: Source, one: Remote, path: Path) -> str:
    sha256, size = hashlib.sha256(), 0
    with path.open("xb") as handle:
        for data in source.chunks(one):
            size += len(data)
            if size > one.size:
                break
            sha256.update(data)
            handle.write(data)
    if size != one.size:
        raise NightError(f"{one.path}: is not as long as it was listed; it is tried again")
    return sha256.hexdigest()


def _told(source: Source, checksum: Remote) -> str:
    if checksum.size > 10_000:
        return ""
    text = b"".join(source.chunks(checksum)).decode("ascii", "replace").strip()
    return text.split()[0].lower() if text else ""


def _state_path(house: House, practice_id: str) -> Path:
    return house.state / "deliveries" / f"{practice_id}.json"


def _state(house: House, practice_id: str) -> dict[str, Any]:
    try:
        found = json.loads(_state_path(house, practice_id).read_text(encoding="utf-8"))
        if not isinstance(found, dict):
            raise ValueError
        return found
    except FileNotFoundError:
        return {}
    except (OSError, ValueError):
        raise HouseError(f"{_state_path(house, practice_id)}: cannot be read; remove it, and everything is fetched again") from None


def _write_state(house: House, practice_id: str, state: dict[str, Any]) -> None:
    write_private(_state_path(house, practice_id), json.dumps(state, indent=1, sort_keys=True) + "\n")
