"""What `make_demo` promises about its files."""

from __future__ import annotations

import csv
import hashlib
import re
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from demo_home import Demo

from orchestration.code_forms import is_valid_npi
from orchestration.contracts import extract_contracts
from orchestration.demo import make_demo
from orchestration.demo.demo_practices import DEMO_PRACTICES
from orchestration.demo.tables import COLUMNS, PANEL
from orchestration.house import HouseError
from orchestration.practices import load_practices

INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)?")


def _is_a_day(value: str) -> bool:
    try:
        return bool(re.fullmatch(r"\d{4}-\d\d-\d\d", value)) and bool(date.fromisoformat(value))
    except ValueError:
        return False


READERS = {
    "text": lambda value: "\N{REPLACEMENT CHARACTER}" not in value,
    "date": _is_a_day,
    "instant": lambda value: bool(INSTANT.fullmatch(value)) and bool(datetime.fromisoformat(value)),
    "integer": lambda value: bool(re.fullmatch(r"-?\d+", value)),
    "boolean": lambda value: value in ("true", "false"),
}
OUTAGE_NIGHTS = {date(2026, 11, 1), date(2026, 11, 2), date(2026, 11, 3)}


def _digest(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def _faults(table: str, row: list[str]) -> list[str]:
    """The columns for which a row would be quarantined, by its contract."""
    columns = extract_contracts()[table].columns
    if len(row) != len(columns):
        return ["width"]
    found = []
    for column, value in zip(columns, row, strict=True):
        good = not column.required
        if value:
            good = READERS[column.kind](value) and (not column.vocabulary or value in column.vocabulary)
        found += [] if good else [column.name]
    return found


def test_the_same_seed_gives_the_same_bytes(demo: Demo, tmp_path: Path) -> None:
    make_demo(tmp_path)
    assert _digest(tmp_path) == _digest(demo.root)


def test_another_seed_gives_other_people(tmp_path: Path) -> None:
    first = make_demo(tmp_path / "a", patients_per_practice=6, nights_until=date(2026, 7, 8))
    make_demo(tmp_path / "b", seed=7, patients_per_practice=6, nights_until=date(2026, 7, 8))
    name = f"landing/{first.practices[0]}/2026-07-08/patients.csv"
    assert (tmp_path / "a" / name).read_bytes() != (tmp_path / "b" / name).read_bytes()


def test_fewer_nights_change_no_earlier_file(demo: Demo, tmp_path: Path) -> None:
    plan = make_demo(tmp_path, nights_until=date(2026, 8, 25))
    assert plan.closes == demo.plan.closes[:1]
    assert plan.nights[-1] == date(2026, 8, 25)
    assert _digest(tmp_path).items() <= _digest(demo.root).items()


def test_a_second_run_touches_no_file(tmp_path: Path) -> None:
    plan = make_demo(tmp_path, patients_per_practice=4, nights_until=date(2026, 7, 10))
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "landing").rglob("*.csv")}
    assert make_demo(tmp_path, patients_per_practice=4, nights_until=date(2026, 7, 10)) == plan
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "landing").rglob("*.csv")} == times


def test_the_home_of_another_practice_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "practices.yaml").write_text("practices: []\n")
    with pytest.raises(HouseError, match="holds practices already"):
        make_demo(tmp_path)
    (tmp_path / "practices.yaml").unlink()
    (tmp_path / "landing" / "lakeside").mkdir(parents=True)
    with pytest.raises(HouseError, match="holds practices already"):
        make_demo(tmp_path)
    assert [path.name for path in tmp_path.rglob("*")] == ["landing", "lakeside"]


@pytest.mark.parametrize("size", [1, pytest.param(3, marks=pytest.mark.long)])
def test_small_practices_work(tmp_path: Path, size: int) -> None:
    plan = make_demo(tmp_path, patients_per_practice=size)
    assert all(counts["patients"] <= size * len(plan.nights) for counts in plan.rows.values())


def test_sizes_can_be_given_by_practice(tmp_path: Path) -> None:
    plan = make_demo(tmp_path, patients_per_practice={"hudson": 12}, nights_until=date(2026, 7, 6))
    assert 10 <= plan.rows["hudson"]["patients"] <= 12
    assert plan.rows["prairie"]["patients"] > 60


def test_nights_are_weekdays_and_firsts_of_months_without_a_gap(demo: Demo) -> None:
    days = [date(2026, 7, 6) + timedelta(days=n) for n in range(122)]
    expected = [day for day in days if day.weekday() < 5 or day.day == 1]
    assert list(demo.plan.nights) == expected
    for practice in demo.plan.practices:
        folders = sorted(path.name for path in (demo.root / "landing" / practice).iterdir())
        assert folders == [night.isoformat() for night in expected]
        assert expected[-1] == date(2026, 11, 4)


def test_every_night_has_every_table_but_for_the_outage(demo: Demo) -> None:
    missing = {
        (practice, night, table)
        for practice in demo.plan.practices
        for night in demo.plan.nights
        for table in COLUMNS
        if not demo.path(practice, night, table).exists()
    }
    assert missing == {("highpines", night, "time_entries") for night in OUTAGE_NIGHTS}


def test_each_month_closes_on_a_night_from_the_third_on(demo: Demo) -> None:
    assert [month for month, _ in demo.plan.closes] == [date(2026, m, 1) for m in (7, 8, 9, 10)]
    for month, night in demo.plan.closes:
        assert night in demo.plan.nights
        assert (night.year, night.month) == (2026, month.month + 1)
        assert 3 <= night.day < 20
    assert demo.plan.supplements == [
        (month, night) for (month, _), (_, night) in zip(demo.plan.closes[:-1], demo.plan.closes[1:], strict=True)
    ]


def test_october_of_one_practice_closes_a_night_later(demo: Demo) -> None:
    assert demo.plan.refused == ("highpines", date(2026, 10, 1), date(2026, 11, 4))
    month, night = demo.plan.closes[-1]
    assert month == date(2026, 10, 1)
    for practice in demo.plan.practices:
        landed = [n for n in demo.plan.nights if n <= night and demo.path(practice, n, "time_entries").exists()]
        assert (landed[-1] > date(2026, 10, 31)) == (practice != "highpines")
    late = list(demo.rows("highpines", date(2026, 11, 4), "time_entries"))
    assert {row["recorded_at"][:10] for row in late} >= {"2026-11-02", "2026-11-03"}


def test_files_have_exactly_the_columns_of_the_contract(demo: Demo) -> None:
    for practice in demo.plan.practices:
        for night in demo.plan.nights:
            for table, columns in COLUMNS.items():
                path = demo.path(practice, night, table)
                if path.exists() and (practice, night, table) != ("bayview", date(2026, 8, 19), "conditions"):
                    with path.open(encoding="utf-8", errors="replace", newline="") as handle:
                        assert tuple(next(csv.reader(handle))) == columns
    header = demo.lines("bayview", date(2026, 8, 19), "conditions")[0]
    assert set(COLUMNS["conditions"]) - set(header) == {"clinical_status"}
    assert demo.items("rejected_file", "bayview") == ["conditions 2026-08-19"]


def test_all_rows_are_good_but_the_planted_ones(demo: Demo) -> None:
    bad = set()
    for practice in demo.plan.practices:
        for night in demo.plan.nights:
            for table in COLUMNS:
                if not demo.path(practice, night, table).exists() or (table, night) == (
                    "conditions",
                    date(2026, 8, 19),
                ):
                    continue
                for number, row in enumerate(demo.lines(practice, night, table)[1:], 2):
                    if _faults(table, row):
                        bad.add(f"{practice} {table} {night} line {number}")
    planted = {
        f"{case.practice_id} {' '.join(case.item_id.split()[:4])}" for case in demo.plan.cases if case.kind.startswith("bad_row")
    }
    assert bad == planted
    assert 10 <= len(bad) <= 16


def test_no_bad_row_stands_in_a_file_of_a_closing_night(demo: Demo) -> None:
    closing = {night.isoformat() for _, night in demo.plan.closes}
    assert not closing & {c.item_id.split()[1] for c in demo.plan.cases if c.kind.startswith("bad_row")}


def test_damaged_rows_come_again_unless_they_are_lost(demo: Demo) -> None:
    entries, services = demo.newest("time_entries", "entry_id"), demo.newest("services", "service_id")
    landed = entries.keys() | services.keys() | demo.newest("appointments", "appointment_id").keys()
    again = [
        case.item_id.split()[4] in landed
        for case in demo.plan.cases
        if case.kind.startswith("bad_row") and case.item_id.split()[0] not in PANEL
    ]
    assert len(again) == 9
    good = {key for key, row in entries.items() if not _faults("time_entries", list(row.values()))}
    lost = [c.item_id.split()[4] for c in demo.plan.cases if c.kind == "bad_row_value"]
    assert sum(item.startswith(("HP-T", "BV-T")) and item not in good for item in lost) == 2


def test_the_scheduling_and_time_log_files_hold_changes_only(demo: Demo) -> None:
    for table, key in (("appointments", 0), ("services", 0), ("time_entries", 0)):
        for practice in demo.plan.practices:
            seen: set[tuple[str, ...]] = set()
            for night in demo.plan.nights:
                if demo.path(practice, night, table).exists():
                    rows = [tuple(row) for row in demo.lines(practice, night, table)[1:]]
                    assert len({row[key] for row in rows}) == len(rows)
                    assert not seen & set(rows)
                    seen |= set(rows)
    empty = sum(
        len(demo.lines("highpines", night, "time_entries")) == 1
        for night in demo.plan.nights
        if demo.path("highpines", night, "time_entries").exists()
    )
    assert empty < 20


def test_no_row_stands_in_a_file_before_it_was_written(demo: Demo) -> None:
    for practice in DEMO_PRACTICES:
        for night in demo.plan.nights:
            for table in ("services", "time_entries"):
                if demo.path(practice.practice_id, night, table).exists():
                    for row in demo.rows(practice.practice_id, night, table):
                        assert row["updated_at"][:10] <= (night + timedelta(days=1)).isoformat()


def test_planted_entries_are_in_the_files(demo: Demo) -> None:
    entries = demo.newest("time_entries", "entry_id")
    lost = {item.split()[-1] for kind in ("bad_row_value", "bad_row_short_row") for item in demo.items(kind)}
    for kind in ("note_after_close", "voided", "open_timer", "duplicate"):
        assert set(demo.items(kind)) <= entries.keys() | lost


def test_practices_are_read_by_the_project(demo: Demo) -> None:
    text = (demo.root / "practices.yaml").read_text(encoding="utf-8")
    entries = yaml.safe_load(text)["practices"]
    assert len({entry["time_zone"] for entry in entries}) == 4
    for entry in entries:
        assert is_valid_npi(entry["npi"])
        assert all(isinstance(entry[key], str) for key in ("npi", "tax_id", "mac", "locality", "place_of_service", "phone"))
    assert sum("charges" in entry for entry in entries) == 2
    assert sum("standing_approver" in entry["close"] for entry in entries) == 1
    practices = load_practices(demo.root / "practices.yaml")
    assert set(practices) == set(demo.plan.practices)
    assert {practice.track_policy for practice in practices.values()} == {"documented", "highest_allowed"}
