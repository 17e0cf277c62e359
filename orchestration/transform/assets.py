"""The dbt project as Dagster's assets and checks, and what is told of them after a build or where the last one stands."""

from collections.abc import Iterator, Mapping
from graphlib import TopologicalSorter
from typing import Any

import dagster as dg
from dagster_dbt import dbt_assets
from dagster_dbt.asset_utils import get_asset_check_key_for_test

from orchestration.discretion import discreet
from orchestration.engine import opens
from orchestration.gate import verdicts
from orchestration.house import House
from orchestration.signposts import Group, links, owned_by, speaks_of
from orchestration.subsets import as_it_stands, asked_for
from orchestration.take_in.damage import told_damaged, unreadable
from orchestration.transform import dbt, project_files, standing
from orchestration.transform.columns import Lineage, Table, lineage_of, tables_of, told_of
from orchestration.transform.rebuild import rebuild_everything
from orchestration.transform.state import build_inputs, is_up_to_date
from orchestration.transform.translator import Translator

WAREHOUSE_POOL = "warehouse"


class BuildConfig(dg.Config):
    """What to build."""

    full: bool = False


def make_dbt_assets(house: House) -> dg.AssetsDefinition:
    """One op that builds and tests the whole project, and tells Dagster of each model, seed and test."""
    manifest = project_files.load_manifest(dbt.ensure_manifest(house))
    translator = Translator()

    @dbt_assets(
        manifest=manifest,
        dagster_dbt_translator=translator,
        name="transform_and_decide",
        pool=WAREHOUSE_POOL,
        exclude=f"tag:{standing.SETS}",
    )
    @discreet
    def transform_and_decide(context: dg.AssetExecutionContext, config: BuildConfig) -> Iterator[Any]:
        home = House.from_environment()
        # The pool keeps the runs of one Dagster apart; the lock keeps a `ccm` at the shell apart from them as well.
        with home.lock("warehouse"):
            inputs = build_inputs(home)
            stands = not config.full and is_up_to_date(home, inputs) and opens(home.warehouse)
            checks = list(standing_checks(home, manifest, translator)) if stands else []
            if not stands:
                results, findings = rebuild_everything(home, inputs, manifest, is_whole=config.full)
        if stands:
            context.log.info("Nothing new since the last build: the marts stand, and so does what their tests said.")
            yield from asked_for(context, checks)
            way = TopologicalSorter({spec.key: [dep.asset_key for dep in spec.deps] for spec in context.assets_def.specs})
            # Other steps hang on marts alone, and each output costs as much as a check.
            yield from (
                as_it_stands(key) for key in way.static_order() if key in context.selected_asset_keys and key.path[0] == "marts"
            )
            return
        tables = tables_of(home)
        yield from asked_for(context, dagster_events(results, manifest, translator, tables, lineage_of(home, manifest, tables)))
        broken = [finding.check for finding in findings if finding.check.startswith("could not build")]
        if broken:
            said = f"dbt {broken[0]} (and {len(broken) - 1} more); see the dbt log under .state/dbt/logs"
            if damaged := unreadable(home):
                said = f"{told_damaged(damaged)}; {said}"
            raise dg.Failure(said)

    return transform_and_decide


def configuration_assets(house: House) -> list[dg.AssetSpec]:
    """What the operator and earlier closes give to the models (lake/configuration/): written for each build, shown where it comes in."""
    sources = project_files.load_manifest(dbt.ensure_manifest(house))["sources"].values()
    return [
        dg.AssetSpec(
            [source["source_name"], source["name"]],
            group_name=Group.TAKE_IN,
            description=source["description"],
            kinds={"parquet"},
            owners=owned_by("billing"),
            tags=speaks_of("patient ids" if source["name"] in ("claim_lines", "held", "dismissals") else "none"),
            metadata=links(file="orchestration/transform/configuration.py", yml="dbt_project/models/sources/sources.yml"),
        )
        for source in sources
        if source["source_name"] == "configuration"
    ]


def dagster_events(
    results: list[dbt.NodeResult],
    manifest: Mapping[str, Any],
    translator: Translator,
    tables: Mapping[tuple[str, str], Table],
    lineage: Lineage,
) -> Iterator[Any]:
    """Materializations of what was built, check results of what was tested; ids, counts and columns only."""
    for result in results:
        node = manifest["nodes"].get(result.unique_id)
        if node is None or node["schema"] == standing.SETS:
            continue
        if result.unique_id.startswith("test."):
            key = get_asset_check_key_for_test(manifest, translator, result.unique_id, None)
            if key is not None:
                warn = node["config"].get("severity", "error").lower() == "warn"
                yield dg.AssetCheckResult(
                    passed=result.status == "pass",
                    asset_key=key.asset_key,
                    check_name=key.name,
                    severity=dg.AssetCheckSeverity.WARN if warn else dg.AssetCheckSeverity.ERROR,
                    metadata={"failing_rows": result.failures or 0, "status": result.status},
                )
        elif result.status == "success":
            yield dg.MaterializeResult(
                asset_key=translator.get_asset_key(node),
                metadata={
                    "seconds": round(result.seconds, 3),
                    **told_of(result.unique_id, node, manifest, tables, lineage, translator),
                },
            )


def standing_checks(house: House, manifest: Mapping[str, Any], translator: Translator) -> Iterator[dg.AssetCheckResult]:
    """What the tests said of the build that stands, for a night with nothing to build: without a result of its own Dagster would show them as skipped."""
    verdict = verdicts.load(house, "dbt")
    found = {finding.check: finding for finding in verdict.findings} if verdict else {}
    for unique_id, node in manifest["nodes"].items():
        finding = found.get(node["name"]) if unique_id.startswith("test.") else None
        key = get_asset_check_key_for_test(manifest, translator, unique_id, None) if finding else None
        if finding and key:
            yield dg.AssetCheckResult(
                passed=finding.passed,
                asset_key=key.asset_key,
                check_name=key.name,
                severity=dg.AssetCheckSeverity.WARN if finding.severity == "warn" else dg.AssetCheckSeverity.ERROR,
                metadata={"status": finding.detail or "pass", "practices": ", ".join(finding.practice_ids) or "none"},
            )
