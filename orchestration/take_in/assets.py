"""Taking in as Dagster assets: the lake's tables, one partition per night, however many nights a run takes."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import dagster as dg
from dagster._core.storage.tags import BACKFILL_ID_TAG

from orchestration.contracts import ExtractContract, extract_contracts
from orchestration.deliver.fetch import deliver, faults
from orchestration.discretion import discreet
from orchestration.house import House, sweep
from orchestration.mapping.choice import choices
from orchestration.practices import load_practices
from orchestration.runbook import check_spec
from orchestration.signposts import DICTIONARY, Group, links, owned_by, speaks_of
from orchestration.subsets import as_it_stands
from orchestration.take_in.lake import take_in
from orchestration.take_in.ledger import held


class Nights(dg.DailyPartitionsDefinition):
    """Every night, by its date. A run asks for all of them once for each table of the lake, and Dagster counts them out of a cron expression."""

    def get_partition_keys(self, current_time: datetime | None = None, dynamic_partitions_store: Any = None) -> Sequence[str]:
        if current_time is not None:
            return super().get_partition_keys(current_time, dynamic_partitions_store)
        last = self.get_last_partition_key()
        if last not in _KEYS_UP_TO:
            _KEYS_UP_TO.clear()
            _KEYS_UP_TO[last] = super().get_partition_keys()
        return list(_KEYS_UP_TO[last])


_KEYS_UP_TO: dict[str | None, Sequence[str]] = {}  # of the last day that was asked for
NIGHTS = Nights(start_date="2019-01-01", end_offset=1)
NIGHTS_A_RUN = 31  # of a backfill in Dagster: about a month
# A night that no command began sweeps what nobody wrote to for so long: another container's process, of which this one cannot know, writes it no more.
LEFT_BY_THE_KILLED = timedelta(hours=6)
LEDGERS = {
    "files": "Every landed file ever taken in: version, hash, outcome, row accounting.",
    "quarantine": "Every row that was not accepted, with line, column and reason.",
    "quarantine_keys": "The key of such a row of the scheduling, time or phone log, where it can be read, or of the care team.",
}
EXTRACTS = {
    "panel": "What the EHR drops each night: a full snapshot of the panel in nine tables.",
    "scheduling": "What the scheduler drops each night: appointments and services new or changed.",
    "time_log": "What the time tracker drops each night: entries new or changed.",
    "phone_log": "What the phone system drops, where there is one: calls.",
}
# Nobody here makes them: landing/<practice_id>/<YYYY-MM-DD>/<table>.csv, .csv.gz or .parquet.
landed = [
    dg.AssetSpec(
        ["landing", extract],
        group_name=Group.TAKE_IN,
        description=description,
        kinds={"csv"},
        owners=owned_by(*dict.fromkeys(team for c in extract_contracts().values() if c.extract == extract for team in c.teams)),
        tags=speaks_of("identifying"),
        metadata=links(docs="docs/extracts.md", contracts="data_contracts/README.md"),
    )
    for extract, description in EXTRACTS.items()
]


class TakeInConfig(dg.Config):
    """Which practices' files to take in (all of practices.yaml when None), and up to which night (the run's partition when None)."""

    practice_ids: list[str] | None = None
    up_to: str | None = None
    is_delivered: bool = False  # whoever asked for the run has swept, and fetched what there was


def spoken_of(contract: ExtractContract) -> str:
    """Whom rows of the extract speak of: `identifying` where they have more of a patient than the practice's own number."""
    if any(column.phi and column.name != "patient_id" for column in contract.columns):
        return "identifying"
    return "patient ids" if "patient_id" in contract.names else "none"


def _specs() -> list[dg.AssetSpec]:
    specs = []
    for table, contract in extract_contracts().items():
        specs.append(
            dg.AssetSpec(
                ["lake", table],
                deps=[["landing", contract.extract]],
                group_name=Group.TAKE_IN,
                description=contract.description,
                kinds={"parquet"},
                owners=owned_by(*contract.teams),
                tags={**speaks_of(spoken_of(contract)), "extract": contract.extract},
                partitions_def=NIGHTS,
                metadata={
                    "dagster/column_schema": dg.TableSchema(
                        columns=[
                            dg.TableColumn(
                                column.name,
                                column.kind,
                                description=column.description,
                                constraints=dg.TableColumnConstraints(nullable=not column.required),
                                tags={"phi": ""} if column.phi else {},
                            )
                            for column in contract.columns
                        ]
                    ),
                    **links(contract=f"data_contracts/extracts/{table}.odcs.yaml", dictionary=f"{DICTIONARY}#{table}"),
                },
            )
        )
    for name, description in LEDGERS.items():
        specs.append(
            dg.AssetSpec(
                ["lake", name], deps=[["landing", extract] for extract in EXTRACTS], group_name=Group.TAKE_IN, description=description,
                kinds={"parquet"}, owners=owned_by("data-engineering"), tags=speaks_of("none" if name == "files" else "patient ids"),
                partitions_def=NIGHTS, metadata=links(columns="docs/architecture.md#the-lake"),
            )
        )  # fmt: skip
    return specs


DELIVERED = check_spec(
    "deliveries_came",
    dg.AssetKey(["lake", "files"]),
    "Every practice's `delivery` could be reached and read. What could not is tried again by the next night and by the sensor deliveries.",
)


@dg.multi_asset(
    specs=_specs(),
    check_specs=[DELIVERED],
    name="take_in",
    backfill_policy=dg.BackfillPolicy.multi_run(max_partitions_per_run=NIGHTS_A_RUN),
    pool="lake",
)
@discreet
def take_in_assets(context: dg.AssetExecutionContext, config: TakeInConfig) -> Iterator[Any]:
    """Takes in every landed night up to the run's last partition that is new or changed: one batch, one Parquet file per table."""
    house = House.from_environment()
    practices = load_practices(house.practices_yaml)
    wanted = config.practice_ids
    zones = {
        practice_id: practice.time_zone for practice_id, practice in practices.items() if wanted is None or practice_id in wanted
    }
    nights = context.partition_key_range
    partition = date.fromisoformat(nights.end)
    if not config.is_delivered:
        sweep(house, LEFT_BY_THE_KILLED)
        deliver(house, {practice_id: practices[practice_id] for practice_id in zones})
    not_delivered = faults(house, practices)
    for practice_id, fault in not_delivered.items():
        context.log.warning(f"{practice_id}: not delivered: {fault}")
    mapped = choices(house, {practice_id: practices[practice_id] for practice_id in zones})
    report = take_in(house, zones, up_to=date.fromisoformat(config.up_to) if config.up_to else partition, mapped=mapped)
    files = report.files if report else []
    context.log.info(f"Batch {report.batch}: {len(files)} files taken in." if report else "No landed file is new or changed.")
    for note in report.notes if report else ():
        context.log.warning(note)
    marked = {(file.table_name, file.extract_date) for file in files}
    marked |= {(name, night) for name in LEDGERS for _, night in marked}
    own = [
        date.fromisoformat(nights.start) + timedelta(days=n) for n in range((partition - date.fromisoformat(nights.start)).days + 1)
    ]
    if len(own) > 1 or BACKFILL_ID_TAG in context.run.tags:
        # Whoever asked for each of these nights is told of each: a backfill of Dagster's page fails for want of one.
        marked |= {(spec.key.path[-1], night) for spec in take_in_assets.specs for night in own}
    there = held(house, {night for _, night in marked})
    # Late and earlier nights get their mark in the grid too; only nights of which a file was taken in do.
    for table, night in sorted(marked):
        key, told = dg.AssetKey(["lake", table]), _held(there, table, night)
        if night in own:
            context.add_asset_metadata(told, key, night.isoformat())
        else:
            context.log_event(dg.AssetMaterialization(key, partition=night.isoformat(), metadata=told))
    # Every table answers, also with nothing new: a skipped output would skip the rebuild that hangs on it.
    for spec in take_in_assets.specs:
        yield dg.MaterializeResult(asset_key=spec.key) if (spec.key.path[-1], partition) in marked else as_it_stands(spec.key)
    passed, metadata = delivered(not_delivered)
    yield dg.AssetCheckResult(asset_key=DELIVERED.asset_key, check_name=DELIVERED.name, passed=passed, metadata=metadata)


def _held(there: Mapping[tuple[str, date], Mapping[str, int]], table: str, night: date) -> dict[str, int]:
    """What a night's mark says: all that the lake holds of it, also what an earlier run took in, as practices come at all hours and land files again."""
    if table in LEDGERS:
        tables = [counts for (_, its_night), counts in there.items() if its_night == night]
        if table == "files":
            return {"dagster/partition_row_count": sum(counts["versions"] for counts in tables)}
        return {"rows_quarantined": sum(counts.get("rows_quarantined", 0) for counts in tables)}
    counts = dict(there.get((table, night), {"versions": 0, "files": 0}))
    return {**counts, "dagster/partition_row_count": counts.get("rows_accepted", 0)}


def delivered(not_delivered: dict[str, str]) -> tuple[bool, dict[str, str]]:
    """What the check `deliveries_came` says."""
    return not not_delivered, {
        "practices": ", ".join(not_delivered) or "none",
        "faults": "; ".join(not_delivered.values()) or "nothing",
    }
