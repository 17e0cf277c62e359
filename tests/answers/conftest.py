from __future__ import annotations

# The demo home that the pipeline's tests share.
from tests.pipeline.conftest import demo, next_night, shared  # noqa: F401
