"""The data dictionary, docs/data-dictionary.md, made from the contracts and dbt's yml (`make data-dictionary`): edit those, never the page.

python -m orchestration.dictionary [--check]
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import yaml

from orchestration.contracts import extract_contracts, mart_contracts
from orchestration.house import DBT_PROJECT, PROJECT_ROOT
from orchestration.signposts import DICTIONARY

PAGE = PROJECT_ROOT / DICTIONARY
# A vocabulary longer than this is in the contract.
WORDS_SHOWN = 60
_ROOMS = {
    "staging": "Staging: one model per extract and answer file",
    "intermediate": "Intermediate: one step of the way each",
    "touched": "Touched: which keys a night recomputes",
}


def page() -> str:
    """The whole page, as it has to be."""
    return "\n".join([*_head(), *_extracts(), *_marts(), *_seeds(), *_models()]).rstrip() + "\n"


def _head() -> Iterator[str]:
    yield "<!-- Made from data_contracts/ and dbt_project/ by `make data-dictionary`: edit those, never this page. -->"
    yield "# Data dictionary"
    yield ""
    yield "Every table that comes in, every table that goes out, and what stands between. `id` marks columns that identify a person by themselves;"
    yield "a row of any table with patients is protected as a whole. Money is DECIMAL(12,2), instants are UTC, a month is the first day of a calendar month"
    yield "where the practice is."
    yield ""
    yield "[Extracts](#extracts) · [Published marts](#published-marts) · [Rules and settings](#rules-and-settings) · [Between](#between)"


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield "| " + " | ".join(columns) + " |"
    yield "|" + "---|" * len(columns)
    for row in rows:
        yield "| " + " | ".join(_cell(value) for value in row) + " |"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _meaning(description: str, vocabulary: Sequence[str] | None) -> str:
    if not vocabulary:
        return description
    if len(vocabulary) > WORDS_SHOWN:
        return f"{description} One of {len(vocabulary)} words, see the contract."
    return f"{description} One of {', '.join(f'`{word}`' for word in vocabulary)}."


def _extracts() -> Iterator[str]:
    yield from ("", "## Extracts", "", "What lands each night ([extracts.md](extracts.md)); stored in the lake with these columns.")
    for table, contract in extract_contracts().items():
        yield from ("", f"### {table}", "")
        comes = "a full snapshot each night" if contract.delivery == "snapshot" else "rows new or changed since the last night"
        key = f"Key: {', '.join(f'`{name}`' for name in contract.key)}." if contract.key else "No key: every row stands."
        yield f"{contract.description} {contract.extract.replace('_', ' ').capitalize()} extract, {comes}. {key}"
        yield ""
        yield from _table(
            ("column", "kind", "", "meaning"),
            (
                (
                    f"`{column.name}`",
                    column.kind,
                    ", ".join(mark for mark, is_so in (("required", column.required), ("id", column.phi)) if is_so),
                    _meaning(column.description, column.vocabulary),
                )
                for column in contract.columns
            ),
        )


def _marts() -> Iterator[str]:
    yield from ("", "## Published marts", "", "The tables of `marts.duckdb`.")
    described = {model["name"]: model for _, model in _described("models/marts", "models")}
    contracts = mart_contracts()
    for mart in sorted(described):
        yield from ("", f"### {mart}", "")
        contract = contracts[mart]
        yield f"{_cell(contract.description)} One row per {', '.join(f'`{name}`' for name in contract.grain)}."
        yield ""
        yield from _table(
            ("column", "type", "", "meaning"),
            (
                (
                    f"`{column.name}`",
                    column.type.lower(),
                    ", ".join(mark for mark, is_so in (("may be empty", not column.required), ("id", column.phi)) if is_so),
                    _meaning(column.description, column.vocabulary),
                )
                for column in contract.columns
            ),
        )


def _seeds() -> Iterator[str]:
    yield from (
        "",
        "## Rules and settings",
        "",
        "The seeds: each row with the dates it holds for and its citation. Their rows are in [rules/](rules/README.md).",
    )
    for folder, seed in sorted((*_described("seeds", "seeds"), *_described("settings", "seeds")), key=lambda one: one[1]["name"]):
        with (DBT_PROJECT / folder / f"{seed['name']}.csv").open(encoding="utf-8", newline="") as handle:
            header = next(csv.reader(handle))
        types = seed.get("config", {}).get("column_types", {})
        said = {column["name"]: column.get("description", "") for column in seed.get("columns", ())}
        yield from ("", f"### {seed['name']}", "", _cell(seed["description"]), "")
        columns = (f"`{name}`" + (f" ({types[name]})" if name in types else "") for name in header)
        yield f"Columns: {', '.join(columns)}."
        if any(said.values()):
            yield ""
            yield from _table(("column", "meaning"), ((f"`{name}`", text) for name, text in said.items() if text))


def _models() -> Iterator[str]:
    yield from (
        "",
        "## Between",
        "",
        "Tables of the warehouse that nobody reads but the next model. `phi` says whom their rows speak of.",
    )
    for room, title in _ROOMS.items():
        yield from ("", f"### {title}", "")
        models = sorted(_described(f"models/{room}", "models"), key=lambda one: one[1]["name"])
        yield from _table(
            ("model", "what", "phi"),
            (
                (
                    f'<a id="{model["name"]}"></a>`{model["name"]}`',
                    model["description"],
                    model.get("config", {}).get("meta", {}).get("phi", ""),
                )
                for _, model in models
            ),
        )


def _described(folder: str, kind: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(folder in the dbt project, entry) of everything of this kind that a yml under the folder describes."""
    for path in sorted((DBT_PROJECT / folder).rglob("*.yml")):
        for entry in (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).get(kind) or ():
            yield path.parent.relative_to(DBT_PROJECT).as_posix(), entry


def main() -> int:
    wanted = page()
    if "--check" in sys.argv[1:]:
        if PAGE.exists() and PAGE.read_text(encoding="utf-8") == wanted:
            return 0
        print(f"{DICTIONARY}: is not what contracts and yml say; `make data-dictionary` writes it")
        return 1
    PAGE.write_text(wanted, encoding="utf-8")
    print(f"{DICTIONARY}: {wanted.count(chr(10))} lines")
    return 0


if __name__ == "__main__":
    sys.exit(main())
