"""What the generator has to put into landing folders, beside the outcomes that interface.md names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from .strategies import PANEL, Clinic, population

Row = dict[str, Any]
Occurs = Callable[[list[Clinic]], bool]


@pytest.fixture(scope="module")
def clinics() -> list[Clinic]:
    return [clinic for seed in range(1, 7) for clinic in population(seed, 40)]


def entries(clinic: Clinic) -> Iterator[Row]:
    return (row["_row"] for _, row in clinic.upserts["time_entries"])


def has(clinics: list[Clinic], table: str, test: Callable[[Clinic, Row], bool]) -> bool:
    return any(test(clinic, fact.row) for clinic in clinics for patient in clinic.patients for fact in patient.facts[table])


def local_times(clinic: Clinic) -> Iterator[datetime]:
    """Times that were written without an offset."""
    for row in entries(clinic):
        for name in ("started_at", "ended_at", "recorded_at"):
            text = row.get(name)
            if text and len(text) == 19:
                yield datetime.fromisoformat(text).replace(tzinfo=clinic.zone)


def is_twice_or_never(at: datetime) -> int:
    """1: occurs twice; -1: does not occur; 0: once."""
    first, second = at.utcoffset(), at.replace(fold=1).utcoffset()
    assert first is not None
    assert second is not None
    return (first > second) - (first < second)


def has_no_midnight(clinic: Clinic) -> bool:
    days = [clinic.month + timedelta(days=n) for n in range(31)]
    return any(is_twice_or_never(datetime(d.year, d.month, d.day, tzinfo=clinic.zone)) < 0 for d in days)


def versions(clinic: Clinic) -> dict[str, set[int]]:
    nights: dict[str, set[int]] = {}
    for night, row in clinic.upserts["time_entries"]:
        nights.setdefault(row["_row"]["entry_id"], set()).add(night)
    return nights


def largest_overlap(clinic: Clinic, is_same_member: bool) -> int:
    """Most entries that run at one moment, of one member or of one patient."""
    spans: dict[str, list[tuple[int, int]]] = {}
    for row in entries(clinic):
        if row.get("started_at") and row.get("ended_at"):
            start, end = (datetime.fromisoformat(row[name]) for name in ("started_at", "ended_at"))
            start, end = (at if at.tzinfo else at.replace(tzinfo=clinic.zone) for at in (start, end))
            spans.setdefault(row["member_id" if is_same_member else "patient_id"], []).append(
                (int(start.timestamp()), int(end.timestamp()))
            )
    return max((sum(a <= at < b for a, b in of) for of in spans.values() for at, _ in of), default=0)


OF_PRACTICES: dict[str, Callable[[Clinic], bool]] = {
    "a zone half an hour or a quarter off": lambda c: c.zone.utcoffset(datetime(2026, 1, 1)) % timedelta(hours=1) != timedelta(0),
    "a zone of the southern summer": lambda c: (c.zone.dst(datetime(2026, 1, 5)) or timedelta(0)) > timedelta(0),
    "a day without midnight": has_no_midnight,
    "a local time that occurs twice": lambda c: any(is_twice_or_never(at) > 0 for at in local_times(c)),
    "a local time that does not occur": lambda c: any(is_twice_or_never(at) < 0 for at in local_times(c)),
    "a month of 2024": lambda c: c.month.year == 2024,
    "a month of 2025": lambda c: c.month.year == 2025,
    "a month of 2026": lambda c: c.month.year == 2026,
    "March 2024 by the day of the threshold": lambda c: c.month == date(2024, 3, 1) and c.config.get("service_date_policy") == "threshold_day",
    "a facility": lambda c: c.config["place_of_service"] in ("19", "21", "22", "31"),
    "the dearest track": lambda c: c.config.get("track_policy") == "highest_allowed",
    "the documented track": lambda c: c.config.get("track_policy") == "documented",
    "the day of the threshold": lambda c: c.config.get("service_date_policy") == "threshold_day",
    "the month's end": lambda c: c.config.get("service_date_policy") == "month_end",
    "a qualifying APM participant": lambda c: c.config.get("qualifying_apm_participant", False),
    "a rural health clinic": lambda c: c.config.get("facility_type") == "rhc",
    "a federally qualified health center": lambda c: c.config.get("facility_type") == "fqhc",
    "own charges": lambda c: "charges" in c.config,
    "a patient who leaves": lambda c: any(max(p.nights) < len(c.nights) - 1 for p in c.patients),
    "a patient who leaves and returns": lambda c: any(max(p.nights) - min(p.nights) >= len(p.nights) for p in c.patients),
    "an entry that changes over four nights": lambda c: any(len(nights) >= 4 for nights in versions(c).values()),
    "a voided entry": lambda c: any(row["voided"] for row in entries(c)),
    "four entries of one member at once": lambda c: largest_overlap(c, is_same_member=True) >= 4,
    "three entries for one patient at once": lambda c: largest_overlap(c, is_same_member=False) >= 3,
    "a file landed again": lambda c: bool(c.earlier_versions()),
    "Parquet": lambda c: any(path.suffix == ".parquet" for path in c.files()),
    "gzip": lambda c: any(path.suffix == ".gz" for path in c.files()),
    "an empty file": lambda c: any(not content for content in c.files().values()),
    "a table in two formats": lambda c: len({(p.parent, p.name.split(".")[0]) for p in c.files()}) < len(c.files()),
    "panel rows with a bad value": lambda c: any(b"nonsense" in content for path, content in c.files().items() if path.name.split(".")[0] in PANEL),
    "bytes that are no text": lambda c: any(b"\xff" in content for path, content in c.files().items() if path.suffix == ".csv"),
}  # fmt: skip


@pytest.mark.parametrize("kind", OF_PRACTICES)
def test_a_practice_has(clinics: list[Clinic], kind: str) -> None:
    assert any(OF_PRACTICES[kind](clinic) for clinic in clinics)


OF_FACTS: dict[str, tuple[str, Callable[[Clinic, Row], bool]]] = {
    "a consent revoked in the month": ("consents", lambda c, r: bool(r.get("revoked_on")) and c.month <= r["revoked_on"] < c.end),
    "a consent to pcm": ("consents", lambda c, r: r["program"] == "pcm"),
    "a consent to apcm": ("consents", lambda c, r: r["program"] == "apcm"),
    "Part B that ends in the month": (
        "coverages",
        lambda c, r: (
            r["coverage_type"] == "medicare_part_b"
            and isinstance(r["termination_date"], date)
            and c.month <= r["termination_date"] < c.end
        ),
    ),
    "Advantage from the first of the month": (
        "coverages",
        lambda c, r: r["coverage_type"] == "medicare_advantage" and r["effective_date"] == c.month,
    ),
    "a QMB": ("coverages", lambda c, r: r["coverage_type"] == "qmb"),
    "an employer's plan that pays first": ("coverages", lambda c, r: r["coverage_type"] == "commercial" and r["priority"] == 1),
    "complex decision making": ("assessments", lambda c, r: r["mdm_level"] == "high"),
    "a stay that has not ended": ("stays", lambda c, r: r["discharged_on"] is None),
    "hospice": ("stays", lambda c, r: r["stay_type"] == "hospice"),
    "a care plan without a copy": ("care_plans", lambda c, r: not r.get("copy_given_on")),
}


@pytest.mark.parametrize("kind", OF_FACTS)
def test_a_patient_has(clinics: list[Clinic], kind: str) -> None:
    assert has(clinics, *OF_FACTS[kind])


def test_a_practice_that_is_to_be_closed_lands_every_table_on_the_night_of_the_close() -> None:
    closing = date(2026, 10, 1)
    found = [clinic for clinic in population(3, 12, closing=closing) if clinic.close_night is not None]
    assert len(found) >= 3
    for clinic in found:
        night = clinic.nights[clinic.close_night or 0]
        assert len([path for path in clinic.files() if path.parts[1] == night.isoformat()]) == 12
        assert len(clinic.nights) > (clinic.close_night or 0) + 1
