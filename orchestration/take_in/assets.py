"""Taking in as Dagster assets: the lake's tables, one partition per night, however many nights a run takes."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import dagster as dg

from orchestration.contracts import extract_contracts
from orchestration.house import House
from orchestration.practices import load_practices
from orchestration.take_in.lake import take_in

NIGHTS = dg.DailyPartitionsDefinition(start_date="2019-01-01", end_offset=1)
LEDGERS = {
    "files": "Every landed file ever taken in: version, hash, outcome, row accounting.",
    "quarantine": "Every row that was not accepted, with line, column and reason.",
}


class TakeInConfig(dg.Config):
    """Which practices' files to take in; all of practices.yaml when None."""

    practice_ids: list[str] | None = None


def _specs() -> list[dg.AssetSpec]:
    specs = []
    for table, contract in extract_contracts().items():
        specs.append(
            dg.AssetSpec(
                ["lake", table],
                group_name="take_in",
                description=contract.description,
                kinds={"parquet"},
                owners=["team:billing"],
                tags={"phi": "yes", "extract": contract.extract},
                partitions_def=NIGHTS,
                skippable=True,
                metadata={
                    "dagster/column_schema": dg.TableSchema(
                        columns=[
                            dg.TableColumn(column.name, column.kind, description=column.description) for column in contract.columns
                        ]
                    )
                },
            )
        )
    for name, description in LEDGERS.items():
        specs.append(
            dg.AssetSpec(
                ["lake", name], group_name="take_in", description=description, kinds={"parquet"}, owners=["team:billing"],
                partitions_def=NIGHTS, skippable=True,
            )
        )  # fmt: skip
    return specs


@dg.multi_asset(specs=_specs(), name="take_in", backfill_policy=dg.BackfillPolicy.single_run(), pool="lake")
def take_in_assets(context: dg.AssetExecutionContext, config: TakeInConfig) -> Iterator[Any]:
    """Takes in every landed night up to the run's last partition that is new or changed: one batch, one Parquet file per table."""
    house = House.from_environment()
    practices = load_practices(house.practices_yaml)
    wanted = config.practice_ids
    zones = {
        practice_id: practice.time_zone for practice_id, practice in practices.items() if wanted is None or practice_id in wanted
    }
    up_to = max(date.fromisoformat(key) for key in context.partition_keys)
    report = take_in(house, zones, up_to=up_to)
    if report is None:
        context.log.info("No landed file is new or changed.")
        return
    context.log.info(f"Batch {report.batch}: {len(report.files)} files taken in.")
    totals = report.totals
    for spec in take_in_assets.specs:
        table = spec.key.path[-1]
        yield dg.MaterializeResult(
            asset_key=spec.key,
            metadata={"batch": report.batch, **{key: int(value) for key, value in totals.get(table, {}).items()}},
        )
