"""Who is covered how, who consented when, who was asked in vain: what stands before the first minute of care."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TypeVar

from orchestration.demo.days import as_date, month_end, month_of, months_between, some_day, workday_after
from orchestration.demo.identifiers import mbi
from orchestration.demo.tables import Row
from orchestration.demo.work import CLINICAL, NURSES, PRACTITIONERS, Care

T = TypeVar("T")

_CHANNELS = ("phone", "phone", "phone", "portal", "letter")

# Visits that may open the service, and those among them that by themselves prove an established patient (rules.md A2).
ESTABLISHED = frozenset({"99212", "99213", "99214", "99215", "99347", "99348", "99349", "99350", "G0439"})
QUALIFYING = ESTABLISHED | {
    "99202", "99203", "99204", "99205", "99341", "99342", "99344", "99345", "G0402", "G0438", "99495", "99496",
}  # fmt: skip


@dataclass(frozen=True)
class Habits:
    """How a practice and its patients behave. Shares of the patients that the comment names; 0 turns a thing off."""

    part_a_only: float = 0.02  # of those with Medicare
    medicare_advantage: float = 0.07
    joins_medicare_advantage: float = 0.025  # from a first of a month in the range on; half are known ten days late
    qmb: float = 0.08  # of those whose coverage was not given
    medigap: float = 0.3
    employer_plan_first: float = 0.025
    enrolled: float = 0.8  # of those with Part B and two conditions
    enrolled_in_advantage: float = 0.15  # by mistake
    enrolled_without_visit: float = 0.6  # of those without a visit that could open the service
    enrolled_in_range: float = 0.16  # of the enrolled: the others consented before the first day
    principal_care: float = 0.3  # of those with Part B and one condition
    advanced_primary_care: float = 0.03  # of the enrolled, as all below
    complex_care: float = 0.09
    practitioner_care: float = 0.09
    revoked: float = 0.04
    renewed: float = 0.015
    undocumented: float = 0.035
    documented_later: float = 0.02
    other_practitioner: float = 0.02
    no_care_plan: float = 0.045
    care_plan_late: float = 0.02
    home_health_oversight: float = 0.03  # G0181 in one month, one in three by another practice
    billed_elsewhere: float = 0.025  # CCM by another practice in one month
    before_consent: float = 0.3  # of those enrolled in the range: staff begin too early
    no_consent_time: float = 0.12  # of the candidates who are not enrolled
    leaves_panel: float = 0.02  # of all patients


def quota(rng: random.Random, people: Sequence[T], share: float) -> list[T]:
    """A random sample of that share of the people, at least one where there are 20 or more and the share is not 0."""
    wanted = round(share * len(people))
    return rng.sample(people, max(wanted, 1 if share and len(people) >= 20 else 0))


@dataclass
class Person:
    """A patient of the overlay with what is decided about them."""

    patient_id: str
    row: Row
    arrival: date
    died: date | None
    coverages: list[Row] = field(default_factory=list)
    conditions: int = 0
    visits: list[tuple[date, Row]] = field(default_factory=list)
    stays: tuple[tuple[date, date], ...] = ()
    left: date | None = None
    story: str = ""
    consents: list[Row] = field(default_factory=list)
    outreach: list[Row] = field(default_factory=list)
    vain_days: list[tuple[date, str]] = field(default_factory=list)
    program: str = "ccm"
    faults: list[str] = field(default_factory=list)

    @property
    def practitioner(self) -> str:
        return str(self.row["billing_practitioner_id"])

    def has(self, kind: str) -> bool:
        return any(row["coverage_type"] == kind for row in self.coverages)

    def is_away_throughout(self, first: date, last: date) -> bool:
        """In one stay from the first day to the last: nobody tries to enroll them."""
        return any(admitted <= first and last <= gone for admitted, gone in self.stays)


class Enrollment:
    """Decides about all patients of one practice. Results stand in the persons."""

    def __init__(
        self,
        people: Sequence[Person],
        care_team: Sequence[Row],
        *,
        seed: str,
        prefix: str,
        first_day: date,
        last_day: date,
        habits: Habits,
        first_member_number: int,
    ) -> None:
        self.people, self.habits, self.prefix = people, habits, prefix
        self.first_day, self.last_day = first_day, last_day
        self.rng = random.Random(f"{seed}/enrollment")
        self.nurses = [str(m["member_id"]) for m in care_team if m["credential"] in NURSES and not m.get("active_to")]
        self.nurses = self.nurses or [str(m["member_id"]) for m in care_team if m["credential"] in CLINICAL]
        self.billers = [str(m["member_id"]) for m in care_team if m["credential"] in PRACTITIONERS]
        self.nurses = self.nurses or self.billers
        self._cover(first_member_number)
        self._leave()
        self.enrolled = self._enroll()
        self._tell_stories()
        self._reach_out()

    # ---- coverage

    def _cover(self, first_member_number: int) -> None:
        untold = []
        for number, person in enumerate(self.people, first_member_number):
            if not person.coverages and (start := self._medicare_start(person)):
                untold.append(person)
                person.coverages += [_coverage(person, f"medicare_part_{part}", start) for part in "ab"]
            for row in person.coverages:
                if row["coverage_type"] in ("medicare_part_a", "medicare_part_b") and not row.get("member_id"):
                    row["member_id"] = mbi(number)
        rng, habits = self.rng, self.habits
        for person in quota(rng, untold, habits.part_a_only):
            person.coverages = [row for row in person.coverages if row["coverage_type"] != "medicare_part_b"]
        with_b = [p for p in self.people if p.has("medicare_part_b") and not p.has("medicare_advantage")]
        advantage = quota(rng, with_b, habits.medicare_advantage)
        for person in advantage:
            start = max(date(rng.choice([2022, 2023, 2024, 2025, 2026]), 1, 1), _start_of(person.coverages[-1]))
            person.coverages.append(_plan(rng, person, "medicare_advantage", "MA", start))
        later = [month for month in months_between(self.first_day, self.last_day) if month > self.first_day]
        if later:
            left = [person for person in with_b if not person.has("medicare_advantage")]
            for person in quota(rng, left, habits.joins_medicare_advantage):
                person.coverages.append(_plan(rng, person, "medicare_advantage", "MA", rng.choice(later)))
        free = [p for p in untold if p.has("medicare_part_b") and not p.has("medicare_advantage")]
        for person in quota(rng, free, habits.employer_plan_first):
            for row in person.coverages:
                row["priority"] = 2
            person.coverages.append(_plan(rng, person, "commercial", "EG", date(rng.randint(2021, 2025), 1, 1), 1))
        free = [person for person in free if not person.has("commercial")]
        for person in quota(rng, free, habits.qmb):
            start = _start_of(person.coverages[0])
            person.coverages += [_plan(rng, person, kind, "MD", start, 3) for kind in ("qmb", "medicaid")]
        free = [person for person in free if not person.has("qmb")]
        for person in quota(rng, free, habits.medigap):
            person.coverages.append(_plan(rng, person, "medigap", "MG", _start_of(person.coverages[0]), 2))

    def _medicare_start(self, person: Person) -> date | None:
        """The first of the month of the 65th birthday; two years ago for the few younger ones who are disabled."""
        born = as_date(person.row["birth_date"])
        assert born is not None
        start = date(born.year + 65, born.month, 1)
        if start <= self.last_day:
            return start
        return date(self.first_day.year - 2, born.month, 1) if self.rng.random() < 0.7 else None

    def _leave(self) -> None:
        staying = [p for p in self.people if p.died is None and p.arrival <= self.first_day]
        first, last = self.first_day + timedelta(days=20), self.last_day - timedelta(days=8)
        for person in quota(self.rng, staying, self.habits.leaves_panel) if first < last else []:
            person.left = some_day(self.rng, first, last)

    # ---- consent

    def _enroll(self) -> list[Person]:
        rng, habits = self.rng, self.habits
        alive = [p for p in self.people if p.has("medicare_part_b") and (p.died is None or p.died > self.first_day)]
        open_to = [p for p in alive if p.conditions >= 2 and not p.is_away_throughout(self.first_day, self.last_day)]
        plain = [p for p in open_to if not self._in_advantage(p)]
        visited = [p for p in plain if self._openings(p)]
        unvisited = [p for p in plain if not self._openings(p)]
        chosen = quota(rng, visited, habits.enrolled) + quota(rng, unvisited, habits.enrolled_without_visit)
        chosen += quota(rng, [p for p in open_to if self._in_advantage(p)], habits.enrolled_in_advantage)
        principal = quota(rng, [p for p in alive if p.conditions == 1 and self._openings(p)], habits.principal_care)
        for person in principal:
            person.program = "pcm"
        chosen += principal
        ids = {person.patient_id for person in chosen}
        enrolled = [person for person in self.people if person.patient_id in ids]
        settled = [p for p in enrolled if p.arrival <= self.first_day]
        young = [p for p in enrolled if p.arrival > self.first_day]
        young += quota(rng, [p for p in settled if p.died is None], habits.enrolled_in_range)
        new = {person.patient_id for person in young}
        for person in quota(rng, [p for p in enrolled if p.program == "ccm"], habits.advanced_primary_care):
            person.program = "apcm"
        for person in enrolled:
            self._consent(person, person.patient_id in new)
        starters = [p for p in enrolled if p.patient_id in new]
        for person in quota(rng, starters, habits.before_consent):
            day = workday_after(_consented_on(person.consents[0]) - timedelta(days=6), rng.randint(1, 3))
            person.vain_days.append((day, "before_consent"))
        others = [p for p in plain if p.patient_id not in ids]
        for person in quota(rng, others, habits.no_consent_time):
            day = workday_after(some_day(rng, self.first_day, self.last_day - timedelta(days=10)), 1)
            person.vain_days.append((day, "no_consent"))
        for person in enrolled:
            if person.died and rng.random() < 0.6:
                person.vain_days.append((workday_after(person.died, rng.randint(1, 3)), "after_death"))
        return enrolled

    def _in_advantage(self, person: Person) -> bool:
        return any(row["coverage_type"] == "medicare_advantage" and _start_of(row) <= self.first_day for row in person.coverages)

    def _openings(self, person: Person) -> list[tuple[date, Row]]:
        """The patient's visits, up to a month before the end, that could open the service."""
        until = min(self.last_day - timedelta(days=30), person.died or date.max)
        return [(day, row) for day, row in person.visits if day <= until and row["procedure_code"] in QUALIFYING]

    def _consent(self, person: Person, in_range: bool) -> None:
        rng, openings = self.rng, self._openings(person)
        earliest = max(self.first_day, person.arrival)
        latest = min(self.last_day - timedelta(days=25), person.died or date.max, person.left or date.max)
        past = [visit for visit in openings if self.first_day - timedelta(days=900) <= visit[0] < earliest]
        present = [visit for visit in openings if earliest <= visit[0] <= latest]
        if in_range and present and rng.random() < 0.5:
            visit = rng.choice(present)
            day = visit[0]
        elif in_range and past:  # by phone, some time after a visit
            visit = max(past, key=lambda one: one[0])
            first = max(earliest, visit[0]) + timedelta(days=2)
            day = some_day(rng, first, min(latest, visit[0] + timedelta(days=300)))
        elif past or present:
            visit = rng.choice(past or present)
            last = latest if not past else self.first_day - timedelta(days=1)
            day = min(visit[0] + timedelta(days=rng.choice([0, 0, 0, rng.randint(1, 25)])), last)
        else:
            visit = None
            day = some_day(rng, earliest, latest) if in_range else earliest - timedelta(days=rng.randint(20, 500))
        if visit and visit[1].get("ccm_discussed") is None:
            needs = visit[1]["procedure_code"] not in ESTABLISHED
            visit[1]["ccm_discussed"] = True if needs or rng.random() < 0.8 else None
        if not any(timedelta(0) <= day - seen <= timedelta(days=365) for seen, _ in openings):
            person.faults.append("no_initiating_visit")
        person.consents.append(self._consent_row(person, day))

    def _consent_row(self, person: Person, day: date) -> Row:
        rng = self.rng
        return {
            "consent_id": f"{person.patient_id}-C{len(person.consents) + 1}",
            "patient_id": person.patient_id,
            "program": person.program,
            "consented_on": day,
            "method": "verbal" if rng.random() < 0.7 else "written",
            "documented": True,
            "obtained_by": rng.choice([*self.nurses, person.practitioner]),
            "billing_practitioner_id": person.practitioner,
            "revoked_on": None,
        }

    # ---- stories

    def _tell_stories(self) -> None:
        """Gives at most one story to each enrolled patient."""
        rng, habits = self.rng, self.habits
        size = len(self.enrolled)
        free = [person for person in self.enrolled if person.program == "ccm"]
        rng.shuffle(free)
        two_billers = len(self.billers) > 1
        stories: Iterable[tuple[str, float]] = (
            ("complex", habits.complex_care),
            ("practitioner", habits.practitioner_care),
            ("no_care_plan", habits.no_care_plan),
            ("revoked", habits.revoked),
            ("undocumented", habits.undocumented),
            ("home_health_oversight", habits.home_health_oversight),
            ("billed_elsewhere", habits.billed_elsewhere),
            ("documented_later", habits.documented_later),
            ("care_plan_late", habits.care_plan_late),
            ("other_practitioner", habits.other_practitioner if two_billers else 0),
            ("renewed", habits.renewed),
        )
        for story, share in stories:
            for _ in range(max(round(share * size), 1 if share and size >= 20 else 0)):
                if free:
                    self._tell(free.pop(), story)

    def _tell(self, person: Person, story: str) -> None:
        rng, consent = self.rng, person.consents[0]
        person.story = story
        start = max(_consented_on(consent), self.first_day)
        middle = some_day(rng, start + timedelta(days=14), max(start, self.last_day - timedelta(days=12)))
        if story == "revoked":
            consent["revoked_on"] = middle
            if rng.random() < 0.5:
                person.vain_days.append((workday_after(month_end(month_of(middle)), rng.randint(1, 6)), "consent_ended"))
        elif story == "renewed":
            end = min(_consented_on(consent) + timedelta(days=200), self.first_day - timedelta(days=40))
            if end > _consented_on(consent):
                consent["revoked_on"] = end
                person.consents.append(self._consent_row(person, self.first_day - timedelta(days=rng.randint(3, 25))))
        elif story == "undocumented":
            consent["documented"] = False
        elif story == "other_practitioner":
            others = [name for name in self.billers if name != person.practitioner]
            consent["billing_practitioner_id"] = rng.choice(others)

    # ---- outreach

    def _reach_out(self) -> None:
        rng, enrolled = self.rng, {person.patient_id for person in self.enrolled}
        for person in self.people:
            if person.patient_id in enrolled:
                day = _consented_on(person.consents[-1])
                outcomes = [*rng.choices(["no_answer", "left_message", "callback"], k=rng.randint(0, 2)), "agreed"]
            elif person.has("medicare_part_b") and person.conditions >= 2:
                first = max(self.first_day, person.arrival)
                day = some_day(rng, first - timedelta(days=60), self.last_day - timedelta(days=5))
                last = rng.choices(["", "no_answer", "left_message", "declined", "callback"], [22, 14, 20, 26, 18])[0]
                if not last:
                    continue
                outcomes = [*rng.choices(["no_answer", "left_message"], k=rng.randint(0, 2)), last]
            else:
                continue
            for back, outcome in zip(range(len(outcomes) - 1, -1, -1), outcomes, strict=True):
                attempted = day - timedelta(days=back * rng.randint(4, 11))
                person.outreach.append(
                    {
                        "patient_id": person.patient_id,
                        "attempted_at": max(attempted, person.arrival),
                        "channel": "in_person" if outcome == "agreed" else rng.choice(_CHANNELS),
                        "outcome": outcome,
                        "member_id": rng.choice(self.nurses),
                    }
                )

    # ---- what the time log needs

    def cared_for(self) -> list[Care]:
        """All patients for whom staff log time, those without a consent with their vain days alone."""
        enrolled = {person.patient_id for person in self.enrolled}
        cares = []
        for person in self.people:
            vain = tuple(entry for entry in person.vain_days if entry[0] >= self.first_day)
            if person.patient_id not in enrolled and not vain:
                continue
            since, until = date.max, date.min
            if person.patient_id in enrolled:
                since = max(_consented_on(person.consents[-1]), person.arrival)
                until = min(person.died or date.max, person.left or date.max)
                revoked = person.consents[-1]["revoked_on"]
                until = min(until, month_end(month_of(revoked))) if revoked else until
            cares.append(
                Care(
                    person.patient_id,
                    person.practitioner,
                    self.rng.choice(self.nurses),
                    program=person.program,
                    style=person.story if person.story in ("complex", "practitioner") else "staff",
                    since=since,
                    until=until,
                    stays=person.stays,
                    is_careless=self.rng.random() < 0.35,
                    vain_days=vain,
                )
            )
        return cares


def _consented_on(consent: Row) -> date:
    day = as_date(consent["consented_on"])
    assert day is not None
    return day


def _start_of(coverage: Row) -> date:
    day = as_date(coverage["effective_date"])
    assert day is not None
    return day


def _coverage(person: Person, kind: str, start: date, priority: int = 1) -> Row:
    return {
        "patient_id": person.patient_id,
        "coverage_type": kind,
        "member_id": None,
        "priority": priority,
        "effective_date": start,
        "termination_date": None,
    }


def _plan(rng: random.Random, person: Person, kind: str, letters: str, start: date, priority: int = 1) -> Row:
    return _coverage(person, kind, start, priority) | {"member_id": f"{letters}{rng.randint(10**8, 10**9 - 1)}"}


def persons(given: Mapping[str, Sequence[Row]], arrivals: Mapping[str, date], first_day: date, last_day: date) -> list[Person]:
    """The given patients with what else is given about each."""
    people = {}
    for row in given["patients"]:
        patient_id = str(row["patient_id"])
        arrival = arrivals.get(patient_id, date.min)
        people[patient_id] = Person(patient_id, dict(row), arrival, as_date(row.get("deceased_date")))
    codes: dict[str, set[str]] = {patient_id: set() for patient_id in people}
    for row in given.get("coverages", ()):
        people[str(row["patient_id"])].coverages.append(dict(row))
    for row in given.get("conditions", ()):
        gone = as_date(row.get("resolved_date"))
        if (gone is None and row["clinical_status"] == "active") or (gone is not None and gone > last_day):
            codes[str(row["patient_id"])].add(str(row["icd10_code"])[:3])
    for row in given.get("stays", ()):
        if row["stay_type"] in ("inpatient", "snf_part_a", "hospice"):
            admitted, gone = as_date(row["admitted_on"]), as_date(row.get("discharged_on")) or date.max
            assert admitted is not None
            person = people[str(row["patient_id"])]
            person.stays = (*person.stays, (admitted, gone))
    for patient_id, person in people.items():
        person.conditions = len(codes[patient_id])
    return list(people.values())
