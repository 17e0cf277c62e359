"""Publishing as a Dagster asset."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from orchestration.answer.publish import publish
from orchestration.close.calendar import register_published
from orchestration.discretion import discreet
from orchestration.house import House
from orchestration.runbook import check_spec
from orchestration.signposts import DICTIONARY, Group, links, owned_by, speaks_of
from orchestration.subsets import as_it_stands
from orchestration.transform.assets import WAREHOUSE_POOL
from orchestration.transform.state import is_built, is_published


def make_published_marts(marts: list[dg.AssetKey]) -> dg.AssetsDefinition:
    @dg.asset(
        key=["answer", "published_marts"],
        deps=marts,
        group_name=Group.PUBLISH,
        kinds={"duckdb"},
        owners=owned_by("billing"),
        pool=WAREHOUSE_POOL,
        description="marts.duckdb: a read-only copy of every mart, replaced by one rename. Dashboards and `ccm status` read only this file.",
        check_specs=[
            check_spec(
                "night_finished",
                dg.AssetKey(["answer", "published_marts"]),
                "The last night went through to its publication. Red when it failed and every further try as well.",
            )
        ],
        tags=speaks_of("patient ids"),
        metadata=links(dictionary=DICTIONARY, file="orchestration/answer/publish.py"),
    )
    @discreet
    def published_marts(context: dg.AssetExecutionContext) -> Iterator[Any]:
        house = House.from_environment()
        with house.lock("warehouse"):
            if not is_built(house):
                raise dg.Failure("the last build did not finish, and its tables may be of two nights; run `ccm nightly`")
            counts = None if is_published(house) else publish(house)
        register_published(context.instance, house)
        finished = [dg.AssetCheckResult(passed=True)]
        if counts is None:
            context.log.info("Nothing new since the last publication: marts.duckdb stands.")
            yield as_it_stands(context.asset_key, finished)
            return
        yield dg.MaterializeResult(metadata={f"rows in {table}": count for table, count in counts.items()}, check_results=finished)

    return published_marts


@dg.asset(
    key=["answer", "worklists"],
    deps=[["answer", "published_marts"]],
    group_name=Group.OFFICE,
    kinds={"excel"},
    tags=speaks_of("patient ids"),
    metadata=links(file="orchestration/answer/worklist_files.py"),
    owners=owned_by("billing"),
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
    group_name=Group.OFFICE,
    kinds={"html"},
    tags=speaks_of("none"),
    metadata=links(file="orchestration/answer/report.py"),
    owners=owned_by("billing"),
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
