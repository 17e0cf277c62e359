"""Builds the dbt project, all of it or what hangs on a close or an answer, and keeps what its tests said as the verdict that the gate reads."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import duckdb

from orchestration.engine import open_warehouse, opens
from orchestration.gate import verdicts
from orchestration.gate.verdicts import Finding
from orchestration.house import House
from orchestration.transform import build, dbt, project_files
from orchestration.transform.state import build_inputs, build_parts, is_built


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


def rebuild_everything(
    house: House, inputs: str, manifest: Mapping[str, Any] | None = None, *, is_whole: bool = False
) -> tuple[list[dbt.NodeResult], list[Finding]]:
    """Builds and tests the project, all of it or what has been touched, and keeps the verdict on these inputs."""
    # Of before the build, which may find more than that: then the next night builds once more.
    parts = build_parts(house)
    results = build.build(house, is_whole=is_whole)
    if manifest is None:
        manifest = project_files.load_manifest(project_files.target_folder(house) / "manifest.json")
    findings = findings_of(house, results, manifest)
    verdicts.save(house, "dbt", inputs, findings, parts=parts)
    return results, findings


# What a close and a payer's answer change, and everything that hangs below it.
AFTER_A_CLOSE = ("source.ccm.configuration.claim_lines", "model.ccm.stg_closes", "model.ccm.close_calendar")
ANSWERS = "source.ccm.answers."
CLOSED = ("claim_lines", "closes", "held")  # the parts of a build's inputs that a close changes


def rebuild_claims(house: House) -> list[dbt.NodeResult]:
    """After a close: what depends on the claims of earlier closes is decided again."""
    return rebuild(house, AFTER_A_CLOSE, CLOSED)


def rebuild_answered(house: House) -> list[dbt.NodeResult]:
    """After answers of the payers: what depends on them is decided again."""
    sources = project_files.load_manifest(dbt.ensure_manifest(house))["sources"]
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
    results = build.build(house, below)
    manifest = project_files.load_manifest(project_files.target_folder(house) / "manifest.json")
    findings = findings_of(house, results, manifest)
    tested = {finding.check for finding in findings}
    kept = [finding for finding in (before.findings if before else ()) if finding.check not in tested]
    verdicts.save(house, "dbt", inputs, [*kept, *findings], parts=parts)
    return results
