"""Which state of the inputs the warehouse was built from, and whether that is the present one."""

from __future__ import annotations

from orchestration.engine import opens
from orchestration.gate import verdicts
from orchestration.house import House
from orchestration.payers.inbox import batch_numbers
from orchestration.practices import load_practices
from orchestration.transform import dbt
from orchestration.transform.configuration import write_configuration


def build_inputs(house: House) -> str:
    """Writes the configuration for the models and names the present inputs of a build."""
    configuration = write_configuration(house, load_practices(house.practices_yaml))
    return verdicts.build_fingerprint(house, configuration, dbt.project_fingerprint())


def is_up_to_date(house: House, inputs: str) -> bool:
    """True when warehouse and marts were built from exactly these inputs, and dbt could finish."""
    verdict = verdicts.load(house, "dbt")
    return (
        verdict is not None
        and verdict.inputs == inputs
        and not any(finding.check.startswith("could not build") for finding in verdict.findings)
        and opens(house.warehouse)
        and opens(house.marts)
    )


def new_answer_batches(house: House) -> list[int] | None:
    """The batches of answers since the warehouse was up to date, where nothing else is new, so that only what depends on answers is to be rebuilt;
    None where something else is, or an earlier run did not finish."""
    verdict = verdicts.load(house, "dbt")
    if verdict is None or not house.warehouse.exists() or any(f.check.startswith("could not build") for f in verdict.findings):
        return None
    configuration = write_configuration(house, load_practices(house.practices_yaml))
    lake, project = verdicts.lake_fingerprint(house), dbt.project_fingerprint()
    batches, states = batch_numbers(house), verdicts.answers_fingerprints(house)
    for place in reversed(range(len(states) - 1)):
        if verdict.inputs == verdicts.combined(lake, states[place], configuration, project):
            return batches[place + 1 :]
    return None
