"""Parts of a patient-month's story, told of a few rows."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import duckdb
import pytest

from orchestration.answer.explain.story import _local

CHICAGO = ZoneInfo("America/Chicago")


@pytest.mark.parametrize(
    ("instant", "said"),
    [
        ("0001-01-01 00:00:00", "0001-01-01 00:00:00 UTC"),
        ("0001-12-31 (BC) 10:00:00", "0001-12-31 (BC) 10:00:00 UTC"),
        ("2026-10-05 15:00:00", "2026-10-05 10:00:00-05:00"),
    ],
    ids=["a null date", "a null date east of Greenwich", "a real one"],
)
def test_an_instant_that_no_wall_clock_shows_is_told_in_utc(instant: str, said: str) -> None:
    with duckdb.connect() as con:
        ((read,),) = con.execute("select cast(? as timestamp)", [instant]).fetchall()
    assert _local(read, CHICAGO) == said
