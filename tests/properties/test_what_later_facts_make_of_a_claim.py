"""What later facts make of claims that went out: every row of the mart and every item of the work list, against the second opinion."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.properties import aftermath
from tests.second_opinion.aftermath import Claim, differences

Row = dict[str, Any]

pytestmark = pytest.mark.xdist_group("properties")


@dataclass
class Afterwards:
    home: Path
    claims: list[Claim]
    rows: list[Row]
    items: list[Row]


@pytest.fixture(scope="module")
def afterwards(tmp_path_factory: pytest.TempPathFactory) -> Afterwards:
    """Three practices whose claims went out, and all that landed since."""
    home = tmp_path_factory.mktemp("afterwards")
    claims = aftermath.close(home, 118, 3)
    with aftermath.warehouse() as con:
        return Afterwards(home, claims, *aftermath.built(home, con, claims))


def test_refunds_reopenings_and_their_items_are_those_of_the_second_opinion(afterwards: Afterwards) -> None:
    compared = aftermath.judged(afterwards.home, afterwards.claims, afterwards.rows, afterwards.items)
    assert compared.differences == []
    assert compared.claims > sum(compared.told.values()) > 5
    assert (
        set(compared.told) == {"refund", "refund of a month paid twice", "reopen", "reopen of the day"}
        and len(compared.reasons) > 5
    )


SPOILT: Row = {
    "claimed_amount": Decimal(1), "amount_now": Decimal(1), "kind": "other", "codes_now": ["99490 x 9"], "claimed_codes": [], "reasons": ["deceased"],
    "service_date_now": None, "claimed_service_date": None, "due_on": None, "latest_due_on": None, "claim_id": "another",
    "investigation_until_on": date(2027, 1, 1),
}  # fmt: skip


def test_whatever_is_published_otherwise_is_noticed(afterwards: Afterwards) -> None:
    judges, changes = aftermath.opinion(afterwards.home, afterwards.claims)
    newest = {judge.practice["practice_id"]: judge.newest_night for judge in judges}

    def told(rows: list[Row], items: list[Row] = afterwards.items) -> str:
        return "\n".join(differences(changes, rows, items, newest))

    assert told(afterwards.rows) == ""
    first = next(row for row in afterwards.rows if row["codes_now"])
    others = [row for row in afterwards.rows if row is not first]
    for column, value in SPOILT.items():
        assert f" {column}: expected" in told([{**first, column: value}, *others])
    assert "found_on: expected" in told([{**first, "found_on": first["found_on"] + timedelta(days=1)}, *others])
    assert "expected, not published" in told(others)
    assert "published, not expected" in told([*afterwards.rows, {**first, "patient_id": "nobody"}])
    assert "published twice" in told([*afterwards.rows, first])
    assert "on the work list: expected" in told(afterwards.rows, afterwards.items[1:])


@pytest.mark.long
@pytest.mark.parametrize("seed", [8, 12])
def test_refunds_and_reopenings_agree_on_practices_nobody_tuned_to(tmp_path: Path, seed: int) -> None:
    assert aftermath.compare(tmp_path, seed, 25).differences == []
