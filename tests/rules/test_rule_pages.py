"""docs/rules: made from the seeds, all of them, and never by hand."""

from __future__ import annotations

import csv
import re
import shutil
from pathlib import Path

import pytest

from orchestration.house import DBT_PROJECT, PROJECT_ROOT
from orchestration.rules.document import MADE, MARKS, NOT_MARKED, compact, make_pages, stale_pages, write_pages
from orchestration.rules.seeds import read_seed
from tests.pipeline.homes import ccm

SEEDS = DBT_PROJECT / "seeds"
PAGES = PROJECT_ROOT / "docs" / "rules"


@pytest.fixture
def seeds(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SEEDS, tmp_path / "seeds"))


def change(seeds: Path, seed: str, edit) -> None:
    """Writes a seed anew with what `edit` makes of its rows."""
    (path,) = seeds.rglob(f"{seed}.csv")
    rows = edit(read_seed(path))
    with path.open("w", newline="") as handle:
        writer = csv.DictWriter(handle, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def test_the_committed_pages_are_what_the_seeds_say():
    assert [str(path) for path in stale_pages()] == [], "run `make docs`"
    for path in PAGES.glob("*.md"):
        if path.name != "mutation-report.md":
            assert path.read_text().startswith(MADE), path


def test_every_seed_stands_on_a_page_and_every_value_of_a_small_one():
    text = "\n".join(make_pages().values())
    for path in SEEDS.rglob("*.csv"):
        assert f"## {path.stem}\n" in text or path.stem == "rule_citations", path.stem
    pages = make_pages()
    for seed, page in (
        ("rule_bands", "codes-and-minutes.md"),
        ("rule_limits", "codes-and-minutes.md"),
        ("rule_rvus", "fee-schedule.md"),
    ):
        (path,) = SEEDS.rglob(f"{seed}.csv")
        shown = {cell for line in pages[page].splitlines() if line.startswith("|") for cell in line.strip("| ").split(" | ")}
        for row in read_seed(path):
            missing = {
                v
                for c, v in row.items()
                if v and c not in ("effective_from", "effective_to", "released_on", "release", "citation", "confidence")
            }
            assert missing <= shown, row


def test_conflicts_are_grouped_so_that_a_person_reads_each_rule_once():
    page = make_pages()["conflicts-and-reasons.md"]
    assert (
        "| 90951-90970 | billing_practitioner | reason | conflict_esrd | since 2019-01-01 | R-EXCL-3; rules.md A5 | source |"
        in page
    )
    lines = [line for line in page.split("## rule_decision_reasons")[0].splitlines() if re.match(r"\| [0-9G]", line)]
    assert len(lines) < 30 < len(read_seed(SEEDS / "rules" / "rule_conflicts.csv"))


@pytest.mark.long
def test_a_changed_row_changes_its_page_and_the_log(seeds):
    before = make_pages(seeds)
    change(
        seeds,
        "rule_caps",
        lambda rows: [{**row, "effective_to": "2026-12-31"} if row["procedure_code"] == "99439" else row for row in rows],
    )
    after = make_pages(seeds)
    assert {name for name in after if after[name] != before[name]} == {"codes-and-minutes.md", "change-log.md"}
    assert "| 99439 | 2 | 2019-01-01 to 2026-12-31 |" in after["codes-and-minutes.md"]
    ended = after["change-log.md"].split("## 2027-01-01")[1].split("## 2026")[0]
    assert "Ended the day before:" in ended and "`rule_caps`: procedure code 99439, max units 2." in ended


def test_the_log_goes_from_the_newest_day_to_the_oldest_and_says_what_began_and_what_ended():
    log = make_pages()["change-log.md"]
    days = re.findall(r"^## (\d{4}-\d\d-\d\d)$", log, re.MULTILINE)
    assert days == sorted(days, reverse=True) and {"2025-01-01", "2024-03-09", "2015-10-01"} <= set(days)
    march = log.split("## 2024-03-09")[1].split("\n## ")[0]
    assert march.count("conversion factor 33.2875") == 2 and march.count("conversion factor 32.7442") == 2
    assert march.index("33.2875") < march.index("Ended the day before") < march.index("32.7442")


def test_every_rule_has_a_mark_and_the_least_known_citation_counts(seeds):
    pages = make_pages()
    unmarked = [line for page in pages.values() for line in page.splitlines() if NOT_MARKED in line]
    assert unmarked == [], "give what these rows cite a row in rule_citations.csv"
    marks = {row["confidence"] for row in read_seed(SEEDS / "rules" / "rule_citations.csv")}
    assert marks == set(MARKS)
    # R-BAND-3 and R-TIME-13 are own knowledge; part A alone is ours; with a source beside it the source's mark counts.
    assert "| 99491 | true | 30 |  | false | since 2019-01-01 | R-BAND-3; R-TIME-13 | knowledge |" in pages["codes-and-minutes.md"]
    assert "| rules.md A6 | ours |" in pages["codes-and-minutes.md"]
    assert "| R-DOC-1; rules.md A6b | source |" in pages["conflicts-and-reasons.md"]

    change(seeds, "rule_limits", lambda rows: [*rows, {**rows[0], "limit_name": "new_limit", "citation": "R-NEW-1"}])
    pages = make_pages(seeds)
    assert "| new_limit | 180 | minutes | always | R-NEW-1 | not marked |" in pages["codes-and-minutes.md"]
    assert "Without a row in `rule_citations`: R-NEW-1." in pages["README.md"]


def test_a_seed_that_no_page_names_stands_on_a_page_of_its_own(seeds):
    (seeds / "rules" / "rule_new_things.csv").write_text("thing,citation\none,rules.md A1\n")
    assert "| one | always | rules.md A1 | ours |" in make_pages(seeds)["further-rules.md"]


def test_codes_in_a_row_become_a_range_and_others_do_not():
    assert compact(["90952", "90951", "90953", "G0181", "99490", "99491"]) == "90951-90953, 99490, 99491, G0181"
    assert compact(["01", "02", "3", "E08", "E09", "E10", "E11"]) == "01, 02, 3, E08-E11"
    assert compact(["travel", "billing"]) == "billing, travel"


@pytest.mark.long
def test_writing_leaves_other_peoples_pages_and_takes_away_its_own_old_ones(tmp_path):
    folder = tmp_path / "pages"
    write_pages(folder)
    (folder / "mutation-report.md").write_text("# Written by another command\n")
    (folder / "old-page.md").write_text(f"{MADE}\n# Old\n")
    (folder / "localities.md").write_text("edited by hand")
    assert [path.name for path in stale_pages(folder)] == ["localities.md", "old-page.md"]
    assert sorted(path.name for path in write_pages(folder)) == ["localities.md", "old-page.md"]
    assert stale_pages(folder) == [] and (folder / "mutation-report.md").exists()
    assert write_pages(folder) == []


@pytest.mark.long
def test_the_command_names_the_page_that_was_edited_by_hand(tmp_path):
    folder = tmp_path / "pages"
    made = ccm("rules", "document", "--out", str(folder), home=tmp_path)
    assert made.code == 0 and f"{len(make_pages())} pages changed" in made.out, made.err
    (folder / "localities.md").write_text("edited by hand")
    checked = ccm("rules", "document", "--check", "--out", str(folder), home=tmp_path)
    assert checked.code == 1
    assert "localities.md: is not what the seeds say; run `make docs`" in checked.out
