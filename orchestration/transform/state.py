"""Which state of the inputs the warehouse was built from, and whether that is the present one."""

from __future__ import annotations

from orchestration.gate import verdicts
from orchestration.house import House
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
        and house.warehouse.exists()
        and house.marts.exists()
        and not any(finding.check.startswith("could not build") for finding in verdict.findings)
    )


def only_answers_are_new(house: House) -> bool:
    """True when the warehouse was up to date before the payers' last answers came, so that only what depends on answers is to be rebuilt."""
    verdict = verdicts.load(house, "dbt")
    if verdict is None or not house.warehouse.exists() or any(f.check.startswith("could not build") for f in verdict.findings):
        return False
    configuration = write_configuration(house, load_practices(house.practices_yaml))
    lake, project = verdicts.lake_fingerprint(house), dbt.project_fingerprint()
    return any(
        verdict.inputs == verdicts.combined(lake, answers, configuration, project)
        for answers in reversed(verdicts.answers_fingerprints(house)[:-1])
    )
