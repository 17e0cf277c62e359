"""Self-contained HTML pages: no server, no outside request, everything that is printed is escaped."""

from __future__ import annotations

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined


def render(template: str, **values: Any) -> str:
    """One page from a template beside this file. Autoescape is on for every template."""
    return _environment().get_template(template).render(**values)


@cache
def _environment() -> Environment:
    # One for all pages of a run: it compiles a template once.
    return Environment(
        loader=PackageLoader("orchestration.answer", "pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
