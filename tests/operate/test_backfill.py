"""Years of nights: a run for each month, whoever asks for it."""

from __future__ import annotations

from datetime import date

import dagster as dg
import pytest

from orchestration.command.running import months_to_do
from orchestration.house import House
from orchestration.lake_batches import batch_numbers
from orchestration.operate.instance import prepare_environment
from orchestration.practices import load_practices
from orchestration.take_in.assets import take_in_assets
from orchestration.take_in.ledger import ledger
from tests.properties.strategies import write_home

TIME_ENTRIES = dg.AssetKey(["lake", "time_entries"])


@pytest.fixture
def house(tmp_path, monkeypatch):
    write_home(tmp_path / "home", seed=12, practices=2, defects=False)
    for name in ("CCM_HOME", "DAGSTER_HOME"):
        monkeypatch.setenv(name, "")  # put back afterwards
    house = House(tmp_path / "home")
    prepare_environment(house)
    return house


def nights(house):
    return sorted({date.fromisoformat(path.name) for path in house.landing.glob("*/*")})


def take_in(instance, start, end):
    """A run as Dagster's page of a backfill launches it: for a range of nights."""
    defs = dg.Definitions(assets=[take_in_assets], jobs=[dg.define_asset_job("range", executor_def=dg.in_process_executor)])
    tags = {"dagster/asset_partition_range_start": str(start), "dagster/asset_partition_range_end": str(end)}
    return defs.resolve_job_def("range").execute_in_process(instance=instance, tags=tags)


def test_a_run_for_a_range_of_nights_is_one_batch_up_to_its_last_and_earlier_nights_get_their_mark_too(house):
    practices = load_practices(house.practices_yaml)
    landed = nights(house)
    months = months_to_do(house, practices, None)
    assert list(months) == sorted({night.replace(day=1) for night in landed})
    assert months[date(2026, 10, 1)] == max(night for night in landed if night < date(2026, 11, 1))
    with dg.DagsterInstance.get() as instance:
        assert take_in(instance, date(2026, 10, 30), date(2026, 10, 31)).success
        taken = [night for night in landed if night <= date(2026, 10, 31)]
        assert batch_numbers(house) == [0, 1] and {record.extract_date for record in ledger(house)} == set(taken)
        # The months before came with it, as what is late does.
        marked = instance.get_materialized_partitions(TIME_ENTRIES)
        assert {str(night) for night in taken if night < date(2026, 10, 30)} | {"2026-10-30", "2026-10-31"} == marked
    assert take_in_assets.backfill_policy.max_partitions_per_run == 31  # so a year is twelve runs
    assert list(months_to_do(house, practices, None)) == [date(2026, 11, 1)]
    assert list(months_to_do(house, practices, date(2026, 10, 31))) == []
