"""The dbt project as Dagster assets and checks: seeds, models and tests, run in this process."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg
import duckdb
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, dbt_assets
from dagster_dbt.asset_utils import get_asset_check_key_for_test

from orchestration.discretion import discreet
from orchestration.engine import open_warehouse
from orchestration.gate import verdicts
from orchestration.gate.verdicts import Finding
from orchestration.house import House
from orchestration.transform import dbt
from orchestration.transform.state import build_inputs, is_up_to_date

WAREHOUSE_POOL = "warehouse"
GROUPS = {
    "staging": "staging",
    "panel": "panel",
    "minutes": "minutes",
    "decisions": "decisions",
    "payments": "payments",
    "answers": "payments",
    "office": "office",
    "holds": "holds",
    "marts": "office",
}


class Translator(DagsterDbtTranslator):
    """Names and groups the dbt nodes by the room they stand in."""

    def __init__(self) -> None:
        super().__init__(DagsterDbtTranslatorSettings(enable_asset_checks=True, enable_code_references=False))

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        if dbt_resource_props["resource_type"] == "source":
            # All answers are taken in by one asset; the models keep those about coverage apart from those about claims.
            source = {"eligibility": "answers"}.get(dbt_resource_props["source_name"], dbt_resource_props["source_name"])
            return dg.AssetKey([source, dbt_resource_props["name"]])
        return dg.AssetKey([dbt_resource_props["schema"], dbt_resource_props["name"]])

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str:
        if dbt_resource_props["resource_type"] == "seed":
            return "rules"
        for folder in reversed(dbt_resource_props["fqn"][:-1]):
            if folder in GROUPS:
                return GROUPS[folder]
        return "take_in"

    def get_asset_check_spec(
        self, asset_spec: dg.AssetSpec, manifest: Mapping[str, Any], unique_id: str, project: Any
    ) -> dg.AssetCheckSpec | None:
        """Never blocking: a red check keeps the practice at fault from closing (the gate), not every practice from its morning."""
        spec = super().get_asset_check_spec(asset_spec, manifest, unique_id, project)
        if spec is None:
            return None
        return dg.AssetCheckSpec(
            name=spec.name, asset=spec.asset_key, description=spec.description, metadata=spec.metadata, blocking=False
        )

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> list[str]:
        return ["team:billing"]


class BuildConfig(dg.Config):
    """What to build."""

    full: bool = False


def findings_of(house: House, results: list[dbt.NodeResult], manifest: Mapping[str, Any]) -> list[Finding]:
    """dbt's results as findings: a failing test names the practices in its failing rows, a model that failed names nobody, so everybody."""
    findings = []
    with open_warehouse(house) as warehouse:
        for result in results:
            node = manifest["nodes"].get(result.unique_id, {})
            if result.unique_id.startswith("test."):
                attached = (node.get("attached_node") or (node["depends_on"]["nodes"] or [""])[-1]).split(".")[-1]
                severity = "warn" if node["config"].get("severity", "error").lower() == "warn" else "error"
                findings.append(
                    Finding(
                        check=node["name"],
                        asset=attached,
                        source="dbt",
                        severity=severity,  # type: ignore[arg-type]
                        passed=result.status == "pass",
                        practice_ids=_practices_at_fault(warehouse, result),
                        detail="" if result.status == "pass" else f"{result.failures or 0} rows fail ({result.status})",
                    )
                )
            elif result.is_bad or result.status == "skipped":
                findings.append(
                    Finding(
                        f"could not build {node.get('name', result.unique_id)}",
                        node.get("name", ""),
                        "dbt",
                        "error",
                        False,
                        (),
                        result.status,
                    )
                )
    return findings


def _practices_at_fault(warehouse: duckdb.DuckDBPyConnection, result: dbt.NodeResult) -> tuple[str, ...]:
    if not result.failing_sql:
        return ()
    cursor = warehouse.execute(f"select * from ({result.failing_sql}) limit 0")
    if "practice_id" not in [column[0] for column in cursor.description]:
        return ()
    rows = warehouse.execute(f"select distinct practice_id from ({result.failing_sql}) order by all").fetchall()
    # A null practice is nobody's: then the finding stops everybody.
    return tuple(row[0] for row in rows) if all(row[0] for row in rows) else ()


def make_dbt_assets(house: House) -> dg.AssetsDefinition:
    """One op that builds and tests the whole project, and tells Dagster of each model, seed and test."""
    manifest = dbt.load_manifest(dbt.ensure_manifest(house))
    translator = Translator()

    @dbt_assets(manifest=manifest, dagster_dbt_translator=translator, name="transform_and_decide", pool=WAREHOUSE_POOL)
    @discreet
    def transform_and_decide(context: dg.AssetExecutionContext, config: BuildConfig) -> Iterator[Any]:
        home = House.from_environment()
        # The pool keeps the runs of one Dagster apart; the lock keeps a `ccm` at the shell apart from them as well.
        with home.lock("warehouse"):
            inputs = build_inputs(home)
            if not config.full and is_up_to_date(home, inputs):
                context.log.info("Nothing new since the last build: the marts stand.")
                return
            results, findings = rebuild_everything(home, inputs, manifest)
        yield from dagster_events(results, manifest, translator)
        broken = [finding.check for finding in findings if finding.check.startswith("could not build")]
        if broken:
            raise dg.Failure(f"dbt {broken[0]} (and {len(broken) - 1} more); see the dbt log under .state/dbt/logs")

    return transform_and_decide


def rebuild_everything(
    house: House, inputs: str, manifest: Mapping[str, Any] | None = None
) -> tuple[list[dbt.NodeResult], list[Finding]]:
    """Builds and tests the whole project and keeps the verdict on these inputs."""
    results = dbt.build(house)
    if manifest is None:
        manifest = dbt.load_manifest(dbt.target_folder(house) / "manifest.json")
    findings = findings_of(house, results, manifest)
    verdicts.save(house, "dbt", inputs, findings)
    return results, findings


def dagster_events(results: list[dbt.NodeResult], manifest: Mapping[str, Any], translator: Translator) -> Iterator[Any]:
    """Materializations of what was built, check results of what was tested; ids and counts only."""
    for result in results:
        node = manifest["nodes"].get(result.unique_id)
        if node is None:
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
            yield dg.MaterializeResult(asset_key=translator.get_asset_key(node), metadata={"seconds": round(result.seconds, 3)})


# What a close and a payer's answer change, and everything that hangs below it.
AFTER_A_CLOSE = "source:configuration.claim_lines+ stg_closes+ close_calendar"
AFTER_ANSWERS = "source:answers+"
AFTER_COVERAGE = "source:eligibility+"  # decisions rest on it: that is nearly everything


def rebuild_claims(house: House) -> list[dbt.NodeResult]:
    """After a close: what depends on the claims of earlier closes is decided again."""
    return rebuild(house, AFTER_A_CLOSE)


def rebuild(house: House, select: str) -> list[dbt.NodeResult]:
    """Builds and tests a dbt selection, where nothing else has changed; the verdict keeps what was not tested again."""
    before = verdicts.load(house, "dbt")
    inputs = build_inputs(house)
    results = dbt.build(house, select=select)
    manifest = json.loads((dbt.target_folder(house) / "manifest.json").read_text(encoding="utf-8"))
    findings = findings_of(house, results, manifest)
    tested = {finding.check for finding in findings}
    kept = [finding for finding in (before.findings if before else ()) if finding.check not in tested]
    verdicts.save(house, "dbt", inputs, [*kept, *findings])
    return results
