"""From Dagster's page one model, table or check may be run alone: the step that makes all of them answers for that one, and tells of the others."""

from __future__ import annotations

import dagster as dg

from orchestration.subsets import asked_for

ONE, OTHER = dg.AssetKey("one"), dg.AssetKey("other")
SPECS = [dg.AssetCheckSpec("holds", asset=key) for key in (ONE, OTHER)]


def results():
    return [
        *(dg.MaterializeResult(asset_key=key, metadata={"rows": 1}) for key in (ONE, OTHER)),
        *(dg.AssetCheckResult(asset_key=key, check_name="holds", passed=key == ONE) for key in (ONE, OTHER)),
    ]


@dg.multi_asset(specs=[dg.AssetSpec(key, skippable=True) for key in (ONE, OTHER)], check_specs=SPECS, can_subset=True)
def made_together(context):
    yield from asked_for(context, results())


@dg.multi_asset_check(specs=SPECS, can_subset=True)
def judged_together(context):
    yield from asked_for(context, results()[2:])


def told(ran, instance):
    latest = instance.event_log_storage.get_latest_asset_check_execution_by_key([spec.key for spec in SPECS]) if ran.success else {}
    return sorted(f"{key.asset_key.path[-1]} {record.status.value}" for key, record in latest.items())


def test_a_single_asset_of_a_step_that_makes_all_is_materialized_and_the_others_are_told_of():
    with dg.DagsterInstance.ephemeral() as instance:
        ran = dg.materialize([made_together], selection=dg.AssetSelection.assets(ONE), instance=instance, raise_on_error=False)
        assert told(ran, instance) == ["one SUCCEEDED", "other FAILED"]
        assert {event.asset_key for event in ran.get_asset_materialization_events()} == {ONE, OTHER}


def test_a_single_check_of_a_step_that_judges_all_is_evaluated_and_the_others_are_told_of():
    with dg.DagsterInstance.ephemeral() as instance:
        job = dg.Definitions(
            asset_checks=[judged_together],
            jobs=[dg.define_asset_job("one", selection=dg.AssetSelection.checks(SPECS[0].key))],
        ).resolve_job_def("one")
        ran = job.execute_in_process(instance=instance, raise_on_error=False)
        assert told(ran, instance) == ["one SUCCEEDED", "other FAILED"]
