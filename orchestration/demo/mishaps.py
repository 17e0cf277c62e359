"""What goes wrong in a time log, and how often."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from orchestration.demo import notes
from orchestration.demo.days import month_of, next_month, workday_after
from orchestration.demo.work import CLINICAL, NURSES, OFFICE, Care, Entry

if TYPE_CHECKING:
    from orchestration.demo.time_log import TimeLog


@dataclass(frozen=True)
class Shares:
    """How much of a month's log goes wrong, as shares of its entries; at least one of each from 60 entries on."""

    note_after_close: float = 0.018  # 6 to 16 days into the next month: the first close holds the patient
    note_late: float = 0.02  # two nights later
    note_never: float = 0.025
    open_timer: float = 0.011
    runaway_timer: float = 0.011
    recorded_late: float = 0.014  # on the first or second day of the next month
    recorded_after_close: float = 0.004
    voided: float = 0.012
    voided_after_close: float = 0.004
    corrected: float = 0.02
    no_clock_times: float = 0.025
    copied_note: float = 0.012
    invalid_interval: float = 0.003
    duplicate: float = 0.012
    member_overlap: float = 0.016  # pairs of one member on two patients: twice as many entries
    second_staff: float = 0.02
    other_program: float = 0.025
    not_countable: float = 0.03
    not_clinical: float = 0.015
    face_to_face: float = 0.015
    visit_without_time: float = 0.03  # of the completed calls that were planned


@dataclass(frozen=True)
class Scene:
    """One month in which things go wrong."""

    log: TimeLog
    rng: random.Random
    month: date
    cared_for: Mapping[str, Care]

    def evening(self, day: date) -> datetime:
        return self.log.clock.some_time(self.rng, day, 16, 19)

    def next_month_on(self, first: int, last: int) -> datetime:
        """An evening between two days of the next month."""
        return self.evening(next_month(self.month) + timedelta(days=self.rng.randint(first, last) - 1))

    def later(self, entry: Entry, workdays: int) -> datetime:
        """A morning some workdays after the entry was recorded."""
        return self.log.clock.some_time(self.rng, workday_after(self.log.clock.day(entry.recorded), workdays), 8, 11)


Mishap = Callable[[Scene, Entry, int], list[Entry]]
"""Changes an honest entry, or gives entries that come beside it. The number counts the month's entries of its kind."""


def spoil(scene: Scene, entries: list[Entry]) -> None:
    """Lets every mishap happen to its share of the month's honest entries; no entry suffers two."""
    size, shares = len(entries), scene.log.shares
    honest = [entry for entry in entries if entry.fault is None]
    scene.rng.shuffle(honest)
    decisive = _decisive(scene, entries)
    for name, happen in _MISHAPS.items():
        share = getattr(shares, name)
        wanted = max(round(share * size), 1 if size >= 60 and share else 0)
        # A note that comes after the close shall matter: it decides over a unit of its patient's claim.
        order = sorted(honest, key=lambda entry: id(entry) not in decisive) if name == "note_after_close" else honest
        for number, entry in enumerate(order[:wanted]):
            honest.remove(entry)
            entries += happen(scene, entry, number)
    _lose_entries_of_calls(scene, entries)


def _decisive(scene: Scene, entries: list[Entry]) -> set[int]:
    totals: dict[str, float] = defaultdict(float)
    for entry in entries:
        totals[entry.patient_id] += entry.length
    return {
        id(entry)
        for entry in entries
        if (care := scene.cared_for[entry.patient_id]).program == "ccm"
        and care.style == "staff"
        and totals[entry.patient_id] < 3600
        and totals[entry.patient_id] // 1200 > (totals[entry.patient_id] - entry.length) // 1200
    }


def _note_follows(entry: Entry, when: datetime, fault: str) -> list[Entry]:
    entry.changes.append((when, {"note_text": entry.text}))
    entry.text, entry.has_note_id, entry.fault = None, False, fault
    return []


def _note_after_close(scene: Scene, entry: Entry, number: int) -> list[Entry]:
    return _note_follows(entry, scene.next_month_on(6, 16), "note_after_close")


def _note_late(scene: Scene, entry: Entry, number: int) -> list[Entry]:
    return _note_follows(entry, scene.later(entry, 2), "note_late")


def _note_never(scene: Scene, entry: Entry, number: int) -> list[Entry]:
    entry.text, entry.has_note_id, entry.fault = (None, "  ")[number % 3 == 2], False, "note_never"
    return []


def _open_timer(scene: Scene, entry: Entry, number: int) -> list[Entry]:
    if number % 2:  # someone stops it by hand
        entry.changes.append((scene.later(entry, 1), {"ended_at": entry.ended, "entry_method": "manual"}))
    entry.ended, entry.fault = None, "open_timer"
    return []


def _runaway_timer(scene: Scene, entry: Entry, number: int) -> list[Entry]:
    start, end = entry.times
    entry.ended = scene.log.clock.some_time(scene.rng, workday_after(scene.log.clock.day(start), 1), 7, 9)
    entry.recorded = entry.ended + timedelta(seconds=scene.rng.randint(5, 90))
    entry.method, entry.fault = "timer", "runaway_timer"
    if number % 3 == 1:
        entry.changes.append((scene.later(entry, 1), {"ended_at": end, "entry_method": "manual"}))
    return []


def _recorded_late(scene: Scene, entry: Entry, number: int) -> list[Entry]:
    entry.recorded, entry.method, entry.fault = scene.next_month_on(1, 2), "manual", "recorded_late"
    return []


def _recorded_after_close(scene: Scene, entry: Entry, number: int) -> list[Entry]:
    entry.recorded, entry.method, entry.fault = scene.next_month_on(7, 16), "manual", "recorded_after_close"
    return []


def _voided(scene: Scene, entry: Entry, number: int) -> list[Entry]:
    entry.changes.append((scene.later(entry, 1), {"voided": True}))
    entry.fault = "voided"
    return []


def _voided_after_close(scene: Scene, entry: Entry, number: int) -> list[Entry]:
    entry.changes.append((scene.next_month_on(7, 17), {"voided": True}))
    entry.fault = "voided_after_close"
    return []


def _corrected(scene: Scene, entry: Entry, number: int) -> list[Entry]:
    start, end = entry.times
    ended = max(end + timedelta(seconds=scene.rng.choice([-90, -60, 60, 120])), start + timedelta(seconds=60))
    entry.changes.append((scene.later(entry, 1), {"ended_at": ended, "entry_method": "manual"}))
    entry.fault = "corrected"
    return []


def _no_clock_times(scene: Scene, entry: Entry, number: int) -> list[Entry]:
    entry.seconds, entry.started, entry.method, entry.fault = int(entry.length), None, "manual", "no_start_time"
    if number % 4 != 3:
        entry.ended, entry.fault = None, "no_clock_times"
    return []


def _copied_note(scene: Scene, entry: Entry, number: int) -> list[Entry]:
    entry.text, entry.fault = notes.COPIED[number % 2], "copied_note"
    return []


def _invalid_interval(scene: Scene, entry: Entry, number: int) -> list[Entry]:
    entry.started, entry.ended, entry.fault = entry.ended, entry.started, "invalid_interval"
    return []


def _duplicate(scene: Scene, entry: Entry, number: int) -> list[Entry]:
    """The same entry is sent twice."""
    entry.fault = "duplicated"
    recorded = entry.recorded + timedelta(seconds=scene.rng.choice([1, 3, 40, 3600]))
    return [replace(entry, recorded=recorded, changes=[], fault="duplicate")]


def _member_overlap(scene: Scene, entry: Entry, number: int) -> list[Entry]:
    """The same member is on another patient before this entry ends."""
    start, _ = entry.times
    day = scene.log.clock.day(start)
    others = [
        care.patient_id
        for care in scene.cared_for.values()
        if care.patient_id != entry.patient_id and care.program == "ccm" and care.since <= day <= care.until
    ]
    if not others:
        return []
    entry.fault = "member_overlap"
    start += timedelta(seconds=int(entry.length * scene.rng.uniform(0.3, 0.8)))
    end = start + timedelta(seconds=scene.rng.randint(300, 840))
    extra = scene.log.entry(scene.rng, scene.rng.choice(others), entry.member_id, "ccm", start, end)
    extra.fault = "member_overlap"
    return [extra]


def _second_staff(scene: Scene, entry: Entry, number: int) -> list[Entry]:
    """A second member works on the same patient at the same moment."""
    start, _ = entry.times
    day = scene.log.clock.day(start)
    start += timedelta(seconds=int(entry.length * scene.rng.uniform(0.1, 0.6)))
    end = start + timedelta(seconds=scene.rng.randint(240, 720))
    members = scene.log.members(CLINICAL, day)
    for who in scene.rng.sample(members, len(members)):
        if who != entry.member_id and scene.log.diary.book(day, start, end, who):
            entry.fault = "second_staff"
            extra = scene.log.entry(scene.rng, entry.patient_id, who, entry.program, start, end)
            extra.fault = "second_staff"
            return [extra]
    return []


def _beside(
    scene: Scene, entry: Entry, fault: str, credentials: frozenset[str] | None, program: str = "", activity: str = ""
) -> list[Entry]:
    """One more entry of the patient's month, by someone with such a credential (else by the same member)."""
    care = scene.cared_for[entry.patient_id]
    who = scene.log.members(credentials) if credentials else [entry.member_id]
    extra = scene.log.work(
        scene.rng, care, who, scene.log.days_of(scene.month, care), scene.rng.randint(240, 960), program, activity
    )
    if extra:
        extra.fault = fault
    return [extra] if extra else []


def _other_program(scene: Scene, entry: Entry, number: int) -> list[Entry]:
    program = ("rpm", "bhi", "rpm", "tcm", "rpm", "other")[number % 6]
    return _beside(scene, entry, "other_program", None, program=program)


def _not_countable(scene: Scene, entry: Entry, number: int) -> list[Entry]:
    activity = scene.rng.choice(notes.NOT_COUNTABLE)
    return _beside(scene, entry, "not_countable", frozenset({"MA", "LPN", "RN"}), activity=activity)


def _not_clinical(scene: Scene, entry: Entry, number: int) -> list[Entry]:
    return _beside(scene, entry, "not_clinical", OFFICE, activity="care_coordination")


def _face_to_face(scene: Scene, entry: Entry, number: int) -> list[Entry]:
    extras = _beside(scene, entry, "face_to_face", NURSES, activity="patient_education")
    for extra in extras:
        extra.face_to_face = True
    return extras


_MISHAPS: dict[str, Mishap] = {
    "note_after_close": _note_after_close,
    "note_late": _note_late,
    "note_never": _note_never,
    "open_timer": _open_timer,
    "runaway_timer": _runaway_timer,
    "recorded_late": _recorded_late,
    "recorded_after_close": _recorded_after_close,
    "voided": _voided,
    "voided_after_close": _voided_after_close,
    "corrected": _corrected,
    "no_clock_times": _no_clock_times,
    "copied_note": _copied_note,
    "invalid_interval": _invalid_interval,
    "duplicate": _duplicate,
    "member_overlap": _member_overlap,
    "second_staff": _second_staff,
    "other_program": _other_program,
    "not_countable": _not_countable,
    "not_clinical": _not_clinical,
    "face_to_face": _face_to_face,
}


def _lose_entries_of_calls(scene: Scene, entries: list[Entry]) -> None:
    """Some completed calls never reach the time log."""
    log, day = scene.log, scene.log.clock.day
    done = [call for call in log.calls if call.status == "completed" and month_of(day(call.start)) == scene.month]
    share = log.shares.visit_without_time
    left = max(round(share * len(done)), 1 if share and len(done) >= 10 else 0)
    for call in scene.rng.sample(done, len(done)):
        same_day = [
            entry
            for entry in entries
            if entry.started
            and (entry.patient_id, entry.member_id) == (call.patient_id, call.member_id)
            and day(entry.started) == day(call.start)
        ]
        if left and len(same_day) == 1 and same_day[0].fault is None:
            entries.remove(same_day[0])
            call.fault = "visit_without_time"
            left -= 1
