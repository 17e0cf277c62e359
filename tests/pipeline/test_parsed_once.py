"""dbt parses the project once per state of its files, whichever home asks first."""

from __future__ import annotations

import pytest

from orchestration.house import House
from orchestration.transform import dbt, project_files


@pytest.fixture
def parsed_by(tmp_path, monkeypatch):
    """The homes that dbt parsed the project for, in order; the parsing itself is not dbt's."""
    asked = []

    def invoke(house, arguments):
        assert arguments == ["parse"]
        asked.append(house.root.name)
        target = project_files.target_folder(house)
        target.mkdir(parents=True, exist_ok=True)
        for name in (dbt.MANIFEST, dbt.PARSED_PROJECT):
            (target / name).write_text(f"parsed for {house.root.name}")

    monkeypatch.setattr(dbt, "invoke", invoke)
    monkeypatch.setattr(project_files, "PARSED", tmp_path / "checkout" / "parsed")
    return asked


def ask(tmp_path, name):
    return dbt.ensure_manifest(House(tmp_path / name).prepare()).read_text()


def test_a_second_home_takes_what_the_first_one_parsed_until_a_file_of_the_project_changes(tmp_path, parsed_by, monkeypatch):
    assert ask(tmp_path, "first") == ask(tmp_path, "second") == ask(tmp_path, "first") == "parsed for first"
    assert parsed_by == ["first"]
    monkeypatch.setattr(project_files, "project_fingerprint", lambda: "changed")
    assert ask(tmp_path, "second") == ask(tmp_path, "third") == ask(tmp_path, "first") == "parsed for second"
    assert parsed_by == ["first", "second"]


def test_a_half_written_copy_is_none_and_a_checkout_that_cannot_be_written_to_stops_nobody(tmp_path, parsed_by, monkeypatch):
    ask(tmp_path, "first")
    (project_files.PARSED / dbt.PARSED_PROJECT).unlink()
    assert ask(tmp_path, "second") == "parsed for second"
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(project_files, "PARSED", tmp_path / "file" / "parsed")
    assert ask(tmp_path, "third") == "parsed for third"
    assert ask(tmp_path, "third") == "parsed for third" and parsed_by == ["first", "second", "third"]
