"""Several practices closed in one run: in order, each for itself, their claim files read by other processes."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest
from claim_samples import many_claims, written

from orchestration.close import judging
from orchestration.close.closing import Approval
from orchestration.close.x12.claim_rules import of_this_release
from orchestration.close.x12.validate import judge
from orchestration.house import House, HouseError

MONTH = date(2026, 10, 1)


@dataclass(frozen=True)
class Named:
    practice_id: str
    tax_id: str


def closed(monkeypatch, practices, broken=()):
    """What happened, and what came out, when these are closed."""
    events = []

    def closing(_house, practice, _month, _approval, judging_, _common):
        events.append(f"{practice.practice_id} drafted")
        faults_of = judging_(GOOD.encode(), of_this_release())
        yield
        assert faults_of() == []
        if practice.practice_id in broken:
            raise HouseError("broken")
        events.append(f"{practice.practice_id} published")
        return practice.practice_id

    monkeypatch.setattr(judging, "closing", closing)
    return events, list(judging.close_all(House(Path("none")), [(one, Approval("Ann Lee")) for one in practices], MONTH))


GOOD = written(*many_claims(2))


def test_of_one_tax_id_each_is_published_before_the_next_is_drafted(monkeypatch):
    events, _ = closed(monkeypatch, [Named("a", "1"), Named("b", "2"), Named("c", "1")])
    assert events.index("a published") < events.index("c drafted")
    assert [event for event in events if event.endswith("drafted")] == ["a drafted", "b drafted", "c drafted"]


def test_one_practices_trouble_is_its_own(monkeypatch):
    practices = [Named(name, name) for name in "abcd"]
    _, outcomes = closed(monkeypatch, practices, broken={"b"})
    assert {practice.practice_id: str(one) for practice, one in outcomes} == {"a": "a", "b": "broken", "c": "c", "d": "d"}


def test_a_defect_that_one_practices_rows_bring_out_is_told_without_its_message_and_stops_no_other(monkeypatch, tmp_path):
    house, of_a_patient = House(tmp_path), "1EG4" + "TE5MK73"

    def closing(_house, practice, _month, _approval, _judging, _common):
        with house.lock(f"close-{practice.tax_id}"):
            if practice.practice_id == "a":
                raise ZeroDivisionError(of_a_patient)
            yield
            if practice.practice_id == "b":
                raise KeyError(of_a_patient)
            return practice.practice_id

    monkeypatch.setattr(judging, "closing", closing)
    outcomes = list(judging.close_all(house, [(Named(name, name), Approval("Ann Lee")) for name in "abc"], MONTH))
    told = {practice.practice_id: str(one) for practice, one in outcomes}
    assert (
        told["c"] == "c" and told["a"].startswith("ZeroDivisionError: this is a defect of ccm") and told["b"].startswith("KeyError")
    )
    kept = (house.state / "ccm-errors.log").read_text()
    assert "the close of a" in kept and of_a_patient not in kept + str(told)


def test_what_breaks_off_a_run_leaves_no_practice_half_closed(monkeypatch, tmp_path):
    """Closes that waited hold their tax id's lock: the next `ccm close` of the same process would wait for ever."""
    house, left = House(tmp_path), []

    def closing(_house, practice, _month, _approval, _judging, _common):
        with house.lock(f"close-{practice.tax_id}"):
            try:
                yield
                if practice.practice_id == "a":
                    raise OSError("no space left")
            finally:
                left.append(practice.practice_id)

    monkeypatch.setattr(judging, "closing", closing)
    with pytest.raises(OSError) as kept:
        list(judging.close_all(house, [(Named(name, name), Approval("Ann Lee")) for name in "abc"], MONTH))
    # While somebody still holds the exception, with all that it holds.
    assert kept.value and left == ["a", "b"]


@pytest.mark.long
def test_many_practices_files_are_read_by_other_processes_and_judged_alike(monkeypatch):
    seen = []
    submit = ProcessPoolExecutor.submit
    monkeypatch.setattr(ProcessPoolExecutor, "submit", lambda pool, *given: seen.append(given[0]) or submit(pool, *given))
    monkeypatch.setattr(judging.os, "cpu_count", lambda: 2)
    practices = [Named(f"p{number}", str(number)) for number in range(judging.FEW)]
    events, outcomes = closed(monkeypatch, practices)
    assert seen == [judge] * judging.FEW and [practice for practice, _ in outcomes] == practices
    # While the first's file is read the second is drafted.
    assert events[:2] == ["p0 drafted", "p1 drafted"]


@pytest.mark.parametrize("count", [1, judging.FEW - 1])
def test_few_practices_start_no_process(count):
    with judging.judges(count) as (judging_, at_once):
        assert at_once == 1 and judging_(GOOD.encode(), of_this_release())() == []
