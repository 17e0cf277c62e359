"""Parts of a patient-month's story, told of a few rows."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import duckdb
import pytest

from orchestration.answer.explain.source import counted_dispositions
from orchestration.answer.explain.story import _local
from orchestration.answer.explain.text import of_track

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


@pytest.mark.parametrize(
    ("basis", "track", "said"),
    [
        ("practitioner", "ccm_practitioner", [False, False, True, True]),
        ("credited", "ccm", [True, False, True, False]),
        (None, "apcm", [False, False, False, False]),
    ],
)
def test_the_story_of_a_claim_says_which_seconds_its_track_counts(basis: str | None, track: str, said: list[bool]) -> None:
    told = [
        (what, what in counted_dispositions(basis, is_practitioner))
        for is_practitioner in (False, True)
        for what in ("credited", "concurrent")
    ]
    assert [is_counted for _, is_counted in told] == said
    for what, is_counted in told:
        shown = of_track(track, {"disposition": what, "is_counted": is_counted})
        assert shown == (
            f"  <- track {track} counts them"
            if is_counted
            else f"  <- track {track} does not count them"
            if what == "credited"
            else ""
        )
    assert of_track(None, {"disposition": "credited", "is_counted": False}) == "", "no track, no claim"
