"""Of a test over many answers the suite runs the first two; `make test-long` runs the others as well."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

SAMPLED, SAMPLE = ("test_posting.py",), 2  # their answers cost a third of a second each


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    met = Counter[tuple[Path, str]]()
    for item in items:
        if isinstance(item, pytest.Function) and item.path.parent == Path(__file__).parent and item.path.name in SAMPLED:
            test = (item.path, item.originalname)
            met[test] += 1
            if met[test] > SAMPLE:
                item.add_marker(pytest.mark.long)
