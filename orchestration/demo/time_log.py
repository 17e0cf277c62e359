"""The time log of one practice, month by month: who worked for whom and when."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import date, datetime, timedelta

from orchestration.demo import notes
from orchestration.demo.days import Clock, month_end, month_of, workdays
from orchestration.demo.mishaps import Scene, Shares, spoil
from orchestration.demo.tables import Row
from orchestration.demo.work import CLINICAL, NURSES, PRACTITIONERS, Call, Care, Diary, Entry

Bands = tuple[tuple[float, float, float], ...]
"""Minutes that a patient gets in a month: share of patient-months, from, to."""

_STAFF: Bands = ((0.04, 0, 0), (0.06, 4, 14), (0.13, 15, 19.8), (0.38, 20.5, 39), (0.23, 40.5, 59), (0.16, 60.5, 88))
_BANDS: dict[str, Bands] = {
    "complex": ((0.15, 38, 58), (0.5, 61, 88), (0.35, 91, 128)),
    "practitioner": ((0.1, 18, 28), (0.6, 33, 58), (0.3, 61, 95)),
    "pcm": ((0.25, 14, 29), (0.5, 31, 58), (0.25, 61, 80)),
    "apcm": ((0.4, 0, 0), (0.6, 5, 20)),
}
_FULL_MONTH_WORKDAYS = 14  # in a shorter window there is less time in proportion


class TimeLog:
    """Writes the log month by month. `entries` and `calls` are the result."""

    def __init__(self, clock: Clock, care_team: Sequence[Row], seed: str, first_day: date, last_day: date, shares: Shares) -> None:
        self.clock, self.seed, self.shares = clock, seed, shares
        self.first_day, self.last_day = first_day, last_day
        self.team = {str(member["member_id"]): member for member in care_team}
        self.diary = Diary()
        self.entries: list[Entry] = []
        self.calls: list[Call] = []
        self._notes: set[str] = set()

    def write_month(self, month: date, cared_for: Sequence[Care]) -> None:
        rng = random.Random(f"{self.seed}/{month}/log")
        entries: list[Entry] = []
        for care in cared_for:
            entries += self._patient_month(month, care)
        entries += self._midnight_call(rng, month, cared_for)
        spoil(Scene(self, rng, month, {care.patient_id: care for care in cared_for}), entries)
        for entry in entries:
            entry.month = month
        self.entries += entries

    def members(self, credentials: frozenset[str], day: date | None = None) -> list[str]:
        """The team's members with such a credential, on a day those who are active."""
        return [
            name
            for name, member in self.team.items()
            if member["credential"] in credentials and (day is None or self._is_active(name, day))
        ]

    def days_of(self, month: date, care: Care) -> list[date]:
        """The workdays of a month on which staff care for this patient."""
        first = max(month, care.since, self.first_day)
        last = min(month_end(month), care.until, self.last_day)
        return [
            day
            for day in workdays(first, last)
            if care.is_careless or not any(admitted <= day <= gone for admitted, gone in care.stays)
        ]

    def work(
        self,
        rng: random.Random,
        care: Care,
        who: Sequence[str],
        days: Sequence[date],
        seconds: int,
        program: str = "",
        activity: str = "",
    ) -> Entry | None:
        """An entry in a gap of the diaries of one of these members and of the patient; None when none was found."""
        for _ in range(25 if who and days else 0):
            day = rng.choice(days)
            able = [name for name in who if self._is_active(name, day)] or self.members(CLINICAL, day)
            if not able:
                continue
            name = rng.choice(able)
            start = self.clock.some_time(rng, day)
            end = start + timedelta(seconds=seconds)
            if self.diary.book(day, start, end, name, care.patient_id):
                return self.entry(rng, care.patient_id, name, program or care.entry_program, start, end, activity)
        return None

    def entry(
        self,
        rng: random.Random,
        patient_id: str,
        member_id: str,
        program: str,
        start: datetime,
        end: datetime,
        activity: str = "",
    ) -> Entry:
        """An honest entry with a note, recorded by the timer or by hand the same day."""
        kinds = notes.PRACTITIONER_WORK if self._credential(member_id) in PRACTITIONERS else notes.CALLS + notes.DESK
        activity = activity or rng.choice(kinds)
        method, delay = ("manual", rng.randint(600, 9000)) if rng.random() < 0.15 else ("timer", rng.randint(2, 420))
        text = notes.note(rng, activity, self._notes)
        recorded = end + timedelta(seconds=delay)
        has_note_id = rng.random() < 0.6
        return Entry(
            patient_id, member_id, program, activity, start, end, recorded,
            method=method, text=text, has_note_id=has_note_id,
        )  # fmt: skip

    def _credential(self, member_id: str) -> str:
        return str(self.team.get(member_id, {}).get("credential"))

    def _is_active(self, member_id: str, day: date) -> bool:
        member = self.team.get(member_id, {})
        first, last = member.get("active_from"), member.get("active_to")
        return (not first or str(first) <= day.isoformat()) and (not last or day.isoformat() <= str(last))

    def _patient_month(self, month: date, care: Care) -> list[Entry]:
        rng = random.Random(f"{self.seed}/{care.patient_id}/{month}/log")
        entries: list[Entry] = []
        for day, why in care.vain_days:
            if month_of(day) == month and self.first_day <= day <= self.last_day:
                entry = self.work(rng, care, [care.nurse], [day], rng.randint(300, 840))
                if entry:
                    entry.fault = why
                    entries.append(entry)
        days = self.days_of(month, care)
        seconds = int(self._minutes(rng, care) * 60 * min(1.0, len(days) / _FULL_MONTH_WORKDAYS))
        for piece in _pieces(rng, seconds):
            entry = self.work(rng, care, [self._who(rng, care)], days, piece)
            if entry:
                entries.append(entry)
        if days and care.program != "apcm":
            self._plan_calls(rng, care, entries, days)
        return entries

    def _minutes(self, rng: random.Random, care: Care) -> float:
        bands = _BANDS.get(care.program) or _BANDS.get(care.style, _STAFF)
        _, low, high = rng.choices(bands, [band[0] for band in bands])[0]
        return rng.uniform(low, high)

    def _who(self, rng: random.Random, care: Care) -> str:
        draw = rng.random()
        if draw < (0.85 if care.style == "practitioner" else 0.06):
            return care.practitioner
        return care.nurse if draw < 0.74 else rng.choice(self.members(CLINICAL) or [care.nurse])

    def _plan_calls(self, rng: random.Random, care: Care, entries: list[Entry], days: Sequence[date]) -> None:
        """One call of the month may have been planned; a few planned ones never took place."""
        for entry in entries:
            able = entry.activity in notes.CALLS and self._credential(entry.member_id) in CLINICAL and not entry.fault
            if able and rng.random() < 0.45:
                self._plan(rng, care, entry.member_id, entry.times[0], "completed")
                break
        if rng.random() < 0.09:
            start = self.clock.some_time(rng, rng.choice(days))
            self._plan(rng, care, care.nurse, start, rng.choice(["no_show", "cancelled"]))

    def _plan(self, rng: random.Random, care: Care, member_id: str, near: datetime, status: str) -> None:
        start = near.replace(second=0) - timedelta(minutes=rng.randint(0, 6))
        end = start + timedelta(minutes=rng.choice([10, 15, 15, 20]))
        planned = start - timedelta(days=rng.randint(3, 16), minutes=rng.randint(0, 200))
        settled = end + timedelta(minutes=rng.randint(1, 90))
        if status == "cancelled":
            settled = start - timedelta(hours=rng.randint(2, 40))
        self.calls.append(Call(care.patient_id, member_id, start, end, status, planned, settled))

    def _midnight_call(self, rng: random.Random, month: date, cared_for: Sequence[Care]) -> list[Entry]:
        """The nurse on call talks into the first minutes of the next month."""
        last = month_end(month)
        able = [care for care in cared_for if care.program == "ccm" and care.since < month and care.until > last]
        able = [care for care in able if not care.stays]
        if not able or last >= self.last_day:
            return []
        care = rng.choice(able)
        start = self.clock.at(last, 23, rng.randint(44, 52), rng.randint(0, 59))
        end = self.clock.at(last + timedelta(days=1), 0, rng.randint(6, 14), rng.randint(0, 59))
        who = rng.choice(self.members(NURSES, last) or [care.nurse])
        entry = self.entry(rng, care.patient_id, who, "ccm", start, end, "phone_call")
        entry.fault = "month_split"
        return [entry]


def _pieces(rng: random.Random, seconds: int) -> list[int]:
    """A month's seconds as a handful of entries of a few minutes to half an hour."""
    if seconds < 120:
        return []
    count = max(1, min(7, round(seconds / 60 / rng.uniform(8, 15))))
    weights = [rng.uniform(0.5, 1.5) for _ in range(count)]
    lengths = [int(seconds * weight / sum(weights)) for weight in weights]
    lengths[0] += seconds - sum(lengths)
    return lengths
