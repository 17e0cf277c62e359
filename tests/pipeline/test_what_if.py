"""`ccm what-if` on the demo home: the same rules differ by nothing, other rules by what they say, and the home stays as it was."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from orchestration.house import DBT_PROJECT, House, HouseError
from orchestration.what_if.run import Question, what_if
from tests.pipeline.homes import ccm, copy, rows
from tests.second_opinion.prices import Reference

pytestmark = pytest.mark.xdist_group("what_if")

OCTOBER = date(2026, 10, 1)


@pytest.fixture(scope="module")
def home(demo, tmp_path_factory) -> Path:
    return copy(demo[0], tmp_path_factory.mktemp("what-if") / "home")


def bytes_of(home: Path) -> dict[str, str]:
    """Every file of the home by its hash, but the lock that a what-if takes and the record of every access."""
    return {
        str(path.relative_to(home)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(home.rglob("*"))
        if path.is_file() and path.name not in ("what-if.lock", "access.jsonl")
    }


@pytest.mark.parametrize("asked", ["hudson", pytest.param("", marks=pytest.mark.long)], ids=["one practice", "all"])
def test_under_the_same_rules_nothing_differs_and_nothing_of_the_home_is_touched(home, asked):
    before = bytes_of(home)
    of = ("--practice", asked) if asked else ()
    ran = ccm("what-if", "--month", "2026-10", *of, "--rules-as-of", "2026-10-31", "--json", home=home)
    assert ran.code == 0, ran.err
    report = json.loads(ran.out)
    assert {found["practice_id"] for found in report["practices"]} == (
        {asked} if asked else {"bayview", "highpines", "hudson", "prairie"}
    )
    for found in report["practices"]:
        assert found["differing"] == 0 and set(found["differing_in"].values()) == {0}
        assert (
            found["patient_months"] > 50 and found["dollars"]["difference"] == "0.00" and Decimal(found["dollars"]["before"]) > 1000
        )
    assert bytes_of(home) == before
    assert not (home / ".state" / "what-if").exists()


@pytest.mark.long
def test_the_rules_of_another_year_price_the_month_with_that_years_fees(home):
    before = bytes_of(home)
    (found,) = what_if(House(home), Question(OCTOBER, "hudson", date(2025, 6, 30)))
    assert found["differing"] > 0 and found["differing_in"]["decision"] == 0
    assert [(row["procedure_code"], row["units_before"]) for row in found["codes"]] == [
        (row["procedure_code"], row["units_after"]) for row in found["codes"]
    ]
    # What a practice's codes come to in June 2025, by the second opinion's plain multiplication.
    practice = next(p for p in yaml.safe_load((home / "practices.yaml").read_text())["practices"] if p["practice_id"] == "hudson")
    reference = Reference(DBT_PROJECT / "seeds")
    credentials = {}
    for row in rows(
        home, "select distinct billing_practitioner_id from claimable_codes where practice_id = 'hudson' and month = '2026-10-01'"
    ):
        credentials[row["billing_practitioner_id"]] = credential_of(home, str(row["billing_practitioner_id"]))
    priced = {day: Decimal(0) for day in (date(2025, 6, 30), date(2026, 10, 31))}
    for row in rows(
        home,
        "select procedure_code, units, billing_practitioner_id from claimable_codes where practice_id = 'hudson' and month = '2026-10-01'",
    ):
        for day in priced:
            amount = reference.unit_allowed(practice, credentials[row["billing_practitioner_id"]], str(row["procedure_code"]), day)
            priced[day] += amount * int(str(row["units"]))
    assert found["dollars"]["before"] == priced[date(2026, 10, 31)]
    assert found["dollars"]["after"] == priced[date(2025, 6, 30)]
    assert bytes_of(home) == before


def credential_of(home: Path, member_id: str) -> str:
    import csv

    newest = sorted((home / "landing" / "hudson").glob("*/care_team.csv"))[-1]
    with newest.open(newline="", encoding="utf-8") as handle:
        return next(row["credential"] for row in csv.DictReader(handle) if row["member_id"] == member_id)


@pytest.mark.long
def test_another_policy_is_shown_beside_a_side_that_is_computed_where_the_marts_are_of_other_settings(home, tmp_path):
    """prairie's marts are of its policy highest_allowed. With the policy changed in practices.yaml and no night since, the marts are not what is."""
    changed = copy(home, tmp_path / "home")
    content = yaml.safe_load((changed / "practices.yaml").read_text())
    (prairie,) = [entry for entry in content["practices"] if entry["practice_id"] == "prairie"]
    assert prairie["track_policy"] == "highest_allowed"
    prairie["track_policy"] = "documented"
    (changed / "practices.yaml").write_text(yaml.safe_dump(content))

    (found,) = what_if(House(changed), Question(OCTOBER, "prairie", settings=[("track_policy", "highest_allowed")]))

    published = rows(
        home,
        "select patient_id, alternatives, allowed_amount from patient_month_decisions where practice_id = 'prairie' and month = '2026-10-01'",
    )
    assert found["dollars"]["after"] == sum(row["allowed_amount"] for row in published)
    assert found["differing"] == found["differing_in"]["codes"] > 0 and found["differing_in"]["decision"] == 0
    dearest = {
        row["patient_id"]: max((Decimal(str(a["allowed_amount"])) for a in json.loads(row["alternatives"])), default=None)
        for row in published
    }
    for mover in found["movers"]:
        assert mover["amount_before"] < mover["amount_after"] == dearest[mover["patient_id"]]
    assert found["dollars"]["difference"] == sum(mover["difference"] for mover in found["movers"])


def test_an_unknown_practice_or_month_is_named(home):
    with pytest.raises(HouseError, match=r"--practice lakeside: not in .*it has bayview, highpines, hudson, prairie"):
        what_if(House(home), Question(OCTOBER, "lakeside", date(2026, 1, 1)))
    with pytest.raises(HouseError, match="--month 2031-01: hudson has no such month; `ccm status` lists"):
        what_if(House(home), Question(date(2031, 1, 1), "hudson", date(2026, 1, 1)))
