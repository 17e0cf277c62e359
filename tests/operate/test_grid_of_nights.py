"""Dagster's grid of nights: each table's mark of a night says what the lake holds of that night, and a night of which nothing came has none."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta

import dagster as dg
import pytest

from orchestration.contracts import extract_contracts
from orchestration.house import House
from orchestration.operate.instance import prepare_environment
from orchestration.take_in.assets import LEDGERS, take_in_assets
from orchestration.take_in.ledger import ledger
from tests.holds.clinic import NEWEST_NIGHT, Clinic, configure, nights, path_of, write

FIRST, LAST = NEWEST_NIGHT - timedelta(days=2), NEWEST_NIGHT - timedelta(days=1)
ALPHA, BETA = Clinic("alpha", 1, patients=2), Clinic("beta", 2, patients=3)
TIME_ENTRIES = dg.AssetKey(["lake", "time_entries"])


@dg.asset(deps=[spec.key for spec in take_in_assets.specs])
def hangs_on_every_table():
    return dg.MaterializeResult()


@pytest.fixture
def house(tmp_path, monkeypatch):
    for name in ("CCM_HOME", "DAGSTER_HOME"):
        monkeypatch.setenv(name, "")  # put back afterwards
    house = House(tmp_path / "home")
    configure(house.root, [ALPHA, BETA])
    for night in nights(FIRST, LAST):
        ALPHA.land_night(house.root, night, as_panel=night == LAST)
    prepare_environment(house)
    return house


@pytest.fixture
def instance(house):
    with dg.DagsterInstance.get() as instance:
        yield instance


def take_in(instance, night, until=None, **tags):
    """A run for a night, or for a range of nights, as a backfill of Dagster's page launches it; what hangs on the lake's tables is run with one night."""
    defs = dg.Definitions(
        assets=[take_in_assets, hangs_on_every_table],
        jobs=[
            dg.define_asset_job("nights", executor_def=dg.in_process_executor, selection=selection)
            for selection in [dg.AssetSelection.assets(take_in_assets) if until else dg.AssetSelection.all()]
        ],
    )
    span = {"dagster/asset_partition_range_start": str(night), "dagster/asset_partition_range_end": str(until)} if until else {}
    ran = defs.resolve_job_def("nights").execute_in_process(
        instance=instance, partition_key=None if until else str(night), tags={**span, **tags}
    )
    assert ran.success
    return ran


def marks(instance, table="time_entries"):
    """Night -> what its newest mark says."""
    records = instance.fetch_materializations(dg.AssetKey(["lake", table]), limit=1000).records
    newest = {}
    for record in records:
        newest.setdefault(
            date.fromisoformat(record.partition_key),
            {name: one.value for name, one in record.asset_materialization.metadata.items()},
        )
    return newest


def rows_in_force(house, table):
    """Night -> rows, of what each practice landed last and was accepted."""
    found = {record.key: record for record in ledger(house) if record.table_name == table and record.outcome == "accepted"}
    rows = Counter()
    for (_, night, _), record in found.items():
        rows[night] += record.rows_accepted
    return rows


def test_each_nights_mark_has_the_rows_of_that_night_and_only_nights_with_a_file_have_one(house, instance):
    ran = take_in(instance, LAST)
    for table in extract_contracts():
        told = {night: said["dagster/partition_row_count"] for night, said in marks(instance, table).items()}
        assert told == rows_in_force(house, table), table
    assert set(marks(instance)) == {FIRST, LAST} and set(marks(instance, "patients")) == {LAST} and not marks(instance, "calls")
    assert {night: said["files"] for night, said in marks(instance).items()} == {FIRST: 1, LAST: 1}
    landed = Counter(record.extract_date for record in ledger(house))
    assert {night: said["dagster/partition_row_count"] for night, said in marks(instance, "files").items()} == landed
    assert set(marks(instance, "quarantine")) == {FIRST, LAST}
    # One mark a table and night is the most.
    assert len(ran.get_asset_materialization_events()) - 1 == len(
        {(one.table_name, one.extract_date) for one in ledger(house)}
    ) + 2 * len(LEDGERS)


@pytest.mark.long
def test_a_run_with_nothing_new_overwrites_no_mark_and_what_hangs_on_the_tables_runs_all_the_same(house, instance):
    take_in(instance, LAST)
    before = {table: marks(instance, table) for table in (*extract_contracts(), *LEDGERS)}
    for night in (LAST, FIRST, NEWEST_NIGHT):
        ran = take_in(instance, night)
        assert [event.asset_key for event in ran.get_asset_materialization_events()] == [hangs_on_every_table.key], night
    assert {table: marks(instance, table) for table in before} == before


@pytest.mark.long
def test_what_comes_later_is_added_to_its_nights_mark_and_a_file_that_is_landed_again_counts_once(house, instance):
    take_in(instance, LAST)
    for night in nights(FIRST, LAST):
        BETA.land_night(house.root, night)
    write(house.root, "alpha", LAST, "time_entries", ALPHA.log(LAST)[:1])
    take_in(instance, NEWEST_NIGHT)
    told = {night: said["dagster/partition_row_count"] for night, said in marks(instance).items()}
    assert told == rows_in_force(house, "time_entries") and told[LAST] == 1 + len(BETA.log(LAST)) > 1
    assert marks(instance)[LAST]["files"] == 2 and marks(instance)[LAST]["versions"] == 3
    # A file that cannot be read leaves in force what was there.
    path_of(house.root, "alpha", LAST, "time_entries").write_text("nonsense\n")
    take_in(instance, NEWEST_NIGHT)
    assert marks(instance)[LAST] == {**marks(instance)[LAST], "files": 2, "versions": 4, "dagster/partition_row_count": told[LAST]}


@pytest.mark.parametrize(
    ("until", "tags"), [(NEWEST_NIGHT, {}), pytest.param(None, {"dagster/backfill": "of-the-page"}, marks=pytest.mark.long)]
)
def test_a_backfill_of_dagsters_page_marks_each_night_that_it_asks_for_with_what_is_there(house, instance, until, tags):
    take_in(instance, LAST)
    rows = rows_in_force(house, "time_entries")
    asked = [LAST, NEWEST_NIGHT] if until else [LAST]
    take_in(instance, LAST, until, **tags)
    told = marks(instance)
    assert {night: told[night]["dagster/partition_row_count"] for night in asked} == {night: rows[night] for night in asked}
    assert instance.get_latest_materialization_event(dg.AssetKey(["lake", "calls"])) is not None
