"""Pages of `docs/rules/`, made from the seeds: every rule with its dates, its citation and its mark, and the log of what came into force when.

Nobody edits these pages: what they say stands in `dbt_project/seeds/`, and `ccm rules document` writes them again (`make docs`).
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import yaml

from orchestration.house import PROJECT_ROOT, HouseError
from orchestration.rules.seeds import SEEDS, Row, read_seed, seed_files

PAGES_FOLDER = PROJECT_ROOT / "docs" / "rules"
MADE = "<!-- Made from dbt_project/seeds by `ccm rules document` (`make docs`): edit the seeds, never this page. -->"

# Best known first; a row is as well known as the least known of what it cites.
MARKS = {
    "source": "read in a CMS file or page",
    "ours": "a decision of this project",
    "knowledge": "own knowledge, not verified against a source",
    "doubtful": "check before it decides money",
}
NOT_MARKED = "not marked"
_LINES_OF_A_DAY = 25

_ALWAYS = "0001-01-01"  # of a rule that holds from ever on
_ABOUT = ("effective_from", "effective_to", "confidence", "citation")
_RULE_ID = re.compile(r"R-[A-Z]+-\d+")
_SECTION_ID = re.compile(r"\b[AB]\d+[a-z]?(?:\.\d+)?\b")


@dataclass(frozen=True)
class Section:
    """How a seed is shown. `blocks`: columns that make a heading each; `collapse`: the column whose values share one line where all others agree;
    `count_only`: too long for a page, shown as numbers by the first letter of `collapse`."""

    seed: str
    blocks: tuple[str, ...] = ()
    collapse: str | None = None
    count_only: bool = False


@dataclass(frozen=True)
class Page:
    """One page: its file name, its title, and the seeds on it."""

    name: str
    title: str
    sections: tuple[Section, ...]


PAGES = (
    Page(
        "codes-and-minutes.md",
        "Codes, minutes and tracks",
        (
            Section("rule_bands"),
            Section("rule_caps"),
            Section("rule_apcm_levels"),
            Section("rule_complex_mdm_levels"),
            Section("rule_programs"),
            Section("rule_track_choice"),
            Section("rule_limits"),
            Section("rule_office_limits"),
        ),
    ),
    Page(
        "who-and-when.md",
        "Whose time counts, coverage, stays and visits",
        (
            Section("rule_credentials", collapse="credential"),
            Section("rule_non_countable_activities", collapse="activity"),
            Section("rule_dispositions"),
            Section("rule_coverage_types", collapse="coverage_type"),
            Section("rule_stay_types", collapse="stay_type"),
            Section("rule_initiating_visits", collapse="procedure_code"),
            Section("rule_outreach_outcomes", collapse="outcome"),
            Section("rule_funnel_stages"),
        ),
    ),
    Page(
        "conflicts-and-reasons.md",
        "Conflicting services and reasons",
        (
            Section("rule_conflicts", blocks=("program",), collapse="procedure_code"),
            Section("rule_decision_reasons"),
            Section("rule_reason_snapshots"),
            Section("rule_flags"),
        ),
    ),
    Page(
        "chronic-conditions.md",
        "Chronic conditions",
        (
            Section("rule_condition_groups"),
            Section("rule_condition_prefixes", collapse="icd10_prefix"),
            Section("rule_ccir_chronic_codes", collapse="icd10_code", count_only=True),
            Section("rule_icd10_categories", collapse="icd10_code"),
            Section("rule_snomed_to_icd10cm", collapse="snomed_code"),
        ),
    ),
    Page(
        "fee-schedule.md",
        "Fee schedule",
        (
            Section("rule_fee_files"),
            Section("rule_conversion_factors"),
            Section("rule_facility_places", collapse="place_of_service"),
            Section("rule_rvus", blocks=("release", "released_on", *_ABOUT)),
        ),
    ),
    Page("localities.md", "Localities", (Section("rule_gpcis", blocks=("release", *_ABOUT)),)),
)
_OTHER = "further-rules.md"
_CITATIONS = "rule_citations"


@dataclass(frozen=True)
class _Seed:
    name: str
    description: str
    rows: list[Row]


class _Marks:
    """The mark of a row: its own, or that of the least known thing it cites (rule_citations). A decision of ours that rests on a citation of
    CMS's is as well known as that citation."""

    def __init__(self, citations: Sequence[Row]) -> None:
        self.known = {row["citation"]: row["confidence"] for row in citations}
        self.missing: set[str] = set()

    def of(self, row: Row) -> str:
        if "confidence" in row:
            return row["confidence"] or NOT_MARKED
        found = []
        for part in (text.strip() for text in row["citation"].split(";")):
            marks = [self.known.get(token) for token in self.tokens(part)]
            if not marks or None in marks:
                self.missing.add(part)
                return NOT_MARKED
            found += [mark for mark in marks if mark]
        of_others = [mark for mark in found if mark != "ours"]
        return max(of_others, key=list(MARKS).index) if of_others else "ours"

    def tokens(self, part: str) -> list[str]:
        """What a citation names: rule ids, sections of rules.md, or a source of rule_citations that it begins with."""
        ids = _RULE_ID.findall(part)
        if ids:
            return ids
        source = max((known for known in self.known if part.startswith(known)), key=len, default=None)
        if source and not source.startswith("rules.md"):
            return [source]
        if part.startswith("rules.md") or re.match(r"[AB]\d", part):
            sections = _SECTION_ID.findall(part)
            # A1.2 stands in A1; of part B the numbered sections are marked one by one where they have their own row.
            return [f"rules.md {s if f'rules.md {s}' in self.known else s.split('.')[0]}" for s in sections]
        return [source] if source else []


def make_pages(seeds: Path = SEEDS) -> dict[str, str]:
    """Every page by its file name, as Markdown. Pure: the same seeds give the same text."""
    described = _load(seeds)
    marks = _Marks(described[_CITATIONS].rows)
    placed = {section.seed for page in PAGES for section in page.sections} | {_CITATIONS}
    missing = placed - described.keys()
    if missing:
        raise HouseError(f"{seeds}: {', '.join(sorted(missing))} is not there; PAGES of orchestration/rules/document.py names it")
    pages = list(PAGES)
    others = sorted(described.keys() - placed)
    if others:
        pages.append(Page(_OTHER, "Further rules", tuple(Section(seed) for seed in others)))
    made = {page.name: _page(page, described, marks) for page in pages}
    made["change-log.md"] = _change_log(pages, described, marks)
    made["README.md"] = _index(pages, described, marks)
    return made


def write_pages(folder: Path = PAGES_FOLDER, seeds: Path = SEEDS) -> list[Path]:
    """Writes the pages that differ and removes pages made before that are made no more. Files that were not made here stay. Returns what changed."""
    made = make_pages(seeds)
    changed = []
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in made.items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            changed.append(path)
    for path in sorted(folder.glob("*.md")):
        if path.name not in made and path.read_text(encoding="utf-8").startswith(MADE):
            path.unlink()
            changed.append(path)
    return changed


def stale_pages(folder: Path = PAGES_FOLDER, seeds: Path = SEEDS) -> list[Path]:
    """Pages that are not what the seeds say, or missing, or left over."""
    made = make_pages(seeds)
    stale = [folder / name for name, text in made.items() if not (folder / name).exists() or (folder / name).read_text() != text]
    left = [path for path in folder.glob("*.md") if path.name not in made and path.read_text(encoding="utf-8").startswith(MADE)]
    return sorted([*stale, *left])


def _load(seeds: Path) -> dict[str, _Seed]:
    descriptions: dict[str, str] = {}
    for path in sorted(seeds.rglob("*.yml")):
        content: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
        descriptions |= {seed["name"]: " ".join(seed.get("description", "").split()) for seed in content.get("seeds", [])}
    return {path.stem: _Seed(path.stem, descriptions.get(path.stem, ""), read_seed(path)) for path in seed_files(seeds)}


# --- text ------------------------------------------------------------------------------------------------------------


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return [*lines, *("| " + " | ".join(_cell(value) for value in row) + " |" for row in rows)]


def _label(column: str) -> str:
    return column.replace("_", " ")


def compact(values: Sequence[str]) -> str:
    """Values in order, runs of three and more whole numbers of one length as a range: 90951-90970."""
    texts: list[str] = []
    run: list[str] = []

    def close() -> None:
        texts.extend([f"{run[0]}-{run[-1]}"] if len(run) > 2 else run)
        run.clear()

    for value in sorted(set(values)):
        digits = re.fullmatch(r"([A-Z]*)(\d+)", value)
        before = re.fullmatch(r"([A-Z]*)(\d+)", run[-1]) if run else None
        follows = (
            digits and before and digits[1] == before[1] and len(value) == len(run[-1]) and int(digits[2]) == int(before[2]) + 1
        )
        if not follows:
            close()
        run.append(value)
    close()
    return ", ".join(texts)


def _is_dated(row: Row) -> bool:
    """Not of a row that holds for every day, whether its seed has dates or not."""
    return "effective_from" in row and (row["effective_from"], row["effective_to"]) != (_ALWAYS, "")


def _span(row: Row) -> str:
    if not _is_dated(row):
        return "always"
    if row["effective_from"] == _ALWAYS:
        return f"to {row['effective_to']}"
    return f"{row['effective_from']} to {row['effective_to']}" if row["effective_to"] else f"since {row['effective_from']}"


def _groups(section: Section, rows: Sequence[Row]) -> list[tuple[Row, list[str]]]:
    """Rows that say the same but for the collapsed column, in the order of the seed: the first of them, and the column's values."""
    if section.collapse is None:
        return [(row, []) for row in rows]
    grouped: dict[tuple[str, ...], tuple[Row, list[str]]] = {}
    for row in rows:
        key = tuple(value for column, value in row.items() if column != section.collapse)
        grouped.setdefault(key, (row, []))[1].append(row[section.collapse])
    return list(grouped.values())


def _blocks(section: Section, rows: Sequence[Row]) -> dict[tuple[str, ...], list[Row]]:
    blocks: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    for row in rows:
        blocks[tuple(row.get(column, "") for column in section.blocks)].append(row)
    return blocks


def _page(page: Page, seeds: dict[str, _Seed], marks: _Marks) -> str:
    lines = [MADE, f"# {page.title}", "", "[All pages](README.md)"]
    for section in page.sections:
        seed = seeds[section.seed]
        lines += ["", f"## {seed.name}", "", seed.description, ""]
        if not seed.rows:
            lines.append("No rows.")
            continue
        blocks = _blocks(section, seed.rows)
        for place, (values, rows) in enumerate(blocks.items()):
            if section.blocks:
                heading = ", ".join(
                    value for column, value in zip(section.blocks, values, strict=True) if value and column not in _ABOUT
                )
                lines += ([""] if place else []) + [f"### {heading}", ""]
            if "citation" in section.blocks:
                lines += [f"In force {_span(rows[0])}. {rows[0]['citation']} ({marks.of(rows[0])}).", ""]
            lines += _rows(section, rows, marks)
    return "\n".join(lines) + "\n"


def _rows(section: Section, rows: Sequence[Row], marks: _Marks) -> list[str]:
    if section.count_only and section.collapse:
        letters = Counter((row[section.collapse][0], _span(row), row["citation"], marks.of(row)) for row in rows)
        table = [[letter, f"{count:,}", span, cited, mark] for (letter, span, cited, mark), count in sorted(letters.items())]
        return [
            f"{len(rows):,} rows, by the first letter of {_label(section.collapse)}:", "",
            *_table(["first letter", "rows", "in force", "citation", "mark"], table),
        ]  # fmt: skip
    columns = [column for column in rows[0] if column not in (*_ABOUT, *section.blocks)]
    about = [] if "citation" in section.blocks else ["in force", "citation", "mark"]
    table = []
    for row, values in _groups(section, rows):
        shown = [compact(values) if column == section.collapse else row[column] for column in columns]
        table.append(shown + ([_span(row), row["citation"], marks.of(row)] if about else []))
    return _table([_label(column) for column in columns] + about, table)


def _summary(page: Page, section: Section, rows: Sequence[Row], marks: _Marks) -> list[str]:
    """Lines of the change log for the rows of one seed and one day; one line in all where there would be too many to read."""
    if section.blocks and "citation" in section.blocks:
        return [
            f"- `{section.seed}` {found[0].get('release', '')}: {len(found):,} rows. {found[0]['citation']} ({marks.of(found[0])})"
            for found in _blocks(section, rows).values()
        ]
    groups = _groups(section, rows)
    if section.count_only or len(groups) > _LINES_OF_A_DAY:
        cited = "; ".join(sorted({f"{row['citation']} ({marks.of(row)})" for row in rows}))
        return [f"- `{section.seed}`: {len(rows):,} rows, [all of them]({page.name}#{section.seed}). {cited}"]
    lines = []
    for row, values in groups:
        said = [
            f"{_label(column)} {compact(values) if column == section.collapse else value}"
            for column, value in row.items()
            if value and column not in _ABOUT
        ]
        lines.append(f"- `{section.seed}`: {', '.join(said)}. {row['citation']} ({marks.of(row)})")
    return lines


def _change_log(pages: Sequence[Page], seeds: dict[str, _Seed], marks: _Marks) -> str:
    placed = [(page, section) for page in pages for section in page.sections]
    began: dict[str, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    ended: dict[str, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for _, section in placed:
        for row in seeds[section.seed].rows:
            if _is_dated(row):
                began[row["effective_from"]][section.seed].append(row)
                if row["effective_to"]:
                    day = (date.fromisoformat(row["effective_to"]) + timedelta(days=1)).isoformat()
                    ended[day][section.seed].append(row)
    lines = [
        MADE, "# What came into force when", "",
        "[All pages](README.md). By first service date, the newest first; one line per rule, or per group of rows that say the same. "
        "A rule that ended holds for the service dates before. Where a fee release ends and none follows, a service date has no price.",
    ]  # fmt: skip
    for day in sorted(began.keys() | ended.keys(), reverse=True):
        lines += ["", f"## {day}"]
        for title, found in (("Came into force", began.get(day)), ("Ended the day before", ended.get(day))):
            if found:
                lines += ["", f"{title}:", ""]
                for page, section in placed:
                    if section.seed in found:
                        lines += _summary(page, section, found[section.seed], marks)
    undated = {section.seed: sum(not _is_dated(row) for row in seeds[section.seed].rows) for _, section in placed}
    lines += ["", "## Without dates", "", "These hold for every service date:", ""]
    lines += [f"- `{seed}`: {rows} rows" for seed, rows in undated.items() if rows]
    return "\n".join(lines) + "\n"


def _index(pages: Sequence[Page], seeds: dict[str, _Seed], marks: _Marks) -> str:
    counts = Counter(marks.of(row) for page in pages for section in page.sections for row in seeds[section.seed].rows)
    lines = [
        MADE, "# The rules", "",
        "Every rule that decides a minute, a code or a dollar is a row of `dbt_project/seeds/`, with the service dates it holds for and the citation "
        "it rests on. These pages show all of them. A change of CMS's rules is new rows; [the change log](change-log.md) lists what came into force when.", "",
        "| page | rules |", "|---|---|",
    ]  # fmt: skip
    for page in pages:
        lines.append(f"| [{page.title}]({page.name}) | {', '.join(f'`{section.seed}`' for section in page.sections)} |")
    lines += [
        "", "## Marks", "",
        "How well a row is known: its own mark, or that of what it cites. Of several citations the least known counts; a decision of ours that cites "
        "CMS as well is marked by CMS's part.", "",
    ]  # fmt: skip
    table = [
        [mark, MARKS.get(mark, "no citation of the row has a mark yet"), f"{counts[mark]:,}"]
        for mark in [*MARKS, NOT_MARKED]
        if counts[mark]
    ]
    lines += _table(["mark", "meaning", "rows"], table)
    if marks.missing:
        lines += ["", f"Without a row in `rule_citations`: {'; '.join(sorted(marks.missing))}."]
    lines += ["", "## Citations", "", seeds[_CITATIONS].description, ""]
    lines += _table(
        ["citation", "what it says", "mark"], [[r["citation"], r["statement"], r["confidence"]] for r in seeds[_CITATIONS].rows]
    )
    return "\n".join(lines) + "\n"
