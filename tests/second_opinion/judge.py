"""Judges landing folders by rules.md part A, second by second.

A moment is a whole second since 1970, or (entry_id, n) for the n-th second of an entry without clock times: such
moments equal no other, so a plain set union adds them up and never overlaps them.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

import yaml

from . import rules
from .calendars import (
    by_day,
    day_of,
    day_start,
    days_of_month,
    first_of_month,
    last_of_month,
    next_month,
    one_year_after,
)
from .landing import UNSEEN, Landing, Row, without_blanks
from .office import Office, Verdict
from .prices import Reference, to_cents

Moment = int | tuple[str, int]
Days = dict[Moment, date]  # each moment with its local day
PatientMonth = tuple[str, date]


@dataclass
class Opinion:
    """Rows by table of interface.md section 5, each a dict of its columns.

    `undocumented_time` has no item_id (its form is the product's own): `amount_of_patient_month` is what its
    patient-month's items share, and `split_dollars` shares it once the ids are known. The office's marts say what is
    allowed where the specification leaves it open (`office.py`).
    """

    eligibility: list[Row] = field(default_factory=list)
    minute_ledger: list[Row] = field(default_factory=list)
    patient_month_minutes: list[Row] = field(default_factory=list)
    patient_month_decisions: list[Row] = field(default_factory=list)
    claimable_codes: list[Row] = field(default_factory=list)
    undocumented_time: list[Row] = field(default_factory=list)
    enrollment_funnel: list[Row] = field(default_factory=list)
    enrollment_status: list[Row] = field(default_factory=list)
    worklist: list[Row] = field(default_factory=list)
    revenue_gap: list[Row] = field(default_factory=list)
    enrollment_projection: list[Row] = field(default_factory=list)
    row_accounting: list[Row] = field(default_factory=list)
    quarantine: list[Row] = field(default_factory=list)
    members_there: list[Row] = field(default_factory=list)  # who can be asked to do something


def evaluate(
    home: Path,
    seeds: Path,
    claimed: Iterable[tuple[str, str, date]] = (),
    until: date | None = None,
) -> Opinion:
    """Judges every practice of a home folder.

    `seeds`: a folder with the reference seeds somewhere below it. `claimed`: (practice_id, patient_id, month) that an
    earlier close claimed. `until`: ignore later nights.
    """
    opinion = Opinion()
    for judge in judges(home, Reference(seeds), claimed, until):
        judge.write(opinion)
    return opinion


def judges(
    home: Path, reference: Reference, claimed: Iterable[tuple[str, str, date]] = (), until: date | None = None
) -> "Iterator[Judge]":
    """Every practice of a home folder that has an accepted file, as `evaluate` judges it."""
    claimed = set(claimed)
    for practice in yaml.safe_load((home / "practices.yaml").read_text(encoding="utf-8"))["practices"]:
        landing = Landing(home / "landing" / practice["practice_id"], practice["time_zone"], until)
        if landing.newest_night:
            mine = {(patient, month) for name, patient, month in claimed if name == practice["practice_id"]}
            yield Judge(practice, landing, reference, mine)


@dataclass
class Entry:
    """A time entry with its computed interval. `moments`: its seconds by local day, in order."""

    row: Row
    fault: str | None  # invalid_interval or open_timer
    start: int | None  # computed; None without clock times
    end: int | None
    day: date  # where it starts, or lies when it has no start
    moments: list[tuple[date, Any]]

    @property
    def seconds(self) -> int:
        return sum(len(moments) for _, moments in self.moments)

    def __getattr__(self, name: str) -> Any:
        return self.row[name]


def is_documented(row: Row) -> bool:
    return bool(without_blanks(row["note_id"] or "")) or bool(without_blanks(row["note_text"] or ""))


def read_entry(row: Row, zone: str) -> Entry:
    start, end, duration = row["started_at"], row["ended_at"], row["duration_seconds"]
    lies_at = start if start is not None else end if end is not None else row["recorded_at"]
    day = day_of(zone, lies_at)
    if start is not None and end is not None:
        if end < start:
            return Entry(row, "invalid_interval", None, None, day, [])
    elif duration is None:
        return Entry(row, "open_timer", None, None, day, [])
    elif duration < 0:
        return Entry(row, "invalid_interval", None, None, day, [])
    elif start is not None:
        end = start + duration
    elif end is not None:
        start = end - duration
    else:
        return Entry(row, None, None, None, day, [(day, [(row["entry_id"], n) for n in range(duration)])])
    return Entry(row, None, start, end, day_of(zone, start), list(by_day(zone, start, end)))


@dataclass
class Enrollment:
    """A patient's enrollment in one month (A2)."""

    program: str
    consent: Row | None
    in_force: list[Row]
    visit_days: list[date]
    visit_only_by_colleague: bool

    @property
    def has_initiating_visit(self) -> bool:
        return bool(self.visit_days)

    @property
    def start_of_service(self) -> date | None:
        if not self.consent:
            return None
        return max([self.consent["consented_on"], *self.visit_days[:1]])


@dataclass
class Pool:
    """Moments that count: of everybody, of the billing practitioner, of everybody else."""

    everybody: Days = field(default_factory=dict)
    practitioner: Days = field(default_factory=dict)
    staff: Days = field(default_factory=dict)

    def add(self, moment: Moment, day: date, is_practitioner: bool) -> None:
        self.everybody[moment] = day
        (self.practitioner if is_practitioner else self.staff)[moment] = day

    def plus(self, *others: "Pool") -> "Pool":
        total = Pool(dict(self.everybody), dict(self.practitioner), dict(self.staff))
        for other in others:
            total.everybody.update(other.everybody)
            total.practitioner.update(other.practitioner)
            total.staff.update(other.staff)
        return total


@dataclass
class Item:
    """A piece of undocumented time."""

    kind: str
    patient_id: str
    member_id: str
    entry_id: str | None
    appointment_id: str | None
    found_on: date
    seconds: int = 0


@dataclass
class Candidate:
    track: str
    minutes: int
    codes: list[tuple[str, int]]
    is_capped: bool
    service_date: date
    unit_allowed: dict[str, Decimal | None]
    unit_national: dict[str, Decimal | None]

    def _total(self, units: dict[str, Decimal | None]) -> Decimal | None:
        total = Decimal(0)
        for code, count in self.codes:
            amount = units[code]
            if amount is None:
                return None
            total += amount * count
        return total

    @property
    def allowed(self) -> Decimal | None:
        return self._total(self.unit_allowed)

    @property
    def national(self) -> Decimal | None:
        return self._total(self.unit_national)


class Judge:
    """One practice."""

    def __init__(self, practice: Row, landing: Landing, reference: Reference, claimed: set[PatientMonth]):
        self.practice = practice
        self.zone = practice["time_zone"]
        self.landing = landing
        self.reference = reference
        self.claimed = claimed
        self.newest_night: date = landing.newest_night  # type: ignore[assignment]
        self.close = {"first_day": 3, "final_day": 20, **(practice.get("close") or {})}
        self.entries = [read_entry(row, self.zone) for _, row in sorted(landing.time_entries.items())]
        self.panel: dict[tuple[str, str], list[Row]] = {}
        self.enrollments: dict[PatientMonth, Enrollment] = {}
        self.ledger: Counter[tuple[str, date, str]] = Counter()
        self.reached: dict[PatientMonth, Pool] = defaultdict(Pool)
        self.undocumented: dict[PatientMonth, Pool] = defaultdict(Pool)
        self.unresolved: dict[PatientMonth, Pool] = defaultdict(Pool)
        self.items: dict[PatientMonth, dict[str, Item]] = defaultdict(dict)
        self.verdicts: dict[PatientMonth, Verdict] = {}
        self.months = self._months()
        self._judge_entries()
        self._judge_visits()
        self.cloned = self._cloned_notes()

    # ---- facts

    def _months(self) -> list[date]:
        first = first_of_month(self.landing.first_night)  # type: ignore[arg-type]
        days = [day for entry in self.entries for day in [entry.day, *(day for day, _ in entry.moments)]]
        if days:
            first = min(first, max(first_of_month(min(days)), next_month(first, -24)))
        months = []
        while first <= self.newest_night:
            months.append(first)
            first = next_month(first)
        return months

    def of(self, table: str, patient_id: str) -> list[Row]:
        if (table, patient_id) not in self.panel:
            self.panel[table, patient_id] = self.landing.panel_rows(table, patient_id)
        return self.panel[table, patient_id]

    def services_of(self, patient_id: str) -> list[Row]:
        return [row for row in self.landing.services.values() if row["patient_id"] == patient_id]

    def practitioner_of(self, patient_id: str) -> str:
        return self.landing.patients[patient_id]["billing_practitioner_id"]

    def credential(self, member_id: str | None) -> str | None:
        member = self.landing.members.get(member_id or "")
        return member["credential"] if member else None

    def is_covered(self, patient_id: str, types: set[str], day: date) -> bool:
        return any(
            row["coverage_type"] in types
            and row["effective_date"] <= day
            and (row["termination_date"] is None or day <= row["termination_date"])
            for row in self.of("coverages", patient_id)
        )

    def has_fee_for_service(self, patient_id: str, day: date) -> bool:
        return self.is_covered(patient_id, {"medicare_part_b"}, day) and not self.is_covered(
            patient_id, {"medicare_advantage"}, day
        )

    def is_staying(self, patient_id: str, types: set[str], day: date) -> bool:
        return any(
            row["stay_type"] in types
            and row["admitted_on"] <= day
            and (row["discharged_on"] is None or day <= row["discharged_on"])
            for row in self.of("stays", patient_id)
        )

    def is_after_death(self, patient_id: str, day: date) -> bool:
        died = self.landing.patients[patient_id]["deceased_date"]
        return died is not None and day > died

    # ---- A1

    def problem_list(self, patient_id: str, month: date) -> set[str]:
        """The codes that are active on it, as they are written there."""
        day = min(last_of_month(month), self.newest_night)
        codes: set[str] = set()
        for row in self.of("conditions", patient_id):
            listed_on = row["recorded_date"] or row["onset_date"]
            is_listed = listed_on is None or listed_on <= day
            is_resolved = row["resolved_date"] <= day if row["resolved_date"] else row["clinical_status"] == "resolved"
            if is_listed and not is_resolved:
                codes.add(row["icd10_code"])
        return codes

    def condition_groups(self, patient_id: str, month: date) -> list[str]:
        return sorted({group for code in self.problem_list(patient_id, month) for group in self.reference.chronic_groups(code)})

    def eligibility_reason(self, patient_id: str, month: date) -> str:
        seen = [night for night, ids in self.landing.snapshots.items() if patient_id in ids]
        if patient_id not in self.landing.newest_snapshot and not any(first_of_month(n) == month for n in seen):
            return "left_panel"
        return self.eligibility_by_facts(patient_id, month)

    def eligibility_by_facts(self, patient_id: str, month: date) -> str:
        """A1 but for its first step, which is about the panel."""
        days = days_of_month(month)
        if self.is_after_death(patient_id, days[0]):
            return "deceased"
        with_part_b = [day for day in days if self.is_covered(patient_id, {"medicare_part_b"}, day)]
        if not with_part_b:
            return "no_part_b"
        if all(self.is_covered(patient_id, {"medicare_advantage"}, day) for day in with_part_b):
            return "medicare_advantage"
        alive = [day for day in days if not self.is_after_death(patient_id, day)]
        if all(self.is_staying(patient_id, rules.WHOLE_MONTH_STAYS, day) for day in alive):
            return "facility_whole_month"
        if all(self.is_staying(patient_id, rules.FACILITY_STAYS, day) for day in alive):
            return "hospice"  # some day is in hospice, or the month would be facility_whole_month
        needed = rules.CONDITIONS_NEEDED[self.enrollment(patient_id, month).program]
        if len(self.condition_groups(patient_id, month)) < needed:
            return "fewer_than_two_conditions"
        return "eligible"

    # ---- A2

    def enrollment(self, patient_id: str, month: date) -> Enrollment:
        key = (patient_id, month)
        if key not in self.enrollments:
            self.enrollments[key] = self._enrollment(patient_id, month)
        return self.enrollments[key]

    def _enrollment(self, patient_id: str, month: date) -> Enrollment:
        dated = [row for row in self.of("consents", patient_id) if row["consented_on"] <= last_of_month(month)]
        in_force = [row for row in dated if row["revoked_on"] is None or row["revoked_on"] >= month]
        newest = max(in_force or dated, key=lambda row: (row["consented_on"], row["consent_id"]), default=None)
        program = newest["program"] if newest else "ccm"
        of_program = [row for row in in_force if row["program"] == program]
        documented = [row for row in of_program if row["documented"]]
        consent = max(
            documented or of_program,
            key=lambda row: (-row["consented_on"].toordinal(), row["consent_id"]),  # the oldest; ties: the larger id
            default=newest,
        )
        by_practitioner, by_colleague, at_consent = self._initiating_visits(patient_id, month, program, consent)
        return Enrollment(
            program,
            consent,
            in_force,
            sorted(by_practitioner + by_colleague + at_consent),
            bool(by_colleague) and not by_practitioner and not at_consent,
        )

    def _initiating_visits(
        self, patient_id: str, month: date, program: str, consent: Row | None
    ) -> tuple[list[date], list[date], list[date]]:
        """Dates of visits that will do: by the billing practitioner, by a colleague, and (apcm) at the consent."""
        own = [
            row
            for row in self.services_of(patient_id)
            if row["billed_by"] == "own_practice" and row["procedure_code"] != "WITHDRAWN"
        ]
        practitioner = self.practitioner_of(patient_id)
        taxonomy = (self.landing.members.get(practitioner) or {}).get("taxonomy_code")
        colleagues = {
            member_id
            for member_id, row in self.landing.members.items()
            if taxonomy and row["taxonomy_code"] == taxonomy and member_id != practitioner
        }
        consented_on = consent["consented_on"] if consent else last_of_month(month)
        earliest = consented_on - timedelta(days=rules.VISIT_WINDOW_DAYS)
        by_practitioner, by_colleague, at_consent = [], [], []
        for row in own:
            day, code = row["service_date"], row["procedure_code"]
            if code not in rules.INITIATING_VISITS or not earliest <= day <= last_of_month(month):
                continue
            is_established = code in rules.ESTABLISHED_PATIENT_VISITS or any(o["service_date"] < day for o in own)
            if not (row["ccm_discussed"] or (day <= consented_on and is_established)):
                continue
            if row["member_id"] == practitioner:
                by_practitioner.append(day)
            elif row["member_id"] in colleagues:
                by_colleague.append(day)
        if program == "apcm" and consent:
            for row in own:
                if 1 <= (consented_on - row["service_date"]).days <= rules.APCM_SEEN_WITHIN_DAYS:
                    at_consent.append(consented_on)
        return by_practitioner, by_colleague, at_consent

    # ---- A3

    def step_2(self, entry: Any, day: date) -> str | None:
        if entry["patient_id"] not in self.landing.patients:
            return "unknown_patient"
        member = self.landing.members.get(entry["member_id"])
        if not member:
            return "unknown_member"
        if (member["active_from"] and day < member["active_from"]) or (member["active_to"] and day > member["active_to"]):
            return "inactive_member"
        return None

    def step_4(self, row: Row, month: date) -> str | None:
        if row["program"] != self.enrollment(row["patient_id"], month).program:
            return "other_program"
        if self.credential(row["member_id"]) not in rules.TIME_COUNTS:
            return "nonclinical_staff"
        if " ".join(re.split(rf"[\s{UNSEEN}_-]+", row["activity"].lower())).strip() in rules.NON_COUNTABLE_ACTIVITIES:
            return "non_countable_activity"
        if row["face_to_face"]:
            return "face_to_face"
        if not is_documented(row):
            return "undocumented"
        return None

    def step_5(self, patient_id: str, day: date) -> str | None:
        month = first_of_month(day)
        enrollment = self.enrollment(patient_id, month)
        start = enrollment.start_of_service
        if start is None or day < start:
            return "before_consent"
        if not enrollment.in_force:
            return "consent_ended"
        if not self.has_fee_for_service(patient_id, day):
            return "no_coverage"
        if self.is_staying(patient_id, rules.FACILITY_STAYS, day):
            return "facility_stay"
        if self.is_after_death(patient_id, day):
            return "after_death"
        return None

    def _step_1(self) -> dict[str, str]:
        """entry_id -> the disposition of the whole entry, for those that step 1 stops."""
        stopped: dict[str, str] = {}
        for entry in self.entries:
            if entry.voided:
                stopped[entry.entry_id] = "voided"
            elif entry.fault:
                stopped[entry.entry_id] = entry.fault
            elif entry.seconds > rules.RUNAWAY_SECONDS:
                stopped[entry.entry_id] = "runaway_timer"
        for entry in self.entries:
            if entry.entry_id in stopped or entry.start is None:
                continue
            for other in self.entries:
                if (
                    other.entry_id < entry.entry_id
                    and not other.voided
                    and (other.member_id, other.patient_id, other.program, other.start, other.end)
                    == (entry.member_id, entry.patient_id, entry.program, entry.start, entry.end)
                ):
                    stopped[entry.entry_id] = "duplicate_entry"
        return stopped

    @staticmethod
    def _overlaps(entries: list[Entry]) -> dict[str, set[Moment]]:
        """member_id -> seconds in which the member has entries for more than one patient or program."""
        busy: dict[str, dict[Moment, tuple[str, str]]] = defaultdict(dict)
        found: dict[str, set[Moment]] = defaultdict(set)
        for entry in entries:
            with_whom, of_member = (entry.patient_id, entry.program), busy[entry.member_id]
            for _, moments in entry.moments:
                for moment in moments:
                    if of_member.setdefault(moment, with_whom) != with_whom:
                        found[entry.member_id].add(moment)
        return found

    def _judge_entries(self) -> None:
        stopped = self._step_1()
        survivors = [entry for entry in self.entries if entry.entry_id not in stopped]
        overlaps = self._overlaps(survivors)
        reaching: dict[str, list[tuple[Entry, date, list[Moment]]]] = defaultdict(list)
        for entry in self.entries:
            fate = stopped.get(entry.entry_id)
            if entry.seconds == 0:
                fate = fate or self.step_2(entry.row, entry.day)
                fate = fate or self.step_4(entry.row, first_of_month(entry.day))
                fate = fate or self.step_5(entry.patient_id, entry.day)
                self.ledger[entry.entry_id, first_of_month(entry.day), fate or "credited"] += 0
                if fate == "open_timer" and entry.patient_id in self.landing.patients:
                    self._item("open_timer", entry.row, first_of_month(entry.day), 0)
                continue
            for day, moments in entry.moments:
                month = first_of_month(day)
                if fate:
                    self.ledger[entry.entry_id, month, fate] += len(moments)
                    if fate == "runaway_timer" and self._would_count(entry.row, day):
                        self._add(self.unresolved, entry.row, month, moments, day)
                    continue
                later = self.step_2(entry.row, day)
                if later:
                    self.ledger[entry.entry_id, month, later] += len(moments)
                    continue
                overlapping = overlaps[entry.member_id]
                in_overlap = [moment for moment in moments if moment in overlapping]
                alone = [moment for moment in moments if moment not in overlapping]
                if in_overlap:
                    self.ledger[entry.entry_id, month, "staff_overlap"] += len(in_overlap)
                    if self._would_count(entry.row, day):
                        self._add(self.unresolved, entry.row, month, in_overlap, day)
                if not alone:
                    continue
                barred_4 = self.step_4(entry.row, month)
                barred_5 = self.step_5(entry.patient_id, day)
                if barred_4 or barred_5:
                    self.ledger[entry.entry_id, month, barred_4 or barred_5] += len(alone)
                    if barred_4 == "undocumented" and not barred_5:
                        self._add(self.undocumented, entry.row, month, alone, day)
                        self._item("missing_note", entry.row, month, len(alone))
                else:
                    reaching[entry.patient_id].append((entry, day, alone))
        for pieces in reaching.values():
            self._step_6(pieces)

    def _step_6(self, pieces: list[tuple[Entry, date, list[Moment]]]) -> None:
        """Pieces of one patient: each second goes to the entry that started first."""
        counted: set[Moment] = set()

        def age(piece: tuple[Entry, date, list[Moment]]) -> tuple[float, str]:
            start = piece[0].start
            return (float("inf") if start is None else start, piece[0].entry_id)

        for entry, day, moments in sorted(pieces, key=age):
            month = first_of_month(day)
            for moment in moments:
                fate = "concurrent" if moment in counted else "credited"
                self.ledger[entry.entry_id, month, fate] += 1
            counted.update(moments)
            self._add(self.reached, entry.row, month, moments, day)

    def _would_count(self, row: Row, day: date) -> bool:
        return not (self.step_2(row, day) or self.step_4(row, first_of_month(day)) or self.step_5(row["patient_id"], day))

    def _add(self, pools: dict[PatientMonth, Pool], row: Row, month: date, moments: Iterable[Moment], day: date) -> None:
        is_practitioner = row["member_id"] == self.practitioner_of(row["patient_id"])
        for moment in moments:
            pools[row["patient_id"], month].add(moment, day, is_practitioner)

    # ---- undocumented time

    def _item(self, kind: str, row: Row, month: date, seconds: int) -> None:
        entry_id, appointment_id = row.get("entry_id"), row.get("appointment_id")
        items = self.items[row["patient_id"], month]
        key = f"{kind} {entry_id or appointment_id}"
        if key not in items:
            found_on = self._found_on(kind, row)
            items[key] = Item(kind, row["patient_id"], row["member_id"], entry_id, appointment_id, found_on)
        items[key].seconds += seconds

    def _found_on(self, kind: str, row: Row) -> date:
        """The first night whose accepted row, taken by itself, was already of the kind."""
        if kind == "visit_without_time":
            versions = self.landing.appointment_versions[row["appointment_id"]]
            return min(night for night, old in versions if is_completed_call(old))
        nights = []
        for night, old in self.landing.time_entry_versions[row["entry_id"]]:
            fault = read_entry(old, self.zone).fault
            is_so = fault == "open_timer" if kind == "open_timer" else fault is None and not is_documented(old)
            if is_so and not old["voided"]:
                nights.append(night)
        return min(nights)

    def _judge_visits(self) -> None:
        worked = {(entry.patient_id, entry.member_id, entry.day) for entry in self.entries if not entry.voided}
        for _, row in sorted(self.landing.appointments.items()):
            if not is_completed_call(row):
                continue
            day = day_of(self.zone, row["scheduled_start"])
            if (row["patient_id"], row["member_id"], day) in worked:
                continue
            # Without length it is still a call that nobody wrote down.
            for piece_day, moments in list(by_day(self.zone, row["scheduled_start"], row["scheduled_end"])) or [(day, [])]:
                if (
                    self.step_2(row, piece_day)
                    or self.credential(row["member_id"]) not in rules.TIME_COUNTS
                    or self.step_5(row["patient_id"], piece_day)
                ):
                    continue
                month = first_of_month(piece_day)
                self._add(self.undocumented, row, month, moments, piece_day)
                self._item("visit_without_time", row, month, len(moments))

    # ---- A5

    def conflicts(self, patient_id: str, month: date) -> tuple[set[str], bool]:
        """The reasons that services of the month give, and whether another's service asks for a review."""
        found = [reason for _, reason in self.conflicts_by_service(patient_id, month)]
        return {reason for reason in found if reason}, None in found

    def conflicts_by_service(self, patient_id: str, month: date) -> Iterator[tuple[Row, str | None]]:
        """Services of the month with the reasons that each gives; without one where it asks for a review."""
        practitioner = self.practitioner_of(patient_id)
        program = self.enrollment(patient_id, month).program
        claimed_here = rules.CLAIMED_AGAIN[program]
        claimed_elsewhere = {"ccm": rules.CCM_CODES, "pcm": set(), "apcm": rules.APCM_CODES}[program]
        for row in self.services_of(patient_id):
            if first_of_month(row["service_date"]) != month:
                continue
            code = row["procedure_code"]
            is_own = row["billed_by"] == "own_practice"
            is_practitioner = is_own and row["member_id"] == practitioner
            if is_own and code in claimed_here:
                yield row, "already_claimed"
            if not is_own and code in claimed_elsewhere:
                yield row, "other_practitioner_billed"
            for codes, reason in (
                ({"G0181"}, "conflict_g0181"),
                ({"G0182"}, "conflict_g0182"),
                (rules.ESRD_CODES, "conflict_esrd"),
            ):
                if code in codes:
                    yield row, reason if is_practitioner else None
            if code in rules.APCM_CODES and program != "apcm":
                yield row, "conflict_apcm" if is_own else None
            if code in rules.PCM_CODES and program == "ccm" and is_practitioner:
                yield row, "conflict_pcm"

    # ---- A6, A7

    def is_complex(self, patient_id: str, month: date) -> bool:
        return any(
            row["mdm_level"] in rules.COMPLEX_LEVELS
            and row["member_id"] == self.practitioner_of(patient_id)
            and first_of_month(row["assessed_on"]) == month
            for row in self.of("assessments", patient_id)
        )

    def is_qmb(self, patient_id: str, month: date) -> bool:
        return any(self.is_covered(patient_id, {"qmb"}, day) for day in days_of_month(month))

    def is_service_day(self, patient_id: str, day: date) -> bool:
        return (
            not self.is_after_death(patient_id, day)
            and self.has_fee_for_service(patient_id, day)
            and not self.is_staying(patient_id, rules.FACILITY_STAYS, day)
        )

    def candidates(self, patient_id: str, month: date, pool: Pool) -> list[Candidate]:
        program = self.enrollment(patient_id, month).program
        if program == "apcm":
            return self._apcm(patient_id, month)
        tracks = {"ccm": [("ccm", pool.everybody), ("ccm_practitioner", pool.practitioner)]}.get(
            program, [("pcm", pool.everybody), ("pcm_practitioner", pool.practitioner)]
        )
        if program == "ccm" and self.is_complex(patient_id, month):
            tracks = [("ccm_complex", pool.everybody), *tracks]
        found = []
        for track, moments in tracks:
            base, base_minutes, add_on, step, cap = rules.band(track, last_of_month(month))
            minutes = len(moments) // 60
            if minutes < base_minutes:
                continue
            wanted = (minutes - base_minutes) // step
            units = min(wanted, cap)
            codes = [(base, 1)] + ([(add_on, units)] if units else [])
            service_date = last_of_month(month)
            by_threshold = self.practice.get("service_date_policy", "month_end") == "threshold_day"
            if by_threshold or not self.is_service_day(patient_id, service_date):
                service_date = day_reached(moments, (base_minutes + units * step) * 60)
            found.append(self._priced(patient_id, track, minutes, codes, wanted > cap, service_date))
        return found

    def _apcm(self, patient_id: str, month: date) -> list[Candidate]:
        if month < rules.APCM_SINCE:
            return []
        start = self.enrollment(patient_id, month).start_of_service or month
        days = [day for day in days_of_month(month) if day >= start and self.is_service_day(patient_id, day)]
        if not days:
            return []
        level = "G0556"
        if len(self.condition_groups(patient_id, month)) >= 2:
            level = "G0558" if self.is_qmb(patient_id, month) else "G0557"
        return [self._priced(patient_id, "apcm", 0, [(level, 1)], False, days[-1])]

    def _priced(
        self,
        patient_id: str,
        track: str,
        minutes: int,
        codes: list[tuple[str, int]],
        is_capped: bool,
        service_date: date,
    ) -> Candidate:
        credential = self.credential(self.practitioner_of(patient_id))

        def units(national: bool) -> dict[str, Decimal | None]:
            return {code: self.reference.unit_allowed(self.practice, credential, code, service_date, national) for code, _ in codes}

        return Candidate(track, minutes, codes, is_capped, service_date, units(False), units(True))

    def choose(self, found: list[Candidate]) -> Candidate | None:
        by_track = {candidate.track: candidate for candidate in found}
        if not found:
            return None
        if self.practice.get("track_policy", "documented") == "highest_allowed":
            ties = ["ccm_complex", "ccm", "ccm_practitioner", "pcm_practitioner", "pcm", "apcm"]

            def worth(candidate: Candidate) -> Decimal:
                return candidate.allowed or Decimal(0)
        else:
            if "ccm_complex" in by_track:
                return by_track["ccm_complex"]
            ties = ["ccm_practitioner", "ccm", "pcm_practitioner", "pcm", "apcm"]

            def worth(candidate: Candidate) -> Decimal:
                return candidate.national or Decimal(0)

        return max(found, key=lambda candidate: (worth(candidate), -ties.index(candidate.track)))

    # ---- the decision

    def gate(self, patient_id: str, month: date, chosen: Candidate | None) -> str | None:
        """The first reason, minutes aside, that keeps a patient-month from being claimed."""
        reason = self.eligibility_reason(patient_id, month)
        if reason != "eligible":
            return reason
        for reason in self.findings(patient_id, month):
            return reason
        service_date = chosen.service_date if chosen else last_of_month(month)
        if self.newest_night > one_year_after(service_date):
            return "timely_filing"
        return None

    def findings(self, patient_id: str, month: date) -> Iterator[str]:
        """All that bars the claim by A2, A5 and A7, in the order of the reasons."""
        enrollment = self.enrollment(patient_id, month)
        if not enrollment.has_initiating_visit:
            yield "no_initiating_visit"
        if not enrollment.consent:
            yield "no_consent"
        else:
            if not enrollment.consent["documented"]:
                yield "consent_undocumented"
            if not enrollment.in_force:
                yield "consent_revoked"
        if not any(row["established_on"] <= last_of_month(month) for row in self.of("care_plans", patient_id)):
            yield "no_care_plan"
        member = self.landing.members.get(self.practitioner_of(patient_id))
        on_the_team = self.landing.is_on_the_team(self.practitioner_of(patient_id), month)
        if not member or not on_the_team or member["credential"] not in rules.MAY_BILL or not is_npi(member["npi"]):
            yield "practitioner_not_eligible"
        if any(
            row["coverage_type"] == "commercial"
            and row["priority"] == 1
            and row["effective_date"] <= last_of_month(month)
            and (row["termination_date"] is None or row["termination_date"] >= max(month, row["effective_date"]))
            for row in self.of("coverages", patient_id)
        ):
            yield "medicare_secondary"
        conflicts, _ = self.conflicts(patient_id, month)
        yield from (reason for reason in rules.DECISION_REASONS if reason in conflicts)

    def decide(self, patient_id: str, month: date) -> tuple[str, str, Candidate | None, list[Candidate]]:
        """decision, reason, chosen track and all candidates."""
        key = (patient_id, month)
        pool = self.reached[key]
        found = self.candidates(patient_id, month, pool)
        chosen = self.choose(found)
        if key in self.claimed:
            return "claimed", "already_claimed", chosen, found
        barred = self.gate(patient_id, month, chosen)
        if barred:
            return "not_claimable", barred, None, []
        if self.newest_night < next_month(month) + timedelta(days=self.close["final_day"] - 1):
            with_notes = pool.plus(self.undocumented[key])
            for reason, total in (
                ("undocumented_time", with_notes),
                ("unresolved_time", with_notes.plus(self.unresolved[key])),
            ):
                other = self.choose(self.candidates(patient_id, month, total))
                if (other.codes if other else []) != (chosen.codes if chosen else []):
                    return "held", reason, chosen, found
        if not chosen:
            return "not_claimable", "below_threshold", None, []
        if self.newest_night <= last_of_month(month):
            return "held", "month_open", chosen, found
        return "claimable", "ok", chosen, found

    def at_stake(self, patient_id: str, month: date, allowed: Decimal | None) -> Decimal:
        """What the patient-month would be worth with its undocumented time credited, less what it is worth."""
        key = (patient_id, month)
        other = self.choose(self.candidates(patient_id, month, self.reached[key].plus(self.undocumented[key])))
        is_barred = key not in self.claimed and self.gate(patient_id, month, other)
        worth = Decimal(0) if is_barred or not other else other.allowed
        return (worth or Decimal(0)) - (allowed or Decimal(0))

    # ---- flags

    def _credited_entries(self) -> Iterator[tuple[Entry, date]]:
        for entry in self.entries:
            for month in {first_of_month(day) for day, _ in entry.moments}:
                if self.ledger[entry.entry_id, month, "credited"] > 0:
                    yield entry, month

    def _cloned_notes(self) -> set[PatientMonth]:
        entries_with: dict[tuple[date, str], list[str]] = defaultdict(list)  # month and note -> patient of each entry
        for entry, month in self._credited_entries():
            if without_blanks(entry.note_text or ""):
                note = sha256(entry.note_text.encode()).hexdigest()
                entries_with[month, note].append(entry.patient_id)
        return {
            (patient_id, month)
            for (month, _), patients in entries_with.items()
            for patient_id in patients
            if len(set(patients)) >= 2 or patients.count(patient_id) > 2
        }

    def flags(self, patient_id: str, month: date, chosen: Candidate | None) -> set[str]:
        flags = set()
        enrollment = self.enrollment(patient_id, month)
        minutes = len(self.reached[patient_id, month].everybody) // 60
        for entry in self.entries:
            if entry.patient_id != patient_id:
                continue
            for disposition, flag in rules.FLAG_OF_DISPOSITION.items():
                if self.ledger.get((entry.entry_id, month, disposition), 0) > 0:
                    flags.add(flag)
            if (entry.entry_id, month, "open_timer") in self.ledger:
                flags.add("open_timer")
        month_starts = day_start(self.zone, month)
        month_ends = day_start(self.zone, next_month(month))
        for entry, credited_in in self._credited_entries():
            if entry.patient_id != patient_id or credited_in != month:
                continue
            if entry.recorded_at >= month_ends:
                flags.add("late_entry")
            if entry.start is None:
                flags.add("no_clock_times")
            elif entry.start < month_starts < entry.end or entry.start < month_ends < entry.end:
                flags.add("month_split")
        if (patient_id, month) in self.cloned:
            flags.add("cloned_note")
        month_end = last_of_month(month)
        if enrollment.program == "ccm" and 15 <= minutes < rules.band("ccm", month_end)[1]:
            flags.add("near_threshold")
        if enrollment.program == "ccm" and minutes < rules.band("ccm_complex", month_end)[1] and self.is_complex(patient_id, month):
            flags.add("complex_below_60")
        if chosen and chosen.is_capped:
            flags.add("units_capped")
        consent = enrollment.consent
        if consent and consent["revoked_on"] and first_of_month(consent["revoked_on"]) == month:
            flags.add("revoked_this_month")
        if consent and consent["billing_practitioner_id"] not in (None, self.practitioner_of(patient_id)):
            flags.add("consent_other_practitioner")
        if enrollment.visit_only_by_colleague:
            flags.add("initiating_visit_by_colleague")
        if any(self.is_staying(patient_id, rules.REVIEW_STAYS, day) for day in days_of_month(month)):
            flags.add("facility_review")
        if self.is_qmb(patient_id, month):
            flags.add("qmb_no_cost_share")
        if self.conflicts(patient_id, month)[1]:
            flags.add("other_practitioner_overlap_review")
        return flags

    # ---- the tables

    def write(self, opinion: Opinion) -> None:
        practice_id = self.practice["practice_id"]
        by_id = {entry.entry_id: entry for entry in self.entries}
        for (entry_id, month, disposition), seconds in sorted(self.ledger.items()):
            if seconds == 0 and by_id[entry_id].seconds > 0:
                continue  # only looked up
            opinion.minute_ledger.append(
                {
                    "practice_id": practice_id,
                    "entry_id": entry_id,
                    "month": month,
                    "disposition": disposition,
                    "patient_id": by_id[entry_id].patient_id,
                    "member_id": by_id[entry_id].member_id,
                    "program": by_id[entry_id].program,
                    "seconds": seconds,
                }
            )
        for month in self.months:
            furthest = [
                self._write_patient_month(opinion, {"practice_id": practice_id, "patient_id": patient_id, "month": month})
                for patient_id in sorted(self.landing.patients)
            ]
            before = None
            for number, stage in enumerate(rules.STAGES, 1):
                patients = sum(reached >= number for reached in furthest)
                opinion.enrollment_funnel.append(
                    {
                        "practice_id": practice_id,
                        "month": month,
                        "stage_number": number,
                        "stage": stage,
                        "patients": patients,
                        "share_of_previous": Decimal(patients) / before if before else None,
                    }
                )
                before = patients
        Office(self, self.verdicts).write(opinion)
        opinion.row_accounting += [{"practice_id": practice_id, **row} for row in self.landing.accounts()]
        opinion.quarantine += [
            {"practice_id": practice_id, "extract_date": night, "table_name": table, "line_number": line}
            for (table, night), file in self.landing.landed.items()
            for line in file.bad_lines
        ]

    def _write_patient_month(self, opinion: Opinion, key: Row) -> int:
        """Adds a patient-month's rows; returns the number of the furthest funnel stage it reached."""
        patient_id, month = key["patient_id"], key["month"]
        enrollment = self.enrollment(patient_id, month)
        eligibility = self.eligibility_reason(patient_id, month)
        groups = self.condition_groups(patient_id, month)
        opinion.eligibility.append(
            {
                **key,
                "is_eligible": eligibility == "eligible",
                "reason": eligibility,
                "chronic_condition_count": len(groups),
                "condition_groups": groups,
                "has_initiating_visit": enrollment.has_initiating_visit,
            }
        )
        pool = self.reached[patient_id, month]
        minutes = len(pool.everybody) // 60
        opinion.patient_month_minutes.append(
            {
                **key,
                "logged_seconds": self._logged_seconds(patient_id, month),
                "credited_seconds": len(pool.everybody),
                "staff_seconds": len(pool.staff),
                "practitioner_seconds": len(pool.practitioner),
                "credited_minutes": minutes,
                "minutes_to_next_unit": minutes_to_next_unit(enrollment.program, minutes, last_of_month(month)),
            }
        )
        decision, reason, chosen, found = self.decide(patient_id, month)
        allowed = chosen.allowed if chosen else Decimal(0)
        opinion.patient_month_decisions.append(
            {
                **key,
                "decision": decision,
                "reason": reason,
                "flags": self.flags(patient_id, month, chosen),
                "track": chosen.track if chosen else None,
                "alternatives": [
                    {
                        "track": candidate.track,
                        "minutes": candidate.minutes,
                        "codes": [{"code": code, "units": units} for code, units in candidate.codes],
                        "allowed_amount": candidate.allowed,
                    }
                    for candidate in sorted(found, key=lambda candidate: candidate is not chosen)
                ],
                "allowed_amount": allowed,
            }
        )
        if chosen:
            self._write_codes(opinion, key, decision, chosen)
        self._write_items(opinion, key, self.at_stake(patient_id, month, allowed))
        stage = self._furthest_stage(patient_id, month, eligibility, decision, reason)
        self.verdicts[patient_id, month] = Verdict(eligibility, decision, reason, chosen, stage)
        return stage

    def _logged_seconds(self, patient_id: str, month: date) -> int:
        return sum(
            len(moments)
            for entry in self.entries
            if entry.patient_id == patient_id and not entry.voided
            for day, moments in entry.moments
            if first_of_month(day) == month
        )

    def _write_codes(self, opinion: Opinion, key: Row, decision: str, chosen: Candidate) -> None:
        fees = {str(code): Decimal(str(fee)) for code, fee in (self.practice.get("charges") or {}).items()}
        for code, units in chosen.codes:
            unit = chosen.unit_allowed[code]
            fee = fees.get(code, to_cents(unit * Decimal("1.5")) if unit is not None else None)
            allowed = unit * units if unit is not None else None
            opinion.claimable_codes.append(
                {
                    **key,
                    "procedure_code": code,
                    "decision": decision,
                    "units": units,
                    "minutes_used": chosen.minutes,
                    "service_date": chosen.service_date,
                    "billing_practitioner_id": self.practitioner_of(key["patient_id"]),
                    "allowed_amount": allowed,
                    "expected_payment": to_cents(allowed * Decimal("0.80") * Decimal("0.98")) if allowed is not None else None,
                    "charge_amount": fee * units if fee is not None else None,
                }
            )

    def _write_items(self, opinion: Opinion, key: Row, amount: Decimal) -> None:
        due_on = next_month(key["month"]) + timedelta(days=self.close["first_day"] - 2)
        items = [item for _, item in sorted(self.items[key["patient_id"], key["month"]].items())]
        shares = split_dollars(amount, [item.seconds // 60 for item in items])
        for item, share in zip(items, shares, strict=True):
            opinion.undocumented_time.append(
                {
                    **key,
                    "member_id": item.member_id,
                    "kind": item.kind,
                    "entry_id": item.entry_id,
                    "appointment_id": item.appointment_id,
                    "minutes": item.seconds // 60,
                    "dollars_at_stake": share,
                    "found_on": item.found_on,
                    "due_on": due_on,
                    "amount_of_patient_month": amount,
                }
            )

    def _furthest_stage(self, patient_id: str, month: date, eligibility: str, decision: str, reason: str) -> int:
        enrollment = self.enrollment(patient_id, month)
        month_ends = day_start(self.zone, next_month(month))
        tests = [
            eligibility not in ("left_panel", "deceased"),
            eligibility not in ("no_part_b", "medicare_advantage"),
            eligibility == "eligible",
            enrollment.consent is not None
            or any(row["outcome"] in rules.ANSWERS and row["attempted_at"] < month_ends for row in self.of("outreach", patient_id)),
            any(row["documented"] for row in enrollment.in_force) and enrollment.has_initiating_visit,
            any(row["established_on"] <= last_of_month(month) for row in self.of("care_plans", patient_id)),
            enrollment.program == "apcm" or bool(self.reached[patient_id, month].everybody),
            decision in ("claimable", "claimed") or reason == "month_open",
            decision == "claimed",
        ]
        return [*tests, False].index(False)


def is_completed_call(row: Row) -> bool:
    return row["visit_type"] == "ccm_call" and row["status"] == "completed"


def is_npi(npi: str | None) -> bool:
    """Ten digits, the first a 1 or a 2, with the Luhn check digit of 80840 + NPI."""
    if not npi or len(npi) != 10 or not (npi.isascii() and npi.isdigit()) or npi[0] not in "12":
        return False
    total = 0
    for place, digit in enumerate(reversed("80840" + npi)):
        value = int(digit) * (2 if place % 2 else 1)
        total += value // 10 + value % 10
    return total % 10 == 0


def day_reached(moments: Days, seconds: int) -> date:
    """The local day on which that many seconds were reached."""
    return sorted(moments.values())[seconds - 1]


def minutes_to_next_unit(program: str, minutes: int, day: date) -> int | None:
    """On the last day of the month."""
    if program not in rules.STAFF_TRACK:
        return None
    _, base, _, step, cap = rules.band(rules.STAFF_TRACK[program], day)
    return next((base + n * step - minutes for n in range(cap + 1) if base + n * step > minutes), None)


def split_dollars(amount: Decimal, minutes: list[int]) -> list[Decimal]:
    """Shares by minutes in whole cents (toward zero); the remainder goes to the first. Order: by item_id."""
    if not minutes:
        return []
    total = sum(minutes)
    cents = int(amount * 100)
    size = abs(cents)
    sign = -1 if cents < 0 else 1
    shares = [sign * (size * part // total if total else 0) for part in minutes]
    shares[0] += cents - sum(shares)
    return [Decimal(share) / 100 for share in shares]
