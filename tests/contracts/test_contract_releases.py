"""A contract broken on purpose is found, with a message that says what to do; an honest new version passes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from orchestration.contract_releases import CHANGELOG, changes, problems, release, released, shapes
from orchestration.house import DATA_CONTRACTS, HouseError


def test_no_contract_breaks_what_was_released() -> None:
    assert problems() == []
    assert released(DATA_CONTRACTS).keys() >= {"extracts/time_entries", "marts/claimable_codes"}


FEW = ("extracts/services", "extracts/stays", "extracts/time_entries", "marts/claimable_codes", "marts/revenue_gap")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A folder with a few of the contracts, as they were released."""
    folder = tmp_path / "data_contracts"
    for name in FEW:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(DATA_CONTRACTS / f"{name}.odcs.yaml", folder / f"{name}.odcs.yaml")
    (folder / CHANGELOG).write_text("# Changelog of the contracts\n")
    release(folder)
    return folder


def edit(copy: Path, name: str, *edits: tuple[str, str]) -> None:
    path = copy / f"{name}.odcs.yaml"
    text = path.read_text(encoding="utf-8")
    for old, new in edits:
        assert text.count(old) >= 1, old
        text = text.replace(old, new, 1)
    path.write_text(text, encoding="utf-8")


def test_a_contract_broken_on_purpose_is_named_with_what_broke_and_what_to_do(copy: Path) -> None:
    edit(copy, "extracts/time_entries", ("- name: note_id\n", "- name: note_number\n"), ("tcm, other]", "other]"))
    assert problems(copy) == [
        "data_contracts/extracts/time_entries.odcs.yaml: column note_id is gone (renamed note_number?); column program no longer has tcm in its vocabulary. "
        "That breaks what senders were promised since version 1.0.0: take it back, or set version: 2.0.0 and tell of it in "
        "data_contracts/CHANGELOG.md under '## extracts/time_entries 2.0.0'"
    ]
    with pytest.raises(HouseError, match="note_id is gone"):
        release(copy)


def test_a_new_major_version_with_an_entry_in_the_changelog_may_be_released(copy: Path) -> None:
    edit(copy, "extracts/time_entries", ("- name: note_id\n", "- name: note_number\n"), ("version: 1.0.0", "version: 2.0.0"))
    [problem] = problems(copy)
    assert "set version" not in problem and "## extracts/time_entries 2.0.0" in problem
    with (copy / CHANGELOG).open("a", encoding="utf-8") as handle:
        handle.write("\n## extracts/time_entries 2.0.0\n\n`note_id` is called `note_number`.\n")
    assert problems(copy) == []
    release(copy)
    assert changes(released(copy), shapes(copy)) == []


REQUIRED, OPTIONAL = "required: true", "required: false"


@pytest.mark.parametrize(
    ("name", "edits", "what", "is_breaking"),
    [
        ("extracts/services", [("logicalType: integer\n        physicalType: BIGINT", "logicalType: string\n        physicalType: VARCHAR")],
         "column units was BIGINT and is VARCHAR", True),
        ("extracts/stays", [(OPTIONAL, REQUIRED)], "column discharged_on became required", True),
        ("extracts/stays", [(REQUIRED, OPTIONAL)], "column stay_id may now be empty", False),
        ("extracts/stays", [("hospice]", "hospice, rehab]")], "column stay_type has rehab in its vocabulary as well", False),
        ("extracts/stays", [("primaryKey: true", "primaryKey: false")], "the key was (stay_id) and is ()", True),
        ("extracts/time_entries", [("value: updated_at", "value: recorded_at")], "orderedBy was updated_at and is recorded_at", True),
        ("marts/claimable_codes", [(REQUIRED, OPTIONAL)], "column practice_id may now be empty", True),
        ("marts/revenue_gap", [("not_contacted, ", "")], "column cause no longer has not_contacted in its vocabulary", True),
    ],
)  # fmt: skip
def test_each_kind_of_change_is_told_and_judged(
    copy: Path, name: str, edits: list[tuple[str, str]], what: str, is_breaking: bool
) -> None:
    before = shapes(copy)
    edit(copy, name, *edits)
    assert [(c.contract, c.what, c.is_breaking) for c in changes(before, shapes(copy))] == [(name, what, is_breaking)]


def test_columns_that_are_new_break_a_sender_only_where_they_are_required() -> None:
    before = {"extracts/a": {"version": "1.0.0", "key": [], "customs": {}, "columns": {}}}
    for required in (False, True):
        after = {"extracts/a": {**before["extracts/a"], "columns": {"x": {"type": "DATE", "required": required}}}}
        assert [c.is_breaking for c in changes(before, after)] == [required]
        assert [c.is_breaking for c in changes({"marts/a": before["extracts/a"]}, {"marts/a": after["extracts/a"]})] == [False]
    assert [c.is_breaking for c in changes(before, {})] == [True] and changes({}, before) == []
