"""The local day of a time entry is that of the practice's clock, whether the day's distance from UTC is known beforehand or looked up by the instant."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pytest

from orchestration.transform import compiled
from tests.take_in.conftest import Home, csv_of, row

# Clocks are changed at two in the morning, at midnight (Cairo, and Sao Paulo until 2018) and by half an hour (Lord Howe).
ZONES = ("America/Chicago", "Africa/Cairo", "America/Sao_Paulo", "Australia/Lord_Howe")
# Days of changes in one of the zones, plain days, and days out of the calendar of stg_clock_days.
DAYS = (
    "2026-03-08",
    "2026-11-01",
    "2026-04-24",
    "2018-11-04",
    "2018-02-18",
    "2026-04-05",
    "2026-10-04",
    "2026-10-14",
    "1999-10-31",
    "2044-03-13",
)


@pytest.mark.parametrize("zone", ZONES)
def test_every_hour_of_a_day_on_which_a_clock_is_changed_lies_on_the_day_that_the_clock_shows(tmp_path: Path, zone: str) -> None:
    clock, told, wanted = ZoneInfo(zone), [], {}
    for day in DAYS:
        midnight = datetime.fromisoformat(day).replace(tzinfo=UTC)
        for half_hours in range(-48, 96):
            start = midnight + timedelta(minutes=30 * half_hours - 1)
            end = start + timedelta(minutes=20)
            key = f"{start:%Y%m%d%H%M}"
            wanted[key] = (start.astimezone(clock).date(), (end - timedelta(seconds=1)).astimezone(clock).date())
            told.append((key, start, end))
    home = Home(tmp_path)
    written = {key: (f"{start:%Y-%m-%dT%H:%M:%SZ}", f"{end:%Y-%m-%dT%H:%M:%SZ}") for key, start, end in told}
    entries = [
        row("time_entries", entry_id=key, started_at=start, ended_at=end, duration_seconds="")
        for key, (start, end) in written.items()
    ]
    home.land("time_entries", csv_of("time_entries", entries), night="2026-11-03")
    home.take_in()
    con = duckdb.connect()
    compiled.prepare(con)
    con.execute(
        f"create table staging.stg_files as select *, true as is_in_force from '{home.house.lake}/batches/000001/files.parquet'"
    )
    con.execute("create table staging.stg_practices as select 'lakeside' as practice_id, ? as time_zone", [zone])
    compiled.run(con, home.house.root, compiled.in_order(["stg_time_entries"], given=("stg_files", "stg_practices")))
    found = con.execute("select entry_id, local_day, last_local_day from staging.stg_time_entries").fetchall()
    assert {key: days for key, *days in found} == {key: list(days) for key, days in wanted.items()}
    # Both ways were gone: the days of changes and those out of the calendar are not among the known ones.
    known = {day for (day,) in con.execute("select cast(day_start as date) from staging.stg_clock_days").fetchall()}
    assert 9_000 < len(known) < 9_131 and not known & {datetime(1999, 10, 31).date(), datetime(2044, 3, 13).date()}
