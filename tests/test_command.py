"""What the commands make of the days and months that are given to them, and how they tell what the answers brought."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from orchestration.blanks import is_blank, stated
from orchestration.close.packet import Closed
from orchestration.command import (
    closes,
    main,  # noqa: F401 - brings every command
)
from orchestration.command.answers import print_answers
from orchestration.command.common import app, day_of, night_of
from orchestration.command.months import month_of
from orchestration.house import House, HouseError
from tests.holds.clinic import Clinic, configure


def test_a_day_that_does_not_exist_is_told_from_one_that_is_written_wrong():
    assert (day_of("--until", "2026-02-28"), month_of("2026-02")) == (date(2026, 2, 28), date(2026, 2, 1))
    for read, wrong, said in (
        (night_of, "2026-02-30", "--date '2026-02-30': there is no such day"),
        (night_of, "30.02.2026", "--date '30.02.2026': write the night as YYYY-MM-DD"),
        (month_of, "2026-13", "--month '2026-13': there is no such month"),
        (month_of, "October", "--month 'October': write the month as YYYY-MM, such as 2026-10"),
    ):
        with pytest.raises(HouseError) as refused:
            read(wrong)
        assert str(refused.value) == said


def test_what_a_file_holds_of_claims_is_not_read_as_what_its_payment_holds(tmp_path, capsys):
    none = Decimal("0.00")
    file = {
        "file": "a.835", "outcome": "held", "kinds": ["835"], "reason": None, "claims_amount": Decimal("46.19"), "posted_amount": none,
        "unmatched_amount": none, "claims_unmatched": 0, "held_amount": Decimal("46.19"),
    }  # fmt: skip
    print_answers(House(tmp_path), [file], {})
    assert "$46.19 of claims held with their payment" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(("version", "said"), [(None, "let nothing go, so nothing of it is recorded"), (2, None)])
def test_a_waiver_that_lets_nothing_go_is_said_to_be_recorded_nowhere(capsys, version, said):
    none = Decimal("0.00")
    outcome = Closed("north", date(2026, 10, 1), version, Path("v2"), 0, none, none, 3, None, Path("held.csv"))
    pipeline = SimpleNamespace(month_end=lambda *_: SimpleNamespace(success=True, outcomes={"north": outcome}))
    rows, refused = closes.run_close(pipeline, {"north": None}, outcome.month, "Ann Lee", None, "nurse is away")
    closes.print_close(rows)
    told = " ".join(capsys.readouterr().out.split())
    assert not refused and (said in told if said else "--waive" not in told)
    assert rows[0]["waiver"].startswith("it let nothing go" if said else "recorded")
    rows, _ = closes.run_close(pipeline, {"north": None}, outcome.month, "Ann Lee", None, None)
    assert "waiver" not in rows[0]


def test_what_came_before_is_not_called_no_x12(tmp_path, capsys):
    file = {"file": "again.835", "outcome": "repeated", "reason": "the same content came before"}
    print_answers(House(tmp_path), [file], {})
    assert capsys.readouterr().out.splitlines()[:2] == ["again.835: repeated", "   the same content came before"]


@pytest.mark.parametrize(
    ("asked", "option"),
    [
        (["close", "--month", "2026-10", "--practice", "a", "--practice=b", "--approved-by", "x"], "--practice"),
        (["worklist", "--month", "2026-10", "--month", "2026-11"], "--month"),
        (["map", "try", "a.csv", "--mapping", "m", "-m", "n"], "--mapping"),
    ],
)
def test_an_option_of_one_value_that_is_given_twice_is_refused(tmp_path, asked, option):
    done = CliRunner(env={"CCM_HOME": str(tmp_path), "COLUMNS": "200"}).invoke(app, asked)
    assert done.exit_code == 2 and option in done.output and "is given 2 times" in done.output


@pytest.mark.parametrize("given", [["--approved-by", "\u200b"], ["--approved-by", "Ann Lee", "--waive", "\ufeff \u2060"]])
def test_what_cannot_be_seen_approves_and_waives_nothing(tmp_path, given):
    configure(tmp_path, [Clinic("alpha", 1)])
    done = CliRunner(env={"CCM_HOME": str(tmp_path)}).invoke(app, ["close", "--month", "2026-10", *given])
    assert isinstance(done.exception, HouseError) and str(done.exception).startswith(given[-2])


def test_blanks_are_blank_whatever_they_are_of():
    assert is_blank(None) and is_blank("") and is_blank(" \t\u200b\ufeff\u180e\u00a0") and not is_blank("\u200bx")
    assert (stated(None), stated("\u2060"), stated(" Ann Lee ")) == ("", "", "Ann Lee")
