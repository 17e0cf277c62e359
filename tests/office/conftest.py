from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.pipeline.homes import ccm
from tests.properties.strategies import write_home

SEED, PRACTICES = 17, 12


@pytest.fixture(scope="session")
def office(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small generated home, taken in. Never changed by a test: copy it first."""
    home = write_home(tmp_path_factory.mktemp("office") / "home", SEED, PRACTICES, defects=False)
    ran = ccm("nightly", "--json", home=home)
    assert ran.code == 0, ran.err
    # Every identity is a dbt test of the night.
    assert json.loads(ran.out)["failed_checks"] == []
    return home
