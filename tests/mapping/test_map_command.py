"""`ccm map`: what a user sees of a mapping before it is chosen."""

from __future__ import annotations

import json

import pytest

from tests.pipeline.homes import ccm

from .test_mapped_files import TIMER_HEAD, timer_line


@pytest.fixture
def export(tmp_path):
    path = tmp_path / "task_timer_20260203.csv"
    lines = [timer_line(f"t{n}", "60", "3 16:00:00", note="Zqxname asked") for n in range(7)]
    lines += [lines[0].replace("Care plan review", "Huddle"), lines[1].replace("CCM", "Internal")]
    path.write_text(TIMER_HEAD + "".join(lines).replace(";p1;", ";zqxpatient;"))
    return path


def test_a_try_says_what_is_accepted_and_unmapped_and_shows_no_patient(export, tmp_path):
    ran = ccm("map", "try", str(export), "--mapping", "task_timer", home=tmp_path / "none")
    assert ran.code == 1 and not (tmp_path / "none").exists()
    assert "9 rows received = 7 accepted + 1 quarantined + 1 superseded" in ran.out
    assert (
        "nothing becomes ended_at of time_entries" in ran.out
        and "Task Type" in ran.out
        and "add the word to the mapping" in ran.out
    )
    assert "zqx" not in ran.out.lower() and "Huddle" not in ran.out and "2026-02-03 09:00:00" in ran.out


def test_words_that_the_mapping_does_not_know_are_printed_when_they_are_asked_for(export, tmp_path):
    ran = ccm("map", "try", str(export), "-m", "task_timer", "--words", "--json", home=tmp_path)
    [told] = json.loads(ran.out)["tables"]
    assert told["unknown_words"] == [{"column": "Task Type", "word": "Huddle", "lines": 1}]
    assert json.loads(ran.out)["night"] == "2026-02-03" and len(told["first_rows"]) == 5


@pytest.mark.long
def test_a_file_of_another_name_is_refused_with_the_names_that_it_may_have(export, tmp_path):
    other = export.rename(tmp_path / "timer.csv")
    ran = ccm("map", "try", str(other), "-m", "task_timer", home=tmp_path)
    assert ran.code == 1 and "reads files named task_timer_{YYYYMMDD}.csv" in ran.err
    assert ccm("map", "try", str(other), "-m", "task_timer", "--table", "time_entries", home=tmp_path).code == 1
