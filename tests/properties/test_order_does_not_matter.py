"""The marts are a function of the nights that were taken in, not of when and in which order they came."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.pipeline.homes import Ran
from tests.properties.orders import Delivery, Kitchen, Marts, all_at_once, deliveries_of, differences, one_by_one, plan_of
from tests.properties.strategies import Clinic, population

pytestmark = pytest.mark.xdist_group("orders")


@pytest.fixture(scope="module")
def clinics() -> list[Clinic]:
    return population(3, 2)


@pytest.fixture(scope="module")
def deliveries(clinics: list[Clinic]) -> list[Delivery]:
    return deliveries_of(clinics)


@pytest.fixture(scope="module")
def kitchen(demo: tuple[Path, Ran], tmp_path_factory: pytest.TempPathFactory) -> Kitchen:
    return Kitchen(tmp_path_factory.mktemp("orders"), demo[0] / "marts.duckdb")


@pytest.fixture(scope="module")
def wanted(kitchen: Kitchen, clinics: list[Clinic], deliveries: list[Delivery]) -> Marts:
    return kitchen.marts(clinics, all_at_once(deliveries))


def test_what_is_landed_has_late_nights_corrected_ones_and_something_to_decide(deliveries: list[Delivery], wanted: Marts) -> None:
    assert {one.version for one in deliveries} == {1, 2} and len({one.night for one in deliveries}) > 3
    for mart in ("minute_ledger", "claimable_codes", "undocumented_time", "worklist", "quarantine", "landed_files"):
        assert wanted[mart][1], mart


@pytest.mark.long
def test_nights_taken_in_one_by_one_give_the_marts_of_all_at_once(
    kitchen: Kitchen, clinics: list[Clinic], deliveries: list[Delivery], wanted: Marts
) -> None:
    backwards = sorted(deliveries, key=lambda one: (one.version, one.night), reverse=True)
    plan = plan_of(backwards, [True] * len(backwards), [0] * len(backwards))
    assert len(plan) == len(deliveries)
    assert differences(wanted, kitchen.marts(clinics, plan)) == []


@settings(max_examples=2, deadline=None, derandomize=True, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(drawn=st.data())
@pytest.mark.long
def test_any_order_with_repeats_gives_the_same_marts(
    kitchen: Kitchen, clinics: list[Clinic], deliveries: list[Delivery], wanted: Marts, drawn: Any
) -> None:
    size = len(deliveries)
    order = drawn.draw(st.permutations(deliveries))
    ends = drawn.draw(st.lists(st.sampled_from([False, False, True]), min_size=size, max_size=size))
    repeats = drawn.draw(st.lists(st.sampled_from([0, 0, 1, 3]), min_size=size, max_size=size))
    assert differences(wanted, kitchen.marts(clinics, plan_of(order, ends, repeats))) == []


def test_versions_of_a_night_stay_in_their_order_and_are_both_taken_in(deliveries: list[Delivery]) -> None:
    plan = plan_of(list(reversed(deliveries)), [False] * len(deliveries), [0] * len(deliveries))
    runs = {(one.practice_id, one.night, one.version): number for number, run in enumerate(plan) for one in run}
    assert len(runs) == len(deliveries)
    assert all(runs[practice, night, 1] < number for (practice, night, version), number in runs.items() if version == 2)
    assert one_by_one(deliveries)[0] == [deliveries[0]]


def test_a_difference_is_told_with_mart_and_column(wanted: Marts) -> None:
    columns, rows = wanted["claimable_codes"]
    place = columns.index("units")
    spoiled = [(*rows[0][:place], 99, *rows[0][place + 1 :]), *rows[1:]]
    assert differences(wanted, {**wanted, "claimable_codes": (columns, spoiled)}) == [
        f"claimable_codes: 1 of {len(rows)} rows differ, such as in units"
    ]
    assert "is missing" in differences(wanted, {**wanted, "claimable_codes": (columns, rows[1:])})[0]
