"""A sample of `make fuzz-extracts`, and that its judges notice what they are there for."""

from __future__ import annotations

from datetime import date
from random import Random

from tests.hostile.drafts import TABLES, good_draft
from tests.hostile.fuzz import NIGHTS_A_HOME, UNTOUCHED, _Lake, run
from tests.hostile.mutations import MUTATIONS
from tests.hostile.second_reader import Expected, expected_of
from tests.take_in.conftest import CHICAGO, csv_of, row


def test_every_row_of_hostile_nights_is_accounted_for():
    tally = run(60, seed=1)
    assert tally.findings == []
    assert tally.nights > 60 and tally.files > 200
    assert tally.compared > 0.8 * tally.files
    # every way in which a file goes wrong was among them, and the good files came through whole
    assert tally.by_kind.keys() >= MUTATIONS.keys()
    assert tally.by_kind[UNTOUCHED]["accepted"] == tally.by_kind[UNTOUCHED]["files"] > 0


def test_the_same_seed_lands_the_same_bytes():
    assert NIGHTS_A_HOME < 60  # the sample has more than one home

    def drafts(seed: int) -> list[bytes]:
        rng = Random(seed)
        return [good_draft(table, date(2026, 1, 1), rng).landed() for table in TABLES]

    assert drafts(1) == drafts(1) != drafts(2)


def test_a_file_that_is_read_otherwise_than_the_second_reader_does_is_found(home):
    path = home.land("care_plans", csv_of("care_plans", [row("care_plans", care_plan_id=i) for i in "abb"]) + "c\n")
    report = home.take_in()
    record, lake = vars(report.files[0]), _Lake(home.house, report.batch)
    wanted = expected_of(path, "care_plans", "csv", CHICAGO["lakeside"])
    assert list(lake.judge(record, wanted)) == []
    assert (len(wanted.accepted), list(wanted.quarantined), wanted.superseded) == (2, [5], 1)
    spoiled = [
        Expected(True, wanted.received, wanted.accepted, wanted.quarantined, wanted.superseded),
        Expected(False, 5, wanted.accepted, wanted.quarantined, wanted.superseded),
        Expected(False, 4, wanted.accepted, {4: None}, 1),
        Expected(False, 4, wanted.accepted, {5: "p1"}, 1),
        Expected(False, 4, {**wanted.accepted, 2: ("x",)}, wanted.quarantined, 1),
    ]
    assert all(len(list(lake.judge(record, other))) == 1 for other in spoiled)
    for column, value in (
        ("rows_received", 9),
        ("rows_accepted", 3),
        ("rows_quarantined", 0),
        ("outcome", "lost"),
        ("outcome", "rejected"),
    ):
        assert list(lake.judge({**record, column: value}, None)), column
