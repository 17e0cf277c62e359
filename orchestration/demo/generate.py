"""Makes the demo: made-up people, the overlay's months of care, a few planted oddities, and the nights as files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

from orchestration.demo.blemishes import OUTAGE, OUTAGE_MONTH, OUTAGE_PRACTICE, Spoiler
from orchestration.demo.charts import Charts, made_up_charts
from orchestration.demo.days import Clock, months_between, next_month, nights_between
from orchestration.demo.demo_practices import DEMO_PRACTICES, DemoPractice, practices_yaml
from orchestration.demo.history import History, newest
from orchestration.demo.landing import write_landing
from orchestration.demo.overlay import Case, Overlay, overlay_months_of_care
from orchestration.house import HouseError, write_private

FIRST_DAY = date(2026, 7, 1)
FIRST_NIGHT = date(2026, 7, 6)
LAST_NIGHT = date(2026, 11, 4)


@dataclass(frozen=True)
class DemoPlan:
    """What was made, and when the months fall due."""

    seed: int
    practices: tuple[str, ...]
    nights: tuple[date, ...]
    closes: list[tuple[date, date]]
    """The months (first days) in order, each with the night up to which all is taken in before it closes."""
    rows: dict[str, dict[str, int]] = field(default_factory=dict)
    """Data rows per practice and table, over all nights."""
    cases: list[Case] = field(default_factory=list)
    """What was planted, by practice, kind and id."""
    refused: tuple[str, date, date] | None = None
    """Practice and month whose close is refused at its date in `closes`, and the night with which it works."""

    @property
    def supplements(self) -> list[tuple[date, date]]:
        """Months to close once more, each at the night of the month's close after it: what was held goes out as v2."""
        return [(month, night) for (month, _), (_, night) in zip(self.closes, self.closes[1:], strict=False)]


def make_demo(
    root: Path,
    *,
    seed: int = 2026,
    patients_per_practice: int | Mapping[str, int] | None = None,
    nights_until: date | None = None,
) -> DemoPlan:
    """Writes `root/practices.yaml` and `root/landing/<practice>/<night>/<table>.csv`.

    `patients_per_practice`: one size for all practices, or sizes by practice_id (others keep theirs).
    `nights_until`: the last night; an earlier one leaves out later nights and changes no earlier file.
    The same arguments give the same bytes; files that hold them already are not touched, so a run can be repeated.
    Raises HouseError when there are another practices.yaml or another practice's landed files.
    """
    landing, configuration = root / "landing", practices_yaml(DEMO_PRACTICES)
    _refuse_another_home(root, configuration)
    last_night = nights_until or LAST_NIGHT
    last_day = max(last_night, LAST_NIGHT)
    nights = nights_between(FIRST_NIGHT, last_night)
    rows, cases = {}, []
    for practice in DEMO_PRACTICES:
        size = _size(practice, patients_per_practice)
        overlay = _history(practice, size, seed, last_day)
        spoiler = Spoiler(practice.practice_id)
        rows[practice.practice_id] = write_landing(
            landing, practice.practice_id, nights, overlay.history,
            zone=Clock(practice.time_zone).zone, timestamps=practice.timestamps,
            missing=OUTAGE if practice.practice_id == OUTAGE_PRACTICE else (), spoil=spoiler,
        )  # fmt: skip
        cases += [case for case in overlay.cases if _has_landed(case, overlay.history, last_night)] + spoiler.cases
    write_private(root / "practices.yaml", configuration)
    closes = _closes(nights)
    return DemoPlan(
        seed,
        tuple(practice.practice_id for practice in DEMO_PRACTICES),
        tuple(nights),
        closes,
        rows,
        cases,
        (OUTAGE_PRACTICE, OUTAGE_MONTH, date(2026, 11, 4)) if any(m == OUTAGE_MONTH for m, _ in closes) else None,
    )


def _refuse_another_home(root: Path, configuration: str) -> None:
    path, landing = root / "practices.yaml", root / "landing"
    own = {practice.practice_id for practice in DEMO_PRACTICES}
    landed = {folder.name for folder in landing.iterdir()} if landing.is_dir() else set()
    if landed - own or (path.exists() and path.read_text(encoding="utf-8", errors="replace") != configuration):
        raise HouseError(f"{root}: holds practices already; the demo wants a home of its own, so name another folder")


def _size(practice: DemoPractice, sizes: int | Mapping[str, int] | None) -> int:
    if sizes is None:
        return practice.patients
    return sizes if isinstance(sizes, int) else sizes.get(practice.practice_id, practice.patients)


def _closes(nights: list[date]) -> list[tuple[date, date]]:
    """For each month the first night from the third of the next month on: the practices' `close.first_day`."""
    closes = []
    for month in months_between(nights[0], nights[-1]) if nights else []:
        night = next((night for night in nights if night >= next_month(month) + timedelta(days=2)), None)
        if night:
            closes.append((month, night))
    return closes


def _has_landed(case: Case, history: History, last_night: date) -> bool:
    """Whether the row of a case is in one of the files: some things are recorded after the last night."""
    for table in ("time_entries", "appointments"):
        versions = history.versions[table].get((case.item_id,))
        if versions:
            return versions[0][0] <= last_night
    return True


def _history(practice: DemoPractice, size: int, seed: int, last_day: date) -> Overlay:
    charts = made_up_charts(practice, size, str(seed), FIRST_DAY, last_day)
    overlay = overlay_months_of_care(
        charts.tables,
        practice_id=practice.practice_id,
        prefix=practice.prefix,
        time_zone=practice.time_zone,
        first_day=FIRST_DAY,
        last_day=last_day,
        seed=seed,
        arrivals=charts.arrivals,
        first_member_number=practice.number * 10_000,
    )
    overlay.cases.extend(Case(practice.practice_id, kind, patient_id) for kind, patient_id in charts.stories)
    _correct_services(practice, charts, overlay)
    if practice.practice_id == "hudson":
        _plant_strangers(practice, overlay)
    if practice.practice_id == "bayview":
        overlay.history.forget("care_team", ("bv-doyle",), date(2026, 10, 12))
        overlay.cases.append(Case("bayview", "member_leaves_care_team", "", "bv-doyle"))
    return overlay


def _correct_services(practice: DemoPractice, charts: Charts, overlay: Overlay) -> None:
    """Some visits are sent again with a lower level."""
    clock = Clock(practice.time_zone)
    for row in charts.corrections:
        known = newest(overlay.history.versions["services"][row["service_id"],], date.max)
        if known:
            changed = known | {"procedure_code": row["procedure_code"], "updated_at": row["updated_at"]}
            overlay.history.learn("services", changed, clock.day(row["updated_at"]))
            overlay.cases.append(Case(practice.practice_id, "service_corrected", row["patient_id"], row["service_id"]))


def _plant_strangers(practice: DemoPractice, overlay: Overlay) -> None:
    """Entries by people who are not in the team that day, and one for a patient of another office."""
    clock, history = Clock(practice.time_zone), overlay.history
    patients = [row["patient_id"] for row in history.as_of(FIRST_DAY)["consents"] if row["documented"] and not row["revoked_on"]]
    if not patients:
        return
    plan = (
        ("inactive_member", patients[0], "hu-santos", date(2026, 9, 2)),
        ("inactive_member", patients[-1], "hu-whitaker", date(2026, 9, 10)),
        ("unknown_member", patients[len(patients) // 2], "hu-float-07", date(2026, 8, 20)),
        ("unknown_patient", "QX90417", "hu-baptiste", date(2026, 10, 8)),
    )
    for number, (kind, patient_id, member_id, day) in enumerate(plan, 1):
        start = clock.at(day, 18, 5 + number, 12)
        end = start + timedelta(minutes=9, seconds=10 * number)
        entry = {
            "entry_id": f"{practice.prefix}-Z{number:05d}",
            "patient_id": patient_id,
            "member_id": member_id,
            "program": "ccm",
            "activity": "phone_call",
            "started_at": start,
            "ended_at": end,
            "duration_seconds": None,
            "entry_method": "timer",
            "face_to_face": False,
            "note_id": f"{practice.prefix}-NZ{number}",
            "note_text": f"Call returned after hours, question number {number} answered.",
            "recorded_at": end,
            "updated_at": end,
            "voided": False,
        }
        history.learn("time_entries", entry, day)
        overlay.cases.append(Case(practice.practice_id, kind, patient_id, entry["entry_id"]))
