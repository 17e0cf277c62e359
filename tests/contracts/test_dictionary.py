"""The data dictionary says what contracts and yml say."""

from __future__ import annotations

from orchestration.contracts import extract_contracts, mart_contracts
from orchestration.dictionary import PAGE, page


def test_the_page_is_what_contracts_and_yml_say():
    assert PAGE.read_text(encoding="utf-8") == page(), "`make data-dictionary` writes it anew"


def test_every_column_of_every_contract_is_explained():
    sections = {part.partition("\n")[0]: part for part in page().split("\n### ")[1:]}
    for contract in (*extract_contracts().values(), *mart_contracts().values()):
        name = contract.table if hasattr(contract, "table") else contract.mart
        lines = {line.split("|")[1].strip(): line for line in sections[name].splitlines() if line.startswith("| `")}
        assert list(lines) == [f"`{column.name}`" for column in contract.columns], name
        assert not [column for column, line in lines.items() if not line.split("|")[-2].strip()], name
