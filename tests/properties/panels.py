"""A practice with a history, and a night on which the panel says something else of each of its patients: one change each, of every table and kind, with
days that lie before, in and behind the months there are. What matters to no month before some day must not change any (int_patients__panel)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

from tests.properties.strategies import Clinic, Fact, Patient, Turn, next_month

MONTHS = 7
FIRST = date(2026, 3, 1)


class ClinicWithAHistory(Clinic):
    """Nights on the second of each of some months and two at the end, a patient for every kind of change, and documented time of each in every month."""

    def __init__(self, rng: Random, turns: list[Turn], patients: int):
        self.wanted = patients
        super().__init__(rng, turns, defects=False)
        while len(self.patients) < patients:
            self._patient()
        for patient in self.patients:
            for month in range(MONTHS):
                for _ in range(2):
                    start = self.at(
                        next_month(FIRST, month) + timedelta(days=rng.randint(0, 27)), rng.randint(8, 17), rng.randint(0, 59)
                    )
                    if start < self.at(self.nights[-1], 0):
                        self.entry(patient, rng.choice([600, 900, 1500]), start)
        self.name("unnamed", 0)

    def _nights(self) -> list[date]:
        self.month = FIRST
        self.end = next_month(FIRST)
        self.last = self.end - timedelta(days=1)
        self.config["close"] = {"first_day": 3, "final_day": 20}
        seconds = [next_month(FIRST, month) + timedelta(days=1) for month in range(MONTHS)]
        return [*seconds, seconds[-1] + timedelta(days=20), seconds[-1] + timedelta(days=21)]

    def land(self, table: str, row: dict[str, Any], spoil: Callable[[dict[str, Any]], None] | None = None) -> None:
        """Nothing comes on the newest night but a panel."""
        night = self.rng.randrange(self.newest)
        self._land(table, night, row, int(datetime(*self.nights[night].timetuple()[:3], 1, tzinfo=UTC).timestamp()))

    @property
    def newest(self) -> int:
        return len(self.nights) - 1

    def some_day(self) -> date:
        return FIRST + timedelta(days=self.rng.randint(-45, 31 * MONTHS + 10))


def _says(clinic: ClinicWithAHistory, patient: Patient, table: str, **values: Any) -> None:
    """A fact of the patient reads otherwise from the newest night on; where there is none of this kind, the others have one since the first."""
    if not patient.facts[table]:
        return _comes(clinic, patient, table, **values)
    fact = clinic.rng.choice(patient.facts[table])
    patient.facts[table].append(Fact({**fact.row, **values}, first=clinic.newest))
    fact.last = clinic.newest - 1
    return None


def _comes(clinic: ClinicWithAHistory, patient: Patient, table: str, **values: Any) -> None:
    day, rng = clinic.some_day(), clinic.rng
    if table == "consents":
        clinic.consent(patient, day, rng.choice(["ccm", "pcm"]), documented=rng.random() < 0.7)
    elif table == "coverages":
        clinic.cover(
            patient,
            rng.choice(["medicare_advantage", "medicaid_qmb", "commercial", "medicare_part_b"]),
            day,
            priority=rng.choice([1, 2]),
        )
    elif table == "conditions":
        clinic.condition(patient, "G30.9", onset_date=day)
    elif table == "care_plans":
        clinic.fact(patient, "care_plans", "C", established_on=day)
    elif table == "assessments":
        clinic.fact(patient, "assessments", "M", assessed_on=day, mdm_level="moderate", member_id="DR1")
    elif table == "stays":
        clinic.stay(patient, rng.choice(["inpatient", "hospice", "snf_part_a"]), day, None)
    else:
        clinic.reach_out(patient, day, rng.choice(["declined", "agreed", "no_answer"]))
    made = patient.facts[table][-1]
    made.row.update(values)
    made.first = clinic.newest


def _goes(clinic: ClinicWithAHistory, patient: Patient, table: str) -> None:
    for fact in patient.facts[table][:1]:
        fact.last = clinic.newest - 1


def _was_there(table: str) -> Callable[[ClinicWithAHistory, Patient], None]:
    def since_the_first(clinic: ClinicWithAHistory, patient: Patient) -> None:
        _comes(clinic, patient, table)
        patient.facts[table][-1].first = 0

    return since_the_first


def _row(column: str, to: Callable[[ClinicWithAHistory], Any], before: Callable[[ClinicWithAHistory], Any] | None = None) -> Any:
    def change(clinic: ClinicWithAHistory, patient: Patient) -> None:
        if before:
            patient.row[column] = before(clinic)
        patient.changed_rows.append((clinic.newest, {column: to(clinic)}))

    return change


def _ends(table: str, column: str) -> list[Callable[[ClinicWithAHistory, Patient], None]]:
    """It ends, it ends on another day, it does not end after all."""

    def begin(clinic: ClinicWithAHistory, patient: Patient) -> None:
        if not patient.facts[table]:
            _was_there(table)(clinic, patient)

    def ends(clinic: ClinicWithAHistory, patient: Patient) -> None:
        begin(clinic, patient)
        _says(clinic, patient, table, **{column: clinic.some_day()})

    def ends_otherwise(clinic: ClinicWithAHistory, patient: Patient) -> None:
        begin(clinic, patient)
        for fact in patient.facts[table]:
            fact.row[column] = clinic.some_day()
        ends(clinic, patient)

    def goes_on(clinic: ClinicWithAHistory, patient: Patient) -> None:
        begin(clinic, patient)
        for fact in patient.facts[table]:
            fact.row[column] = clinic.some_day()
        _says(clinic, patient, table, **{column: None})

    return [ends, ends_otherwise, goes_on]


TABLES = ("consents", "coverages", "conditions", "care_plans", "assessments", "stays", "outreach")


def _changes() -> list[Callable[[ClinicWithAHistory, Patient], None]]:
    found: list[Callable[[ClinicWithAHistory, Patient], None]] = []
    for table in TABLES:
        found.append(lambda clinic, patient, table=table: _comes(clinic, patient, table))  # type: ignore[misc]

        def goes(clinic: ClinicWithAHistory, patient: Patient, table: str = table) -> None:
            _was_there(table)(clinic, patient)
            _goes(clinic, patient, table)

        found.append(goes)
    for table, column in (("consents", "revoked_on"), ("coverages", "termination_date"), ("stays", "discharged_on")):
        found += _ends(table, column)
    found += [
        _row("deceased_date", ClinicWithAHistory.some_day),
        _row("deceased_date", ClinicWithAHistory.some_day, ClinicWithAHistory.some_day),
        _row("deceased_date", lambda clinic: None, ClinicWithAHistory.some_day),
        _row("city", lambda clinic: "Elsewhere"),
        lambda clinic, patient: _says(clinic, patient, "consents", documented=False),
        lambda clinic, patient: _says(clinic, patient, "consents", consented_on=clinic.some_day()),
        lambda clinic, patient: _says(clinic, patient, "coverages", effective_date=clinic.some_day()),
        lambda clinic, patient: _says(clinic, patient, "conditions", clinical_status="resolved", resolved_date=clinic.some_day()),
        lambda clinic, patient: _says(clinic, patient, "care_plans", established_on=clinic.some_day()),
        lambda clinic, patient: _says(clinic, patient, "stays", admitted_on=clinic.some_day()),
        lambda clinic, patient: patient.nights.discard(clinic.newest),
        lambda clinic, patient: None,
    ]
    return found


CHANGES = _changes()


def clinic_with_a_history(seed: int) -> ClinicWithAHistory:
    """A practice in which every kind of change befalls a patient on its newest night."""
    rng = Random(seed)
    clinic = ClinicWithAHistory(rng, [], len(CHANGES))
    for patient, change in zip(clinic.patients, CHANGES, strict=True):
        if rng.random() < 0.3:  # a consent that is over, before the one there is
            begun = clinic.some_day() - timedelta(days=200)
            clinic.consent(patient, begun, revoked_on=begun + timedelta(days=rng.randint(1, 300)))
        change(clinic, patient)
    return clinic.name(f"h{seed}", seed % 1000)  # type: ignore[return-value]
