from __future__ import annotations

import pytest
from demo_home import Demo

from orchestration.demo import make_demo


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    root = tmp_path_factory.mktemp("demo")
    return Demo(root, make_demo(root))
