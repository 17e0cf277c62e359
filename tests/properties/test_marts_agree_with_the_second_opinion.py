"""The marts of a generated home, row for row and column for column, against the slow, obvious evaluator that shares no code with the product."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestration.house import DBT_PROJECT
from tests.pipeline.homes import ccm
from tests.properties.strategies import write_home
from tests.second_opinion import differences, evaluate

pytestmark = pytest.mark.xdist_group("properties")


def disagreements(home: Path, seed: int, practices: int) -> list[str]:
    """Lands a generated population, runs the night, compares every mart."""
    home.mkdir(parents=True)
    write_home(home, seed, practices=practices)
    ran = ccm("nightly", home=home)
    assert ran.code == 0, ran.err
    return differences(evaluate(home, DBT_PROJECT / "seeds"), home / "marts.duckdb")


@pytest.mark.parametrize("seed", [11])
def test_marts_and_second_opinion_agree_on_a_population_nobody_tuned_to(tmp_path: Path, seed: int) -> None:
    assert disagreements(tmp_path / "home", seed, practices=12) == []
