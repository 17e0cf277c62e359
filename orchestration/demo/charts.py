"""Made-up people and their charts: who they are, what they have, when they were seen, when they were away."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from orchestration.demo.days import Clock, months_between, next_month, some_day, workday_after
from orchestration.demo.demo_practices import DemoPractice
from orchestration.demo.enrollment import quota
from orchestration.demo.tables import Row


def _words(text: str) -> list[str]:
    return text.split()


_FEMALE = _words("""
    Alice Amelia Beatrice Betty Carol Cora Dolores Doris Edith Eleanor Esther Eva Florence Frances Gloria Grace
    Hazel Helen Irene Joan Joyce Judith June Lillian Lois Louise Mabel Marion Martha Mildred Nora Olive Pearl
    Phyllis Rita Rosa Ruth Sylvia Teresa Thelma Vera Viola Winifred
""")
_MALE = _words("""
    Albert Arnold Bernard Calvin Carl Chester Clarence Clifford Dennis Donald Earl Edgar Ernest Eugene Floyd Francis
    Frank Fred George Gilbert Glenn Harold Harvey Henry Herbert Howard Hugo Irving Jerome Lawrence Leon Leroy Lester
    Louis Luis Marvin Milton Norman Oscar Ralph Raymond Roland Roy Stanley Vernon Victor Walter Wesley
""")
_LAST = _words("""
    Abernathy Alvarez Ashford Barlow Beckett Bellamy Bishop Blackwood Brennan Calloway Carver Castellano Chandler
    Coleman Crawford Dalton Delgado Donovan Ellison Everett Fairbanks Finch Fletcher Gallagher Garrison Gutierrez
    Hadley Hammond Hargrove Hastings Holloway Huang Ingram Jarvis Kendrick Kimura Langley Lindqvist Lockhart Maddox
    Marlowe Mendoza Merritt Navarro Newcomb Novotny Oakley Okonkwo Osgood Palmer Pemberton Pruitt Quigley Radcliffe
    Ramsey Redmond Rosales Sandoval Sinclair Sorensen Stanton Swenson Talbot Tanaka Thornton Tran Underhill Valdez
    Vaughn Wainwright Wexler Whitlock Wilder Winslow Yamamoto Yates Zimmerman
""")
_STREETS = _words("""
    Alder Birch Cedar Chestnut Elm Hawthorn Hickory Juniper Laurel Linden Magnolia Maple Spruce Sycamore Willow
""")

# Chronic codes by how often a panel has them; one group each (I13.0 and E11.22 are several at once).
_CHRONIC = (
    (30, "I10"), (18, "E78.5"), (9, "E78.00"), (14, "E11.9"), (7, "E11.65"), (6, "E11.22"), (9, "N18.31"), (6, "N18.4"),
    (8, "I50.32"), (9, "J44.9"), (10, "I25.10"), (8, "I48.91"), (4, "I48.20"), (9, "M17.0"), (7, "M81.0"), (7, "E03.9"),
    (7, "F33.1"), (6, "F41.1"), (5, "J45.40"), (4, "N40.1"), (4, "G30.9"), (3, "G20.A1"), (3, "F03.90"), (3, "M05.79"),
    (3, "D63.1"), (3, "I13.0"), (5, "E66.9"), (2, "I70.209"), (2, "M1A.9XX0"), (2, "K50.90"), (2, "C61"),
    (2, "H40.1131"),
)  # fmt: skip
_ACUTE = ("J18.9", "J06.9", "N39.0", "S72.001A", "M54.50", "R05.9")
_VISITS, _VISIT_SHARES = ("99213", "99214", "G0439", "99212", "99211"), (40, 34, 20, 4, 2)
_COUNTS = ((2, 0), (9, 1), (17, 2), (25, 3), (22, 4), (15, 5), (10, 6))


@dataclass
class Charts:
    """The rows of one practice as `overlay_months_of_care` takes them, and who joins the panel when."""

    tables: dict[str, list[Row]] = field(default_factory=dict)
    arrivals: dict[str, date] = field(default_factory=dict)
    corrections: list[Row] = field(default_factory=list)  # services sent again with another code
    stories: list[tuple[str, str]] = field(default_factory=list)  # what was planted, on whom


def made_up_charts(practice: DemoPractice, size: int, seed: str, first_day: date, last_day: date) -> Charts:
    """`size` patients of a practice, from the years before `first_day` to `last_day`."""
    return _Charts(practice, size, seed, first_day, last_day).charts


class _Charts:
    def __init__(self, practice: DemoPractice, size: int, seed: str, first_day: date, last_day: date) -> None:
        self.practice, self.first_day, self.last_day = practice, first_day, last_day
        self.clock = Clock(practice.time_zone)
        self.charts = Charts({table: [] for table in ("patients", "conditions", "services", "appointments", "stays")})
        self.charts.tables["care_team"] = [dict(member) for member in practice.care_team]
        rng = random.Random(f"{seed}/{practice.practice_id}/charts")
        names = rng.sample([(first, last) for first in range(40) for last in _LAST], size)
        billers = [str(m["member_id"]) for m in practice.care_team if m["member_id"] in practice.billers]
        weights = [3, 2, 1][: len(billers)]
        for number, (first, last) in enumerate(names, 1):
            self._person(rng, number, first, last, rng.choices(billers, weights)[0])
        self._fates(rng)
        for patient in self.charts.tables["patients"]:
            patient_rng = random.Random(f"{seed}/{patient['patient_id']}/charts")
            self._conditions(patient_rng, patient)
            self._visits(patient_rng, patient)

    def _person(self, rng: random.Random, number: int, first: int, last: str, biller: str) -> None:
        practice, sex = self.practice, rng.choice("FFFMM")
        year = rng.randint(1931, 1960) if rng.random() < 0.94 else rng.randint(1961, 1976)
        self.charts.tables["patients"].append(
            {
                "patient_id": f"{practice.prefix}{1000 + number * 7}",
                "first_name": (_FEMALE if sex == "F" else _MALE)[first],
                "last_name": last,
                "middle_name": rng.choice("ABCDEFGHJKLMRSTW") if rng.random() < 0.4 else None,
                "birth_date": date(year, rng.randint(1, 12), rng.randint(1, 28)),
                "sex": sex,
                "address_line1": f"{rng.randint(11, 989)} {rng.choice(_STREETS)} {rng.choice(['St', 'Ave', 'Ln'])}",
                "city": practice.city,
                "state": practice.state,
                "postal_code": practice.postal_code,
                "phone": f"{practice.phone[:3]}555{rng.randint(0, 9999):04d}" if rng.random() < 0.97 else None,
                "billing_practitioner_id": biller,
                "deceased_date": None,
            }
        )

    # ---- stays, deaths, arrivals

    def _fates(self, rng: random.Random) -> None:
        patients = list(self.charts.tables["patients"])
        rng.shuffle(patients)
        first, last = self.first_day, self.last_day

        def some(share: float) -> list[Row]:
            chosen = quota(rng, patients, share)
            ids = {row["patient_id"] for row in chosen}
            patients[:] = [row for row in patients if row["patient_id"] not in ids]
            return chosen

        for row in some(0.04):
            joined = some_day(rng, first + timedelta(days=20), last - timedelta(days=40))
            self.charts.arrivals[row["patient_id"]] = joined
            self._tell("joins_panel", row)
        for row in some(0.025):
            row["deceased_date"] = some_day(rng, first + timedelta(days=15), last - timedelta(days=10))
            self._tell("dies", row)
        for row in some(0.07):
            admitted = some_day(rng, first + timedelta(days=2), last - timedelta(days=16))
            gone = admitted + timedelta(days=rng.randint(2, 9))
            self._stay(row, "inpatient", admitted, gone)
            if rng.random() < 0.3:
                self._stay(row, "snf_part_a", gone, gone + timedelta(days=rng.randint(8, 24)))
        for row in some(0.015):  # a whole month in a skilled nursing facility
            month = rng.choice(months_between(first, last)[1:3])
            admitted = month - timedelta(days=rng.randint(2, 9))
            self._stay(row, "inpatient", admitted - timedelta(days=5), admitted)
            self._stay(row, "snf_part_a", admitted, next_month(month) + timedelta(days=rng.randint(2, 9)))
        for row in some(0.015):
            self._stay(row, "hospice", some_day(rng, first + timedelta(days=10), last - timedelta(days=30)), None)
        for row in some(0.025):
            kind = rng.choice(["assisted_living", "nursing_facility"])
            self._stay(row, kind, some_day(rng, date(2024, 1, 1), last - timedelta(days=30)), None)

    def _stay(self, row: Row, kind: str, admitted: date, discharged: date | None) -> None:
        stays = self.charts.tables["stays"]
        stays.append(
            {
                "stay_id": f"{self.practice.prefix}-S{len(stays) + 1:03d}",
                "patient_id": row["patient_id"],
                "stay_type": kind,
                "admitted_on": admitted,
                "discharged_on": discharged,
            }
        )
        self._tell(f"stay_{kind}", row)

    def _tell(self, kind: str, row: Row) -> None:
        self.charts.stories.append((kind, row["patient_id"]))

    # ---- problem list

    def _conditions(self, rng: random.Random, patient: Row) -> None:
        count = rng.choices([n for _, n in _COUNTS], [share for share, _ in _COUNTS])[0]
        codes: list[str] = []
        while len(codes) < count:
            code = rng.choices([c for _, c in _CHRONIC], [share for share, _ in _CHRONIC])[0]
            if code[:3] not in {known[:3] for known in codes} and not (code in ("C61", "N40.1") and patient["sex"] == "F"):
                codes.append(code)
        for code in codes:
            recorded = some_day(rng, date(2016, 1, 1), date(2026, 3, 1))
            if rng.random() < 0.04:
                recorded = some_day(rng, self.first_day, self.last_day - timedelta(days=20))
            resolved = None
            if rng.random() < 0.02:
                resolved = some_day(rng, max(recorded, self.first_day), self.last_day)
            self._condition(patient, code, recorded, resolved, rng.random() < 0.8)
        if rng.random() < 0.3:
            recorded = some_day(rng, date(2023, 1, 1), self.last_day - timedelta(days=15))
            resolved = recorded + timedelta(days=rng.randint(9, 40)) if rng.random() < 0.7 else None
            if resolved and resolved > self.last_day:
                resolved = None
            self._condition(patient, rng.choice(_ACUTE), recorded, resolved, True)

    def _condition(self, patient: Row, code: str, recorded: date, resolved: date | None, has_onset: bool) -> None:
        number = sum(row["patient_id"] == patient["patient_id"] for row in self.charts.tables["conditions"][-9:]) + 1
        self.charts.tables["conditions"].append(
            {
                "condition_id": f"{patient['patient_id']}-D{number}",
                "patient_id": patient["patient_id"],
                "icd10_code": code,
                "clinical_status": "resolved" if resolved else "active",
                "onset_date": recorded - timedelta(days=30) if has_onset else None,
                "recorded_date": recorded,
                "resolved_date": resolved,
            }
        )

    # ---- visits

    def _visits(self, rng: random.Random, patient: Row) -> None:
        """A first visit years ago, a wellness visit a year, others every few months; a few were not seen for long."""
        arrival = self.charts.arrivals.get(patient["patient_id"])
        died = patient["deceased_date"] or date.max
        day = arrival or some_day(rng, date(2022, 1, 3), date(2023, 9, 30))
        self._visit(rng, patient, workday_after(day, 1), "99204" if rng.random() < 0.3 else "99203")
        unseen_since = date(2025, 3, 1) if not arrival and rng.random() < 0.08 else date.max
        day = max(day, date(2024, 6, 1))
        while True:
            day = workday_after(day + timedelta(days=rng.randint(50, 190)), 1)
            if day > min(self.last_day, died, unseen_since):
                return
            if not self._is_away(patient, day):
                self._visit(rng, patient, day, rng.choices(_VISITS, _VISIT_SHARES)[0])

    def _is_away(self, patient: Row, day: date) -> bool:
        return any(
            row["patient_id"] == patient["patient_id"] and row["admitted_on"] <= day <= (row["discharged_on"] or date.max)
            for row in self.charts.tables["stays"]
            if row["stay_type"] != "assisted_living"
        )

    def _visit(self, rng: random.Random, patient: Row, day: date, code: str) -> None:
        practice, tables = self.practice, self.charts.tables
        biller = patient["billing_practitioner_id"]
        member = rng.choice(practice.billers) if rng.random() < 0.08 else biller
        start = self.clock.at(day, rng.randint(8, 16), rng.choice([0, 20, 40]))
        appointment_id = f"{practice.prefix}-V{len(tables['services']) + 1:05d}"
        settled: datetime = start + timedelta(minutes=rng.randint(20, 300))
        appointment: Row = {
            "appointment_id": appointment_id,
            "patient_id": patient["patient_id"],
            "member_id": member,
            "visit_type": "annual_wellness" if code == "G0439" else "office_visit",
            "scheduled_start": start,
            "scheduled_end": start + timedelta(minutes=20),
        }
        if day >= self.first_day - timedelta(days=30):  # the scheduler keeps no more than that
            tables["appointments"].append(
                appointment | {"status": "scheduled", "updated_at": start - timedelta(days=rng.randint(6, 25))}
            )
            status = rng.choices(["completed", "no_show", "cancelled"], [93, 3, 4])[0]
            tables["appointments"].append(appointment | {"status": status, "updated_at": settled})
            if status != "completed":
                return
        coded = self.clock.some_time(rng, day + timedelta(days=rng.choice([0, 0, 1, 3])), 17, 20)
        service: Row = {
            "service_id": f"{practice.prefix}-B{len(tables['services']) + 1:05d}",
            "patient_id": patient["patient_id"],
            "member_id": member,
            "procedure_code": code,
            "service_date": day,
            "units": 1,
            "appointment_id": appointment_id if day >= self.first_day - timedelta(days=30) else None,
            "billed_by": "own_practice",
            "ccm_discussed": None,
            "updated_at": coded,
        }
        tables["services"].append(service)
        if code == "99214" and day >= self.first_day and rng.random() < 0.06:
            again = self.clock.some_time(rng, workday_after(self.clock.day(coded), 3), 8, 12)
            self.charts.corrections.append(service | {"procedure_code": "99213", "updated_at": again})
