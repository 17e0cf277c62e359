"""Publishing as a Dagster asset."""

import dagster as dg

from orchestration.answer.publish import publish
from orchestration.discretion import discreet
from orchestration.house import House
from orchestration.transform.assets import WAREHOUSE_POOL


def make_published_marts(marts: list[dg.AssetKey]) -> dg.AssetsDefinition:
    @dg.asset(
        key=["answer", "published_marts"],
        deps=marts,
        group_name="publish",
        kinds={"duckdb"},
        owners=["team:billing"],
        pool=WAREHOUSE_POOL,
        description="marts.duckdb: a read-only copy of every mart, replaced by one rename. Dashboards and `ccm status` read only this file.",
    )
    @discreet
    def published_marts(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        house = House.from_environment()
        with house.lock("warehouse"):
            counts = publish(house)
        return dg.MaterializeResult(metadata={f"rows in {table}": count for table, count in counts.items()})

    return published_marts


@dg.asset(
    key=["answer", "worklists"],
    deps=[["answer", "published_marts"]],
    group_name="office",
    kinds={"excel"},
    owners=["team:billing"],
    description="worklists/<practice_id>/<night>.xlsx and .csv: what someone should do next, one pair of files per practice. No names.",
)
@discreet
def worklists(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
    from orchestration.answer.worklist_files import write_worklists

    written = write_worklists(House.from_environment())
    return dg.MaterializeResult(
        metadata={
            "practices": len(written),
            "new or changed": sum(one.is_new for one in written),
            "items": sum(one.items for one in written),
        }
    )


@dg.asset(
    key=["answer", "reports"],
    # After the night has published, or a close, or the payers' answers: each job selects one of the three.
    deps=[["answer", "published_marts"], ["close", "posted_claims"], ["answers", "posted_answers"]],
    group_name="office",
    kinds={"html"},
    owners=["team:billing"],
    description="reports/<practice_id>/<night>.html and <YYYY-MM>-v<N>.html: a one-file page per night and per close, for the manager's mail. No names.",
)
@discreet
def reports(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
    from orchestration.answer.report import write_reports

    house = House.from_environment()
    if not house.marts.exists():
        context.log.warning("Nothing is published yet: the first `ccm nightly` reports.")
        return dg.MaterializeResult()
    found = write_reports(house)
    return dg.MaterializeResult(
        metadata={
            "nights": sum(one.close_version is None for one in found),
            "closes": sum(one.close_version is not None for one in found),
            "new or changed": sum(one.is_new for one in found),
        }
    )
