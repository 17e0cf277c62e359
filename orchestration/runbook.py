"""The runbook (docs/runbook/) as the checks use it: each check names the section that says what it means, who acts and how.

A section is a heading with the names of its checks, each between backticks, or the name of a kind of dbt test that many checks are of.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from itertools import zip_longest
from typing import Any

import dagster as dg

from orchestration.house import PROJECT_ROOT
from orchestration.signposts import links

FOLDER = PROJECT_ROOT / "docs" / "runbook"
_HEADING = re.compile(r"^##+ (?P<title>.*`.*)$", re.MULTILINE)
_NAME = re.compile(r"`([a-z0-9_]+)`")
_NO_ANCHOR = re.compile(r"[^a-z0-9 _-]")


@dataclass(frozen=True)
class Section:
    """One failure. `path`: relative to the checkout, with the anchor that the heading has; `text`: what stands below the heading."""

    path: str
    text: str


@cache
def sections() -> dict[str, Section]:
    """Section by the name of a check or of a kind of dbt test. Empty where the docs are not installed with the package."""
    found: dict[str, Section] = {}
    for page in sorted(FOLDER.glob("*.md")):
        text = page.read_text(encoding="utf-8")
        headings = list(_HEADING.finditer(text))
        for heading, following in zip_longest(headings, headings[1:]):
            anchor = _NO_ANCHOR.sub("", heading["title"].lower()).replace(" ", "-")
            body = re.split(r"^#", text[heading.end() : following.start() if following else None], maxsplit=1, flags=re.MULTILINE)[
                0
            ]
            section = Section(f"{page.relative_to(PROJECT_ROOT).as_posix()}#{anchor}", body.strip())
            for name in _NAME.findall(heading["title"]):
                if name in found:
                    raise ValueError(f"{name}: is explained twice, in {found[name].path} and {section.path}")
                found[name] = section
    return found


def section_of(check: str, kind: str | None = None) -> Section | None:
    """The section of a check: its own, else that of its kind."""
    return sections().get(check) or sections().get(kind or "")


def check_spec(
    name: str,
    asset: dg.AssetKey,
    description: str,
    *,
    kind: str | None = None,
    file: str | None = None,
    metadata: Any = None,
    partitions_def: Any = None,
) -> dg.AssetCheckSpec:
    """A check that never blocks a run (the gate stops the practice at fault) and whose description names its section of the runbook."""
    section = section_of(name, kind)
    return dg.AssetCheckSpec(
        name,
        asset=asset,
        description=f"{description} Red? {section.path}" if section else description,
        metadata={**(metadata or {}), **links(runbook=section.path if section else None, file=file)},
        blocking=False,
        partitions_def=partitions_def,
    )
