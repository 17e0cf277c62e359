"""Great Expectations' verdicts as Dagster asset checks, on the assets that they judge."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import dagster as dg

from orchestration.contracts import extract_contracts
from orchestration.discretion import discreet
from orchestration.gate import verdicts
from orchestration.gate.verdicts import Finding
from orchestration.house import House
from orchestration.runbook import check_spec
from orchestration.subsets import asked_for

EXTRACT_CHECKS = {
    "rows_keep_the_contract": "Great Expectations: accepted rows keep every rule of their contract, and every row is accounted for.",
    "quarantine_is_small": "Great Expectations: at most a fifth of a file's rows is in quarantine.",
}
MONTH_CHECKS = {
    "no_time_without_a_note": "Great Expectations, months that may still close: time that nobody documented.",
    "no_open_timer": "Great Expectations, months that may still close: timers that were never stopped.",
    "no_completed_visit_without_time": "Great Expectations, months that may still close: completed contacts that nobody logged.",
    "no_call_without_time": "Great Expectations, months that may still close: calls of the phone system that nobody logged.",
}
_MONTH_CHECK_OF = {
    "missing_note": "no_time_without_a_note",
    "open_timer": "no_open_timer",
    "visit_without_time": "no_completed_visit_without_time",
    "call_without_time": "no_call_without_time",
}
UNDOCUMENTED = dg.AssetKey(["marts", "undocumented_time"])


def _result(asset: dg.AssetKey, name: str, findings: Iterable[Finding]) -> dg.AssetCheckResult:
    failed = [finding for finding in findings if not finding.passed]
    is_error = any(finding.severity == "error" for finding in failed)
    return dg.AssetCheckResult(
        asset_key=asset,
        check_name=name,
        passed=not failed,
        severity=dg.AssetCheckSeverity.ERROR if is_error else dg.AssetCheckSeverity.WARN,
        metadata={
            "practices": ", ".join(sorted({practice for finding in failed for practice in finding.practice_ids})) or "none",
            "failed": "; ".join(f"{finding.check}: {finding.detail}" for finding in failed) or "nothing",
        },
    )


def judged_before(house: House, lake: Mapping[int, str]) -> verdicts.Verdict | None:
    """The verdict on the lake's batches so far (`verdicts.ledgers`). None where a batch is another than was judged: a lake that was put back from a backup
    gives the numbers it lost to other files."""
    before = verdicts.load(house, "great_expectations")
    if before is None:
        return None
    judged = {batch: ledger for batch, ledger in lake.items() if batch in before.batches or batch == 0}
    return before if before.inputs == verdicts.fingerprint_of(judged) else None


def still(finding: Finding, standing: Mapping[int, str]) -> Finding | None:
    """What is left of a finding when some of its files have been landed again, which mends it for their practices: None when nothing is. `standing`: the
    files that nothing has replaced, each with its practice."""
    if finding.passed:
        return finding
    left = {file_id: standing[file_id] for file_id in finding.file_ids if file_id in standing}
    return replace(finding, practice_ids=tuple(sorted(set(left.values()))), file_ids=tuple(left)) if left else None


@dg.multi_asset_check(
    name="judge_extracts",
    specs=[
        check_spec(name, dg.AssetKey(["lake", table]), text)
        for table in extract_contracts()
        for name, text in EXTRACT_CHECKS.items()
    ],
    can_subset=True,
)
@discreet
def judge_extracts(context: dg.AssetCheckExecutionContext) -> Iterator[Any]:
    """Judges the batches that nobody has judged yet. Failures stand until their file is landed again, and are told of every night."""
    from orchestration.judge.expectations import judge_batch
    from orchestration.take_in.ledger import in_force

    house = House.from_environment()
    lake = verdicts.ledgers(house)
    before = judged_before(house, lake)
    judged = set(before.batches) if before else set()
    new = [batch for batch in lake if batch not in judged and batch > 0]
    findings = [finding for finding in (before.findings if before else ()) if not finding.passed]
    if new or not before:
        for batch in new:
            findings += judge_batch(house, batch)
        standing = in_force(house, {file_id for finding in findings if not finding.passed for file_id in finding.file_ids})
        findings = [left for finding in findings if (left := still(finding, standing))]
        verdicts.save(
            house,
            "great_expectations",
            verdicts.fingerprint_of(lake),
            [finding for finding in findings if not finding.passed],
            judged.union(new),
        )
    results = []
    for table in extract_contracts():
        own = [finding for finding in findings if finding.asset == f"lake/{table}"]
        key = dg.AssetKey(["lake", table])
        results.append(_result(key, "rows_keep_the_contract", [f for f in own if f.check != "quarantine__share"]))
        results.append(_result(key, "quarantine_is_small", [f for f in own if f.check == "quarantine__share"]))
    yield from asked_for(context, results)


@dg.multi_asset_check(
    name="judge_open_months",
    specs=[check_spec(name, UNDOCUMENTED, text) for name, text in MONTH_CHECKS.items()],
    can_subset=True,
)
@discreet
def judge_open_months(context: dg.AssetCheckExecutionContext) -> Iterator[Any]:
    """Undocumented time in the months that may still close, while there is time to mend it: a warning from the first day, red from five business
    days before the close may begin, for the practices at fault by name. It refuses no close: what the time would change is held."""
    from orchestration.judge.expectations import months_judged

    house = House.from_environment()
    if not house.warehouse.exists() or verdicts.load(house, "dbt") is None:
        return
    findings = months_judged(house)
    yield from asked_for(
        context,
        [
            _result(UNDOCUMENTED, name, [finding for finding in findings if finding.check in (kind, f"{kind}__overdue")])
            for kind, name in _MONTH_CHECK_OF.items()
        ],
    )
