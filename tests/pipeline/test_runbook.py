"""Every failure that Dagster or the doctor can show has its section of the runbook: what it means, who acts, how."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from orchestration import runbook
from orchestration.house import PROJECT_ROOT
from orchestration.runbook import FOLDER, check_spec, section_of, sections

LINK = re.compile(r"\]\(([^)#\s]*)(#[^)\s]+)?\)")


def test_every_section_says_what_it_means_who_acts_and_how():
    assert len(sections()) > 45
    for name, section in sections().items():
        assert re.search(r"\*\*Means\*\* \S.+\*\*Who acts\*\* \S.+\*\*How\*\*\s+\S", section.text, re.DOTALL), name


def test_every_question_of_the_doctor_has_its_section():
    source = (PROJECT_ROOT / "orchestration" / "operate" / "doctor.py").read_text(encoding="utf-8")
    asked = set(re.findall(r'Diagnosis\(\s*"([^"]+)"', source))
    told = set(re.findall(r"^## (.+)$", (FOLDER / "installation.md").read_text(encoding="utf-8"), re.MULTILINE))
    assert len(asked) > 10 and asked <= told


def anchors(page: Path) -> set[str]:
    """The anchors of a page as Git hosts make them."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


PAGES = sorted([*(PROJECT_ROOT / "docs").glob("*.md"), *(PROJECT_ROOT / "docs").glob("*/*.md"), *PROJECT_ROOT.glob("deploy/*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_link_of_the_docs_leads_nowhere(page):
    for path, anchor in LINK.findall(page.read_text(encoding="utf-8")):
        if "://" in path:
            continue
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page.name}: {path}"
        if anchor and target.suffix == ".md":
            assert anchor[1:] in anchors(target), f"{page.name}: {path}{anchor}"


def test_a_check_leads_to_its_own_section_before_that_of_its_kind(tmp_path, monkeypatch):
    (tmp_path / "page.md").write_text("# A page\n\n## `has_no_nulls`\n\nkind\n\n## `first`, `second`\n\nown\n\n## Other\n\nno\n")
    monkeypatch.setattr(runbook, "FOLDER", tmp_path)
    monkeypatch.setattr(runbook, "PROJECT_ROOT", tmp_path)
    sections.cache_clear()
    try:
        assert section_of("second", "has_no_nulls") == section_of("first") == runbook.Section("page.md#first-second", "own")
        assert section_of("x_has_no_null", "has_no_nulls").path == "page.md#has_no_nulls" and section_of("nobody") is None
        assert check_spec("first", "a", "It holds.").description == "It holds. Red? page.md#first-second"
        (tmp_path / "other.md").write_text("## `first`\n")
        sections.cache_clear()
        with pytest.raises(ValueError, match="first: is explained twice"):
            sections()
    finally:
        sections.cache_clear()
