"""Self-contained HTML pages: no server, no outside request, everything that is printed is escaped."""

from __future__ import annotations

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined


def render(template: str, **values: Any) -> str:
    """One page from a template beside this file. Autoescape is on for every template."""
    environment = Environment(
        loader=PackageLoader("orchestration.answer", "pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(**values)
