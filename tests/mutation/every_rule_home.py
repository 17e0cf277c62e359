"""Landing folders with a patient-month for every row of every rule seed, made from the rows' own keys.

What a case should come to is not said here: the second opinion says it (`tests/second_opinion`), which types the rules a second
time. So a new row of a conflict, a visit code, a credential gets its case by itself, and is red until the second opinion knows it.
Seeds whose rows name a situation instead of a code (reasons, dispositions, limits) have a function for each name; a name without
one is an error here.

Two homes: `write_rule_home` holds what decides (seeds/rules, conversion factors, facility places), small enough for the suite;
`write_figure_home` holds the long reference seeds (condition codes, RVUs, GPCIs).
"""

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from tests.properties.strategies import COLUMNS, PANEL, cell, next_month, npi

Rule = dict[str, str]

MONTH = date(2026, 10, 1)  # where a rule in force has its case
MONTHS_HELD = 24  # interface.md section 5
CHRONIC = ["I10", "E11.9", "J44.9"]  # three groups
PLACE = ("06102", "IL", "99")
DOCTOR, COLLEAGUE, STRANGER, NURSE = "DR1", "DR2", "DR3", "RN1"
FAMILY_MEDICINE, INTERNAL_MEDICINE = "207Q00000X", "207R00000X"
ADMITTED, DISCHARGED = 5, 9  # days of the month
CODES_OF_A_PATIENT = 60  # at most: as many changes does it take to take each away once (mutate.py)


def read_seed(seeds: Path, name: str) -> list[Rule]:
    """Rows of one seed, every value as text."""
    (path,) = seeds.rglob(f"{name}.csv")
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


def month_for(row: Rule) -> date:
    """A month on whose last day the row is in force: MONTH, the last one before the row ended, or the one in which it begins."""
    month = MONTH
    begins = row.get("effective_from") or "0001-01-01"
    while begins > (next_month(month) - timedelta(days=1)).isoformat():
        month = next_month(month)
    ends = row.get("effective_to") or "9999-12-31"
    while (next_month(month) - timedelta(days=1)).isoformat() > ends:
        month = next_month(month, -1)
    if begins > (next_month(month) - timedelta(days=1)).isoformat():
        raise AssertionError(f"no month on whose last day this row is in force: {row}")
    return month


class Office:
    """One practice and one month of its work. `nights`: when extracts came (default: on the second, and after the final day to close)."""

    def __init__(self, number: int, name: str, month: date, nights: list[date] | None, place: tuple[str, str, str], settings: Rule):
        self.month = month
        self.last = next_month(month) - timedelta(days=1)
        self.nights = nights or [month + timedelta(days=1), next_month(month) + timedelta(days=24)]
        mac, state, locality = place
        zone = settings.pop("time_zone", "America/Chicago")
        self.zone = ZoneInfo(zone)
        # One a practice: nobody is a patient of two.
        self.mbi = f"1EG{number // 1000}TE{number // 100 % 10}MK{number % 100:02}"
        self.config: dict[str, Any] = {
            "practice_id": name,
            "name": f"Every Rule {number}",
            "npi": npi(70000000 + number),
            "tax_id": f"{200000000 + number}",
            "taxonomy_code": FAMILY_MEDICINE,
            "address": {"line1": "1 Main St", "city": "Town", "state": state, "postal_code": "627010001"},
            "phone": f"217555{number:04d}",
            "time_zone": zone,
            "place_of_service": "11",
            "mac": mac,
            "locality": locality,
            "submitter_id": f"ER{number:05d}",
            "receiver": {"id": mac, "name": "MEDICARE CONTRACTOR"},
            "payer": {"id": mac, "name": "MEDICARE PART B"},
            **settings,
        }
        self.rows: dict[str, list[dict[str, Any]]] = {table: [] for table in COLUMNS}
        self.gone_from: dict[str, int] = {}  # patient -> number of the first night without them
        self.free_from: dict[tuple[str, int], int] = {}  # member and day of the month -> instant
        self.member(DOCTOR, "MD", FAMILY_MEDICINE)
        self.member(COLLEAGUE, "MD", FAMILY_MEDICINE)
        self.member(STRANGER, "MD", INTERNAL_MEDICINE)
        self.member(NURSE, "RN")

    # ---- facts

    def add(self, table: str, **values: Any) -> dict[str, Any]:
        """A row of an extract; its id, where it has one, is its running number."""
        row = dict(values)
        if COLUMNS[table][0] not in row:
            row[COLUMNS[table][0]] = f"{table[:3]}{len(self.rows[table]) + 1:05d}"
        self.rows[table].append(row)
        return row

    def day(self, number: int) -> date:
        return self.month + timedelta(days=number - 1)

    def member(self, member_id: str, credential: str, taxonomy: str | None = None, **values: Any) -> str:
        number = npi(60000000 + int(self.config["tax_id"]) % 10000 * 100 + len(self.rows["care_team"]))
        row = {"name": f"Kim, {member_id}", "credential": credential, "npi": number, "taxonomy_code": taxonomy, **values}
        self.add("care_team", member_id=member_id, **row)
        return member_id

    def patient(
        self,
        case: str,
        program: str = "ccm",
        *,
        doctor: str = DOCTOR,
        conditions: Iterable[str] = tuple(CHRONIC[:2]),
        visit: str | None = "99214",
        consented_on: date | None = None,
        has_consent: bool = True,
        has_care_plan: bool = True,
        has_part_b: bool = True,
        **values: Any,
    ) -> str:
        """A patient of whom only the case's own time and facts are still to come. The case is the patient's id."""
        patient_id = "".join(ch if ch.isalnum() else "-" for ch in case).lower()
        consented_on = consented_on or self.month - timedelta(days=40)
        self.add(
            "patients", patient_id=patient_id, first_name="Ada", last_name="Case", birth_date="1941-05-06", sex="F",
            address_line1="2 Oak Ave", city="Town", state=self.config["address"]["state"], postal_code="627010001",
            billing_practitioner_id=doctor, **values,
        )  # fmt: skip
        if has_part_b:
            self.cover(patient_id, "medicare_part_b", member_id=self.mbi)
        for code in conditions:
            self.add("conditions", patient_id=patient_id, icd10_code=code, clinical_status="active", recorded_date="2020-05-01")
        if visit:
            self.service(patient_id, visit, consented_on, member=doctor)
        if has_consent:
            self.add(
                "consents", patient_id=patient_id, program=program, consented_on=consented_on, method="written", documented=True
            )
        if has_care_plan:
            self.add("care_plans", patient_id=patient_id, established_on=consented_on, copy_given_on=consented_on)
        return patient_id

    def cover(self, patient_id: str, kind: str, start: Any = "2019-01-01", end: Any = None, **values: Any) -> None:
        self.rows["coverages"].append(
            {"patient_id": patient_id, "coverage_type": kind, "effective_date": start, "termination_date": end, **values}
        )

    def only(self, table: str, patient_id: str) -> dict[str, Any]:
        """The patient's one row of a table, to be changed."""
        (row,) = (row for row in self.rows[table] if row["patient_id"] == patient_id)
        return row

    def service(self, patient_id: str, code: str, day: date, member: str | None = DOCTOR, discussed: bool | None = None) -> None:
        billed_by = "own_practice" if member else "other_practice"
        self.add(
            "services", patient_id=patient_id, member_id=member, procedure_code=code, service_date=day, units=1,
            billed_by=billed_by, ccm_discussed=discussed,
        )  # fmt: skip

    def stay(self, patient_id: str, kind: str, start: date, end: date | None) -> None:
        self.add("stays", patient_id=patient_id, stay_type=kind, admitted_on=start, discharged_on=end)

    def assess(self, patient_id: str, level: str) -> None:
        self.add("assessments", patient_id=patient_id, assessed_on=self.day(6), mdm_level=level, member_id=DOCTOR)

    def reach_out(self, patient_id: str, outcome: str) -> None:
        self.add(
            "outreach",
            patient_id=patient_id,
            attempted_at=f"{self.day(3)}T10:00:00",
            channel="phone",
            outcome=outcome,
            member_id=NURSE,
        )

    # ---- time

    def instant(self, day: date, hour: int = 0, minute: int = 0) -> int:
        return int(datetime(day.year, day.month, day.day, hour, minute, tzinfo=self.zone).timestamp())

    def free(self, member: str, seconds: int, day: int | None) -> int:
        """The next instant at which the member has that long for one patient: members are never with two at once."""
        for number in [day] if day else range(10, 28):
            start = self.free_from.get((member, number), self.instant(self.day(number), 7))
            if day or start + seconds <= self.instant(self.day(number), 21):
                self.free_from[member, number] = start + seconds + 60
                return start
        raise AssertionError(f"{self.config['practice_id']}: {member} has no hour left; spread the cases over more offices")

    def time(
        self,
        patient_id: str,
        minutes: float,
        member: str = NURSE,
        *,
        day: int | None = None,
        start: int | None = None,
        has_note: bool = True,
        **values: Any,
    ) -> dict[str, Any]:
        """Time entries of that length in sum, none over two hours unless it says when it starts; the last is given."""
        seconds = round(minutes * 60)
        while start is None and seconds > 7200:
            self.time(patient_id, 120, member, day=day, has_note=has_note, **values)
            seconds -= 7200
        begins = self.free(member, seconds, day) if start is None else start
        program = next((row["program"] for row in self.rows["consents"] if row["patient_id"] == patient_id), "ccm")
        return self.add(
            "time_entries",
            **{
                "patient_id": patient_id, "member_id": member, "program": "ccm" if program == "apcm" else program,
                "activity": "care coordination", "started_at": utc(begins), "ended_at": utc(begins + seconds),
                "entry_method": "timer", "face_to_face": False, "note_id": f"N{begins}" if has_note else None,
                "recorded_at": utc(begins + seconds), "voided": False, **values,
            },
        )  # fmt: skip

    # ---- files

    def write(self, home: Path) -> None:
        for number, night in enumerate(self.nights):
            folder = home / "landing" / self.config["practice_id"] / night.isoformat()
            folder.mkdir(parents=True)
            for table, rows in self.rows.items():
                if night != self.nights[-1] and table != "patients":
                    continue  # earlier nights say who was there
                here = [row for row in rows if number < self.gone_from.get(row.get("patient_id", ""), len(self.nights))]
                if table not in PANEL:
                    here = [{**row, "updated_at": f"{night}T01:00:00Z"} for row in here]
                if here or table == "patients":
                    (folder / f"{table}.csv").write_text(as_csv(table, here), encoding="utf-8")


def utc(moment: int) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def as_csv(table: str, rows: list[dict[str, Any]]) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS[table])
    writer.writerows([cell(row.get(column)) for column in COLUMNS[table]] for row in rows)
    return text.getvalue()


class Home:
    """The offices of one home, and the seeds their cases are made from."""

    def __init__(self, seeds: Path):
        self.seeds = seeds
        self.offices: dict[str, Office] = {}

    def seed(self, name: str) -> list[Rule]:
        return read_seed(self.seeds, name)

    def office(
        self,
        name: str,
        month: date = MONTH,
        nights: list[date] | None = None,
        place: tuple[str, str, str] = PLACE,
        **settings: Any,
    ) -> Office:
        """The office of that name and month, opened the first time it is asked for."""
        key = name if month == MONTH else f"{name}-{month:%Y-%m}"
        if key not in self.offices:
            self.offices[key] = Office(len(self.offices) + 1, key, month, nights, place, settings)
        return self.offices[key]

    def minutes_needed(self, program: str) -> float:
        """Minutes with which a patient of the program is sure to have a claim."""
        first = [int(row["first_unit_minutes"]) for row in self.seed("rule_bands") if row["program"] == program]
        return min(first, default=0)

    def claimable(self, office: Office, case: str, program: str = "ccm", **values: Any) -> str:
        """A patient with a claim: what a case then changes is the row's doing."""
        patient = office.patient(case, program, **values)
        if minutes := self.minutes_needed(program):
            office.time(patient, minutes)
        return patient

    def reaching(self, office: Office, case: str, code: str, further_units: int = 0, short_by_seconds: int = 0) -> str | None:
        """A patient whose minutes (or, without minutes, whose level) just reach the code; None when no rule knows it."""
        for band in self.seed("rule_bands"):
            if band["procedure_code"] == code:
                patient = office.patient(case, band["program"])
                if band["requires_complex_mdm"] == "true":
                    office.assess(patient, "moderate")
                minutes = int(band["first_unit_minutes"]) + further_units * int(band["minutes_per_further_unit"] or 0)
                office.time(patient, minutes - short_by_seconds / 60, DOCTOR if band["seconds_basis"] == "practitioner" else NURSE)
                return patient
        for level in self.seed("rule_apcm_levels"):
            if level["procedure_code"] == code:
                patient = office.patient(case, "apcm", conditions=CHRONIC[: int(level["min_condition_groups"])])
                if level["requires_qmb"] == "true":
                    office.cover(patient, "qmb")
                return patient
        return None

    def write(self, root: Path) -> Path:
        root.mkdir(parents=True, exist_ok=True)
        for office in self.offices.values():
            office.write(root)
        # JSON is YAML, with every text quoted
        text = json.dumps({"practices": [office.config for office in self.offices.values()]}, indent=1)
        (root / "practices.yaml").write_text(text + "\n", encoding="utf-8")
        return root


# ---- one function per seed of seeds/rules


def bands(home: Home) -> None:
    for row in home.seed("rule_bands"):
        office, code = home.office("bands", month_for(row)), row["procedure_code"]
        home.reaching(office, f"band {code}", code)
        home.reaching(office, f"band {code} one second short", code, short_by_seconds=1)


def caps(home: Home) -> None:
    for row in home.seed("rule_caps"):
        office, code = home.office("caps", month_for(row)), row["procedure_code"]
        if not home.reaching(office, f"cap {code}", code, further_units=int(row["max_units"])):
            raise AssertionError(f"rule_caps: no band and no level reaches {code}")


def apcm_levels(home: Home) -> None:
    for row in home.seed("rule_apcm_levels"):
        office = home.office("apcm", month_for(row))
        home.reaching(office, f"level {row['procedure_code']}", row["procedure_code"])
        patient = office.patient(f"level {row['procedure_code']} one group", "apcm", conditions=CHRONIC[:1])
        if row["requires_qmb"] == "true":
            office.cover(patient, "qmb")


def complex_mdm_levels(home: Home) -> None:
    office = home.office("complex")
    for row in home.seed("rule_complex_mdm_levels"):
        for minutes in (59, 60):
            patient = office.patient(f"mdm {row['mdm_level']} {minutes}")
            office.assess(patient, row["mdm_level"])
            office.time(patient, minutes)


def conflicts(home: Home) -> None:
    billers: dict[str, str | None] = {
        "billing_practitioner": DOCTOR, "own_practice": STRANGER, "anyone_else": STRANGER, "other_practice": None,
    }  # fmt: skip
    for row in home.seed("rule_conflicts"):
        office = home.office(f"conflicts-{row['program']}", month_for(row))
        patient = home.claimable(office, f"{row['program']} {row['procedure_code']} {row['billed_by']}", row["program"])
        office.service(patient, row["procedure_code"], office.day(12), billers[row["billed_by"]])
        if row["billed_by"] == "anyone_else":
            patient = home.claimable(office, f"{row['program']} {row['procedure_code']} elsewhere", row["program"])
            office.service(patient, row["procedure_code"], office.day(12), None)


def coverage_types(home: Home) -> None:
    office = home.office("coverage")
    for row in home.seed("rule_coverage_types"):
        patient = home.claimable(office, f"covered by {row['coverage_type']}")
        office.cover(patient, row["coverage_type"], priority=1)


def credentials(home: Home) -> None:
    for row in home.seed("rule_credentials"):
        office, credential = home.office("credentials", month_for(row)), row["credential"]
        member = office.member(f"M-{credential}", credential, FAMILY_MEDICINE)
        office.time(office.patient(f"time of {credential}"), 30, member)
        patient = office.patient(f"billed by {credential}", doctor=member)
        office.time(patient, 20)
        office.time(patient, 35, member)


def decision_reasons(home: Home) -> None:
    for row in home.seed("rule_decision_reasons"):
        situation(REASONS, "rule_decision_reasons", row["reason"])(home, f"reason {row['reason']}")


def dispositions(home: Home) -> None:
    for row in home.seed("rule_dispositions"):
        office = home.office("dispositions")
        situation(DISPOSITIONS, "rule_dispositions", row["disposition"])(office, f"disposition {row['disposition']}")


def flags(home: Home) -> None:
    named_by_a_disposition = {row["flag"] for row in home.seed("rule_dispositions")}
    for row in home.seed("rule_flags"):
        if row["flag"] not in named_by_a_disposition:  # the others have their case with the disposition
            situation(FLAGS, "rule_flags", row["flag"])(home.office("flags"), f"flag {row['flag']}")


def funnel_stages(home: Home) -> None:
    """Every practice and month has every stage."""


def initiating_visits(home: Home) -> None:
    for row in home.seed("rule_initiating_visits"):
        month = month_for(row)
        office, code = home.office("visits", month), row["procedure_code"]
        for case, discussed in ((f"visit {code} discussed", True), (f"visit {code}", None)):
            patient = home.claimable(office, case, visit=None)
            office.service(patient, code, month - timedelta(days=70), discussed=discussed)


def limits(home: Home) -> None:
    for row in home.seed("rule_limits"):
        if row["limit_name"] not in NO_CASE_HERE:
            situation(LIMITS, "rule_limits", row["limit_name"])(home, f"limit {row['limit_name']}")


def non_countable_activities(home: Home) -> None:
    for row in home.seed("rule_non_countable_activities"):
        office, activity = home.office("activities", month_for(row)), row["activity"]
        patient = home.claimable(office, f"activity {activity}")
        office.time(patient, 10, activity=activity)
        office.time(patient, 15, activity=activity.upper().replace(" ", "_"))
        office.time(patient, 5, activity=f"\t{activity}\n".replace(" ", "\xa0"))
        office.time(home.claimable(office, f"activity {activity} and more"), 20, activity=f"{activity} and more")


def outreach_outcomes(home: Home) -> None:
    for row in home.seed("rule_outreach_outcomes"):
        office = home.office(f"outreach-{row['outcome']}")  # the funnel counts, so each outcome has a funnel of its own
        office.reach_out(office.patient(f"outreach {row['outcome']}", has_consent=False), row["outcome"])


def programs(home: Home) -> None:
    office = home.office("programs")
    for row in home.seed("rule_programs"):
        needed = int(row["min_condition_groups"])
        home.claimable(office, f"program {row['program']}", row["program"], conditions=CHRONIC[:needed])
        if needed:
            home.claimable(office, f"program {row['program']} one group short", row["program"], conditions=CHRONIC[: needed - 1])
        for days in {int(row[name] or 0) for name in ("visit_days_before_consent", "service_days_before_consent")} - {0}:
            for older in (0, 1):
                patient = home.claimable(office, f"program {row['program']} {days + older} days", row["program"], visit=None)
                office.service(patient, "99214", office.month - timedelta(days=40 + days + older))


def stay_types(home: Home) -> None:
    for row in home.seed("rule_stay_types"):
        office, kind = home.office("stays", month_for(row)), row["stay_type"]
        patient = home.claimable(office, f"stay {kind}")
        office.stay(patient, kind, office.day(ADMITTED), office.day(DISCHARGED))
        office.time(patient, 25, day=ADMITTED + 1)
        patient = home.claimable(office, f"stay {kind} all month")
        office.stay(patient, kind, office.month - timedelta(days=3), None)


def track_choice(home: Home) -> None:
    for row in home.seed("rule_track_choice"):
        office = home.office(f"tracks-{row['track_policy']}".replace("_", "-"), track_policy=row["track_policy"])
        patient = office.patient(f"{row['program']} {row['track']}", row["program"])
        if row["program"] != "apcm":
            office.assess(patient, "high")
            office.time(patient, 65, DOCTOR)


def conversion_factors(home: Home) -> None:
    for row in home.seed("rule_conversion_factors"):
        is_qualifying, month = row["qualifying_apm_participant"] == "true", month_for(row)
        office = home.office(f"factor-{row['qualifying_apm_participant']}", month, qualifying_apm_participant=is_qualifying)
        home.claimable(office, "factor")


def facility_places(home: Home) -> None:
    for row in home.seed("rule_facility_places"):
        place, month = row["place_of_service"], month_for(row)
        home.claimable(
            home.office(f"place-{place}", month, [next_month(month) - timedelta(days=1)], place_of_service=place), "place"
        )


# ---- situations by name


def situation(functions: Mapping[str, Callable[..., object]], seed: str, name: str) -> Callable[..., object]:
    if name not in functions:
        raise AssertionError(f"{seed}: no case for `{name}`; write one in {Path(__file__).name}")
    return functions[name]


def barred(change: Callable[[Office, str], None], **values: Any) -> Callable[[Home, str], None]:
    """A reason: a patient with a claim, but for one thing."""

    def build(home: Home, case: str) -> None:
        office = home.office("reasons")
        change(office, home.claimable(office, case, **values))

    return build


def nothing(office: Office, patient: str) -> None:
    pass


def billed(code: str, member: str | None) -> Callable[[Office, str], None]:
    return lambda office, patient: office.service(patient, code, office.day(14), member)


def staying(kind: str) -> Callable[[Office, str], None]:
    return lambda office, patient: office.stay(patient, kind, office.month, None)


def changed(table: str, **values: Any) -> Callable[[Office, str], None]:
    return lambda office, patient: office.only(table, patient).update(values)


def left_panel(home: Home, case: str) -> None:
    nights = [MONTH - timedelta(days=10), next_month(MONTH) + timedelta(days=24)]
    office = home.office("left", nights=nights)
    office.patient("reason stays")
    office.gone_from[home.claimable(office, case)] = 1


def no_bill(home: Home, case: str) -> None:
    office = home.office("reasons")
    office.member("X-no-npi", "MD", npi=None)
    home.claimable(office, case, doctor="X-no-npi")


def timely_filing(home: Home, case: str) -> None:
    month = next_month(MONTH, -13)
    home.claimable(home.office("late", month, [next_month(month, 13) + timedelta(days=5)]), case)


def held(home: Home) -> Office:
    return home.office("held", nights=[next_month(MONTH) + timedelta(days=9)])


def held_undocumented(home: Home, case: str) -> None:
    office = held(home)
    patient = office.patient(case)
    office.time(patient, 15)
    office.time(patient, 10, has_note=False)


def held_unresolved(home: Home, case: str) -> None:
    office = held(home)
    patient = office.patient(case)
    office.time(patient, 15)
    office.time(patient, 200, start=office.instant(office.day(28), 8))


def below_threshold(home: Home, case: str) -> None:
    office = home.office("reasons")
    office.time(office.patient(case), 19.5)


def month_open(home: Home, case: str) -> None:
    home.claimable(home.office("open", nights=[next_month(MONTH) - timedelta(days=2)]), case)


BEFORE = MONTH - timedelta(days=15)
REASONS: dict[str, Callable[[Home, str], None]] = {
    "left_panel": left_panel,
    "deceased": barred(nothing, deceased_date=BEFORE),
    "no_part_b": barred(nothing, has_part_b=False),
    "medicare_advantage": barred(lambda office, patient: office.cover(patient, "medicare_advantage")),
    "facility_whole_month": barred(staying("inpatient")),
    "hospice": barred(staying("hospice")),
    "fewer_than_two_conditions": barred(nothing, conditions=CHRONIC[:1]),
    "no_initiating_visit": barred(nothing, visit=None),
    "no_consent": barred(nothing, has_consent=False),
    "consent_undocumented": barred(changed("consents", documented=False)),
    "consent_revoked": barred(changed("consents", revoked_on=BEFORE)),
    "no_care_plan": barred(nothing, has_care_plan=False),
    "practitioner_not_eligible": no_bill,
    "medicare_secondary": barred(lambda office, patient: office.cover(patient, "commercial", priority=1)),
    "already_claimed": barred(billed("99490", DOCTOR)),
    "other_practitioner_billed": barred(billed("99490", None)),
    "conflict_g0181": barred(billed("G0181", DOCTOR)),
    "conflict_g0182": barred(billed("G0182", DOCTOR)),
    "conflict_esrd": barred(billed("90960", DOCTOR)),
    "conflict_apcm": barred(billed("G0557", DOCTOR)),
    "conflict_pcm": barred(billed("99426", DOCTOR)),
    "timely_filing": timely_filing,
    "undocumented_time": held_undocumented,
    "unresolved_time": held_unresolved,
    "below_threshold": below_threshold,
    "month_open": month_open,
    "ok": barred(nothing),
}


def entry(minutes: float = 25, member: str = NURSE, **values: Any) -> Callable[[Office, str], None]:
    """A disposition: twenty minutes that count, and an entry that does not."""

    def build(office: Office, case: str) -> None:
        patient = office.patient(case)
        office.time(patient, 20)
        office.time(patient, minutes, member, **values)

    return build


def open_timer(office: Office, case: str) -> None:
    office.time(office.patient(case), 0)["ended_at"] = None


def invalid_interval(office: Office, case: str) -> None:
    row = office.time(office.patient(case), 20)
    row["started_at"], row["ended_at"] = row["ended_at"], row["started_at"]


def runaway(office: Office, case: str) -> None:
    office.time(office.patient(case), 181, start=office.instant(office.day(3), 8))


def duplicate(office: Office, case: str) -> None:
    row = office.time(office.patient(case), 20)
    office.rows["time_entries"].append({**row, "entry_id": row["entry_id"] + "-again"})


def inactive_member(office: Office, case: str) -> None:
    member = office.member("RN-left", "RN", active_to=office.day(4))
    for day in (4, 5):
        office.time(office.patient(f"{case} {day}"), 25, member, day=day)


def overlap(office: Office, case: str) -> None:
    member, start = office.member("RN-twice", "RN"), office.instant(office.day(3), 8)
    for number in (1, 2):
        office.time(office.patient(f"{case} {number}"), 25, member, start=start + number * 300)


def nonclinical(office: Office, case: str) -> None:
    entry(member=office.member("M-desk", "ADMIN"))(office, case)


def before_consent(office: Office, case: str) -> None:
    patient = office.patient(case, consented_on=office.day(8))
    for day in (7, 9):
        office.time(patient, 25, day=day)


def consent_ended(office: Office, case: str) -> None:
    patient = office.patient(case)
    office.only("consents", patient)["revoked_on"] = BEFORE
    office.time(patient, 25)


def no_coverage(office: Office, case: str) -> None:
    patient = office.patient(case)
    office.only("coverages", patient)["termination_date"] = office.day(15)
    for day in (15, 16):
        office.time(patient, 25, day=day)


def facility_stay(office: Office, case: str) -> None:
    patient = office.patient(case)
    office.stay(patient, "inpatient", office.day(ADMITTED), office.day(DISCHARGED))
    for day in (ADMITTED - 1, ADMITTED, DISCHARGED, DISCHARGED + 1):
        office.time(patient, 11, day=day)


def after_death(office: Office, case: str) -> None:
    patient = office.patient(case, deceased_date=office.day(12))
    for day in (12, 13):
        office.time(patient, 25, day=day)


def concurrent(office: Office, case: str) -> None:
    patient, member, start = office.patient(case), office.member("RN-beside", "RN"), office.instant(office.day(4), 8)
    office.time(patient, 15, start=start)
    office.time(patient, 15, member, start=start + 300)


DISPOSITIONS: dict[str, Callable[[Office, str], object]] = {
    "voided": entry(voided=True),
    "invalid_interval": invalid_interval,
    "open_timer": open_timer,
    "runaway_timer": runaway,
    "duplicate_entry": duplicate,
    "unknown_patient": lambda office, case: office.time("nobody", 25),
    "unknown_member": entry(member="NOBODY"),
    "inactive_member": inactive_member,
    "staff_overlap": overlap,
    "other_program": entry(program="rpm"),
    "nonclinical_staff": nonclinical,
    "non_countable_activity": entry(activity="voicemail"),
    "face_to_face": entry(face_to_face=True),
    "undocumented": entry(has_note=False),
    "before_consent": before_consent,
    "consent_ended": consent_ended,
    "no_coverage": no_coverage,
    "facility_stay": facility_stay,
    "after_death": after_death,
    "concurrent": concurrent,
    "credited": lambda office, case: office.time(office.patient(case), 20),
}


def flagged(change: Callable[[Office, str], object], minutes: float = 20, **values: Any) -> Callable[[Office, str], None]:
    """A flag: a patient with time that counts, and one more thing."""

    def build(office: Office, case: str) -> None:
        patient = office.patient(case, **values)
        office.time(patient, minutes)
        change(office, patient)

    return build


def recorded_late(office: Office, patient: str) -> None:
    office.time(patient, 5)["recorded_at"] = utc(office.instant(next_month(office.month)))


def over_the_month_end(office: Office, patient: str) -> None:
    office.time(patient, 20, start=office.instant(next_month(office.month)) - 600)


def without_clock_times(office: Office, patient: str) -> None:
    office.time(patient, 5).update(started_at=None, ended_at=None, duration_seconds=300)


def same_notes(office: Office, patient: str) -> None:
    for _ in range(3):
        office.time(patient, 5, note_text="the same")


def seen_by_a_colleague(office: Office, patient: str) -> None:
    office.service(patient, "99214", office.month - timedelta(days=40), COLLEAGUE)


FLAGS: dict[str, Callable[[Office, str], None]] = {
    "near_threshold": flagged(nothing, 15),
    "units_capped": flagged(nothing, 80),
    "complex_below_60": flagged(lambda office, patient: office.assess(patient, "high"), 45),
    "late_entry": flagged(recorded_late),
    "month_split": flagged(over_the_month_end),
    "no_clock_times": flagged(without_clock_times),
    "cloned_note": flagged(same_notes),
    "revoked_this_month": flagged(lambda office, patient: office.only("consents", patient).update(revoked_on=office.day(20))),
    "facility_review": flagged(staying("nursing_facility")),
    "qmb_no_cost_share": flagged(lambda office, patient: office.cover(patient, "qmb")),
    "other_practitioner_overlap_review": flagged(billed("G0181", STRANGER)),
    "initiating_visit_by_colleague": flagged(seen_by_a_colleague, visit=None),
    "consent_other_practitioner": flagged(changed("consents", billing_practitioner_id=COLLEAGUE)),
}


def with_minutes(*minutes: float, level: str | None = None) -> Callable[[Home, str], None]:
    def build(home: Home, case: str) -> None:
        office = home.office("limits")
        for number in minutes:
            patient = office.patient(f"{case} {number}")
            office.time(patient, number)
            if level:
                office.assess(patient, level)

    return build


def longest_timer(home: Home, case: str) -> None:
    office = home.office("limits")
    for day, minutes in ((3, 180), (4, 180.5)):
        office.time(office.patient(f"{case} {minutes}"), minutes, start=office.instant(office.day(day), 8))


def oldest_month(home: Home, case: str) -> None:
    office = home.office("months", nights=[next_month(MONTH) + timedelta(days=3)])
    patient = office.patient(case)
    long_ago = next_month(MONTH, -MONTHS_HELD - 3)
    office.time(patient, 20, start=office.instant(long_ago, 9))
    office.time(patient, 20)


def cloned_notes(home: Home, case: str) -> None:
    office = home.office("limits")
    for times in (2, 3):
        patient = office.patient(f"{case} {times}")
        for _ in range(times):
            office.time(patient, 10, note_text=f"{times} times the same")


def stalled_outreach(home: Home, case: str) -> None:
    office = home.office("stalled")
    for name, day in (("stalled", 1), ("not yet", 28)):
        patient = office.patient(f"{case} {name}", has_consent=False)
        office.reach_out(patient, "left_message")
        office.only("outreach", patient)["attempted_at"] = f"{office.day(day)}T10:00:00"


LIMITS: dict[str, Callable[[Home, str], None]] = {
    "runaway_timer": longest_timer,
    "near_threshold_from": with_minutes(14.5, 15),
    "near_threshold_to": with_minutes(19.5, 20),
    "complex_first_unit": with_minutes(59.5, 60, level="moderate"),
    "timely_filing": timely_filing,
    "medicare_share": with_minutes(40),
    "after_sequestration": with_minutes(40),
    "charge_without_own_fee": with_minutes(20),
    "months_before_first_night": oldest_month,
    "stalled_outreach": stalled_outreach,
    "cloned_note_per_patient": cloned_notes,
}


# ---- the long reference seeds


def groups_of(prefixes: list[Rule], code: str) -> set[str]:
    return {row["condition_group"] for row in prefixes if code.startswith(row["icd10_prefix"])}


def telling_code(prefixes: list[Rule], ccir: list[str], row: Rule) -> str:
    """A code that falls elsewhere when this prefix is gone: one that AHRQ calls chronic, if there is one, else the prefix itself."""
    others = [other for other in prefixes if other is not row]
    known = (code for code in ccir if code.startswith(row["icd10_prefix"]) and not groups_of(others, code))
    return next(known, row["icd10_prefix"])


def condition_codes(home: Home) -> None:
    """Patients with a code for each prefix, and for each code of AHRQ's list that no prefix covers; no two of a patient count as the same."""
    prefixes = home.seed("rule_condition_prefixes")
    ccir = [row["icd10_code"] for row in home.seed("rule_ccir_chronic_codes")]
    patients: list[tuple[set[str], list[str]]] = []

    def give(code: str, counts_as: set[str], first: int = 0) -> None:
        for taken, codes in patients[first:]:
            if not taken & counts_as and len(codes) < CODES_OF_A_PATIENT:
                break
        else:
            taken, codes = set(), []
            patients.append((taken, codes))
        taken |= counts_as
        codes.append(code)

    for row in prefixes:
        code = telling_code(prefixes, ccir, row)
        give(code, groups_of(prefixes, code) | {code[:3]})
    starts, first_of_ccir = tuple(row["icd10_prefix"] for row in prefixes), len(patients)
    for code in ccir:
        # A code that a prefix covers should not count by itself: it stands among others that do, and must add nothing.
        give(code, {code[:3]} if not code.startswith(starts) else {code}, first_of_ccir)
    for number, (_, codes) in enumerate(patients):
        office = home.office(f"conditions-{number // 30:02d}", nights=[next_month(MONTH) - timedelta(days=1)])
        office.patient(f"conditions {number:03d}", conditions=codes)


def rvus(home: Home) -> None:
    """A claim on each code that a program pays, in each release."""
    for row in home.seed("rule_rvus"):
        month = month_for(row)
        office = home.office("rvus", month, [next_month(month) - timedelta(days=1)])
        home.reaching(office, f"{row['procedure_code']} {row['release']}", row["procedure_code"])


def gpcis(home: Home) -> None:
    """A practice in each locality and release."""
    for row in home.seed("rule_gpcis"):
        place, month = (row["mac"], row["state"], row["locality"]), month_for(row)
        office = home.office(f"gpci-{'-'.join(place)}", month, [next_month(month) - timedelta(days=1)], place)
        home.claimable(office, "gpci")


# What decides nothing about minutes, codes and claims has no case here: a seed, or a limit, and who holds it.
OFFICE, AFTER_THE_CLOSE = "the office's marts", "claims after their close"
ANSWERS = "the payers' answers (tests/answers/test_rule_rows.py)"
NO_CASE_HERE = {
    "rule_citations": "the pages of docs/rules (tests/rules/test_rule_pages.py)",
    **dict.fromkeys(
        ["rule_benchmarks", "rule_enrollment_states", "rule_gap_causes", "rule_gap_reasons", "rule_office_limits", "rule_stage_bars",
         "rule_waterfall_steps", "rule_worklist_kinds"],
        OFFICE,
    ),
    **dict.fromkeys(
        ["rule_acknowledgment_codes", "rule_benefit_codes", "rule_claim_filing_codes", "rule_claim_status_categories", "rule_denials",
         "rule_remittance_claim_statuses"],
        ANSWERS,
    ),
    "care_plan_review": OFFICE,
    **dict.fromkeys(
        ["rule_aging_buckets", "rule_reason_snapshots", "appeal", "notice_receipt", "reopening", "refund", "refund_investigation"],
        AFTER_THE_CLOSE,
    ),
}  # fmt: skip
RULE_CASES: dict[str, Callable[[Home], None]] = {
    "rule_apcm_levels": apcm_levels,
    "rule_bands": bands,
    "rule_caps": caps,
    "rule_complex_mdm_levels": complex_mdm_levels,
    "rule_conflicts": conflicts,
    "rule_coverage_types": coverage_types,
    "rule_credentials": credentials,
    "rule_decision_reasons": decision_reasons,
    "rule_dispositions": dispositions,
    "rule_flags": flags,
    "rule_funnel_stages": funnel_stages,
    "rule_initiating_visits": initiating_visits,
    "rule_limits": limits,
    "rule_non_countable_activities": non_countable_activities,
    "rule_outreach_outcomes": outreach_outcomes,
    "rule_programs": programs,
    "rule_stay_types": stay_types,
    "rule_track_choice": track_choice,
    "rule_conversion_factors": conversion_factors,
    "rule_facility_places": facility_places,
}
FIGURE_CASES: dict[str, Callable[[Home], None]] = {
    "rule_condition_groups": condition_codes,  # with the prefixes: a group is where its prefixes lead
    "rule_rvus": rvus,
    "rule_gpcis": gpcis,
}


def write_rule_home(root: Path, seeds: Path) -> Path:
    """Cases for every seed that decides. Raises AssertionError for a rule seed or a named situation without a case."""
    without = {path.stem for path in (seeds / "rules").glob("*.csv")} - set(RULE_CASES) - set(NO_CASE_HERE)
    if without:
        raise AssertionError(
            f"rule seeds without cases: {', '.join(sorted(without))}; add a function for each in {Path(__file__).name}"
        )
    home = Home(seeds)
    for build in RULE_CASES.values():
        build(home)
    return home.write(root)


def write_figure_home(root: Path, seeds: Path) -> Path:
    """Cases for the long reference seeds."""
    home = Home(seeds)
    for build in FIGURE_CASES.values():
        build(home)
    return home.write(root)
