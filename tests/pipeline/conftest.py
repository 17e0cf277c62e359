from __future__ import annotations

from pathlib import Path

import pytest

from tests.pipeline.homes import Ran, ccm, copy


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ran]:
    """The demo home and what `ccm demo` printed. Never changed by a test: copy it first."""
    home = tmp_path_factory.mktemp("demo") / "home"
    ran = ccm("demo", home=home)
    assert ran.code == 0, ran.err
    return home, ran


@pytest.fixture(scope="session")
def next_night(demo: tuple[Path, Ran], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo home a night later: its last landed night is taken in. Never changed by a test: copy it first."""
    home = copy(demo[0], tmp_path_factory.mktemp("next") / "home")
    ran = ccm("nightly", home=home)
    assert ran.code == 0, ran.err
    return home
