"""`ccm doctor`: what one question cannot answer keeps no other from being asked. And what any command could not foresee is kept in its home."""

from __future__ import annotations

import sys

import pytest

from orchestration import access
from orchestration.command import main
from orchestration.house import House
from orchestration.operate import doctor

NAME = "Doe, Jane"


@pytest.fixture
def house(tmp_path, monkeypatch):
    monkeypatch.setenv("CCM_HOME", str(tmp_path / "home"))
    return House(tmp_path / "home").prepare()


@pytest.mark.parametrize(
    ("function", "question"), [("_versions", "versions"), ("_configured", "practices.yaml"), ("_closes", "closes")]
)
def test_a_question_that_fails_of_something_unexpected_is_bad_and_the_others_are_still_asked(
    house, monkeypatch, function, question
):
    before = {one.question for one in doctor.examine(house)}

    def fails(*_):
        raise ValueError(NAME)

    monkeypatch.setattr(doctor, function, fails)
    found = doctor.examine(house)
    [bad] = [one for one in found if one.question == question]
    log = house.state / "ccm-errors.log"
    assert (bad.state, bad.said) == (
        "bad",
        f"ValueError: this is a defect of ccm, not of your data; the details are in {log}",
    )
    assert bad.remedy and "in fails" in log.read_text() and NAME not in log.read_text()
    assert {one.question for one in found} >= before - {"time zones"}


def test_an_impossible_date_of_practices_yaml_is_one_finding_among_the_others(house):
    house.practices_yaml.write_text("practices:\n  - practice_id: lakeside\n    attestations: {access_24_7: 2026-02-30}\n")
    found = {one.question: one for one in doctor.examine(house)}
    assert found["practices.yaml"].state == "bad"
    assert "practice lakeside, key attestations.access_24_7: " in found["practices.yaml"].said
    assert found.keys() >= {"versions", "disk", "lake", "closes", "records", "backup"}


def test_the_frames_of_a_defect_are_in_the_home_that_the_command_was_given(house, tmp_path, monkeypatch, capsys):
    def fails(*_):
        raise ValueError(NAME)

    monkeypatch.setattr(doctor, "examine", fails)
    given = House(tmp_path / "given").prepare()
    monkeypatch.setattr(sys, "argv", ["ccm", "doctor", "--home", str(given.root)])
    assert main._run() == 1
    access.finish(1)
    assert f"the details are in {given.state / 'ccm-errors.log'}" in capsys.readouterr().err
    assert (given.state / "ccm-errors.log").exists() and not (house.state / "ccm-errors.log").exists()
