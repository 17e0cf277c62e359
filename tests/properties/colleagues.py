"""A practice whose members often have time for two patients at once, and a night on which entries of months that are over are corrected, come or go: whose
time a member had beside them is decided differently, and nobody else's."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from tests.properties.panels import FIRST, MONTHS, ClinicWithAHistory
from tests.properties.strategies import Clinic, Patient, next_month

PATIENTS, CORRECTED = 24, 14
Logged = tuple[Patient, int, int, dict[str, Any]]


def _longer(clinic: Clinic, entry: Logged) -> dict[str, Any]:
    _, seconds, start, _ = entry
    return {"ended_at": clinic.stamp(start + seconds + clinic.rng.choice([-240, 60, 900, 2400]))}


def _at_another_time(clinic: Clinic, entry: Logged) -> dict[str, Any]:
    _, seconds, start, _ = entry
    moved = start + clinic.rng.choice([-1800, 600, 3600, 86_400, -40 * 86_400])
    return {"started_at": clinic.stamp(moved), "ended_at": clinic.stamp(moved + seconds)}


def _of_another(column: str, among: Callable[[Clinic], Any]) -> Callable[[Clinic, Logged], dict[str, Any]]:
    return lambda clinic, entry: {column: among(clinic)}


CHANGES: list[Callable[[Clinic, Logged], dict[str, Any]]] = [
    _longer,
    _at_another_time,
    _of_another("member_id", lambda clinic: clinic.rng.choice(["RN1", "LPN1", "nobody"])),
    _of_another("patient_id", lambda clinic: clinic.rng.choice(clinic.patients).patient_id),
    _of_another("program", lambda clinic: "pcm"),
    _of_another("voided", lambda clinic: True),
    lambda clinic, entry: {"note_id": None, "note_text": None},
    lambda clinic, entry: {"started_at": None, "ended_at": None, "duration_seconds": entry[1]},
    lambda clinic, entry: {"ended_at": clinic.stamp(entry[2] + 6 * 3600)},  # a timer that ran away
]


class ClinicOfColleagues(ClinicWithAHistory):
    def __init__(self, rng: Random):
        super().__init__(rng, [], PATIENTS)
        self.logged = [entry for month in range(MONTHS - 1) for entry in self._busy_days(month)]
        newest = int(datetime(*self.nights[self.newest].timetuple()[:3], 1, tzinfo=UTC).timestamp())
        for entry in rng.sample(self.logged, CORRECTED):
            row = {**entry[3], **rng.choice(CHANGES)(self, entry)}
            if rng.random() < 0.2:  # another entry, logged late
                row["entry_id"] = self.new_id("T")
            self._land("time_entries", self.newest, row, newest)

    def _busy_days(self, month: int) -> list[Logged]:
        rng = self.rng
        logged: list[Logged] = []
        for day in rng.sample(range(1, 28), 2):
            for _ in range(10):
                patient, seconds = rng.choice(self.patients), rng.choice([300, 600, 900, 1800])
                hour = rng.choice([9, 9, 9, 23])  # at 23:40 and later over midnight
                start = self.at(next_month(FIRST, month) + timedelta(days=day), hour, rng.choice([0, 10, 15, 20, 40, 50]))
                if logged and rng.random() < 0.1:  # the same once more
                    patient, seconds, start, _ = logged[-1]
                shared = {"note_id": None, "note_text": "Called, all well."} if rng.random() < 0.05 else {}
                row = self.entry(patient, seconds, start, member=rng.choice(["RN1", "RN1", "LPN1"]), **shared)
                logged.append((patient, seconds, start, row))
        return logged


def clinic_of_colleagues(seed: int) -> ClinicOfColleagues:
    return ClinicOfColleagues(Random(seed)).name(f"c{seed}", seed % 1000)  # type: ignore[return-value]
