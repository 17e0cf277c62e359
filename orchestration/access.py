"""The access record: who did what, when, on which practice, month and patient. `access.jsonl` of the home (0600), only ever appended to.

A line when a command, a step of a Dagster run or a page of the dashboard starts, a line when it ends. What has no second line was killed, or
is a server that still runs. Ids only: no name, no path, no free text of a patient.
"""

from __future__ import annotations

import fcntl
import getpass
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from orchestration.house import House, HouseError

NAME = "access.jsonl"


@dataclass
class Access:
    """One access under way. `about`: practice_id, patient_id, month and the like, as asked for."""

    house: House
    command: str
    about: Mapping[str, Any] = field(default_factory=dict)
    run: str = field(default_factory=lambda: secrets.token_hex(6))
    started_at: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="milliseconds"))
    is_recorded: bool = False
    trouble: str | None = None

    def start(self) -> Access:
        """Writes the first line. A home with nothing in it yet (which `ccm restore` wants) gets it together with the last one; `trouble` says why
        it could not be written."""
        if not self.house.is_empty:
            self._append({"event": "start", "at": self.started_at})
        return self

    def end(self, code: int | None) -> None:
        """Writes the last line, with the exit code (None: goes on as a server)."""
        if self.house.is_empty:
            return
        if not self.is_recorded and self.trouble is None:
            self._append({"event": "start", "at": self.started_at})
        if self.trouble is None:
            self._append({"event": "end" if code is not None else "serves", "at": _now(), "exit": code})

    def _append(self, values: dict[str, Any]) -> None:
        line = {**values, "run": self.run, "user": user(), "command": self.command, **self.about}
        try:
            append(self.house, line)
            self.is_recorded = True
        except OSError as error:
            self.trouble = f"{self.house.root / NAME}: this access could not be recorded ({error.strerror})"


def user() -> str:
    """The user of this machine, by name or else by number."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def append(house: House, line: Mapping[str, Any]) -> None:
    """Adds one line, whole, whoever else is writing. Raises OSError."""
    text = json.dumps({name: value for name, value in line.items() if value is not None}, default=str, sort_keys=True) + "\n"
    handle = os.open(house.root / NAME, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        size = os.fstat(handle).st_size
        # What a power cut broke off stays a line of its own.
        if size and os.pread(handle, 1, size - 1) != b"\n":
            text = "\n" + text
        os.write(handle, text.encode())
    finally:
        os.close(handle)


def note(house: House, command: str, **about: Any) -> str | None:
    """An access that is over when it is written: a page shown, a password refused. Gives why it could not be recorded, if so."""
    try:
        append(house, {"event": "done", "at": _now(), "run": secrets.token_hex(6), "user": user(), "command": command, **about})
    except OSError as error:
        return f"{house.root / NAME}: this access could not be recorded ({error.strerror})"
    return None


_under_way: list[Access] = []


def begin(house: House, command: str, about: Mapping[str, Any]) -> Access:
    """The command of this process starts; once per command, however often it asks for its home."""
    if not _under_way:
        _under_way.append(Access(house, command, about).start())
    return _under_way[0]


def finish(code: int | None) -> None:
    """The command of this process ends."""
    while _under_way:
        _under_way.pop().end(code)


@contextmanager
def step(house: House, name: str, context: Any) -> Iterator[None]:
    """A step of a run that Dagster started by itself (a schedule, a sensor, the web interface); of one that `ccm` started, `ccm` has the record."""
    if _under_way:
        yield
        return
    run = getattr(context, "run", None)
    about = {"step": name, "dagster_run": getattr(run, "run_id", None), **_asked_of(run, context)}
    access = Access(house, f"dagster {getattr(run, 'job_name', None) or 'run'}", about)
    access.start()
    try:
        yield
    except BaseException:
        access.end(1)
        raise
    access.end(0)


def _asked_of(run: Any, context: Any) -> dict[str, Any]:
    """The night, the month and the practices of a run, and in whose name it closes. Of a night only the step that is told of practices has them: the others
    work for all. A waiver's free text is left out."""
    tags = getattr(run, "tags", {})
    configured = {name: (op or {}).get("config") or {} for name, op in (getattr(run, "run_config", {}).get("ops") or {}).items()}
    month, own = tags.get("dagster/partition/month"), tags.get("dagster/partition/practice")
    if own:
        config = {name: value for one in configured.values() for name, value in one.items() if value}
        practices = [own, *(name for name in config.get("practice_ids") or () if name != own)]
    else:
        config = configured.get(getattr(getattr(context, "op_def", None), "name", ""), {})
        practices = config.get("practice_ids") or []
    by = "standing approvers" if config.get("standing_approvers") else config.get("approved_by")
    said = {
        "practice_id": practices[0] if len(practices) == 1 else None,
        "practice_ids": practices if len(practices) > 1 else None,
        "month": month,
        "night": None if own else tags.get("dagster/partition"),
        "by": by,
    }
    return {name: value for name, value in said.items() if value is not None}


@dataclass(frozen=True)
class Entry:
    """One access, its lines put together. `result`: 'exit 0', 'serves', 'done', or 'no end' for one that was killed or still runs."""

    at: datetime
    user: str
    command: str
    result: str
    about: Mapping[str, Any]


def read(path: Path) -> tuple[list[Entry], int]:
    """Every access in the order of its start, and how many lines cannot be read. Raises HouseError when the record itself cannot."""
    starts: dict[str, dict[str, Any]] = {}
    results: dict[str, str] = {}
    damaged = 0
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
    except OSError as error:
        raise HouseError(f"{path}: cannot be read ({error.strerror}); ask whoever owns the home") from None
    for text in lines:
        try:
            line = json.loads(text)
            run, event = line["run"], line["event"]
            datetime.fromisoformat(line["at"])
        except (ValueError, KeyError, TypeError):
            damaged += bool(text.strip())
            continue
        if event in ("start", "done"):
            starts[run] = line
        if event != "start":
            results[run] = f"exit {line.get('exit')}" if event == "end" else event
    own = {"at", "event", "run", "user", "command", "exit"}
    entries = [
        Entry(
            datetime.fromisoformat(line["at"]),
            str(line.get("user", "")),
            str(line.get("command", "")),
            results.get(run, "no end"),
            {name: value for name, value in line.items() if name not in own},
        )
        for run, line in starts.items()
    ]
    return sorted(entries, key=lambda entry: entry.at), damaged


def since(entries: list[Entry], day: date | None, practice_id: str | None) -> list[Entry]:
    """Those from a day on (UTC), and those that name a practice or none, which touched all."""
    return [
        entry
        for entry in entries
        if (day is None or entry.at.astimezone(UTC).date() >= day)
        and (practice_id is None or practice_id in (touched(entry) or [practice_id]))
    ]


def touched(entry: Entry) -> list[str]:
    """The practices that an access names; empty where it touched all."""
    one = entry.about.get("practice_id")
    return [str(one)] if one is not None else [str(name) for name in entry.about.get("practice_ids") or ()]
