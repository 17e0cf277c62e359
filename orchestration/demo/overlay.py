"""The overlay: months of chronic care management for patients who have none on record.

No public source has consents, outreach, a care manager's time log or planned calls. Given the charts of any patients
(made up here, or taken from a public export by an importer), `overlay_months_of_care` adds them, deterministically.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from orchestration.demo.days import Clock, as_date, month_end, months_between, some_day, workdays
from orchestration.demo.enrollment import Enrollment, Habits, Person, persons
from orchestration.demo.history import History
from orchestration.demo.mishaps import Shares
from orchestration.demo.tables import Row
from orchestration.demo.time_log import TimeLog
from orchestration.demo.work import Entry


@dataclass(frozen=True)
class Case:
    """One thing that was planted: what, on whom, and the id of its row where there is one (`item_id`)."""

    practice_id: str
    kind: str
    patient_id: str
    item_id: str = ""


@dataclass(frozen=True)
class Overlay:
    """What the overlay made: the whole history of the practice, given rows included, and what was planted in it.

    `history.as_of(day)` gives the twelve tables as one night would show them; `landing.write_landing` writes them all.
    """

    history: History
    cases: list[Case] = field(default_factory=list)


def overlay_months_of_care(
    given: Mapping[str, Sequence[Row]],
    *,
    practice_id: str,
    time_zone: str,
    first_day: date,
    last_day: date,
    seed: int | str,
    prefix: str | None = None,
    habits: Habits | None = None,
    shares: Shares | None = None,
    arrivals: Mapping[str, date] | None = None,
    first_member_number: int = 1,
) -> Overlay:
    """Adds what no public source has to the given charts, from `first_day` to `last_day` (local days of the practice).

    `given`: table name to plain rows with the columns of interface.md, section 3; dates as dates or ISO text, instants
    as datetimes or ISO text (without an offset: local). Required are `patients` and `care_team` (a practitioner and a
    clinical member at least); `coverages`, `conditions`, `services`, `appointments`, `care_plans` and `stays` may be
    empty. The rows themselves are not changed. A service or appointment may stand there in several states.

    What is made: Part A and B with a Medicare number, Medicare Advantage, QMB, medigap, employer plans for patients
    without a coverage row (one with rows but without Medicare gets none; one with Part B gets the missing number and
    perhaps Medicare Advantage); consents, outreach, care plans for the enrolled who have none, assessments, time
    entries with later edits, `ccm_call` appointments, and services that conflict. Given care plans get their missing
    review and copy dates, given services a missing `updated_at`, the visit of a consent its `ccm_discussed`.

    Everything is known from the day on which a practice would know it: a condition from its `recorded_date`, a
    discharge from its day, a death some days later, a service from its `updated_at`. `arrivals`: the day on which a
    patient joins the panel, for those who were not always in it. Ids of made rows begin with `prefix` (default: the
    practice_id) or with the patient_id. `first_member_number` keeps the Medicare numbers of several practices apart:
    every patient takes one. The same arguments give the same result.
    """
    maker = _Maker(
        given, practice_id, Clock(time_zone), first_day, last_day, f"{seed}/{practice_id}", prefix or practice_id,
        habits or Habits(), shares or Shares(), arrivals or {}, first_member_number,
    )  # fmt: skip
    return maker.make()


class _Maker:
    def __init__(
        self,
        given: Mapping[str, Sequence[Row]],
        practice_id: str,
        clock: Clock,
        first_day: date,
        last_day: date,
        seed: str,
        prefix: str,
        habits: Habits,
        shares: Shares,
        arrivals: Mapping[str, date],
        first_member_number: int,
    ) -> None:
        self.given, self.practice_id, self.clock, self.seed, self.prefix = given, practice_id, clock, seed, prefix
        self.first_day, self.last_day, self.habits = first_day, last_day, habits
        self.rng = random.Random(f"{seed}/overlay")
        self.arrivals = arrivals
        self.care_team = [dict(row) for row in given["care_team"]]
        self.services = [dict(row) for row in given.get("services", ())]
        self.people = persons(given, arrivals, first_day, last_day)
        self._find_visits()
        self.enrollment = Enrollment(
            self.people, self.care_team, seed=seed, prefix=prefix, first_day=first_day, last_day=last_day,
            habits=habits, first_member_number=first_member_number,
        )  # fmt: skip
        self.log = TimeLog(clock, self.care_team, seed, first_day, last_day, shares)
        self.overlay = Overlay(History())

    def make(self) -> Overlay:
        cares = self.enrollment.cared_for()
        for month in months_between(self.first_day, self.last_day):
            self.log.write_month(month, cares)
        self._care_team()
        self._charts()
        self._enrollment()
        self._care_plans()
        self._assessments()
        self._conflicts()
        self._calls()
        self._time_entries()
        for person in self.people:
            if person.left:
                self.overlay.history.forget_patient(person.patient_id, person.left)
                self._plant("leaves_panel", person)
        return self.overlay

    def _learn(self, table: str, row: Row, on: date | None) -> None:
        patient_id = str(row.get("patient_id"))
        self.overlay.history.learn(table, row, max(on or date.min, self.arrivals.get(patient_id, date.min)))

    def _plant(self, kind: str, person: Person | str, item_id: str = "") -> None:
        patient_id = person if isinstance(person, str) else person.patient_id
        self.overlay.cases.append(Case(self.practice_id, kind, patient_id, item_id))

    # ---- what was given

    def _find_visits(self) -> None:
        people = {person.patient_id: person for person in self.people}
        for row in self.services:
            person = people.get(str(row["patient_id"]))
            day = as_date(row["service_date"])
            if person and day and row["billed_by"] == "own_practice" and row.get("member_id") == person.practitioner:
                person.visits.append((day, row))

    def _care_team(self) -> None:
        for row in self.care_team:
            first, last = as_date(row.get("active_from")), as_date(row.get("active_to"))
            on = first - timedelta(days=3) if first and first > self.first_day else date.min
            if last and last >= self.first_day:
                self._learn("care_team", row | {"active_to": None}, on)
                on = last - timedelta(days=2)
            self._learn("care_team", row, on)

    def _charts(self) -> None:
        for person in self.people:
            if person.died and person.died >= self.first_day:
                self._learn("patients", person.row | {"deceased_date": None}, None)
                self._learn("patients", person.row, person.died + timedelta(days=self.rng.randint(2, 9)))
            else:
                self._learn("patients", person.row, None)
            for row in person.coverages:
                self._coverage(person, row)
        for row in self.given.get("conditions", ()):
            on, resolved = as_date(row.get("recorded_date")), as_date(row.get("resolved_date"))
            if resolved and resolved >= self.first_day:
                self._learn("conditions", {**row, "clinical_status": "active", "resolved_date": None}, on)
                on = resolved
            self._learn("conditions", dict(row), on)
        for row in self.given.get("stays", ()):
            on, gone = as_date(row["admitted_on"]), as_date(row.get("discharged_on"))
            if gone and gone >= self.first_day:
                self._learn("stays", {**row, "discharged_on": None}, on)
                on = gone
            self._learn("stays", dict(row), on)
        for row in self.services:
            row["updated_at"] = self.clock.instant(row.get("updated_at")) or self._evening_of(row["service_date"])
            self._learn("services", row, self.clock.day(row["updated_at"]))
        for given in self.given.get("appointments", ()):
            row = dict(given)
            row["scheduled_start"] = self.clock.instant(row["scheduled_start"])
            row["scheduled_end"] = self.clock.instant(row["scheduled_end"])
            row["updated_at"] = self.clock.instant(row.get("updated_at")) or row["scheduled_end"]
            self._learn("appointments", row, self.clock.day(row["updated_at"]))

    def _evening_of(self, day: date | str) -> datetime:
        service_day = as_date(day)
        assert service_day is not None
        return self.clock.some_time(self.rng, service_day, 15, 19)

    def _coverage(self, person: Person, row: Row) -> None:
        start, end = as_date(row["effective_date"]), as_date(row.get("termination_date"))
        on = date.min
        if start and start > self.first_day:
            late = row["coverage_type"] == "medicare_advantage" and self.rng.random() < 0.5
            on = start + timedelta(days=10 if late else 0)
            if row["coverage_type"] == "medicare_advantage":
                self._plant("joins_medicare_advantage_known_late" if late else "joins_medicare_advantage", person)
        if end and end >= self.first_day:
            self._learn("coverages", row | {"termination_date": None}, on)
            on = end
        self._learn("coverages", row, on)
        if row["coverage_type"] == "commercial" and row.get("priority") == 1:
            self._plant("employer_plan_first", person)
        if row["coverage_type"] == "qmb":
            self._plant("qmb", person)

    # ---- what is made

    def _enrollment(self) -> None:
        for person in self.people:
            for consent in person.consents:
                self._consent(person, consent)
            for fault in person.faults:
                self._plant(fault, person)
            if person.story:
                self._plant(person.story, person)
            if person.program != "ccm":
                self._plant(person.program, person)
        attempts = [row for person in self.people for row in person.outreach]
        attempts.sort(key=lambda row: (row["attempted_at"], row["patient_id"]))
        for number, row in enumerate(attempts, 1):
            day = row["attempted_at"]
            moment = self.clock.some_time(self.rng, day, 9, 16)
            made = {"outreach_id": f"{self.prefix}-O{number:05d}", **row, "attempted_at": moment}
            self._learn("outreach", made, day)

    def _consent(self, person: Person, consent: Row) -> None:
        day: date = consent["consented_on"]
        if person.story == "documented_later":
            known = max(day, self.first_day) + timedelta(days=self.rng.randint(18, 45))
            self._learn("consents", consent | {"documented": False}, day)
            self._learn("consents", consent, known)
        elif consent["revoked_on"] and consent["revoked_on"] >= self.first_day:
            self._learn("consents", consent | {"revoked_on": None}, day)
            self._learn("consents", consent, consent["revoked_on"] + timedelta(days=self.rng.randint(0, 2)))
        else:
            self._learn("consents", consent, day)

    def _care_plans(self) -> None:
        rng, with_plan = self.rng, set()
        for row in self.given.get("care_plans", ()):
            with_plan.add(str(row["patient_id"]))
            established = as_date(row["established_on"])
            assert established is not None
            made = dict(row)
            if not made.get("last_reviewed_on") and established < self.first_day and rng.random() < 0.8:
                made["last_reviewed_on"] = max(established, self.first_day - timedelta(days=rng.randint(10, 300)))
            if not made.get("copy_given_on") and rng.random() < 0.93:
                made["copy_given_on"] = made.get("last_reviewed_on") or established
            self._learn("care_plans", made, established)
        for person in self.enrollment.enrolled:
            if person.patient_id in with_plan or person.story == "no_care_plan":
                continue
            consented: date = person.consents[0]["consented_on"]
            established = consented + timedelta(days=rng.choice([0, 0, rng.randint(1, 12)]))
            if person.story == "care_plan_late":
                established = max(established, self.first_day) + timedelta(days=rng.randint(28, 60))
            if established > self.last_day:
                continue
            plan: Row = {
                "care_plan_id": f"{person.patient_id}-P1",
                "patient_id": person.patient_id,
                "established_on": established,
                "last_reviewed_on": None,
                "copy_given_on": established if rng.random() < 0.93 else None,
            }
            self._learn("care_plans", plan, established)
            due = established + timedelta(days=rng.randint(290, 400))
            if due <= self.last_day and rng.random() < 0.8:
                self._learn("care_plans", plan | {"last_reviewed_on": due}, due)

    def _assessments(self) -> None:
        rng = self.rng
        for person in self.enrollment.enrolled:
            for month in months_between(self.first_day, self.last_day):
                first = max(month, person.consents[-1]["consented_on"], self.first_day)
                last = min(month_end(month), person.died or date.max, person.left or date.max, self.last_day)
                days = workdays(first, last)
                is_complex = person.story == "complex"
                if not days or rng.random() > (0.85 if is_complex else 0.03):
                    continue
                day = rng.choice(days)
                levels = ["moderate", "moderate", "high"] if is_complex else ["low", "straightforward", "moderate"]
                assessment = {
                    "assessment_id": f"{person.patient_id}-A{month:%y%m}",
                    "patient_id": person.patient_id,
                    "assessed_on": day,
                    "mdm_level": rng.choice(levels),
                    "member_id": person.practitioner,
                }
                self._learn("assessments", assessment, day)

    def _conflicts(self) -> None:
        rng = self.rng
        stories = ("home_health_oversight", "billed_elsewhere")
        told = [person for person in self.enrollment.enrolled if person.story in stories]
        for number, person in enumerate(told, 1):
            first = max(self.first_day, person.consents[-1]["consented_on"])
            last = min(self.last_day - timedelta(days=6), person.died or date.max)
            day = some_day(rng, first, last)
            code, own = ("99490", False) if person.story == "billed_elsewhere" else ("G0181", number % 3 != 0)
            day = month_end(day) if code == "99490" and month_end(day) <= last else day
            known = day + timedelta(days=rng.choice([1, 2, 12]))
            service = {
                "service_id": f"{self.prefix}-X{number:03d}",
                "patient_id": person.patient_id,
                "member_id": person.practitioner if own else None,
                "procedure_code": code,
                "service_date": day,
                "units": 1,
                "appointment_id": None,
                "billed_by": "own_practice" if own else "other_practice",
                "ccm_discussed": None,
                "updated_at": self.clock.some_time(rng, known, 6, 20),
            }
            self._learn("services", service, known)

    def _calls(self) -> None:
        for number, call in enumerate(sorted(self.log.calls, key=lambda one: (one.start, one.patient_id)), 1):
            row: Row = {
                "appointment_id": f"{self.prefix}-K{number:05d}",
                "patient_id": call.patient_id,
                "member_id": call.member_id,
                "visit_type": "ccm_call",
                "status": "scheduled",
                "scheduled_start": call.start,
                "scheduled_end": call.end,
                "updated_at": call.planned,
            }
            self._learn("appointments", row, self.clock.day(call.planned))
            done = row | {"status": call.status, "updated_at": call.settled}
            self._learn("appointments", done, self.clock.day(call.settled))
            if call.fault:
                self._plant(call.fault, call.patient_id, row["appointment_id"])

    def _time_entries(self) -> None:
        def order(entry: Entry) -> tuple[datetime, str, str]:
            return entry.recorded, entry.patient_id, entry.member_id

        for number, entry in enumerate(sorted(self.log.entries, key=order), 1):
            entry_id = f"{self.prefix}-T{number:05d}"
            row: Row = {
                "entry_id": entry_id,
                "patient_id": entry.patient_id,
                "member_id": entry.member_id,
                "program": entry.program,
                "activity": entry.activity,
                "started_at": entry.started,
                "ended_at": entry.ended,
                "duration_seconds": entry.seconds,
                "entry_method": entry.method,
                "face_to_face": entry.face_to_face,
                "note_id": f"{self.prefix}-N{number:05d}" if entry.has_note_id else None,
                "note_text": entry.text,
                "recorded_at": entry.recorded,
                "updated_at": entry.recorded,
                "voided": False,
            }
            self._learn("time_entries", row, self.clock.day(entry.recorded))
            for when, change in sorted(entry.changes, key=lambda one: one[0]):
                row = row | change | {"updated_at": when}
                self._learn("time_entries", row, self.clock.day(when))
            if entry.fault:
                self._plant(entry.fault, entry.patient_id, entry_id)


__all__ = ["Case", "Habits", "Overlay", "Shares", "overlay_months_of_care"]
