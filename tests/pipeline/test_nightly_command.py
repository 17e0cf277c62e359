"""What `ccm nightly` says and does where nothing, or little, is new."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from tests.holds.clinic import FIRST_NIGHT, Clinic, configure
from tests.pipeline.homes import Ran, ccm, copy
from tests.properties.staging import same_marts

pytestmark = pytest.mark.xdist_group("nightly_command")

SECOND_NIGHT = date(2026, 10, 6)


@pytest.fixture(scope="module")
def taken_in(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ran]:
    """A home of two nights, and what the run said that took them in. Never changed by a test: copy it first."""
    home, clinic = tmp_path_factory.mktemp("taken_in") / "home", Clinic("alpha", 1)
    configure(home, [clinic])
    for night in (FIRST_NIGHT, SECOND_NIGHT):
        clinic.land_night(home, night)
    return home, ccm("nightly", home=home)


@pytest.fixture
def home(taken_in: tuple[Path, Ran], tmp_path: Path) -> Path:
    return copy(taken_in[0], tmp_path / "home")


def clear_landing(home: Path) -> None:
    shutil.rmtree(home / "landing")
    (home / "landing").mkdir()


def test_with_landing_cleared_and_the_warehouse_gone_a_night_builds_everything_from_the_lake(
    taken_in: tuple[Path, Ran], home: Path
) -> None:
    clear_landing(home)
    (home / "warehouse.duckdb").unlink()
    ran = ccm("nightly", home=home)
    assert ran.code == 0, ran.err
    assert (home / "warehouse.duckdb").exists() and same_marts(taken_in[0], home) == []


def without_landing(home: Path) -> None:
    clear_landing(home)
    shutil.rmtree(home / "lake")
    (home / "warehouse.duckdb").unlink()


@pytest.mark.parametrize(
    ("change", "asked", "said"),
    [
        (without_landing, (), "nothing has landed"),
        (without_landing, ("--date", "2026-10-06"), "nothing has landed"),
        (lambda home: None, ("--date", "2020-01-01"), "no landed night up to 2020-01-01"),
        (clear_landing, ("--date", "2020-01-01"), "no landed night up to 2020-01-01"),
    ],
    ids=["an empty home", "an empty home with a date", "a date before every night", "such a date with landing cleared"],
)
def test_a_night_that_there_is_nothing_for_says_whether_nothing_landed_or_only_nothing_up_to_its_date(
    home: Path, change: Callable[[Path], None], asked: tuple[str, ...], said: str
) -> None:
    change(home)
    ran = ccm("nightly", *asked, home=home)
    assert ran.code == 1 and said in ran.err, ran.err
