"""The generator is worth its time only while it reaches every outcome that interface.md names."""

from collections import Counter
from pathlib import Path

import pytest

from ..second_opinion import Opinion, evaluate, rules
from .strategies import coverage_report, missing_values, write_home

pytestmark = pytest.mark.xdist_group("outcomes")  # else each worker has its own opinions

SEEDS = Path(__file__).parents[2] / "dbt_project" / "seeds"
VOCABULARIES = {
    "eligibility.reason": rules.ELIGIBILITY_REASONS,
    "disposition": rules.DISPOSITIONS,
    "decision": ["claimable", "held", "not_claimable"],  # `claimed` needs a close
    "reason": rules.DECISION_REASONS,
    "flag": rules.FLAGS,
    "track": rules.TRACKS,
    "undocumented_time.kind": rules.ITEM_KINDS,
    "funnel.stage": rules.STAGES[:8],
    "enrollment_status.state": rules.STATES,
    "worklist.kind": [
        kind for kind in rules.WORKLIST_KINDS if kind not in (*rules.ITEM_KINDS, *rules.AFTER_THE_CLAIM, "denied_claim")
    ],
    "revenue_gap.cause": rules.CAUSES,
}


@pytest.fixture(scope="module")
def opinions(tmp_path_factory: pytest.TempPathFactory) -> list[Opinion]:
    return [evaluate(write_home(tmp_path_factory.mktemp("home"), seed), SEEDS) for seed in range(1, 7)]


@pytest.mark.long
def test_every_value_of_every_vocabulary_occurs(opinions: list[Opinion]) -> None:
    report: dict[str, Counter[str]] = {name: Counter() for name in coverage_report(opinions[0])}
    for opinion in opinions:
        for name, counts in coverage_report(opinion).items():
            report[name] += counts
    assert missing_values(report, VOCABULARIES) == []


@pytest.mark.long
def test_claims_arise_often_enough_to_compare_money(opinions: list[Opinion]) -> None:
    decisions = [row for opinion in opinions for row in opinion.patient_month_decisions]
    assert sum(row["track"] is not None for row in decisions) >= 150


def test_the_same_seed_writes_the_same_home(tmp_path: Path) -> None:
    homes = [write_home(tmp_path / name, 7, practices=3) for name in ("one", "two")]
    first, second = ({path.relative_to(home): path.read_bytes() for path in home.rglob("*") if path.is_file()} for home in homes)
    assert first == second


@pytest.mark.long
def test_the_credited_seconds_of_the_ledger_are_those_of_the_patient_month(opinions: list[Opinion]) -> None:
    for opinion in opinions:
        of_ledger: Counter[tuple[object, ...]] = Counter()
        for row in opinion.minute_ledger:
            if row["disposition"] == "credited":
                of_ledger[row["practice_id"], row["patient_id"], row["month"]] += row["seconds"]
        for row in opinion.patient_month_minutes:
            assert row["credited_seconds"] == of_ledger[row["practice_id"], row["patient_id"], row["month"]]
            both = row["staff_seconds"] + row["practitioner_seconds"]
            assert max(row["staff_seconds"], row["practitioner_seconds"]) <= row["credited_seconds"] <= both
