"""`ccm import synthea`: a Synthea CSV export as the landing folders of two or three practices.

People, coverage, problem lists, visits, stays, care plans and clinicians come from the export. What no public source
has comes from the demo's overlay, and the report says so.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

from orchestration.demo.days import months_between
from orchestration.demo.landing import write_landing
from orchestration.demo.overlay import Overlay, overlay_months_of_care
from orchestration.demo.tables import COLUMNS, Row, key_of
from orchestration.house import House, HouseError, clear_scratch, write_private
from orchestration.importers.charts import Charts, charts_of, empanel, unmapped
from orchestration.importers.export import Export, read_export
from orchestration.importers.report import ImportReport
from orchestration.importers.sites import FoundPractice, care_team, find_practices, lay_out, practices_yaml

_MEMBER_NUMBERS_PER_PRACTICE = 1_000_000
_SPAN_MONTHS = 2  # whole months before the export's last one

_OVERLAID = (
    "Medicare numbers (MBI), NPIs and tax ids: well-formed, nobody's",
    "consents, outreach, assessments (MDM levels), and at which visit CCM was discussed",
    "time logs with their mishaps, and the planned calls (ccm_call appointments)",
    "Part B or Medicare Advantage: the export says Medicare; the overlay puts some into Medicare Advantage plans",
    "reviews and copies of care plans; care plans for enrolled people whose export has none",
    "a few services that conflict (G0181, CCM by another practice)",
    "when a death, a discharge or a change became known, and who leaves a panel",
)
_ASSUMPTIONS = (
    "sites are grouped into practices by us, within one Medicare locality: ownership is not in the source",
    "SNOMED CT to ICD-10-CM, encounters to procedure codes, payers to coverage types: own curation, not a coder's work",
    "any active care plan of the export stands for the comprehensive care plan",
    "everyone with Medicare and Medicaid is a QMB; a SNF stay of a person with Medicare is a Part A stay",
    "Medicare begins on the first of the month in which the export begins it",
    "visits are those of established patients, except where the code says otherwise",
)


def import_synthea(
    source: Path,
    house: House,
    *,
    seed: int = 2026,
    first_night: date | None = None,
    last_night: date | None = None,
) -> ImportReport:
    """Writes `practices.yaml` and the landing folders of a home out of a Synthea CSV export.

    Nights: every Monday, the weekdays of each month's first week, and the last one. `last_night` defaults to the last
    weekday of the export, `first_night` to the first weekday two months before that month. The same export and
    arguments give the same bytes; into a home that holds this very import nothing is written again.
    Raises HouseError when the home holds anything else, or the export lacks a file or column.
    """
    export = read_export(source)
    as_of = _as_of(export)
    nights = _nights(first_night, last_night or _weekday_until(as_of))
    first_day, last_day = nights[0].replace(day=1), max(as_of, nights[-1])
    lay_out(export.connection, as_of, has_payers=_has_payers(export))
    practices = find_practices(export.connection, nights[-1])
    left_out = empanel(export.connection, first_day, nights[-1])
    report = ImportReport(str(export.folder), seed, as_of, tuple(nights), unmapped=left_out)
    report.unmapped += unmapped(export.connection, first_day)
    yaml_text = practices_yaml(practices, _comments(export, seed, nights))
    with house.lock("import"):
        report.was_there = _check_home(house, yaml_text)
        clear_scratch(house.root)
        scratch = house.root / ".landing.tmp"
        try:
            staff = sum(_land(export, practice, scratch, seed, nights, last_day, report) for practice in practices)
            if not report.was_there:
                house.prepare()
                write_private(house.practices_yaml, yaml_text)
                scratch.chmod(0o700)
                scratch.replace(house.landing)  # empty until now: all nights appear at once
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    report.overlaid = _overlaid(export, staff)
    report.assumptions = list(_ASSUMPTIONS)
    if nights[-1] > as_of:
        report.assumptions.append(f"nights after {as_of} repeat what the export last knew; the overlay goes on")
    report.closable = _closable(practices, nights)
    return report


def _as_of(export: Export) -> date:
    """The last day on which anybody was seen."""
    row = export.connection.execute("select max(cast(try_cast(start as timestamptz) as date)) from encounters").fetchone()
    if row is None or row[0] is None:
        raise HouseError(f"{export.folder}: encounters.csv has no encounter with a date; is the export complete?")
    return row[0]


def _weekday_until(day: date) -> date:
    return day - timedelta(days=max(0, day.weekday() - 4))


def _nights(first: date | None, last: date) -> list[date]:
    if first is None:
        first = last.replace(day=1)
        for _ in range(_SPAN_MONTHS):
            first = (first - timedelta(days=1)).replace(day=1)
        while first.weekday() > 4:
            first += timedelta(days=1)
    if first >= last:
        raise HouseError(f"the first night ({first}) must come before the last ({last})")
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    kept = [day for day in days if day.weekday() == 0 or (day.weekday() < 5 and day.day <= 7)]
    return sorted({first, last, *kept})


def _comments(export: Export, seed: int, nights: Sequence[date]) -> list[str]:
    """What the import depends on: two homes with the same lines hold the same."""
    return [
        "Made by `ccm import synthea` from synthetic patients; identifiers and consents are made up.",
        f"export {export.sha256}, seed {seed}, nights {nights[0]} to {nights[-1]}",
    ]


def _check_home(house: House, yaml_text: str) -> bool:
    """Whether the home holds this very import. Refuses a home with anything else in it."""
    has_landed = house.landing.is_dir() and any(house.landing.iterdir())
    if house.practices_yaml.exists():
        if house.practices_yaml.read_text(encoding="utf-8") == yaml_text:
            return has_landed
        raise HouseError(
            f"{house.practices_yaml}: this home belongs to other practices, or to an import with other arguments, "
            "and is never overwritten; choose an empty --home"
        )
    others = (house.inbox, house.lake, house.closes)
    if has_landed or house.warehouse.exists() or any(path.is_dir() and any(path.iterdir()) for path in others):
        raise HouseError(f"{house.root}: has files of other practices and is never overwritten; choose an empty --home")
    return False


def _land(
    export: Export,
    practice: FoundPractice,
    landing: Path,
    seed: int,
    nights: Sequence[date],
    last_day: date,
    report: ImportReport,
) -> int:
    """Writes one practice's nights and enters its counts into the report; returns how many of its staff are made up."""
    first_day = nights[0].replace(day=1)
    settings = practice.settings
    charts = charts_of(export.connection, practice.practice_id, first_day)
    charts.tables["care_team"], made_up = care_team(export.connection, practice, last_day)
    overlay = _overlay(charts, practice, first_day, last_day, seed)
    report.practices[practice.practice_id] = settings.name
    report.sites[practice.practice_id] = len(practice.site_ids)
    report.rows[practice.practice_id] = write_landing(
        landing, practice.practice_id, nights, overlay.history, zone=settings.zone, timestamps="offset"
    )
    newest = overlay.history.as_of(nights[-1])
    report.records[practice.practice_id] = {table: len(newest[table]) for table in COLUMNS}
    report.panel[practice.practice_id] = _counts(newest, nights[-1])
    return made_up


def _overlay(charts: Charts, practice: FoundPractice, first_day: date, last_day: date, seed: int) -> Overlay:
    # The overlay makes Medicare for those of whom no coverage is known; of these it is known that they have none. A row
    # that ended long ago says so, and is taken out again.
    long_ago = date(1900, 1, 1)
    nothing = [_no_coverage(patient_id, long_ago) for patient_id in sorted(charts.uninsured)]
    overlay = overlay_months_of_care(
        charts.tables | {"coverages": [*charts.tables["coverages"], *nothing]},
        practice_id=practice.practice_id,
        time_zone=practice.settings.time_zone,
        first_day=first_day,
        last_day=last_day,
        seed=seed,
        arrivals=charts.arrivals,
        first_member_number=practice.number * _MEMBER_NUMBERS_PER_PRACTICE,
    )
    coverages = overlay.history.versions["coverages"]
    for row in nothing:
        coverages.pop(key_of("coverages", row), None)
    for plan_id, ended in charts.ended_plans.items():
        if (plan_id,) in overlay.history.versions["care_plans"]:
            overlay.history.forget("care_plans", (plan_id,), ended)
    return overlay


def _no_coverage(patient_id: str, day: date) -> Row:
    return {
        "patient_id": patient_id,
        "coverage_type": "commercial",
        "member_id": None,
        "priority": 9,
        "effective_date": day,
        "termination_date": day,
    }


def _counts(newest: dict[str, list[Row]], night: date) -> dict[str, int]:
    def covered(kind: str) -> set[str]:
        return {
            row["patient_id"]
            for row in newest["coverages"]
            if row["coverage_type"] == kind
            and row["effective_date"] <= night
            and (row["termination_date"] is None or row["termination_date"] >= night)
        }

    consented = {
        row["patient_id"]
        for row in newest["consents"]
        if row["documented"] and (row["revoked_on"] is None or row["revoked_on"] >= night.replace(day=1))
    }
    return {
        "patients": len(newest["patients"]),
        "part_b": len(covered("medicare_part_b") - covered("medicare_advantage")),
        "consented": len(consented),
    }


def _has_payers(export: Export) -> bool:
    """Either file says nothing without the other."""
    return not {"payers", "payer_transitions"} & set(export.absent)


def _overlaid(export: Export, staff: int) -> list[str]:
    made = [*_OVERLAID, f"{staff} nurses, assistants, pharmacists and office staff"]
    if not _has_payers(export):
        made.append("coverage of every patient, Medicare from 65 years on: the export has no payers.csv or payer_transitions.csv")
    if "careplans" in export.absent:
        made.append("all care plans: the export has no careplans.csv")
    if "providers" in export.absent:
        made.append("one clinician for each site: the export has no providers.csv")
    return made


def _closable(practices: Sequence[FoundPractice], nights: Sequence[date]) -> tuple[date, ...]:
    def is_due(month: date) -> bool:
        return all(practice.settings.first_close_day(month) <= nights[-1] for practice in practices)

    return tuple(month for month in months_between(nights[0], nights[-1]) if is_due(month))
