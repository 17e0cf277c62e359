"""Two ways to read, one result: DuckDB and record by record; the zone table and zoneinfo."""

from __future__ import annotations

import csv
import io
import tempfile
from datetime import datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.contracts import extract_contracts
from orchestration.take_in.batch import Batch
from orchestration.take_in.zones import FIRST_DAY, LAST_DAY

from .conftest import GOOD, Home, csv_of, row

ENTRIES = extract_contracts()["time_entries"]
FIRST, LAST = datetime.combine(FIRST_DAY, time.min), datetime.combine(LAST_DAY, time(23, 59, 59))
FIELD = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12),
    st.text(' ,"\n\r\tab;é', max_size=8),
    st.text(" \u180e\u200b\u200d\u2060\ufeff\u00a0", max_size=3),  # blanks that are not seen
    st.sampled_from(["", " ", '"', '""', ",", "\n", "\r\n", "2026-01-15T10:00:00", "true", "+7", "ccm"]),
)


@st.composite
def rows_(draw):
    """Rows of random text in which most values are good ones."""
    made = []
    for number in range(draw(st.integers(0, 6))):
        values = {c.name: c.vocabulary[0] if c.vocabulary else GOOD[c.kind] for c in ENTRIES.columns}
        values["entry_id"] = f"e{number % 3}"
        for name in draw(st.lists(st.sampled_from(ENTRIES.names), max_size=3)):
            values[name] = draw(FIELD)
        values["note_text"] = draw(FIELD)
        made.append(list(values.values()))
    return made


def result(files: list[bytes], slowly: bool) -> tuple[list, int]:
    """What the lake makes of these files, one a night; and how many of them were read record by record."""
    calls = []
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        home = Home(Path(folder))
        if slowly:
            patch.setattr(Batch, "_judge_alike", lambda *_: set())
        one = Batch._stage_one
        patch.setattr(Batch, "_stage_one", lambda self, *rest: (calls.append(1), one(self, *rest))[1])
        for night, text in enumerate(files, 1):
            home.land("time_entries", text, night=f"2026-02-{night:02}")
        home.take_in()
        return [home.ask("select * from {time_entries}"), home.ask("select * from {quarantine}"), home.counts()], len(calls)


@st.composite
def clean_file(draw):
    text = io.StringIO()
    # Python 3.11 leaves a lone CR unquoted where lines end in LF: such a file is not clean.
    quoting, end = draw(st.sampled_from([(csv.QUOTE_MINIMAL, "\r\n"), (csv.QUOTE_ALL, "\n"), (csv.QUOTE_ALL, "\r\n")]))
    writer = csv.writer(text, quoting=quoting, lineterminator=end)
    writer.writerows([ENTRIES.names, *draw(rows_())])
    return text.getvalue().encode()


# Many files an example: a run costs a quarter of a second however many there are.
@settings(max_examples=5, deadline=None)
@given(files=st.lists(clean_file(), min_size=8, max_size=16))
def test_duckdb_and_the_csv_module_read_clean_files_alike(files):
    fast, fell_back = result(files, slowly=False)
    slow, _ = result(files, slowly=True)
    assert fast == slow
    assert fell_back == 0


@pytest.mark.long
@settings(max_examples=5, deadline=None)
@given(
    bodies=st.lists(
        st.lists(
            st.sampled_from([*'"",,, \n\n\r\tx', "e1,p1,m1,ccm,call,,,,timer,true,,n,2026-01-15,2026-01-15,true\n"]),
            max_size=40,
        ),
        min_size=8,
        max_size=16,
    )
)
def test_damaged_files_are_read_alike_whoever_begins(bodies):
    good = csv_of("time_entries", [row("time_entries", entry_id=str(n)) for n in range(2)])
    files = [(good + "".join(body)).encode() for body in bodies]
    assert result(files, slowly=False)[0] == result(files, slowly=True)[0]


@pytest.mark.parametrize(
    "zone",
    [
        "America/Chicago",
        "America/New_York",
        "America/Phoenix",
        "Asia/Kolkata",
        "Australia/Lord_Howe",
        "Pacific/Apia",
        "America/Adak",
        "UTC",
    ],
)
def test_local_times_become_utc_as_zoneinfo_has_it(home, zone):
    starts = [
        datetime(2026, 3, 7, 12),
        datetime(2026, 10, 31, 12),
        datetime(2026, 4, 4, 12),
        datetime(2026, 10, 3, 12),
        datetime(2011, 12, 29),
    ]
    times = [start + timedelta(minutes=15 * step) for start in starts for step in range(160)]
    times += [
        datetime(1955, 6, 1, 12, 0, 1),
        FIRST,
        FIRST - timedelta(seconds=1),
        LAST,
        LAST + timedelta(seconds=1),
        datetime(2100, 12, 31, 23, 59, 59),
    ]
    rows = [row("outreach", outreach_id=str(i), attempted_at=t.isoformat()) for i, t in enumerate(times)]
    home.land("outreach", csv_of("outreach", rows))
    home.take_in({"lakeside": zone})
    found = [at for (at,) in home.ask("select attempted_at from {outreach} order by line_number")]
    assert found == [t.replace(tzinfo=ZoneInfo(zone)).astimezone(ZoneInfo("UTC")).replace(tzinfo=None) for t in times]


@pytest.mark.parametrize("zone", ["Australia/Lord_Howe", "America/New_York", "UTC"])
def test_local_times_long_before_and_long_after_these_years_become_utc_as_zoneinfo_has_it(home, zone):
    # Drawn by make fuzz-extracts: a bit flipped in a year made it the year 25, which was read with the offset of 1950.
    times = [
        datetime(25, 11, 12, 19, 20, 3), datetime(1, 1, 2), datetime(1883, 11, 18, 12, 1), datetime(1895, 1, 31, 23, 30), datetime(1895, 2, 1, 0, 30),
        datetime(1942, 2, 9, 1, 59, 59), datetime(1942, 2, 9, 2), datetime(1949, 12, 31, 23, 59), datetime(2100, 12, 31, 23),
        datetime(2150, 3, 8, 2, 30), datetime(2150, 11, 1, 1, 30), datetime(9999, 12, 31, 12),
    ]  # fmt: skip
    rows = [row("outreach", outreach_id=str(i), attempted_at=t.isoformat()) for i, t in enumerate(times)]
    home.land("outreach", csv_of("outreach", rows))
    # The same days once more, by another table.
    home.land("time_entries", csv_of("time_entries", [row("time_entries", started_at=times[0].isoformat())]))
    home.take_in({"lakeside": zone})
    wanted = [t.replace(tzinfo=ZoneInfo(zone)).astimezone(ZoneInfo("UTC")).replace(tzinfo=None) for t in times]
    assert [at for (at,) in home.ask("select attempted_at from {outreach} order by line_number")] == wanted
    assert home.ask("select started_at from {time_entries}") == [(wanted[0],)]
