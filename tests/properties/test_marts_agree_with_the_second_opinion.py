"""The marts of generated practices, row for row and column for column, against the slow, obvious evaluator that shares no code with the product."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from tests.properties.drawn import draw_practices, fingerprint, smallest
from tests.properties.staging import in_goes, out_of_order
from tests.properties.strategies import Clinic, population

pytestmark = pytest.mark.xdist_group("properties")


# The sample of the suite is tests/mutation/test_every_rule_row_has_a_case.py: a home with a case for each rule row, judged by the same second opinion.
@pytest.mark.long
@pytest.mark.parametrize(("drawn", "of_a_seed", "seed"), [(5, 4, 11), (12, 8, 11)])
def test_marts_and_second_opinion_agree_on_practices_nobody_tuned_to(tmp_path: Path, drawn: int, of_a_seed: int, seed: int) -> None:
    """Practices drawn by hypothesis and practices of a seed, in one home: half of the nights come late, some files are
    landed again with other content, and the marts are judged after each of the two builds."""
    clinics = [*draw_practices(drawn, seed), *population(seed, of_a_seed), an_open_timer_that_ended_without_a_note()]
    judged = out_of_order(tmp_path / "home", clinics, Random(seed))
    assert judged.disagreements == []
    assert judged.practice_months >= 2 * (drawn + of_a_seed)


def an_open_timer_that_ended_without_a_note() -> Clinic:
    """The note is missing since the night on which there was something to note; before, it was an open timer."""
    clinic = population(5, 1, defects=False)[0].name("pinned-found-on", 99)
    patient = clinic.patients[0]
    entry = clinic.entry(patient, 600, documented=False, clock="start")
    clinic.upserts["time_entries"] = [x for x in clinic.upserts["time_entries"] if x[1]["_row"] is not entry]
    for night, duration in ((0, None), (len(clinic.nights) - 1, 600)):
        clinic._land("time_entries", night, {**entry, "duration_seconds": duration}, night)
    return clinic


def test_late_nights_and_corrected_files_are_among_what_is_landed() -> None:
    first, second = in_goes(population(11, 12), Random(11))
    newest_of = {
        practice: max(path.parts[1] for path in first if path.parts[0] == practice) for practice in {p.parts[0] for p in first}
    }
    late = [path for path in second if path not in first and path.parts[1] < newest_of.get(path.parts[0], "")]
    landed_again = [path for path in second if path in first]
    assert late
    assert landed_again
    assert all(first[path] != second[path] for path in landed_again)
    assert {path.suffix for path in first} == {".csv", ".gz", ".parquet"}


@pytest.mark.long
def test_hypothesis_makes_a_failing_practice_smaller() -> None:
    def judge(clinic: Clinic) -> list[str]:
        return ["differs"] if any(patient.facts["stays"] for patient in clinic.patients) else []

    failing = {fingerprint(clinic) for clinic in draw_practices(15, 3) if judge(clinic)}
    found = smallest(15, 3, failing, judge, tries=60)
    assert found is not None
    clinic, messages = found
    assert messages == ["differs"]
    assert fingerprint(clinic) not in failing
