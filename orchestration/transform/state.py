"""Which state of the inputs the warehouse was built from, and whether that is the present one."""

from __future__ import annotations

import hashlib
import json
from typing import Literal

from orchestration.engine import opens
from orchestration.gate import verdicts
from orchestration.house import House
from orchestration.payers.inbox import batch_numbers
from orchestration.practices import load_practices
from orchestration.transform import project_files, standing
from orchestration.transform.configuration import configuration_fingerprint, write_configuration


def build_inputs(house: House) -> str:
    """Writes the configuration for the models and names the present inputs of a build."""
    configuration = write_configuration(house, load_practices(house.practices_yaml))
    return verdicts.build_fingerprint(house, configuration, project_files.project_fingerprint())


def present_inputs(house: House) -> str:
    """The same name, for who only looks: nothing is written."""
    configuration = configuration_fingerprint(house, load_practices(house.practices_yaml))
    return verdicts.build_fingerprint(house, configuration, project_files.project_fingerprint())


def build_parts(house: House) -> dict[str, str]:
    """What the present inputs are made of, behind `build_inputs`: so that who builds a part of the models can tell whether anything else is new."""
    configuration = (house.lake / "configuration").glob("*.parquet")
    return {
        "lake": verdicts.lake_fingerprint(house),
        "answers": verdicts.answers_fingerprints(house)[-1],
        "project": project_files.project_fingerprint(),
        # A proposal changes nothing that a claim rests on (write_configuration).
        **{path.stem: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(configuration) if path.stem != "proposals"},
    }


def is_built(house: House) -> bool:
    """Whether the last build of the warehouse went through, on whatever inputs: otherwise some tables may be of before it and some of after."""
    verdict = verdicts.load(house, "dbt")
    return (
        verdict is not None
        and house.warehouse.exists()
        and not any(finding.check.startswith("could not build") for finding in verdict.findings)
    )


def is_up_to_date(house: House, inputs: str) -> bool:
    """True when the warehouse was built from exactly these inputs, dbt could finish, and that was published, in a file that opens."""
    verdict = verdicts.load(house, "dbt")
    return (
        verdict is not None
        and verdict.inputs == inputs
        and is_built(house)
        and opens(house.marts)
        and published_inputs(house) == inputs
    )


def is_published(house: House) -> bool:
    """Whether marts.duckdb holds the very state that the last build left, in a file that opens."""
    state = standing.state(house)
    return state is not None and _published(house, "state") == state and opens(house.marts)


def is_judged(house: House) -> bool:
    """Whether Great Expectations has judged everything that the lake holds."""
    verdict = verdicts.load(house, "great_expectations")
    return verdict is not None and verdict.inputs == verdicts.lake_fingerprint(house)


def published_inputs(house: House) -> str | None:
    """The inputs that the published marts were built from; None where that is not known."""
    return _published(house, "inputs")


def _published(house: House, what: Literal["inputs", "state"]) -> str | None:
    try:
        known: str | None = json.loads(standing.published_record(house).read_text(encoding="utf-8"))[what]
        return known
    except (OSError, ValueError, KeyError, TypeError):
        return None


def new_answer_batches(house: House) -> list[int] | None:
    """The batches of answers since the warehouse was up to date, where nothing else is new, so that only what depends on answers is to be rebuilt;
    None where something else is, or an earlier run did not finish."""
    verdict = verdicts.load(house, "dbt")
    if verdict is None or not is_built(house):
        return None
    configuration = write_configuration(house, load_practices(house.practices_yaml))
    lake, project = verdicts.lake_fingerprint(house), project_files.project_fingerprint()
    batches, states = batch_numbers(house), verdicts.answers_fingerprints(house)
    for place in reversed(range(len(states) - 1)):
        if verdict.inputs == verdicts.combined(lake, states[place], configuration, project):
            return batches[place + 1 :]
    return None
