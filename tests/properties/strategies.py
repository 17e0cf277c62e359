"""Whole landing folders of tiny practices, each made to land on an edge of the rules.

`population(seed)` and `write_home(root, seed)` are driven by one `random.Random(seed)`: the same seed gives the same
bytes. `clinics()` is the hypothesis strategy of one practice: there every choice of a fact is hypothesis's own, so that
it can make a failing practice smaller; only the dress of the files (column order, formats, defects) is of one drawn number.

Each patient begins as one who can be claimed, with time near a threshold, and then meets one or more *turns*
(functions named `turn_...`), each of which adds one thing that the rules speak of.
"""

import csv
import gzip
import io
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow
import pyarrow.parquet
from hypothesis import strategies as st

COLUMNS = {
    table: text.split()
    for table, text in {
        "patients": "patient_id first_name last_name middle_name birth_date sex address_line1 city state postal_code "
        "phone billing_practitioner_id deceased_date",
        "coverages": "patient_id coverage_type member_id priority effective_date termination_date",
        "conditions": "condition_id patient_id icd10_code clinical_status onset_date recorded_date resolved_date",
        "consents": "consent_id patient_id program consented_on method documented obtained_by billing_practitioner_id revoked_on",
        "care_plans": "care_plan_id patient_id established_on last_reviewed_on copy_given_on",
        "assessments": "assessment_id patient_id assessed_on mdm_level member_id",
        "stays": "stay_id patient_id stay_type admitted_on discharged_on",
        "care_team": "member_id name credential npi taxonomy_code active_from active_to",
        "outreach": "outreach_id patient_id attempted_at channel outcome member_id",
        "appointments": "appointment_id patient_id member_id visit_type status scheduled_start scheduled_end updated_at",
        "services": "service_id patient_id member_id procedure_code service_date units appointment_id billed_by "
        "ccm_discussed updated_at",
        "time_entries": "entry_id patient_id member_id program activity started_at ended_at duration_seconds "
        "entry_method face_to_face note_id note_text recorded_at updated_at voided",
    }.items()
}
PANEL = [table for table in COLUMNS if table not in ("appointments", "services", "time_entries")]
REQUIRED = {"patients": "sex", "time_entries": "activity", "services": "billed_by", "appointments": "status"}
# state, MAC, locality, city, nine-digit postal code: the fee schedule asks for these, the calendar only for the zone
PLACES = {
    "America/New_York": [("NY", "13202", "01", "New York", "100010001"), ("NY", "13282", "99", "Utica", "135010001")],
    "America/Chicago": [("IL", "06102", "99", "Springfield", "627010001"), ("IL", "06102", "16", "Chicago", "606010001")],
    "America/Denver": [("MT", "03202", "01", "Helena", "596010001")],
    "America/Phoenix": [("AZ", "03102", "00", "Phoenix", "850010001")],
    "America/Los_Angeles": [("CA", "01112", "05", "San Francisco", "941020001")],
    "America/Anchorage": [("AK", "02102", "01", "Anchorage", "995010001")],
    "Pacific/Honolulu": [("HI", "01212", "01", "Honolulu", "968010001")],
    "America/Puerto_Rico": [("PR", "09202", "20", "San Juan", "009010001")],
}
# zones whose clocks do something uncommon in the month: both directions, both hemispheres, half hours and quarters,
# a midnight that is skipped or comes twice, a change on the first or last day
STRANGE_CLOCKS = [
    ("America/New_York", date(2026, 11, 1)),  # back on the first of the month
    ("America/Havana", date(2026, 11, 1)),  # the first of the month begins twice
    ("America/Havana", date(2026, 3, 1)),  # no midnight on the 8th
    ("Africa/Cairo", date(2024, 10, 1)),  # the last hour of the month comes twice
    ("Africa/Cairo", date(2026, 4, 1)),  # no midnight on the 24th
    ("Atlantic/Azores", date(2024, 3, 1)),  # no midnight on the last day of the month
    ("Asia/Beirut", date(2024, 3, 1)),  # nor here
    ("Asia/Beirut", date(2026, 10, 1)),
    ("America/Santiago", date(2025, 9, 1)),  # southern, no midnight on the 7th
    ("America/Santiago", date(2026, 4, 1)),
    ("America/Asuncion", date(2024, 10, 1)),  # its last change
    ("Australia/Lord_Howe", date(2026, 4, 1)),  # half an hour back
    ("Australia/Lord_Howe", date(2025, 10, 1)),  # half an hour forward
    ("Australia/Adelaide", date(2026, 10, 1)),
    ("Australia/Sydney", date(2026, 4, 1)),
    ("Pacific/Auckland", date(2026, 9, 1)),
    ("Pacific/Chatham", date(2026, 4, 1)),  # 12:45 and 13:45 ahead
    ("America/St_Johns", date(2026, 3, 1)),  # 3:30 and 2:30 behind
    ("America/St_Johns", date(2026, 11, 1)),
    ("Europe/London", date(2024, 3, 1)),
    ("Africa/Casablanca", date(2026, 3, 1)),
    ("Asia/Kathmandu", date(2026, 10, 1)),
    ("Asia/Kolkata", date(2026, 2, 1)),
    ("Pacific/Kiritimati", date(2026, 1, 1)),  # 14 hours ahead
    ("Pacific/Pago_Pago", date(2025, 12, 1)),  # 11 behind
]
# with the daylight-saving months, the conversion factor that changed on 2024-03-09, leap day and year ends
MONTHS = [
    *[date(2026, 10, 1)] * 5, *[date(2026, 11, 1)] * 3, *[date(2026, 3, 1)] * 3, date(2026, 1, 1), date(2026, 2, 1),
    date(2026, 6, 1), date(2025, 3, 1), date(2025, 10, 1), date(2025, 11, 1), date(2025, 12, 1), date(2025, 1, 1),
    *[date(2024, 3, 1)] * 2, date(2024, 2, 1), date(2024, 11, 1), date(2024, 1, 1),
]  # fmt: skip
NEWEST_PRICED = date(2026, 12, 31)
CHRONIC = ["E11.9", "E11.65", "I10", "N18.31", "J44.9", "I50", "F32.9", "e78.5", "M81.0", "G30.9", "I48.91", "I13.2"]
BAD_NPI = "1234567890"
ONE_GROUP = [["E11.9", "E11.65"], ["I10"], ["J44.9", "J44.1"]]
CCIR_ONLY = ["M10.9", "K50.90", "M32.9", "I35.0"]
ACUTE = ["I21.4", "J18.9", "S72.001A"]
NOT_CHRONIC = ["J06.9", "R05.9", "Z00.00"]
ACTIVITIES = ["care coordination", "Care plan review", "medication reconciliation", "scheduling call with family"]
NON_COUNTABLE = [
    "Scheduling",
    "billing",
    "prior_authorization",
    "Prior-Authorization",
    "TRAVEL",
    "voicemail",
    "billing-",
    "_Travel_ ",
    "prior  authorization",
]


FORMS = [*[".csv"] * 14, ".csv.gz", ".csv.gz", ".parquet", ".typed.parquet"]


def npi(number: int) -> str:
    """A valid NPI for a running number."""
    body = f"1{number:08d}"
    total = 24
    for place, digit in enumerate(reversed(body)):
        value = int(digit) * (1 if place % 2 else 2)
        total += value - 9 if value > 9 else value
    return body + str(-total % 10)


def mbi(practice: int, patient: int) -> str:
    """A well-formed Medicare number, another for each practice and patient."""
    return f"1EG{practice // 10 % 10}TE{practice % 10}MK{patient % 100:02d}"


def next_month(month: date, by: int = 1) -> date:
    number = month.year * 12 + month.month - 1 + by
    return date(number // 12, number % 12 + 1, 1)


@dataclass
class Fact:
    """A panel row with the nights (by number) on which the snapshot has it."""

    row: dict[str, Any]
    first: int = 0
    last: int = 99


@dataclass
class Patient:
    patient_id: str
    row: dict[str, Any]
    program: str = "ccm"
    nights: set[int] = field(default_factory=set)
    facts: dict[str, list[Fact]] = field(default_factory=dict)
    minutes: list[int] = field(default_factory=lambda: [15, 20, 20, 40, 60])
    # days of the month on which its ordinary time may lie
    first_day: int = 2
    last_day: int = 27
    by_practitioner: bool = False
    changed_rows: list[tuple[int, dict[str, Any]]] = field(default_factory=list)  # from a night (by number) on

    def row_on(self, night: int) -> dict[str, Any]:
        return {**self.row, **{k: v for first, values in self.changed_rows if first <= night for k, v in values.items()}}

    def only(self, table: str) -> dict[str, Any]:
        """The first row of a table; one that nobody writes when another turn took it away."""
        facts = self.facts[table]
        return facts[0].row if facts else {"consented_on": date(2023, 6, 1)}


class Clinic:
    """Builds one practice."""

    def __init__(self, rng: Random, turns: "list[Turn]", defects: bool = True, closing: date | None = None):
        """`closing`: the practice lives in that month and lands all that a close of it needs, then more."""
        self.rng = rng
        self.defects = defects
        self.closing = closing
        self.counts: Counter[str] = Counter()
        self._files: dict[Path, bytes] | None = None
        zone, self.month = rng.choice([*PLACES]), rng.choice(MONTHS)
        if rng.random() < 0.3:
            zone, self.month = rng.choice(STRANGE_CLOCKS)
        if closing:
            self.month = closing  # whichever zone: its own clock says when it is over
        self.end = next_month(self.month)
        self.last = self.end - timedelta(days=1)
        state, mac, locality, city, postal_code = rng.choice(PLACES.get(zone) or PLACES[rng.choice([*PLACES])])
        self.zone = ZoneInfo(zone)
        self.config: dict[str, Any] = {
            "taxonomy_code": "207Q00000X",
            "address": {"line1": "1 Main St", "city": city, "state": state, "postal_code": postal_code},
            "time_zone": zone,
            # the scrub keeps claims from 02 (telehealth) in the house
            "place_of_service": rng.choice([*["11"] * 6, "12", "19", "19", "22", "21", "31", "11" if closing else "02", "53"]),
            "mac": mac,
            "locality": locality,
            "receiver": {"id": mac, "name": "MEDICARE CONTRACTOR"},
            "payer": {"id": mac, "name": "MEDICARE PART B"},
        }
        if rng.random() < 0.5:
            self.config["qualifying_apm_participant"] = rng.random() < 0.6
        if rng.random() < 0.5:
            self.config["track_policy"] = rng.choice(["documented", "highest_allowed", "highest_allowed"])
        if rng.random() < 0.5:
            self.config["service_date_policy"] = rng.choice(["month_end", "threshold_day", "threshold_day"])
        if rng.random() < 0.4:
            self.config["charges"] = {"99490": 95.0, rng.choice(["99439", "G0557", "99491"]): 71.25}
        if rng.random() < 0.3:
            self.config["close"] = {"first_day": rng.choice([1, 2, 5]), "final_day": rng.choice([10, 15, 25])}
        if rng.random() < 0.2:
            self.config["facility_type"] = rng.choice(["physician_office", "rhc", "fqhc"])
        if rng.random() < 0.2:
            self.config["attestations"] = {"access_24_7": "2026-01-01", "certified_ehr": "2025-06-30"}
        self.close_night: int | None = None  # number of the night after which the month can be closed
        self.nights = self._nights()
        self.upserts: dict[str, list[tuple[int, dict[str, Any]]]] = {
            table: [] for table in ("appointments", "services", "time_entries")
        }
        self.members: list[Fact] = []
        self._team()
        self.patients: list[Patient] = []
        for _ in range(rng.choice([1, 2, 3, 3, 4, 4])):
            self._patient()
        for patient in self.patients:
            chosen = [turns.pop(0)] if turns and (not closing or rng.random() < 0.4) else []
            while rng.random() < 0.3 and chosen:
                chosen.append(rng.choice(TURNS))
            for turn in sorted(set(chosen), key=TURNS.index):
                turn(self, patient)
            self._ordinary_time(patient)
        self.dress = rng.randrange(2**32)  # seed of the files' dress
        self.name("unnamed", 0)

    def name(self, practice_id: str, number: int) -> "Clinic":
        """Gives the practice and its people the numbers that must differ from those of other practices."""
        self._files = None
        self.config = {
            **self.config,
            "practice_id": practice_id,
            "name": f"Small Practice {number}",
            "npi": npi(80000000 + number),
            "tax_id": f"{100000000 + number}",
            "phone": f"2125{number % 1000000:06d}",
            "submitter_id": f"SP{number:07d}",
        }
        for place, member in enumerate(self.members):
            if member.row["npi"] is not None and member.row["npi"] != BAD_NPI:
                member.row["npi"] = npi(50000000 + number % 100 * 100 + place)
        for place, patient in enumerate(self.patients):
            for fact in patient.facts["coverages"]:
                fact.row["member_id"] = mbi(number, place)
        return self

    @property
    def practice_id(self) -> str:
        return str(self.config["practice_id"])

    # ---- frame

    def _nights(self) -> list[date]:
        rng, month, end = self.rng, self.month, self.end
        if self.closing:
            return self._nights_of_a_close()
        newest = rng.choice(
            [
                *[month + timedelta(days=rng.randint(9, 25))] * 3,
                self.last,
                *[end + timedelta(days=rng.randint(0, 12))] * 6,
                *[end + timedelta(days=rng.randint(13, 27))] * 3,
                end + timedelta(days=rng.randint(28, 120)),
            ]
        )
        if end <= date(2025, 12, 1) and rng.random() < 0.35:  # about where filing ends
            newest = end + timedelta(days=rng.choice([363, 364, 365, 366, 380]))
        if newest > NEWEST_PRICED:
            newest = rng.choice([self.last, min(end + timedelta(days=rng.randint(0, 27)), NEWEST_PRICED)])
        first = month + timedelta(days=rng.randint(-25, 8))
        days = {first, newest}
        while rng.random() < 0.7 and len(days) < 6:
            days.add(first + timedelta(days=rng.randint(0, (newest - first).days)))
        return sorted(days)

    def _nights_of_a_close(self) -> list[date]:
        """Some nights in the month, one with which it can be closed, then nights that change what was closed."""
        rng, first_day = self.rng, self.config.get("close", {}).get("first_day", 3)
        closes_on = self.end + timedelta(days=first_day - 1 + rng.randint(0, 7))
        before = {self.month + timedelta(days=rng.randint(-20, 25)) for _ in range(rng.randint(1, 3))}
        after = {closes_on + timedelta(days=rng.randint(1, 20)) for _ in range(rng.randint(1, 2))}
        self.close_night = len(before)
        return [*sorted(before), closes_on, *sorted(after)]

    def new_id(self, letter: str) -> str:
        self.counts[letter] += 1
        return f"{letter}{self.counts[letter]}"

    def add_member(self, member_id: str, credential: str, taxonomy: str | None = None, **more: Any) -> None:
        number = npi(50000000 + len(self.members)) if taxonomy else None
        row = {"member_id": member_id, "name": f"Kim, {member_id}", "credential": credential, "npi": number}
        self.members.append(Fact({**row, "taxonomy_code": taxonomy, "active_from": "2019-01-01", **more}))

    def _team(self) -> None:
        rng = self.rng
        taxonomy = {"MD": "207Q00000X", "DO": "207Q00000X", "NP": "363L00000X", "PA": "363A00000X"}
        credential = rng.choice(["MD", "MD", "MD", "DO", "NP", "PA", "CNS", "CNM"])
        own = taxonomy.get(credential, "364S00000X")
        self.add_member("DR1", credential, own)
        self.add_member("DR2", "MD", own)  # a colleague of the same taxonomy code
        self.add_member("DR3", "MD", "207R00000X")  # one of another
        for member_id, credential in (("RN1", "RN"), ("LPN1", "LPN"), ("MA1", rng.choice(["MA", "CNA", "PHARMD"]))):
            self.add_member(member_id, credential)
        if rng.random() < 0.2:
            self.members[-1].last = rng.randint(0, len(self.nights))  # leaves the team; its facts stay

    def _patient(self) -> None:
        rng = self.rng
        patient_id = self.new_id("P")
        row = {
            "patient_id": patient_id, "first_name": "Ada", "last_name": f"O'Neil, {patient_id}",
            "birth_date": f"19{rng.randint(30, 57)}-05-0{rng.randint(1, 9)}", "sex": rng.choice("FMU"),
            "address_line1": "2 Oak Ave", "city": "Town", "state": self.config["address"]["state"],
            "postal_code": self.config["address"]["postal_code"], "billing_practitioner_id": "DR1",
        }  # fmt: skip
        patient = Patient(patient_id, row, nights=set(range(len(self.nights))))
        patient.facts = {table: [] for table in PANEL if table not in ("patients", "care_team")}
        self.patients.append(patient)
        for kind in ("medicare_part_a", "medicare_part_b"):
            self.cover(patient, kind)
        for code in rng.sample(CHRONIC, rng.choice([2, 3, 3, 4])):
            self.condition(patient, code)
        if len({c.row["icd10_code"][:2].upper() for c in patient.facts["conditions"]}) < 2:
            self.condition(patient, "M05.9")
        consented_on = self.month - timedelta(days=rng.choice([0, 1, 20, 40, 200, 400]))
        self.consent(patient, consented_on)
        visited_on = consented_on - timedelta(days=rng.choice([0, 0, 10, 364, 365]))
        discussed = rng.choice([True, False, None])
        self.service(patient, rng.choice(["99214", "99213", "G0439"]), visited_on, discussed=discussed)
        established_on = min(consented_on + timedelta(days=rng.randint(0, 20)), self.last)
        self.fact(patient, "care_plans", "C", established_on=established_on, copy_given_on=established_on)
        if rng.random() < 0.5:
            self.reach_out(patient, consented_on, rng.choice(["agreed", "callback", "no_answer", "left_message"]))

    # ---- facts

    def fact(self, patient: Patient, table: str, letter: str, **values: Any) -> Fact:
        row = {COLUMNS[table][0]: self.new_id(letter), "patient_id": patient.patient_id, **values}
        patient.facts[table].append(Fact(row))
        return patient.facts[table][-1]

    def cover(self, patient: Patient, kind: str, start: Any = "2019-01-01", end: Any = None, priority: Any = None) -> None:
        row = {"patient_id": patient.patient_id, "coverage_type": kind, "member_id": None}
        row.update(effective_date=start, termination_date=end, priority=priority)
        patient.facts["coverages"].append(Fact(row))

    def coverage(self, patient: Patient, kind: str) -> dict[str, Any]:
        return next(f.row for f in patient.facts["coverages"] if f.row["coverage_type"] == kind)

    def condition(self, patient: Patient, code: str, **values: Any) -> Fact:
        row = {"icd10_code": code, "clinical_status": "active", "recorded_date": "2020-05-01", **values}
        return self.fact(patient, "conditions", "D", **row)

    def consent(self, patient: Patient, day: date, program: str = "ccm", **values: Any) -> Fact:
        row = {"program": program, "consented_on": day, "method": self.rng.choice(["verbal", "written"])}
        return self.fact(patient, "consents", "K", **{**row, "documented": True, **values})

    def reach_out(self, patient: Patient, day: date, outcome: str) -> None:
        at = f"{day}T{self.rng.randint(8, 17):02d}:00:00"
        self.fact(patient, "outreach", "U", attempted_at=at, channel="phone", outcome=outcome, member_id="RN1")

    def stay(self, patient: Patient, kind: str, start: date, end: date | None) -> None:
        self.fact(patient, "stays", "Y", stay_type=kind, admitted_on=start, discharged_on=end)

    def day(self, low: int = 2, high: int = 27) -> date:
        return self.month + timedelta(days=self.rng.randint(low, high) - 1)

    def service(
        self,
        patient: Patient,
        code: str,
        day: date,
        member: str | None = "DR1",
        billed_by: str = "own_practice",
        discussed: bool | None = None,
    ) -> dict[str, Any]:
        row = {
            "service_id": self.new_id("S"), "patient_id": patient.patient_id, "member_id": member,
            "procedure_code": code, "service_date": day, "units": 1, "billed_by": billed_by,
            "ccm_discussed": discussed,
        }  # fmt: skip
        self.land("services", row, lambda old: old.update(procedure_code="99211"))
        return row

    # ---- rows that come in as they change

    def land(self, table: str, row: dict[str, Any], spoil: Callable[[dict[str, Any]], None] | None = None) -> None:
        """Lands a row on some night; sometimes with a version that it replaces, earlier, later or in the same file."""
        rng = self.rng
        night = rng.randrange(len(self.nights))
        updated = int(datetime(*self.nights[night].timetuple()[:3], 1, tzinfo=UTC).timestamp())
        old = dict(row)
        if spoil:
            spoil(old)
        kind = rng.random()
        if kind < 0.08 and night:  # an earlier night, an earlier update
            self._land(table, rng.randrange(night), old, updated - 90000)
        elif kind < 0.12 and night + 1 < len(self.nights):  # a later night brings a stale version
            self._land(table, rng.randrange(night + 1, len(self.nights)), old, updated - 1)
        elif kind < 0.15 and night:  # the same update twice: the later night wins
            self._land(table, rng.randrange(night), old, updated)
        elif kind < 0.18:  # twice in one file: the later line wins
            self._land(table, night, old, updated)
        self._land(table, night, row, updated)

    def _land(self, table: str, night: int, row: dict[str, Any], updated: int) -> None:
        # the caller may still change `row`: it is copied when the files are written
        stamp = datetime.fromtimestamp(updated, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        self.upserts[table].append((night, {"_row": row, "updated_at": stamp}))

    # ---- time

    def at(self, day: date, hour: int, minute: int = 0, second: int = 0) -> int:
        return int(datetime(day.year, day.month, day.day, hour, minute, second, tzinfo=self.zone).timestamp())

    def stamp(self, moment: int) -> str:
        """An instant written in one of the accepted ways."""
        local = datetime.fromtimestamp(moment, self.zone)
        kind = self.rng.random()
        naive = local.replace(tzinfo=None)
        if kind < 0.4 and naive.replace(tzinfo=self.zone, fold=0).timestamp() == moment:
            return naive.isoformat() + (".9" if kind < 0.05 else "")
        if kind < 0.7:
            return local.isoformat()
        if kind < 0.8:
            return datetime.fromtimestamp(moment, ZoneInfo("Asia/Kolkata")).isoformat()
        return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def entry(
        self,
        patient: Patient | str,
        seconds: int | None,
        start: int | None = None,
        member: str | None = None,
        clock: str = "both",
        documented: bool = True,
        **values: Any,
    ) -> dict[str, Any]:
        """`clock`: both; start, end, none (with a duration); open, open_end, open_none (an open timer)."""
        rng = self.rng
        if start is None:
            low, high = (patient.first_day, patient.last_day) if isinstance(patient, Patient) else (2, 27)
            start = self.at(self.day(low, high), rng.randint(7, 18), rng.randint(0, 59), rng.randint(0, 59))
        length = seconds or 0
        row: dict[str, Any] = {
            "entry_id": self.new_id("T"),
            "patient_id": patient.patient_id if isinstance(patient, Patient) else patient,
            "member_id": member or rng.choice(["RN1", "RN1", "LPN1", "MA1"]),
            "program": patient.program if isinstance(patient, Patient) and patient.program != "apcm" else "ccm",
            "activity": rng.choice(ACTIVITIES),
            "entry_method": rng.choice(["timer", "manual"]),
            "face_to_face": False,
            "recorded_at": self.stamp(start + max(length, 0)),
            "voided": False,
        }
        if clock in ("both", "start", "open"):
            row["started_at"] = self.stamp(start)
        if clock in ("both", "end"):
            row["ended_at"] = self.stamp(start + length)
        if clock == "open_end":
            row["ended_at"] = self.stamp(start)
        if clock in ("start", "end", "none"):
            row["duration_seconds"] = seconds
        if clock == "both" and rng.random() < 0.2:
            row["duration_seconds"] = rng.choice([seconds, 60, -5])  # does not count beside two clock times
        if documented:
            kind = rng.random()
            row["note_id"] = f"N-{row['entry_id']}" if kind < 0.8 else None
            row["note_text"] = f'{row["entry_id"]}: "called",\nall well' if kind > 0.3 else None
        elif rng.random() < 0.3:
            row["note_text"] = "  "
        row.update(values)

        def spoil(old: dict[str, Any]) -> None:
            change = rng.choice(["note", "open", "void", "patient", "length"])
            if change == "note":
                old.update(note_id=None, note_text=None)
            elif change == "open":
                old.update(started_at=old.get("started_at") or self.stamp(start), ended_at=None, duration_seconds=None)
            elif change == "void":
                old["voided"] = not old["voided"]
            elif change == "patient":
                old["patient_id"] = rng.choice(self.patients).patient_id
            elif old.get("ended_at"):
                old["ended_at"] = self.stamp(start + length + 600)

        self.land("time_entries", row, spoil)
        return row

    def _ordinary_time(self, patient: Patient) -> None:
        """Time near a threshold, in one to five entries."""
        rng = self.rng
        if not patient.minutes:
            return
        total = rng.choice(patient.minutes) * 60 + rng.choice([-61, -1, 0, 0, 0, 0, 1, 59, 300])
        parts = max(rng.randint(1, 4), -(-total // 9000))
        cuts = sorted(rng.randint(1, total - 1) for _ in range(parts - 1))
        member = "DR1" if patient.by_practitioner else None
        for start, end in zip([0, *cuts], [*cuts, total], strict=True):
            clock = rng.choice(["both"] * 8 + ["start", "end", "none"])
            self.entry(patient, min(end - start, 10800), member=member, clock=clock)
        for day in (self.month - timedelta(days=rng.randint(1, 20)), self.end, next_month(self.end)):
            if rng.random() < 0.35 and day <= self.nights[-1]:  # the months around it
                self.entry(patient, rng.choice([300, 1199, 1200, 1500, 2400]), start=self.at(day, 10), member=member)

    def appointment(self, patient: Patient, start: int, minutes: int, member: str = "RN1", **values: Any) -> None:
        row = {
            "appointment_id": self.new_id("A"), "patient_id": patient.patient_id, "member_id": member,
            "visit_type": "ccm_call", "status": "completed", "scheduled_start": self.stamp(start),
            "scheduled_end": self.stamp(start + minutes * 60), **values,
        }  # fmt: skip
        self.land("appointments", row, lambda old: old.update(status="scheduled"))

    # ---- files

    def write(self, home: Path) -> None:
        for path, content in self.files().items():
            target = home / "landing" / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)

    def files(self) -> dict[Path, bytes]:
        """The newest content of each file by its path under landing/; the same whenever it is asked for."""
        if self._files is None:
            self.file_rng = Random(self.dress)
            self._earlier: dict[Path, bytes] = {}
            self._files = dict(self._all_files())
        return self._files

    def earlier_versions(self) -> dict[Path, bytes]:
        """Other content of some of these files, which an earlier night of taking in found there."""
        self.files()
        return self._earlier

    def _all_files(self) -> Iterator[tuple[Path, bytes]]:
        rng = self.file_rng
        for number, night in enumerate(self.nights):
            folder = Path(self.practice_id) / night.isoformat()
            here = [patient for patient in self.patients if number in patient.nights]
            keep_rows_of_gone = rng.random() < 0.3
            for table in COLUMNS:
                is_needed = number == self.close_night
                if table in PANEL and number and rng.random() < 0.12 and not is_needed:
                    continue  # the file before stands
                if table == "patients":
                    rows = [patient.row_on(number) for patient in here]
                elif table == "care_team":
                    rows = [f.row for f in self.members if f.first <= number <= f.last]
                elif table in PANEL:
                    whose = self.patients if keep_rows_of_gone else here
                    facts = [fact for patient in whose for fact in patient.facts[table]]
                    rows = [fact.row for fact in facts if fact.first <= number <= fact.last]
                else:
                    landed = [row for landed_on, row in self.upserts[table] if landed_on == number]
                    rows = [{**row["_row"], "updated_at": row["updated_at"]} for row in landed]
                    if not rows and rng.random() < 0.7 and not is_needed:
                        continue
                form = rng.choice(FORMS)
                path = folder / (table + form.removeprefix(".typed"))
                is_last = number == len(self.nights) - 1
                content, is_good = self._file(table, rows, number, is_last, form)
                if is_good and rng.random() < 0.12:
                    earlier = self._earlier_version(table, rows, number, form)
                    self._earlier.update({path: earlier} if earlier != content else {})
                yield path, content
                if self.defects and number and not self.close_night and rng.random() < 0.01:  # in two formats: neither counts
                    self._earlier.pop(path, None)
                    yield path.with_name(table + (".csv" if path.suffix != ".csv" else ".csv.gz")), content

    def _earlier_version(self, table: str, rows: list[dict[str, Any]], night: int, form: str) -> bytes:
        """Fewer rows than later, a bad one among them, or nothing that could be read."""
        rng = self.file_rng
        if rng.random() < 0.15 and self.close_night is None:
            return b"" if form != ".parquet" else b"PAR1"
        some = [row for row in rows if rng.random() < 0.6]
        if table == "patients":
            some = some or rows
        return self._text_file(list(COLUMNS[table]), [[row.get(c) for c in COLUMNS[table]] for row in some], form)

    def _file(self, table: str, rows: list[dict[str, Any]], night: int, is_last: bool, form: str) -> tuple[bytes, bool]:
        """The file's bytes, and whether it will be accepted with a good row."""
        rng = self.file_rng
        columns = list(COLUMNS[table])
        if rng.random() < 0.2:
            rng.shuffle(columns)
        if rng.random() < 0.1:
            columns.append("extra")
        lines: list[list[Any]] = [[row.get(column) for column in columns] for row in rows]
        defect = rng.random() if self.defects else 1.0
        may_be_rejected = night > 0 and not (self.closing and (table not in PANEL or night == self.close_night))
        is_good = True
        if defect < 0.02 and may_be_rejected:
            return b"", False
        if defect < 0.035 and may_be_rejected:
            columns = [column for column in columns if column != COLUMNS[table][1]]  # a required one everywhere
            lines = [[row.get(column) for column in columns] for row in rows]
            is_good = False
        elif defect < 0.045 and may_be_rejected and "parquet" not in form:
            columns[columns.index(COLUMNS[table][1])] = COLUMNS[table][0]  # named twice
            is_good = False
        elif defect < 0.07 and table == "patients" and night and not is_last and not self.closing:
            lines = []  # a panel of nobody
            is_good = False
        elif defect < 0.25 and lines and form != ".typed.parquet":
            self._spoil_a_row(table, columns, lines, night, form)
        return self._text_file(columns, lines, form), is_good

    def _spoil_a_row(self, table: str, columns: list[str], lines: list[list[Any]], night: int, form: str) -> None:
        rng = self.file_rng
        bad = list(rng.choice(lines))
        if table == "patients" and rng.random() < 0.5 and len(lines) > 1:
            lines.remove(bad)  # this patient's newest row is bad: the last good one stands
        elif table in PANEL and table != "patients" and rng.random() < 0.3:
            lines.remove(bad)  # absent that night
        kind = rng.choice(["vocabulary", "date", "missing", "cells", "bytes"])
        if form == ".parquet" and kind in ("cells", "bytes"):
            kind = "missing"
        index = {"patients": "sex", "coverages": "coverage_type", "conditions": "clinical_status"}.get(table)
        if kind == "cells":
            bad.pop()
        elif kind == "bytes":
            bad[columns.index(COLUMNS[table][1])] = "\udcff"
        elif kind == "missing" or not index:
            required = REQUIRED.get(table, COLUMNS[table][1])
            bad[columns.index(required)] = None
        elif kind == "vocabulary":
            bad[columns.index(index)] = "nonsense"
        else:
            dates = [c for c in columns if c.endswith(("_date", "_on", "_from"))]
            bad[columns.index(dates[0])] = "2026-02-30"
        lines.insert(rng.randint(0, len(lines)), bad)

    def _text_file(self, columns: list[str], lines: list[list[Any]], form: str) -> bytes:
        rng = self.file_rng
        if "parquet" in form:
            return parquet(columns, lines, typed=form == ".typed.parquet")
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator=rng.choice(["\n", "\r\n"]))
        writer.writerow(columns)
        for line in lines:
            writer.writerow([cell(value) for value in line])
            if rng.random() < 0.02:
                text.write("\n")  # a blank line is no row
        content = text.getvalue().encode("utf-8", errors="surrogateescape")
        return gzip.compress(content, mtime=0) if form == ".csv.gz" else content


def parquet(columns: list[str], lines: list[list[Any]], typed: bool) -> bytes:
    """As text columns, or as an EHR's own types would be: dates, instants, whole numbers, booleans."""
    arrays = []
    for place, name in enumerate(columns):
        values = [line[place] for line in lines]
        if not typed or not any(value is not None for value in values):
            arrays.append(pyarrow.array([cell(value) or None for value in values], pyarrow.string()))
        elif name.endswith(("_on", "_date", "_from", "_to")):
            days = [value if value is None or isinstance(value, date) else date.fromisoformat(value) for value in values]
            arrays.append(pyarrow.array(days, pyarrow.date32()))
        elif name == "attempted_at":  # the practice's own clock
            arrays.append(pyarrow.array([datetime.fromisoformat(value) for value in values], pyarrow.timestamp("us")))
        elif name.endswith("_at") and all(value is None or value.endswith("Z") for value in values):
            instants = [value and datetime.fromisoformat(value) for value in values]
            arrays.append(pyarrow.array(instants, pyarrow.timestamp("us", tz="UTC")))
        elif all(value is None or isinstance(value, bool) for value in values):
            arrays.append(pyarrow.array(values, pyarrow.bool_()))
        elif all(value is None or isinstance(value, int) for value in values):
            arrays.append(pyarrow.array(values, pyarrow.int64()))
        else:
            arrays.append(pyarrow.array([cell(value) or None for value in values], pyarrow.string()))
    sink = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_arrays(arrays, names=columns), sink)
    return sink.getvalue()


def cell(value: Any) -> str:
    if value is None:
        return ""
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


Turn = Callable[[Clinic, Patient], None]


# ---- turns: eligibility


def turn_plain(clinic: Clinic, patient: Patient) -> None:
    pass


def turn_leaves_the_panel(clinic: Clinic, patient: Patient) -> None:
    stays_until = clinic.rng.randrange(max(len(clinic.nights) - 1, 1))
    patient.nights = set(range(stays_until + 1))
    for facts in patient.facts.values():
        if clinic.rng.random() < 0.3 and facts:
            clinic.rng.choice(facts).first = min(stays_until, 1)


def turn_comes_late_or_comes_back(clinic: Clinic, patient: Patient) -> None:
    count = len(clinic.nights)
    gone = {clinic.rng.randrange(count) for _ in range(2)}
    patient.nights = set(range(count)) - gone or {0}


def turn_dies(clinic: Clinic, patient: Patient) -> None:
    day = clinic.rng.choice([clinic.day(10, 28), clinic.month, clinic.month - timedelta(days=1), clinic.last])
    patient.row["deceased_date"] = day
    clinic.entry(patient, 600, clinic.at(day, 23, 55))


def turn_coverage_changes(clinic: Clinic, patient: Patient) -> None:
    rng, day = clinic.rng, clinic.day(5, 28)
    kind = rng.choice(["part_b_ends", "part_b_begins", "advantage_begins", "advantage_ends", "gap"])
    part_b = clinic.coverage(patient, "medicare_part_b")
    if kind == "part_b_ends":
        part_b["termination_date"] = day
    elif kind == "part_b_begins":
        part_b["effective_date"] = day
    elif kind == "advantage_begins":
        clinic.cover(patient, "medicare_advantage", day)
    elif kind == "advantage_ends":
        clinic.cover(patient, "medicare_advantage", "2020-01-01", day)
    else:
        part_b["termination_date"] = day
        clinic.cover(patient, "medicare_part_b", day + timedelta(days=3))


def turn_no_medicare_part_b(clinic: Clinic, patient: Patient) -> None:
    part_b = clinic.coverage(patient, "medicare_part_b")
    if clinic.rng.random() < 0.5:
        part_b["termination_date"] = clinic.month - timedelta(days=1)
    else:
        part_b["coverage_type"] = "medicaid"


def turn_medicare_advantage(clinic: Clinic, patient: Patient) -> None:
    clinic.cover(patient, "medicare_advantage", clinic.month, clinic.rng.choice([None, clinic.last]))


def turn_facility_stay(clinic: Clinic, patient: Patient) -> None:
    start = clinic.day(1, 26)
    kind = clinic.rng.choice(["inpatient", "snf_part_a", "hospice"])
    length = clinic.rng.choice([0, 2, 5, 9, None])
    clinic.stay(patient, kind, start, None if length is None else start + timedelta(days=length))


def turn_facility_all_month(clinic: Clinic, patient: Patient) -> None:
    split = clinic.day(5, 20)
    kind = clinic.rng.choice(["inpatient", "snf_part_a"])
    clinic.stay(patient, kind, clinic.month, split)
    clinic.stay(patient, "inpatient", split + timedelta(days=1), clinic.rng.choice([clinic.last, None]))


def turn_hospice_all_month(clinic: Clinic, patient: Patient) -> None:
    start = clinic.day(1, 9)
    if start > clinic.month:
        clinic.stay(patient, clinic.rng.choice(["inpatient", "hospice"]), clinic.month, start)
    clinic.stay(patient, "hospice", start, clinic.rng.choice([clinic.last, None]))


def turn_nursing_facility(clinic: Clinic, patient: Patient) -> None:
    start = clinic.day() - timedelta(days=clinic.rng.choice([0, 300]))
    clinic.stay(patient, clinic.rng.choice(["nursing_facility", "assisted_living"]), start, None)


def turn_conditions(clinic: Clinic, patient: Patient) -> None:
    rng = clinic.rng
    patient.facts["conditions"].clear()
    kind = rng.choice(["one", "acute", "ccir", "resolved", "later", "combination"])
    for code in rng.choice(ONE_GROUP):
        clinic.condition(patient, code, recorded_date=None, onset_date=rng.choice([None, "2021-01-01"]))
    if kind == "acute":
        clinic.condition(patient, rng.choice(ACUTE))
    elif kind == "ccir":
        clinic.condition(patient, rng.choice(CCIR_ONLY))
    elif kind == "resolved":
        clinic.condition(patient, "G40.909", clinical_status=rng.choice(["active", "resolved"]), resolved_date=clinic.day())
        clinic.condition(patient, "G35", clinical_status="resolved")
    elif kind == "later":
        clinic.condition(patient, "G40.909", recorded_date=clinic.day(), onset_date="2020-01-01")
        clinic.condition(patient, "M10.9", recorded_date=clinic.end)
    elif kind == "combination":
        patient.facts["conditions"].clear()
        clinic.condition(patient, "I13.0")
    clinic.condition(patient, rng.choice(NOT_CHRONIC))


# ---- turns: enrollment


def turn_no_visit(clinic: Clinic, patient: Patient) -> None:
    _drop_services(clinic, patient)
    kind = clinic.rng.choice(["none", "nurse", "old", "undiscussed", "new_patient"])
    consented_on = patient.only("consents")["consented_on"]
    if kind == "nurse":
        clinic.service(patient, "99211", consented_on, discussed=True)
    elif kind == "old":
        clinic.service(patient, "99214", consented_on - timedelta(days=366), discussed=True)
    elif kind == "undiscussed":
        clinic.service(patient, "99214", consented_on + timedelta(days=1), discussed=False)
    elif kind == "new_patient":
        clinic.service(patient, "99203", consented_on - timedelta(days=1))


def turn_visit_of_an_established_patient(clinic: Clinic, patient: Patient) -> None:
    _drop_services(clinic, patient)
    day = patient.only("consents")["consented_on"] - timedelta(days=clinic.rng.choice([0, 30, 365, 366]))
    clinic.service(patient, "99204", day)
    clinic.service(patient, "85025", day - timedelta(days=clinic.rng.choice([0, 1, 900])), member=None)


def turn_visit_later_than_the_consent(clinic: Clinic, patient: Patient) -> None:
    _drop_services(clinic, patient)
    clinic.service(patient, clinic.rng.choice(["99214", "G0402", "99495"]), clinic.day(3, 20), discussed=True)


def turn_visit_by_a_colleague(clinic: Clinic, patient: Patient) -> None:
    if clinic.rng.random() < 0.8:
        _drop_services(clinic, patient)
    member = clinic.rng.choice(["DR2", "DR2", "DR3"])
    clinic.service(patient, "99214", patient.only("consents")["consented_on"], member=member, discussed=True)


def turn_no_consent(clinic: Clinic, patient: Patient) -> None:
    patient.facts["consents"].clear()
    if clinic.rng.random() < 0.3:
        clinic.consent(patient, clinic.end + timedelta(days=2))


def turn_consent_undocumented(clinic: Clinic, patient: Patient) -> None:
    patient.only("consents")["documented"] = False
    if clinic.rng.random() < 0.4:
        clinic.consent(patient, clinic.day(), documented=clinic.rng.choice([True, False]))


def turn_consent_in_the_month(clinic: Clinic, patient: Patient) -> None:
    patient.only("consents")["consented_on"] = clinic.day(3, 18)


def turn_consent_revoked_before(clinic: Clinic, patient: Patient) -> None:
    consent = patient.only("consents")
    consent["consented_on"] = clinic.month - timedelta(days=50)
    consent["revoked_on"] = clinic.month - timedelta(days=clinic.rng.choice([1, 20]))


def turn_consent_revoked_in_the_month(clinic: Clinic, patient: Patient) -> None:
    patient.only("consents")["revoked_on"] = max(patient.only("consents")["consented_on"], clinic.day(1, 28))


def turn_consent_renewed(clinic: Clinic, patient: Patient) -> None:
    old = patient.only("consents")
    old["consented_on"] = clinic.month - timedelta(days=70)
    old["revoked_on"] = clinic.rng.choice([clinic.month - timedelta(days=5), clinic.day(2, 12)])
    clinic.consent(patient, clinic.day(8, 20), documented=clinic.rng.random() < 0.8)


def turn_consents_to_two_programs(clinic: Clinic, patient: Patient) -> None:
    rng = clinic.rng
    program = rng.choice(["pcm", "apcm"])
    day = rng.choice([clinic.month - timedelta(days=10), clinic.day()])
    clinic.consent(patient, day, program, documented=rng.random() < 0.8)
    patient.program = rng.choice(["ccm", program])


def turn_consent_names_another(clinic: Clinic, patient: Patient) -> None:
    patient.only("consents")["billing_practitioner_id"] = clinic.rng.choice(["DR1", "DR2", "DR9"])


def turn_no_care_plan(clinic: Clinic, patient: Patient) -> None:
    if clinic.rng.random() < 0.5:
        patient.facts["care_plans"].clear()
    else:
        patient.only("care_plans")["established_on"] = clinic.end


def turn_practitioner_may_not_bill(clinic: Clinic, patient: Patient) -> None:
    kind = clinic.rng.choice(["psychologist", "no_npi", "bad_npi", "unknown"])
    patient.row["billing_practitioner_id"] = "X-" + kind
    if not any(fact.row["member_id"] == "X-" + kind for fact in clinic.members) and kind != "unknown":
        own = clinic.members[0].row["taxonomy_code"]
        clinic.add_member("X-" + kind, "PSYD" if kind == "psychologist" else "MD", own)
        if kind != "psychologist":
            clinic.members[-1].row["npi"] = None if kind == "no_npi" else BAD_NPI


def turn_outreach(clinic: Clinic, patient: Patient) -> None:
    if clinic.rng.random() < 0.6:
        patient.facts["consents"].clear()
    for _ in range(clinic.rng.randint(1, 3)):
        outcome = clinic.rng.choice(["no_answer", "left_message", "callback", "declined", "agreed"])
        clinic.reach_out(patient, clinic.rng.choice([clinic.day(), clinic.last, clinic.end]), outcome)


def _drop_services(clinic: Clinic, patient: Patient) -> None:
    mine = patient.patient_id
    clinic.upserts["services"] = [x for x in clinic.upserts["services"] if x[1]["_row"]["patient_id"] != mine]


# ---- turns: programs, tracks, conflicts, money


def turn_pcm(clinic: Clinic, patient: Patient) -> None:
    patient.program = "pcm"
    patient.only("consents")["program"] = "pcm"
    patient.minutes = [30, 30, 60, 90, 120]
    if clinic.rng.random() < 0.5:
        patient.facts["conditions"].clear()
        clinic.condition(patient, "J44.9")
    patient.by_practitioner = clinic.rng.random() < 0.35
    if clinic.rng.random() < 0.4:
        clinic.entry(patient, clinic.rng.choice([1800, 1790, 3600]), member="DR1")


def turn_apcm(clinic: Clinic, patient: Patient) -> None:
    patient.program = "apcm"
    patient.only("consents")["program"] = "apcm"
    if clinic.rng.random() < 0.4:
        patient.facts["conditions"].clear()
        clinic.condition(patient, "J44.9")
    if clinic.rng.random() < 0.5:
        clinic.cover(patient, "qmb", clinic.rng.choice(["2020-01-01", clinic.day(), clinic.end]))
    if clinic.rng.random() < 0.4:
        _drop_services(clinic, patient)
        day = patient.only("consents")["consented_on"] - timedelta(days=clinic.rng.choice([0, 1, 1096, 1097]))
        clinic.service(patient, "85025", day, member=clinic.rng.choice([None, "DR3"]))
    if clinic.rng.random() < 0.4:
        code = clinic.rng.choice(["99496", "98972", "99452", "G2251", "98016", "99426", "99490"])
        clinic.service(patient, code, clinic.day())


def turn_practitioner_time(clinic: Clinic, patient: Patient) -> None:
    patient.minutes = [30, 30, 35, 59, 90, 91, 121]
    patient.by_practitioner = True
    if clinic.rng.random() < 0.3:
        clinic.entry(patient, clinic.rng.choice([600, 1800, 2400]))


def turn_complex(clinic: Clinic, patient: Patient) -> None:
    rng = clinic.rng
    day = rng.choice([clinic.day(), clinic.day(), clinic.month, clinic.last, clinic.end])
    level = rng.choice(["moderate", "high", "high", "low"])
    member = rng.choice(["DR1", "DR1", "DR1", "DR2"])
    clinic.fact(patient, "assessments", "Z", assessed_on=day, mdm_level=level, member_id=member)
    patient.minutes = [59, 60, 61, 89, 90, 120, 20]
    if rng.random() < 0.3:
        clinic.entry(patient, 1800, member="DR1")


def turn_many_minutes(clinic: Clinic, patient: Patient) -> None:
    patient.minutes = [79, 80, 81, 100]
    if clinic.rng.random() < 0.3:
        patient.minutes = [389, 390, 391]
        clinic.fact(patient, "assessments", "Z", assessed_on=clinic.day(), mdm_level="high", member_id="DR1")


def turn_qmb(clinic: Clinic, patient: Patient) -> None:
    clinic.cover(patient, "qmb", "2020-01-01", clinic.rng.choice([None, clinic.month, clinic.month - timedelta(days=1)]))


def turn_employer_pays_first(clinic: Clinic, patient: Patient) -> None:
    priority = clinic.rng.choice([1, 1, 2, None])
    start = clinic.rng.choice([clinic.last, clinic.month, clinic.end])
    clinic.cover(patient, "commercial", start, priority=priority)
    clinic.cover(patient, "medigap", priority=1)


def turn_service_that_conflicts(clinic: Clinic, patient: Patient) -> None:
    rng = clinic.rng
    codes = ["99490", "99439", "99487", "G0181", "G0181", "G0182", "G0182", "90951", "90970", "90961", "G0556"]
    for code in rng.sample([*codes, "99426", "99425", "99495", "99457"], rng.choice([1, 1, 1, 2])):
        member = rng.choice(["DR1", "DR1", "DR3", None])
        day = rng.choice([clinic.day(), clinic.day(), clinic.month, clinic.last, clinic.end])
        clinic.service(patient, code, day, member, "own_practice" if member else "other_practice")


def _billed(clinic: Clinic, patient: Patient, codes: list[str]) -> None:
    member = clinic.rng.choice(["DR1", "DR1", "DR1", "DR3"])
    clinic.service(patient, clinic.rng.choice(codes), clinic.rng.choice([clinic.day(), clinic.last]), member)


def turn_home_health_oversight(clinic: Clinic, patient: Patient) -> None:
    _billed(clinic, patient, ["G0181"])


def turn_hospice_oversight(clinic: Clinic, patient: Patient) -> None:
    _billed(clinic, patient, ["G0182"])


def turn_dialysis_month(clinic: Clinic, patient: Patient) -> None:
    _billed(clinic, patient, ["90951", "90961", "90970"])


def turn_apcm_billed(clinic: Clinic, patient: Patient) -> None:
    _billed(clinic, patient, ["G0556", "G0557", "G0558"])


def turn_pcm_billed(clinic: Clinic, patient: Patient) -> None:
    _billed(clinic, patient, ["99424", "99425", "99426", "99427"])


def turn_ccm_elsewhere(clinic: Clinic, patient: Patient) -> None:
    clinic.service(patient, clinic.rng.choice(["99490", "99491", "G0557"]), clinic.day(), None, "other_practice")


# ---- turns: time


def turn_undocumented(clinic: Clinic, patient: Patient) -> None:
    patient.minutes = [15, 38, 19, 58, 20]
    for _ in range(clinic.rng.randint(1, 3)):
        member = clinic.rng.choice(["RN1", "RN1", "DR1"])
        clinic.entry(patient, clinic.rng.choice([120, 300, 301, 1200, 45]), member=member, documented=False)
    if clinic.rng.random() < 0.3:
        clinic.fact(patient, "assessments", "Z", assessed_on=clinic.day(), mdm_level="moderate", member_id="DR1")


def turn_open_timer(clinic: Clinic, patient: Patient) -> None:
    clock = clinic.rng.choice(["open", "open_end", "open_none"])
    clinic.entry(patient, None, clock=clock, documented=clinic.rng.random() < 0.5, program=clinic.rng.choice(["ccm", "rpm"]))


def turn_visit_without_time(clinic: Clinic, patient: Patient) -> None:
    rng = clinic.rng
    patient.minutes = [15, 12, 19, 38]
    for _ in range(rng.randint(1, 2)):
        start = clinic.at(clinic.day(), rng.randint(8, 16), rng.choice([0, 30]))
        member = rng.choice(["RN1", "RN1", "RN1", "DR1", "ADM1", "ZZ9"])
        if member == "ADM1":
            clinic.add_member("ADM1", "ADMIN")
        status = rng.choice(["completed", "completed", "completed", "no_show"])
        kind = rng.choice(["ccm_call", "ccm_call", "ccm_call", "office visit"])
        clinic.appointment(patient, start, rng.choice([5, 15, 30]), member, status=status, visit_type=kind)
        if rng.random() < 0.3:
            clinic.entry(patient, 240, start + rng.choice([0, 3600]), member, voided=rng.random() < 0.4)


def turn_runaway(clinic: Clinic, patient: Patient) -> None:
    seconds = clinic.rng.choice([10800, 10801, 4 * 3600, 16 * 3600, 60 * 3600])
    values = {"program": "rpm"} if clinic.rng.random() < 0.2 else {}
    clinic.entry(patient, seconds, clock=clinic.rng.choice(["both", "start", "none"]), **values)
    patient.minutes = [12, 20, 40]


def turn_staff_overlap(clinic: Clinic, patient: Patient) -> None:
    rng = clinic.rng
    patient.minutes = [10, 15, 20]
    start = clinic.at(clinic.day(), 9)
    for number in range(rng.randint(2, 4)):
        who = patient if number == 0 else rng.choice([*clinic.patients, "GHOST"])
        begins = start + rng.randint(0, 900) * (number > 0)
        values = {"program": rng.choice(["ccm", "rpm", "bhi"])} if rng.random() < 0.4 else {}
        clinic.entry(who, rng.choice([600, 900, 1500]), begins, "RN1", documented=rng.random() < 0.8, **values)


def turn_concurrent_staff(clinic: Clinic, patient: Patient) -> None:
    rng = clinic.rng
    patient.minutes = [10, 5, 20]
    start = clinic.at(clinic.day(), 14)
    for _ in range(rng.randint(2, 4)):
        member = rng.choice(["RN1", "LPN1", "MA1", "DR1"])
        clinic.entry(patient, rng.choice([600, 900, 1500]), start + rng.choice([0, 0, 120, 599, 600]), member)


def turn_duplicate(clinic: Clinic, patient: Patient) -> None:
    rng = clinic.rng
    row = clinic.entry(patient, rng.choice([600, 1200, 0]), clock=rng.choice(["both", "both", "start", "none"]))
    for _ in range(rng.randint(1, 2)):
        copy = {**row, "entry_id": clinic.new_id("T"), "voided": rng.random() < 0.2}
        if rng.random() < 0.3:
            copy["member_id"] = "DR1"
        if rng.random() < 0.3:
            copy.update(note_id=None, note_text=None)
        clinic.land("time_entries", copy)
    if rng.random() < 0.3:
        row["voided"] = True


def turn_void_and_broken(clinic: Clinic, patient: Patient) -> None:
    rng = clinic.rng
    clinic.entry(patient, 1200, voided=True, clock=rng.choice(["both", "none", "open"]))
    clinic.entry(patient, rng.choice([-1, -600]), clock=rng.choice(["both", "start", "none"]), voided=rng.random() < 0.2)
    clinic.entry(patient, 0, clock=rng.choice(["both", "end", "none"]), documented=rng.random() < 0.6)


def turn_not_counted(clinic: Clinic, patient: Patient) -> None:
    rng = clinic.rng
    patient.minutes = [15, 18, 20, 40]
    for kind in rng.sample(["program", "staff", "activity", "face_to_face"], rng.randint(2, 4)):
        seconds = rng.choice([120, 600, 1500])
        if kind == "program":
            clinic.entry(patient, seconds, program=rng.choice(["rpm", "bhi", "tcm", "other", "pcm", "ccm"]))
        elif kind == "staff":
            credential = rng.choice(["CHW", "PSYD", "ADMIN"])
            if not any(fact.row["member_id"] == credential + "1" for fact in clinic.members):
                clinic.add_member(credential + "1", credential)
            clinic.entry(patient, seconds, member=credential + "1")
        elif kind == "activity":
            clinic.entry(patient, seconds, activity=rng.choice(NON_COUNTABLE))
        else:
            clinic.entry(patient, seconds, face_to_face=True, documented=rng.random() < 0.7)


def turn_unknown_or_inactive(clinic: Clinic, patient: Patient) -> None:
    rng = clinic.rng
    clinic.entry("GHOST", rng.choice([600, 0]))
    clinic.entry(patient, 600, member="NOBODY")
    leaves = clinic.day()
    member_id = clinic.new_id("TEMP")
    window = rng.choice([{"active_to": leaves}, {"active_from": leaves}])
    clinic.add_member(member_id, "RN", **window)
    for day in (leaves - timedelta(days=1), leaves, leaves + timedelta(days=1)):
        clinic.entry(patient, 400, clinic.at(day, 23, 57), member_id)


def turn_without_clock(clinic: Clinic, patient: Patient) -> None:
    rng = clinic.rng
    patient.minutes = [10, 15, 20]
    for _ in range(rng.randint(1, 2)):
        member = rng.choice(["RN1", "DR1"])
        clinic.entry(patient, rng.choice([300, 600, 1200]), member=member, clock="none", documented=rng.random() < 0.8)
    clinic.entry(patient, 300, clock="end")
    if rng.random() < 0.4:  # recorded after the month: it lies in the next one
        clinic.entry(patient, 600, clinic.at(clinic.end, 0, 5), clock="none")


def turn_month_edges(clinic: Clinic, patient: Patient) -> None:
    rng = clinic.rng
    patient.minutes = [10, 12, 20, 40]
    for edge in rng.sample([clinic.month, clinic.end], rng.choice([1, 2])):
        begins = clinic.at(edge, 0) - rng.choice([1, 60, 600, 1200])
        seconds = rng.choice([1200, 1201, 600, 60])
        clinic.entry(patient, seconds, begins, clock=rng.choice(["both", "start", "end"]), documented=rng.random() < 0.9)


def turn_midnight(clinic: Clinic, patient: Patient) -> None:
    patient.minutes = [10, 20]
    midnight = clinic.at(clinic.day(), 0)
    clinic.entry(patient, 1200, midnight - 600)
    clinic.entry(patient, 900, midnight - 300, "LPN1")


def turn_daylight_saving(clinic: Clinic, patient: Patient) -> None:
    """Over, before and after each change of the clock in or beside the month."""
    rng = clinic.rng
    patient.minutes = [5, 10, 20]
    for change in clock_changes(clinic.zone, clinic.month - timedelta(days=1), clinic.end + timedelta(days=1)):
        clinic.entry(patient, 1200, change - 600)
        clinic.entry(patient, 1800, change + 1800, "LPN1")
        clinic.entry(patient, 600, change, documented=rng.random() < 0.8)
        # local times that occur twice, or never
        before = datetime.fromtimestamp(change - 1, clinic.zone).replace(tzinfo=None)
        for _ in range(rng.randint(1, 2)):
            begins = before + timedelta(minutes=rng.choice([-50, -20, -10, 1, 10, 25, 50]))
            row = clinic.entry(patient, 300, change)
            row.update(started_at=f"{begins:%Y-%m-%dT%H:%M:%S}", duration_seconds=None)
            row["ended_at"] = f"{begins + timedelta(minutes=rng.choice([5, 15, 40])):%Y-%m-%dT%H:%M:%S}"
            if rng.random() < 0.3:
                row["recorded_at"] = row["ended_at"]
                row.update(started_at=None, ended_at=None, duration_seconds=300)
        if rng.random() < 0.5:
            clinic.appointment(patient, change - rng.choice([0, 600, 1800]), 20)


def clock_changes(zone: ZoneInfo, first: date, last: date) -> list[int]:
    """The instants from one day to another at which the zone's offset changes."""
    at = int(datetime(first.year, first.month, first.day, tzinfo=UTC).timestamp())
    until = int(datetime(last.year, last.month, last.day, tzinfo=UTC).timestamp())

    def offset(second: int) -> timedelta | None:
        return datetime.fromtimestamp(second, zone).utcoffset()

    quarters = range(at, until, 900)
    return [second for second in quarters if offset(second) != offset(second - 1)]


def turn_late_entry(clinic: Clinic, patient: Patient) -> None:
    recorded = clinic.at(clinic.end, 0) + clinic.rng.choice([-1, 0, 0, 86400])
    clinic.entry(patient, 600, recorded_at=clinic.stamp(recorded))
    patient.minutes = [10, 20]


def turn_cloned_notes(clinic: Clinic, patient: Patient) -> None:
    rng = clinic.rng
    for _ in range(rng.choice([2, 3, 3])):
        clinic.entry(patient, rng.choice([300, 600]), note_text="Same as last time.", documented=False)
    if rng.random() < 0.5:
        clinic.entry(rng.choice(clinic.patients), 120, note_text="Same as last time.", documented=False)
    patient.minutes = [5, 20]


def turn_no_time(clinic: Clinic, patient: Patient) -> None:
    patient.minutes = []


# ---- turns: facts that change from night to night


def turn_row_changes_over_many_nights(clinic: Clinic, patient: Patient) -> None:
    """One entry as it grows: open, closed, documented, voided and taken back, another patient's; nights in any order."""
    rng = clinic.rng
    patient.minutes = [10, 15, 20]
    start = clinic.at(clinic.day(), 11)
    row = clinic.entry(patient, 600, start, clock="both")
    clinic.upserts["time_entries"] = [x for x in clinic.upserts["time_entries"] if x[1]["_row"]["entry_id"] != row["entry_id"]]
    updated = start
    for _ in range(rng.randint(3, 5)):
        row = dict(row)
        kind = rng.choice(["open", "longer", "no_note", "note", "void", "unvoid", "patient", "member", "program", "bare"])
        if kind == "open":
            row.update(ended_at=None, duration_seconds=None)
        elif kind == "longer":
            row.update(started_at=clinic.stamp(start), ended_at=clinic.stamp(start + rng.choice([300, 1200, 11000])))
        elif kind in ("note", "no_note"):
            row.update(note_id="N-many" if kind == "note" else None, note_text=None)
        elif kind in ("void", "unvoid"):
            row["voided"] = kind == "void"
        elif kind == "patient":
            row["patient_id"] = rng.choice(clinic.patients).patient_id
        elif kind == "member":
            row["member_id"] = rng.choice(["RN1", "LPN1", "DR1"])
        elif kind == "program":
            row["program"] = rng.choice(["ccm", "rpm"])
        else:
            row.update(started_at=None, ended_at=None, duration_seconds=rng.choice([600, None]))
        updated += rng.choice([0, 60, 3600, -60])
        clinic._land("time_entries", rng.randrange(len(clinic.nights)), row, updated)


def turn_snapshots_differ(clinic: Clinic, patient: Patient) -> None:
    """A fact that comes later, goes, or reads otherwise from some night on."""
    rng, count = clinic.rng, len(clinic.nights)
    tables = [table for table, facts in patient.facts.items() if facts]
    for table in rng.sample(tables, min(len(tables), rng.randint(1, 3))):
        fact, night = rng.choice(patient.facts[table]), rng.randrange(count)
        kind = rng.choice(["comes", "goes", "changes"])
        if kind == "comes":
            fact.first = max(fact.first, night)
        elif kind == "goes":
            fact.last = min(fact.last, night)
        else:
            later = dict(fact.row)
            day = clinic.day()
            later.update(
                {
                    "consents": {"documented": not later.get("documented"), "revoked_on": rng.choice([None, day])},
                    "coverages": {"termination_date": rng.choice([None, day])},
                    "conditions": {"clinical_status": "resolved", "resolved_date": rng.choice([None, day])},
                    "care_plans": {"established_on": day},
                    "assessments": {"mdm_level": "low"},
                    "stays": {"discharged_on": max(day, later.get("admitted_on") or day)},
                    "outreach": {"outcome": "agreed"},
                }[table]
            )
            patient.facts[table].append(Fact(later, night, fact.last))
            fact.last = night - 1 if rng.random() < 0.8 else fact.last  # or both stand: the last line wins


def turn_patient_changes(clinic: Clinic, patient: Patient) -> None:
    """Another billing practitioner, a death that is known only later, or one that is taken back."""
    night = clinic.rng.randrange(len(clinic.nights))
    change = clinic.rng.choice(["practitioner", "dies", "lives"])
    if change == "practitioner":
        patient.changed_rows.append((night, {"billing_practitioner_id": clinic.rng.choice(["DR2", "DR3", "DR9"])}))
    elif change == "dies":
        patient.changed_rows.append((night, {"deceased_date": clinic.day()}))
    else:
        patient.row["deceased_date"] = clinic.day()
        patient.changed_rows.append((night, {"deceased_date": None}))


def turn_member_changes(clinic: Clinic, patient: Patient) -> None:
    """A colleague qualifies, leaves, or gets a wrong number put right."""
    rng = clinic.rng
    night = rng.randrange(len(clinic.nights))
    fact = rng.choice(clinic.members)
    later = Fact(dict(fact.row), night)
    later.row.update(
        rng.choice(
            [{"credential": rng.choice(["NP", "RN", "CHW", "MD"])}, {"active_to": clinic.day()}, {"taxonomy_code": "207Q00000X"}]
        )
    )
    fact.last = night - 1
    clinic.members.append(later)
    clinic.entry(patient, 600, member=fact.row["member_id"])


def turn_long_ago_and_ahead(clinic: Clinic, patient: Patient) -> None:
    """Entries up to and beyond 24 months before the first night, and after the newest one."""
    first, newest = clinic.nights[0].replace(day=1), clinic.nights[-1]
    back = clinic.rng.choice([1, 3, 5, 5, 24, 25])
    clinic.entry(patient, 1500, clinic.at(next_month(first, -back), 12))
    clinic.entry(patient, 1500, clinic.at(newest + timedelta(days=clinic.rng.choice([0, 1, 31])), 12))


def turn_consents_on_one_day(clinic: Clinic, patient: Patient) -> None:
    """Ties: the larger consent_id, as text."""
    rng = clinic.rng
    day = patient.only("consents")["consented_on"]
    for _ in range(rng.randint(1, 2)):
        program = rng.choice(["ccm", "pcm", "apcm"])
        clinic.consent(patient, day, program, documented=rng.random() < 0.7, revoked_on=rng.choice([None, None, clinic.day()]))
    if rng.random() < 0.4:  # "K9" is larger than "K10"
        patient.facts["consents"][-1].row["consent_id"] = rng.choice(["K9z", "K1", "k1", "K-"]) + patient.patient_id
    patient.program = rng.choice(["ccm", "pcm"])


def turn_consent_given_and_taken_back_often(clinic: Clinic, patient: Patient) -> None:
    rng = clinic.rng
    patient.facts["consents"].clear()
    day = clinic.month - timedelta(days=rng.choice([95, 60, 40]))
    for _ in range(rng.randint(2, 4)):
        revoked_on = day + timedelta(days=rng.choice([0, 5, 20, 31]))
        clinic.consent(
            patient, day, rng.choice(["ccm", "ccm", "pcm", "apcm"]), revoked_on=rng.choice([revoked_on, revoked_on, None])
        )
        day = revoked_on + timedelta(days=rng.choice([0, 1, 10]))


def turn_advantage_from_the_first(clinic: Clinic, patient: Patient) -> None:
    clinic.cover(patient, "medicare_advantage", clinic.rng.choice([clinic.end, clinic.month, clinic.last]))
    patient.last_day = 28


def turn_part_b_day_by_day(clinic: Clinic, patient: Patient) -> None:
    """Part B and Advantage meet, touch and miss one another."""
    rng = clinic.rng
    part_b = clinic.coverage(patient, "medicare_part_b")
    day = clinic.day(3, 26)
    part_b["termination_date"] = day
    clinic.cover(patient, "medicare_advantage", day + timedelta(days=rng.choice([-2, 0, 1])), rng.choice([None, clinic.last]))
    if rng.random() < 0.5:
        clinic.cover(patient, "medicare_part_b", day + timedelta(days=rng.choice([1, 2])))


def turn_stays_touch(clinic: Clinic, patient: Patient) -> None:
    """One stay after another, ending on or before the last day, or on the day of death."""
    rng, day = clinic.rng, clinic.day(1, 12)
    for kind in rng.sample(["inpatient", "snf_part_a", "hospice", "assisted_living"], rng.randint(2, 3)):
        until = day + timedelta(days=rng.choice([0, 3, 8]))
        clinic.stay(patient, kind, day, until)
        day = until + timedelta(days=rng.choice([0, 1, 2]))
    if rng.random() < 0.4:
        patient.row["deceased_date"] = day
        clinic.entry(patient, 900, clinic.at(day, 23, 50))


def turn_early_in_a_month_of_two_factors(clinic: Clinic, patient: Patient) -> None:
    """In March 2024 the conversion factor changed on the 9th: the threshold day decides which one pays."""
    patient.minutes = [20, 40, 60]
    patient.first_day, patient.last_day = clinic.rng.choice([(2, 8), (2, 9), (9, 20)])
    clinic.config["service_date_policy"] = "threshold_day"


# ---- turns: what only the office's lists see


def turn_care_plan_grows_old(clinic: Clinic, patient: Patient) -> None:
    rng, newest = clinic.rng, clinic.nights[-1]
    plan = patient.only("care_plans")
    if not plan.get("care_plan_id"):
        return
    plan["established_on"] = newest - timedelta(days=rng.choice([364, 365, 366, 367, 800]))
    if rng.random() < 0.5:
        plan["last_reviewed_on"] = newest - timedelta(days=rng.choice([30, 364, 365, 366, 367]))
    if rng.random() < 0.5:
        plan["copy_given_on"] = None


def turn_outreach_goes_cold(clinic: Clinic, patient: Patient) -> None:
    rng, newest = clinic.rng, clinic.nights[-1]
    patient.minutes = []
    if rng.random() < 0.8:
        patient.facts["consents"].clear()
    for _ in range(rng.randint(1, 2)):
        outcome = rng.choice(["no_answer", "left_message", "callback", "declined"])
        clinic.reach_out(patient, newest - timedelta(days=rng.choice([29, 30, 31, 32, 60])), outcome)


def turn_nobody_called(clinic: Clinic, patient: Patient) -> None:
    patient.facts["consents"].clear()
    patient.facts["outreach"].clear()
    patient.minutes = []


def turn_enrolled_years_ago(clinic: Clinic, patient: Patient) -> None:
    _drop_services(clinic, patient)
    consented_on = date(2014, 6, 1) + timedelta(days=clinic.rng.randint(0, 3650))
    patient.only("consents")["consented_on"] = consented_on
    clinic.service(patient, "99214", consented_on - timedelta(days=clinic.rng.choice([0, 40, 365, 365, 366])), discussed=True)


def turn_call_without_length(clinic: Clinic, patient: Patient) -> None:
    start = clinic.at(clinic.day(), clinic.rng.randint(8, 16), 0)
    clinic.appointment(patient, start, clinic.rng.choice([0, 0, -15]))


TURNS: list[Turn] = [function for name, function in list(globals().items()) if name.startswith("turn_")]
# oftener: what shows only when nothing before it in the order of reasons applies
OFTEN = [
    turn_service_that_conflicts, turn_home_health_oversight, turn_hospice_oversight, turn_dialysis_month,
    turn_apcm_billed, turn_pcm_billed, *[turn_pcm, turn_apcm, turn_practitioner_time, turn_complex] * 2,
    turn_plain, turn_dies, turn_many_minutes, turn_employer_pays_first, turn_undocumented, turn_staff_overlap,
    turn_runaway, turn_visit_without_time, turn_month_edges, turn_not_counted, turn_duplicate, turn_conditions,
    turn_consent_names_another, turn_complex,
]  # fmt: skip


def population(seed: int, practices: int = 20, defects: bool = True, closing: date | None = None) -> list[Clinic]:
    """The practices of one seed. `closing`: about half of them live in that month and can be closed in the middle."""
    rng = Random(seed)
    turns: list[Turn] = []
    clinics = []
    for number in range(1, practices + 1):
        if len(turns) < 4:
            fresh = [*TURNS, *OFTEN]
            rng.shuffle(fresh)
            turns += fresh
        closes = closing if closing and rng.random() < 0.5 else None
        clinic = Clinic(rng, turns, defects, closes)
        clinics.append(clinic.name(f"s{seed}-{number:02d}", seed % 10000 * 100 + number))
    return clinics


def configure(root: Path, clinics: list[Clinic]) -> Path:
    """Writes practices.yaml; JSON is YAML, with every text quoted."""
    root.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"practices": [clinic.config for clinic in clinics]}, indent=1)
    (root / "practices.yaml").write_text(text + "\n", encoding="utf-8")
    return root


def write_home(root: Path, seed: int, practices: int = 20, defects: bool = True, closing: date | None = None) -> Path:
    """Writes practices.yaml and landing/ under root; `defects`: with rejected files and bad rows."""
    clinics = population(seed, practices, defects, closing)
    for clinic in clinics:
        clinic.write(root)
    return configure(root, clinics)


@st.composite
def clinics(draw: st.DrawFn, turns_of_each: int = 4) -> Clinic:
    """One practice, every fact of it drawn by hypothesis: fewer patients, fewer turns and plainer choices are smaller."""
    turns = draw(st.lists(st.sampled_from(TURNS), min_size=turns_of_each, max_size=turns_of_each))
    return Clinic(draw(st.randoms(use_true_random=False)), turns)


def coverage_report(opinion: Any) -> dict[str, Counter[str]]:
    """How often each value of each vocabulary occurred. Flags and reasons are of patient-months."""
    decisions = opinion.patient_month_decisions
    report = {
        "eligibility.reason": Counter(row["reason"] for row in opinion.eligibility),
        "disposition": Counter(row["disposition"] for row in opinion.minute_ledger),
        "decision": Counter(row["decision"] for row in decisions),
        "reason": Counter(row["reason"] for row in decisions),
        "flag": Counter(flag for row in decisions for flag in row["flags"]),
        "track": Counter(row["track"] for row in decisions if row["track"]),
        "alternative": Counter(item["track"] for row in decisions for item in row["alternatives"]),
        "procedure_code": Counter(row["procedure_code"] for row in opinion.claimable_codes),
        "undocumented_time.kind": Counter(row["kind"] for row in opinion.undocumented_time),
        "funnel.stage": Counter(),
    }
    for table, column in (("enrollment_status", "state"), ("worklist", "kind")):
        report[f"{table}.{column}"] = Counter(row[column] for row in getattr(opinion, table))
    report["revenue_gap.cause"] = Counter()
    for row in opinion.revenue_gap:
        report["revenue_gap.cause"][row["cause"]] += row["patients"].low
    for row in opinion.enrollment_funnel:
        report["funnel.stage"][row["stage"]] += row["patients"]
    return report


def missing_values(report: dict[str, Counter[str]], vocabularies: dict[str, list[str]]) -> list[str]:
    """Values that should have occurred and did not, as `vocabulary: value`."""
    return [f"{name}: {value}" for name, values in vocabularies.items() for value in values if not report[name][value]]
