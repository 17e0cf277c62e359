"""A step that does more than a run asks for: from Dagster's page a single model, table or check may be run, and a build makes all of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import dagster as dg


def asked_for(context: Any, results: Iterable[dg.MaterializeResult[Any] | dg.AssetCheckResult]) -> Iterator[Any]:
    """Results with their keys: those that the run selected as the step's outputs, the others as events, so that their pages tell of them too."""
    step = context if isinstance(context, dg.AssetExecutionContext) else context.op_execution_context
    assets, checks = step.selected_asset_keys, step.selected_asset_check_keys
    for result in results:
        key = result.asset_key
        assert key is not None
        if isinstance(result, dg.MaterializeResult):
            if key in assets:
                yield result
            else:
                step.log_event(dg.AssetMaterialization(key, metadata=result.metadata))
        else:
            assert result.check_name is not None
            if dg.AssetCheckKey(key, result.check_name) in checks:
                yield result
            else:
                step.log_event(
                    dg.AssetCheckEvaluation(
                        asset_key=key,
                        check_name=result.check_name,
                        passed=result.passed,
                        severity=result.severity,
                        metadata=result.metadata,
                    )
                )
