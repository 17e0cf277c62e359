"""A step that does more or less than a run asks for: from Dagster's page a single model, table or check may be run, and a build makes all of them; where
nothing is new it makes none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import dagster as dg
from dagster._core.definitions.source_asset import SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION


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


def as_it_stands(key: dg.AssetKey, check_results: Sequence[dg.AssetCheckResult] = ()) -> dg.MaterializeResult[None]:
    """The output of an asset that was not made: what hangs on it runs, for without an output Dagster skips it, and no mark says that it was made.
    Dagster knows such outputs of the sources that it observes, by this key of their metadata."""
    return dg.MaterializeResult(
        asset_key=key, metadata={SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION: True}, check_results=check_results
    )
