"""Practices that close a month, and what becomes known after it: late, corrected and moved time, deaths, plans, stays, revocations, other bills, another
team, people who were one, other settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

from tests.properties.strategies import (
    BAD_NPI,
    TURNS,
    Clinic,
    Fact,
    Patient,
    turn_apcm,
    turn_complex,
    turn_pcm,
    turn_plain,
    turn_practitioner_time,
)

MONTHS = [
    *[date(2026, 10, 1)] * 2, date(2026, 3, 1), date(2026, 8, 1), date(2025, 11, 1), date(2025, 12, 1), date(2024, 1, 1), date(2024, 3, 1)
]  # fmt: skip
CLAIMABLE = [turn_plain, turn_plain, turn_practitioner_time, turn_complex, turn_apcm, turn_pcm]


class ClosedClinic(Clinic):
    """A practice whose patients can mostly be claimed on the night of its close. After it come `later` nights."""

    def __init__(self, rng: Random, patients: int = 6):
        self.wanted = patients
        super().__init__(rng, [], closing=rng.choice(MONTHS))
        while len(self.patients) < self.wanted:
            self._patient()
            self._turn(self.patients[-1])
            self._ordinary_time(self.patients[-1])

    def _patient(self) -> None:
        super()._patient()
        patient = self.patients[-1]
        patient.minutes = [20, 25, 40, 45, 61, 95]

    def _turn(self, patient: Patient) -> None:
        chosen = [self.rng.choice(CLAIMABLE), *([self.rng.choice(TURNS)] if self.rng.random() < 0.15 else [])]
        for turn in sorted(set(chosen), key=TURNS.index):
            turn(self, patient)

    def _nights_of_a_close(self) -> list[date]:
        rng, first_day = self.rng, self.config.get("close", {}).get("first_day", 3)
        closes_on = self.end + timedelta(days=first_day - 1 + rng.choice([0, 0, 1, 3, 9, 28, 29, 40]))
        before = {self.month + timedelta(days=rng.randint(-20, 25)) for _ in range(rng.randint(1, 3))}
        after = {
            closes_on + timedelta(days=rng.choice([1, 2, 5, 11, 30, 61, 120, 300, 366, 400])) for _ in range(rng.randint(1, 4))
        }
        self.close_night = len(before)
        return [*sorted(before), closes_on, *sorted(after)]

    @property
    def later(self) -> range:
        """Numbers of the nights after the close."""
        return range((self.close_night or 0) + 1, len(self.nights))

    def land(self, table: str, row: dict[str, Any], spoil: Callable[[dict[str, Any]], None] | None = None) -> None:
        if self.rng.random() < 0.15:
            return super().land(table, row, spoil)
        night = self.rng.randint(0, self.close_night or 0)
        return self._land(table, night, row, int(datetime(*self.nights[night].timetuple()[:3], 1, tzinfo=UTC).timestamp()))

    def land_later(self, table: str, row: dict[str, Any]) -> None:
        night = self.rng.choice(self.later)
        self._land(table, night, row, int(datetime(*self.nights[night].timetuple()[:3], 12, tzinfo=UTC).timestamp()))

    def entries_of(self, patient: Patient) -> list[dict[str, Any]]:
        """The newest row of each of the patient's entries."""
        newest: dict[str, dict[str, Any]] = {}
        for _, row in sorted(self.upserts["time_entries"], key=lambda item: item[1]["updated_at"]):
            newest[row["_row"]["entry_id"]] = row["_row"]
        return [row for row in newest.values() if row["patient_id"] == patient.patient_id]


# ---- what becomes known later

Later = Callable[[ClosedClinic, Patient], None]


def _entry_says(**values: Any) -> Later:
    def change(clinic: ClosedClinic, patient: Patient) -> None:
        mine = clinic.entries_of(patient)
        if mine:
            row = clinic.rng.choice(mine)
            clinic.land_later("time_entries", {**row, **{k: v(clinic, row) if callable(v) else v for k, v in values.items()}})

    return change


def _another_length(clinic: ClosedClinic, patient: Patient) -> None:
    mine = [row for row in clinic.entries_of(patient) if row.get("started_at") and row.get("ended_at")]
    if mine:
        row = clinic.rng.choice(mine)
        start = datetime.fromisoformat(str(row["started_at"]).replace("Z", "+00:00"))
        start = start if start.tzinfo else start.replace(tzinfo=clinic.zone)
        length = clinic.rng.choice([60, 300, 1200, 2700, 4000, 10801])
        clinic.land_later("time_entries", {**row, "ended_at": datetime.fromtimestamp(start.timestamp() + length, UTC).isoformat()})


def _late_time(clinic: ClosedClinic, patient: Patient) -> None:
    """Of the patient, or of another at the same time by the same member."""
    rng = clinic.rng
    mine = [row for row in clinic.upserts["time_entries"] if row[1]["_row"]["patient_id"] == patient.patient_id]
    values: dict[str, Any] = {}
    of: Patient = patient
    if mine and rng.random() < 0.3:
        other = rng.choice(mine)[1]["_row"]
        of = rng.choice(clinic.patients)
        values = {name: other.get(name) for name in ("member_id", "started_at", "ended_at", "duration_seconds")}
    member = "DR1" if rng.random() < 0.3 else None
    seconds = rng.choice([60, 300, 600, 1200, 1800, 3600])
    clinic.land_later("time_entries", _time_of(clinic, of, seconds, member=member, documented=rng.random() < 0.85, **values))


def _time_of(clinic: ClosedClinic, patient: Patient, seconds: int, **values: Any) -> dict[str, Any]:
    """An entry that has not landed."""
    kept, clinic.upserts["time_entries"] = clinic.upserts["time_entries"], []
    row = clinic.entry(patient, seconds, **values)
    clinic.upserts["time_entries"] = kept
    return row


def _beside(clinic: ClosedClinic, patient: Patient) -> None:
    """Somebody else's time by the same member at once, on a day or over its midnight; it comes later, or turns out to be none."""
    rng = clinic.rng
    day, (hour, minute) = clinic.day(5, 25), rng.choice([(0, 5), (0, 5), (11, 0)])
    start, of = clinic.at(day, hour, minute), rng.choice([one for one in clinic.patients if one is not patient])
    clinic.entry(patient, rng.choice([900, 1200, 1500]), start, "RN1")
    beside = _time_of(clinic, of, rng.choice([1500, 1800]), start=start - 900, member="RN1")
    if rng.random() < 0.5:
        return clinic.land_later("time_entries", beside)
    clinic.land("time_entries", beside)
    otherwise = rng.choice([{"voided": True}, {"member_id": "LPN1"}, {"patient_id": patient.patient_id}, {"face_to_face": True}])
    return clinic.land_later("time_entries", {**beside, **otherwise})


def _all_time_to(clinic: ClosedClinic, patient: Patient) -> None:
    """Two members, or two patients, were one."""
    rng = clinic.rng
    if rng.random() < 0.5:
        one, other = rng.sample(["RN1", "LPN1", "MA1", "DR1", "DR2"], 2)
        for of in clinic.patients:
            for row in clinic.entries_of(of):
                if row["member_id"] == one:
                    clinic.land_later("time_entries", {**row, "member_id": other})
    else:
        other_id = rng.choice(clinic.patients).patient_id
        for row in clinic.entries_of(patient):
            clinic.land_later("time_entries", {**row, "patient_id": other_id})


def _service(clinic: ClosedClinic, patient: Patient) -> None:
    rng = clinic.rng
    code, billed_by = rng.choice(
        [
            *[(code, "other_practice") for code in ("99490", "99491", "G0557", "99426", "G0181")],
            *[(code, "own_practice") for code in ("99490", "99490", "99439", "99491", "99487", "G0557", "G0556", "99426", "99424")],
            *[(code, "own_practice") for code in ("G0181", "G0182", "90960", "99495", "99214", "99213")],
        ]
    )
    day = rng.choice([clinic.last, clinic.day(), clinic.day(), clinic.month - timedelta(days=1), clinic.end])
    member = None if billed_by == "other_practice" else rng.choice(["DR1", "DR1", "DR2", None])
    row = {
        "service_id": clinic.new_id("S"), "patient_id": patient.patient_id, "member_id": member, "procedure_code": code,
        "service_date": day, "units": rng.choice([1, 1, 1, 2, None]), "billed_by": billed_by, "ccm_discussed": rng.choice([True, False, None]),
    }  # fmt: skip
    clinic.land_later("services", row)
    if rng.random() < 0.2 and len(clinic.later) > 1:  # and is taken back
        clinic.land_later("services", {**row, "procedure_code": "WITHDRAWN"})


def _service_is_corrected(clinic: ClosedClinic, patient: Patient) -> None:
    """What bars nothing as it was listed at first, and does as it is told later; at times it is taken back in between."""
    rng = clinic.rng
    code, member, first, then = rng.choice(
        [
            *[(code, "DR2", {}, {"member_id": "DR1"}) for code in ("G0181", "G0182", "90960")],
            *[("99490", "DR1", {}, {"member_id": None, "billed_by": "other_practice"})] * 2,
            ("99490", None, {"billed_by": "other_practice"}, {"member_id": "DR1", "billed_by": "own_practice"}),
        ]
    )
    row = {
        "service_id": clinic.new_id("S"), "patient_id": patient.patient_id, "member_id": member, "procedure_code": code, "service_date": clinic.day(),
        "units": 1, "billed_by": "own_practice", "ccm_discussed": None, **first,
    }  # fmt: skip
    if code == "99490":
        clinic.land_later("services", row)
    else:
        clinic.land("services", row)
    for said in rng.choice([[then], [then], [then, {}, then]]):
        clinic.land_later("services", {**row, **said})


def _visits_of_a_colleague(clinic: ClosedClinic, patient: Patient) -> None:
    """All of the patient's visits were with one, whose taxonomy or the billing practitioner's is another later."""
    for _, row in clinic.upserts["services"]:
        mine = row["_row"]
        if mine["patient_id"] == patient.patient_id and mine["member_id"] == "DR1" and mine["service_date"] < clinic.month:
            mine["member_id"] = "DR2"
    team = [fact for fact in clinic.members if fact.row["member_id"] in ("DR1", "DR2")]
    _member_changes(clinic, clinic.rng.choice(team), {"taxonomy_code": "207R00000X"})


def _service_says(clinic: ClosedClinic, patient: Patient) -> None:
    rng = clinic.rng
    mine = [row["_row"] for _, row in clinic.upserts["services"] if row["_row"]["patient_id"] == patient.patient_id]
    if mine:
        values = rng.choice(
            [
                {"procedure_code": "WITHDRAWN"},
                {"procedure_code": "99211"},
                {"member_id": "DR3"},
                {"service_date": clinic.day()},
                {"billed_by": "other_practice"},
            ]
        )
        clinic.land_later("services", {**rng.choice(mine), **values})


def _comes(table: str, add: Callable[[ClosedClinic, Patient], Any]) -> Later:
    def change(clinic: ClosedClinic, patient: Patient) -> None:
        before = len(patient.facts[table])
        add(clinic, patient)
        night = clinic.rng.choice(clinic.later)
        for fact in patient.facts[table][before:]:
            fact.first = night
            if clinic.rng.random() < 0.15:  # and is gone again
                fact.last = clinic.rng.choice(clinic.later)

    return change


def _some_day(clinic: ClosedClinic) -> date:
    return clinic.rng.choice([clinic.month, clinic.last, clinic.day(), clinic.day(), clinic.month - timedelta(days=1), clinic.end])


def _says(table: str, **values: Callable[[ClosedClinic], Any]) -> Later:
    """A row reads otherwise, or is gone."""

    def change(clinic: ClosedClinic, patient: Patient) -> None:
        if patient.facts[table]:
            fact, night = clinic.rng.choice(patient.facts[table]), clinic.rng.choice(clinic.later)
            patient.facts[table].append(
                Fact({**fact.row, **{k: v(clinic) for k, v in values.items()}}, night, fact.last if values else -1)
            )
            fact.last = min(fact.last, night - 1)

    return change


def _row_says(**values: Callable[[ClosedClinic], Any]) -> Later:
    def change(clinic: ClosedClinic, patient: Patient) -> None:
        patient.changed_rows.append((clinic.rng.choice(clinic.later), {k: v(clinic) for k, v in values.items()}))

    return change


def _leaves(clinic: ClosedClinic, patient: Patient) -> None:
    gone = set(clinic.rng.sample(list(clinic.later), clinic.rng.randint(1, len(clinic.later))))
    patient.nights -= gone if clinic.rng.random() < 0.5 else set(range(min(gone), len(clinic.nights)))


def _member_says(clinic: ClosedClinic, patient: Patient) -> None:
    rng, night = clinic.rng, clinic.rng.choice(clinic.later)
    fact = rng.choice(clinic.members)
    if rng.random() < 0.3:
        fact.last = min(fact.last, night - 1)
        return
    values: dict[str, Any] = rng.choice(
        [
            {"credential": rng.choice(["NP", "RN", "CHW", "MD"])},
            {"active_to": clinic.day()},
            {"taxonomy_code": "207R00000X"},
            {"npi": BAD_NPI},
        ]
    )
    _member_changes(clinic, fact, values, night)


def _member_changes(clinic: ClosedClinic, fact: Fact, values: dict[str, Any], night: int | None = None) -> None:
    night = clinic.rng.choice(clinic.later) if night is None else night
    clinic.members.append(Fact({**fact.row, **values}, night, fact.last))
    fact.last = min(fact.last, night - 1)


def _stay(clinic: ClosedClinic, patient: Patient) -> None:
    rng = clinic.rng
    start = rng.choice([clinic.month, clinic.month - timedelta(days=3), clinic.day(), clinic.last])
    end = rng.choice([None, clinic.last, clinic.end, max(start, clinic.day()), start])
    clinic.stay(patient, rng.choice(["inpatient", "hospice", "snf_part_a", "nursing_facility"]), start, end)


def _two_stays(clinic: ClosedClinic, patient: Patient) -> None:
    day = clinic.day(5, 25)
    clinic.stay(patient, clinic.rng.choice(["inpatient", "hospice"]), clinic.month, day)
    clinic.stay(patient, clinic.rng.choice(["inpatient", "hospice"]), day + timedelta(days=1), None)


def _another_consent(clinic: ClosedClinic, patient: Patient) -> None:
    rng = clinic.rng
    day = rng.choice([clinic.month - timedelta(days=40), _some_day(clinic)])
    clinic.consent(patient, day, rng.choice(["ccm", "pcm", "apcm"]), documented=rng.random() < 0.8)


AT_ALL = "2019-01-01"
LATER: list[Later] = [
    _entry_says(voided=True), _entry_says(voided=True), _entry_says(note_id=None, note_text=None), _entry_says(member_id="DR1"), _entry_says(member_id="DR2"),
    _entry_says(program="rpm"), _entry_says(activity="billing"), _entry_says(face_to_face=True),
    _entry_says(patient_id=lambda clinic, row: clinic.rng.choice(clinic.patients).patient_id),
    _entry_says(started_at=None, ended_at=None, duration_seconds=None), _entry_says(started_at=None, ended_at=None, duration_seconds=900),
    _another_length, _another_length, _another_length, _late_time, _late_time, _late_time, _all_time_to, _service, _service, _service, _service_says,
    _beside, _beside, _service_is_corrected, _service_is_corrected, _visits_of_a_colleague,
    _comes("coverages", lambda c, p: c.cover(p, "medicare_advantage", _some_day(c), c.rng.choice([None, None, c.last, c.end]))),
    _comes("coverages", lambda c, p: [c.cover(p, "medicare_advantage", c.month) for _ in range(c.rng.choice([1, 2]))]),
    _comes("coverages", lambda c, p: c.cover(p, "commercial", c.rng.choice([AT_ALL, _some_day(c)]), None, c.rng.choice([1, 1, 2]))),
    _comes("coverages", lambda c, p: c.cover(p, "qmb", c.rng.choice([AT_ALL, _some_day(c)]))),
    _comes("stays", _stay), _comes("stays", _stay), _comes("stays", _two_stays),
    _comes("consents", _another_consent),
    _comes("assessments", lambda c, p: c.fact(p, "assessments", "Z", assessed_on=_some_day(c), mdm_level=c.rng.choice(["high", "low"]), member_id="DR1")),
    _comes("conditions", lambda c, p: c.condition(p, c.rng.choice(["M05.9", "G30.9", "I21.4"]))),
    _comes("care_plans", lambda c, p: c.fact(p, "care_plans", "C", established_on=_some_day(c))),
    _says("coverages", termination_date=_some_day), _says("coverages", effective_date=_some_day), _says("coverages"),
    _says("consents", revoked_on=_some_day), _says("consents", revoked_on=_some_day), _says("consents", documented=lambda c: False),
    _says("consents", consented_on=_some_day), _says("consents", program=lambda c: c.rng.choice(["ccm", "pcm", "apcm"])), _says("consents"),
    _says("conditions", clinical_status=lambda c: "resolved", resolved_date=lambda c: c.rng.choice([None, _some_day(c)])), _says("conditions"),
    _says("conditions", icd10_code=lambda c: "J06.9"), _says("care_plans", established_on=_some_day), _says("care_plans"),
    _says("assessments", mdm_level=lambda c: "low"), _says("assessments"), _says("stays"),
    _row_says(deceased_date=_some_day), _row_says(deceased_date=_some_day), _row_says(billing_practitioner_id=lambda c: c.rng.choice(["DR2", "DR3", "DR9"])),
    _row_says(city=lambda c: "Elsewhere"), _leaves, _member_says, _member_says, lambda c, p: None,
]  # fmt: skip


def _settings(clinic: ClosedClinic) -> None:
    """What an office changes between its close and now."""
    rng = clinic.rng
    clinic.config = {
        **clinic.config,
        **rng.choice(
            [
                {"track_policy": "highest_allowed"}, {"track_policy": "documented"}, {"service_date_policy": "threshold_day"},
                {"service_date_policy": "month_end"}, {"place_of_service": "19"}, {"place_of_service": "11"}, {"charges": {"99490": 120}},
                {"time_zone": rng.choice(["America/New_York", "Pacific/Honolulu"])}, {"qualifying_apm_participant": True},
            ]
        ),
    }  # fmt: skip


def practices(seed: int, count: int) -> Iterator[tuple[ClosedClinic, dict[str, Any]]]:
    """Practices with what their configuration was at the close."""
    rng = Random(seed)
    for number in range(1, count + 1):
        clinic = ClosedClinic(rng)
        for patient in clinic.patients:
            for _ in range(rng.choice([0, 1, 1, 1, 2, 3])):
                rng.choice(LATER)(clinic, patient)
        clinic.name(f"a{seed}-{number:02d}", seed % 1000 * 100 + number)
        then = dict(clinic.config)
        if rng.random() < 0.25:
            _settings(clinic)
        yield clinic, then
