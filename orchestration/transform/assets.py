"""The dbt project as Dagster assets and checks: seeds, models and tests, run in this process."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from graphlib import TopologicalSorter
from itertools import takewhile
from typing import Any

import dagster as dg
import duckdb
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, dbt_assets
from dagster_dbt.asset_utils import get_asset_check_key_for_test

from orchestration.discretion import discreet
from orchestration.engine import open_warehouse, opens
from orchestration.gate import verdicts
from orchestration.gate.verdicts import Finding
from orchestration.house import DATA_CONTRACTS, DBT_PROJECT, PROJECT_ROOT, House
from orchestration.runbook import check_spec
from orchestration.signposts import DICTIONARY, Group, links, owned_by, speaks_of
from orchestration.subsets import as_it_stands, asked_for
from orchestration.take_in.damage import told_damaged, unreadable
from orchestration.transform import dbt, standing
from orchestration.transform.columns import Lineage, Table, lineage_of, tables_of, told_of
from orchestration.transform.state import build_inputs, build_parts, is_built, is_up_to_date

WAREHOUSE_POOL = "warehouse"
ROOMS = {
    "staging": Group.STAGING,
    "holds": Group.JUDGE,
    "panel": Group.PANEL,
    "minutes": Group.MINUTES,
    "decisions": Group.DECISIONS,
    "payments": Group.PAYMENTS,
    "answers": Group.PAYMENTS,
    "office": Group.OFFICE,
    "marts": Group.OFFICE,
}
# The marts that are not of the office's morning: they stand with what they are made from.
MARTS = {
    Group.JUDGE: ("close_holds", "extract_drift", "landed_files", "quarantine", "row_accounting"),
    Group.STAGING: ("practice_nights",),
    Group.PANEL: ("member_facts", "patient_facts"),
    Group.MINUTES: ("minute_ledger", "patient_month_minutes", "time_entry_facts"),
    Group.DECISIONS: (
        "claim_audit", "claimable_codes", "eligibility", "fee_schedule_prices", "patient_month_decisions", "patient_month_evidence",
        "post_close_changes",
    ),
    Group.PAYMENTS: ("answer_files", "claim_aging", "claim_denials", "claim_history", "claim_line_payments", "claims", "remittances"),
}  # fmt: skip
_GROUP_OF_MART = {mart: group for group, marts in MARTS.items() for mart in marts}


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

    def get_asset_spec(self, manifest: Mapping[str, Any], unique_id: str, project: Any) -> dg.AssetSpec:
        spec = super().get_asset_spec(manifest, unique_id, project)
        # The sets of a night are how it is built, not what: the graph shows the way as if everything were.
        spec = spec.replace_attributes(deps=[dep for dep in spec.deps if dep.asset_key.path[0] != standing.SETS])
        return spec.replace_attributes(kinds={"csv", "duckdb"}) if unique_id.startswith("seed.") else spec

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str:
        if dbt_resource_props["resource_type"] == "seed":
            return Group.RULES
        if dbt_resource_props["resource_type"] == "source":
            return Group.TAKE_IN
        for folder in reversed(dbt_resource_props["fqn"][:-1]):
            if folder in ROOMS:
                return _GROUP_OF_MART.get(dbt_resource_props["name"], ROOMS[folder])
        return Group.TAKE_IN

    def get_asset_check_spec(
        self, asset_spec: dg.AssetSpec, manifest: Mapping[str, Any], unique_id: str, project: Any
    ) -> dg.AssetCheckSpec | None:
        """Never blocking: a red check keeps the practice at fault from closing (the gate), not every practice from its morning."""
        spec = super().get_asset_check_spec(asset_spec, manifest, unique_id, project)
        if spec is None:
            return None
        node = manifest["nodes"][unique_id]
        return check_spec(
            spec.name,
            spec.asset_key,
            node["description"] or meaning_of(node),
            kind=node.get("test_metadata", {}).get("name"),
            file=f"{DBT_PROJECT.name}/{node['original_file_path']}",
            metadata=spec.metadata,
        )

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> list[str]:
        return owned_by(dbt_resource_props.get("meta", {}).get("owner", "billing"))

    def get_tags(self, dbt_resource_props: Mapping[str, Any]) -> Mapping[str, str]:
        return {**super().get_tags(dbt_resource_props), **speaks_of(dbt_resource_props.get("meta", {}).get("phi", "none"))}

    def get_metadata(self, dbt_resource_props: Mapping[str, Any]) -> Mapping[str, Any]:
        name, folder = dbt_resource_props["name"], DBT_PROJECT.name
        described = (dbt_resource_props.get("patch_path") or "").partition("://")[2]
        contract = DATA_CONTRACTS / "marts" / f"{name}.odcs.yaml"
        return {
            **super().get_metadata(dbt_resource_props),
            **links(
                file=f"{folder}/{dbt_resource_props['original_file_path']}",
                yml=f"{folder}/{described}" if described else None,
                contract=contract.relative_to(PROJECT_ROOT).as_posix() if contract.exists() else None,
                dictionary=f"{DICTIONARY}#{name}" if dbt_resource_props["resource_type"] != "source" else None,
            ),
        }


def meaning_of(test: Mapping[str, Any]) -> str:
    """What a dbt test says: the comment that its file begins with, else its name, which is a sentence."""
    comments = [line.strip() for line in test["raw_code"].splitlines() if line.strip() and not line.strip().startswith("{")]
    said = list(takewhile(lambda line: line.startswith("--"), comments))
    return " ".join(line.lstrip("- ") for line in said) or f"{test['name'].replace('_', ' ').capitalize()}."


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
    sources = dbt.load_manifest(dbt.ensure_manifest(house))["sources"].values()
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


def rebuild_everything(
    house: House, inputs: str, manifest: Mapping[str, Any] | None = None, *, is_whole: bool = False
) -> tuple[list[dbt.NodeResult], list[Finding]]:
    """Builds and tests the project, all of it or what has been touched, and keeps the verdict on these inputs."""
    # Of before the build, which may find more than that: then the next night builds once more.
    parts = build_parts(house)
    results = dbt.build(house, is_whole=is_whole)
    if manifest is None:
        manifest = dbt.load_manifest(dbt.target_folder(house) / "manifest.json")
    findings = findings_of(house, results, manifest)
    verdicts.save(house, "dbt", inputs, findings, parts=parts)
    return results, findings


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


# What a close and a payer's answer change, and everything that hangs below it.
AFTER_A_CLOSE = ("source.ccm.configuration.claim_lines", "model.ccm.stg_closes", "model.ccm.close_calendar")
ANSWERS = "source.ccm.answers."
CLOSED = ("claim_lines", "closes", "held")  # the parts of a build's inputs that a close changes


def rebuild_claims(house: House) -> list[dbt.NodeResult]:
    """After a close: what depends on the claims of earlier closes is decided again."""
    return rebuild(house, AFTER_A_CLOSE, CLOSED)


def rebuild_answered(house: House) -> list[dbt.NodeResult]:
    """After answers of the payers: what depends on them is decided again."""
    sources = dbt.load_manifest(dbt.ensure_manifest(house))["sources"]
    return rebuild(house, sorted(name for name in sources if name.startswith(ANSWERS)), ["answers"])


def not_built(results: Sequence[dbt.NodeResult]) -> list[str]:
    """The models and seeds that could not be built. A row that fails a test is its practice's trouble: the gate stops whom it names, and everybody's marts
    are published."""
    return [result.unique_id for result in results if result.is_bad and not result.unique_id.startswith("test.")]


def rebuild(house: House, below: Sequence[str], changed: Collection[str]) -> list[dbt.NodeResult]:
    """Builds and tests what hangs on these nodes; the verdict keeps what was not tested again. `changed`: the parts of the inputs (`build_parts`) that
    only these nodes read.

    Where anything else is new as well (a night or an answer that another run takes in meanwhile), or an earlier run did not finish, everything is built:
    the verdict is one on all inputs, and who reads it would take the new ones for built."""
    before = verdicts.load(house, "dbt")
    inputs = build_inputs(house)
    parts = build_parts(house)
    known = before.parts if before else {}
    if not (is_built(house) and opens(house.warehouse)) or any(
        known.get(name) != parts.get(name) for name in {*known, *parts}.difference(changed)
    ):
        return rebuild_everything(house, inputs)[0]
    results = dbt.build(house, below)
    manifest = dbt.load_manifest(dbt.target_folder(house) / "manifest.json")
    findings = findings_of(house, results, manifest)
    tested = {finding.check for finding in findings}
    kept = [finding for finding in (before.findings if before else ()) if finding.check not in tested]
    verdicts.save(house, "dbt", inputs, [*kept, *findings], parts=parts)
    return results
