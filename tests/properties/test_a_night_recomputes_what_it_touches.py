"""A night that recomputes only what it touches gives, row for row, what building everything gives."""

from __future__ import annotations

import shutil
from pathlib import Path
from random import Random

import duckdb
import pytest

from orchestration.engine import open_warehouse
from orchestration.house import House
from orchestration.transform import compiled, dbt, standing
from orchestration.transform.state import build_inputs
from tests.pipeline.homes import Ran, copy
from tests.properties.nights import SETS, Compared, compare, differing, in_parts
from tests.properties.orders import deliveries_of, one_by_one
from tests.properties.strategies import population

pytestmark = pytest.mark.xdist_group("orders")


def test_after_late_and_corrected_nights_settings_and_claims_every_table_is_that_of_a_whole_build(
    demo: tuple[Path, Ran], tmp_path: Path
) -> None:
    clinics = population(5, 2)
    deliveries = deliveries_of(clinics)
    plan = in_parts(one_by_one(deliveries), sorted(one.night for one in deliveries)[len(deliveries) // 2])
    found = compare(tmp_path, demo[0] / "marts.duckdb", clinics, plan, Random(5), nights=4, only_last=True)
    assert found.differences == []
    assert found.nights == 3 and 0 < found.decided_again < found.patient_months


def test_a_month_that_an_entry_is_dated_ahead_into_moves_with_the_nights(demo: tuple[Path, Ran], tmp_path: Path) -> None:
    # Drawn by make fuzz-nights: an entry of a month that the newest night has not reached.
    clinics = population(22, 3)
    plan = sorted(one_by_one(deliveries_of(clinics)), key=lambda run: (run[0].night, run[0].version))
    found = compare(tmp_path, demo[0] / "marts.duckdb", clinics, plan, Random(22), nights=4, only_last=True)
    assert found.differences == [] and found.nights == 3


@pytest.fixture(scope="module")
def stood(next_night: Path, tmp_path_factory: pytest.TempPathFactory) -> House:
    """A copy of the home on which the second night recomputed what it touched."""
    return House(copy(next_night, tmp_path_factory.mktemp("stood") / "home")).prepare()


def test_the_next_night_decided_again_a_part_of_the_patient_months_and_a_whole_build_changes_no_row(stood: House) -> None:
    last = standing.last(stood)
    assert last is not None and not last.is_whole and 0 < last.patient_months < last.of_patient_months
    kept = shutil.copy(stood.warehouse, stood.state / "as_touched.duckdb")
    build_inputs(stood)
    results = dbt.build_models(stood, is_whole=True)
    assert not any(result.is_bad for result in results)
    found = Compared()
    with open_warehouse(stood) as whole, duckdb.connect(str(kept), read_only=True) as touched:
        assert list(differing(touched, whole, found)) == []
    assert found.rows > 10_000
    again = standing.last(stood)
    assert again is not None and again.is_whole


def test_what_a_night_left_unfinished_is_no_ground_for_the_next(stood: House) -> None:
    project = dbt.project_fingerprint()
    assert standing.stands(stood, project) and not standing.stands(stood, "other models")
    standing.begin(stood)
    assert not standing.stands(stood, project)
    standing.finish(stood, project, "part")
    assert standing.stands(stood, project)


def test_every_model_built_for_touched_keys_comes_behind_the_set_of_them() -> None:
    models = compiled.project("touched").models
    scoped = {name: model.meta["touched_by"] for name, model in models.items() if "touched_by" in model.meta}
    assert len(scoped) > 40 and set(scoped.values()) == set(SETS)
    for name, keys in scoped.items():
        behind = {model.name for model in compiled.in_order([name], night="touched")}
        assert SETS[keys][0] in behind, name


def test_what_hangs_on_a_close_does_not_pass_through_the_sets_of_a_night(stood: House) -> None:
    manifest = dbt.load_manifest(dbt.ensure_manifest(stood))
    below = dbt.hanging_on(manifest, ["source.ccm.configuration.claim_lines"])
    assert "int_decisions" in below and "patient_month_decisions" in below
    assert not any(name.startswith(("stg_time", "int_patient_months__days", "touched")) for name in below)
