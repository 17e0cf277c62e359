"""Computes a what-if: the actual side as it is published, the other side in a scratch warehouse, and their difference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from orchestration.gate import verdicts
from orchestration.house import House, HouseError
from orchestration.practices import load_practices
from orchestration.transform import project_files
from orchestration.transform.configuration import write_configuration
from orchestration.transform.state import is_up_to_date
from orchestration.what_if.compare import Side, compare, read_side
from orchestration.what_if.scratch import build, scratch_home
from orchestration.what_if.settings import with_settings


@dataclass(frozen=True)
class Question:
    """What is asked: a month (its first day), one practice or all, and what is other than it is.

    `rules_as_of`: the rule rows in force on this day are taken as in force on every day, the rows not in force on it on none, and rows without dates
    as ever. So the whole month, its service dates and the visits and services before it are judged by the rules of that one day, fees included: of
    several releases that hold the day, the newest. What the seeds say now is asked, not what they said then.
    `settings`: keys and values as in practices.yaml, for each practice asked about.
    """

    month: date
    practice_id: str | None = None
    rules_as_of: date | None = None
    settings: Sequence[tuple[str, str]] = ()


def what_if(house: House, question: Question) -> list[dict[str, Any]]:
    """The difference per practice (see `compare`), by practice_id. Writes nothing of the home but a scratch folder, which is removed.

    Raises HouseError for an unknown practice or setting, a month that no practice asked about has, or rules that have no fees on the day.
    """
    practices = load_practices(house.practices_yaml)
    if question.practice_id is not None and question.practice_id not in practices:
        raise HouseError(f"--practice {question.practice_id}: not in {house.practices_yaml}; it has {', '.join(practices)}")
    asked = {key: practice for key, practice in practices.items() if question.practice_id in (None, key)}
    others = with_settings(asked, question.settings)
    ids = list(asked)
    with scratch_home(house) as scratch:
        configuration = write_configuration(scratch, practices)
        inputs = verdicts.build_fingerprint(scratch, configuration, project_files.project_fingerprint())
        actual = _published(house, inputs, question.month, ids)
        if actual is None:
            build(scratch, asked, None)
            actual = read_side(scratch.warehouse, "marts", question.month, ids)
        if actual.decisions.num_rows == 0:
            raise HouseError(
                f"--month {question.month:%Y-%m}: {question.practice_id or 'no practice'} has {'no such' if question.practice_id else 'this'} month; "
                "`ccm status` lists the months there are"
            )
        build(scratch, others, question.rules_as_of)
        other = read_side(scratch.warehouse, "marts", question.month, ids)
    return compare(actual, other, ids)


def _published(house: House, inputs: str, month: date, practice_ids: list[str]) -> Side | None:
    """The actual side out of marts.duckdb; None where that was not published from exactly these inputs, so that it has to be computed."""
    if not is_up_to_date(house, inputs):
        return None
    side = read_side(house.marts, "main", month, practice_ids)
    # A night that ended while the file was read has published other inputs.
    return side if is_up_to_date(house, inputs) else None
