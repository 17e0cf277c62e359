"""What an asset tells of itself on the page of the graph: where it stands on the way, who answers for it, whom its rows speak of, where its
files and pages are."""

from __future__ import annotations

import os
from typing import Any

import dagster as dg
from dagster._utils.warnings import disable_dagster_warnings

from orchestration.house import PROJECT_ROOT

# Where the checkout can be read in a browser (https://git.example.org/ccm/blob/main): then paths become links.
DOCS_URL = "CCM_DOCS_URL"
DICTIONARY = "docs/data-dictionary.md"


class Group:
    """The groups of the graph in the order of the way: Dagster sorts them by name. Plain text: Dagster sends no enumeration to its pages."""

    TAKE_IN = "01_take_in"
    JUDGE = "02_judge"
    STAGING = "03_staging"
    RULES = "04_rules"
    PANEL = "05_panel"
    MINUTES = "06_minutes"
    DECISIONS = "07_decisions"
    PAYMENTS = "08_payments"
    OFFICE = "09_office"
    GATE = "10_gate"
    CLOSE = "11_close"
    ANSWERS = "12_answers"
    PUBLISH = "13_publish"

    @classmethod
    def all(cls) -> list[str]:
        return sorted(value for name, value in vars(cls).items() if name.isupper())


def owned_by(*teams: str) -> list[str]:
    """Dagster's owners: the teams that the contracts and the dbt yml name."""
    return [f"team:{team}" for team in teams]


def speaks_of(what: str) -> dict[str, str]:
    """The tag `phi`: whom the rows speak of, in the words of the dbt yml (`identifying`, `patient ids`, `claim ids`, `none`)."""
    return {"phi": what.replace(" ", "_")}


def links(**paths: str | None) -> dict[str, Any]:
    """Metadata that names files of the checkout by their path in it (an anchor may follow), and what an editor wants to open them.

    A name is shown with spaces for underscores; what has no path is left out."""
    named = {name.replace("_", " "): path for name, path in paths.items() if path}
    base = os.environ.get(DOCS_URL, "").rstrip("/")
    found: dict[str, Any] = {
        name: dg.MetadataValue.url(f"{base}/{path}") if base else dg.MetadataValue.text(path) for name, path in named.items()
    }
    with disable_dagster_warnings():  # that these two classes are new to it
        references: list[Any] = [
            dg.LocalFileCodeReference(file_path=str(PROJECT_ROOT / path.partition("#")[0]), label=name)
            for name, path in named.items()
        ]
        return {**found, "dagster/code_references": dg.CodeReferencesMetadataValue(code_references=references)}
