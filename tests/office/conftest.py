from __future__ import annotations

from pathlib import Path

import pytest

from tests.pipeline.homes import Ran


@pytest.fixture(scope="session")
def office(demo: tuple[Path, Ran]) -> Path:
    """The demo home, as the office finds it in the morning. Never changed by a test: copy it first."""
    return demo[0]
