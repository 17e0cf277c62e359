"""A comparison that finds nothing must be one that would have found something."""

import shutil
from pathlib import Path

import duckdb
import pytest

from orchestration.gate import verdicts
from orchestration.house import House
from tests.pipeline.homes import Ran

from ..second_opinion import Opinion, differences, evaluate
from ..second_opinion.compare import KEYS
from . import staging
from .published import publish
from .strategies import write_home

SEEDS = Path(__file__).parents[2] / "dbt_project" / "seeds"


@pytest.fixture(scope="module")
def opinion(tmp_path_factory: pytest.TempPathFactory) -> Opinion:
    return evaluate(write_home(tmp_path_factory.mktemp("home"), 3, practices=12), SEEDS)


@pytest.fixture(scope="module")
def marts(opinion: Opinion, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("published") / "marts.duckdb"
    publish(opinion, path)
    return path


def test_an_opinion_agrees_with_itself(opinion: Opinion, marts: Path) -> None:
    assert differences(opinion, marts) == []


@pytest.mark.parametrize(
    "change",
    [
        "update eligibility set has_initiating_visit = not has_initiating_visit where rowid = 5",
        "update eligibility set condition_groups = list_append(condition_groups, 'zz') where rowid = 5",
        "update minute_ledger set seconds = seconds + 1 where rowid = 5",
        "delete from minute_ledger where rowid = 5",
        "insert into minute_ledger select * replace ('voided?' as disposition) from minute_ledger where rowid = 5",
        "insert into minute_ledger select * from minute_ledger where rowid = 5",
        "update patient_month_minutes set minutes_to_next_unit = 99 where rowid = 5",
        "update patient_month_decisions set flags = list_append(flags, 'zz') where rowid = 5",
        "update patient_month_decisions set alternatives = '[]' where rowid = "
        "(select min(rowid) from patient_month_decisions where track is not null)",
        "update claimable_codes set expected_payment = expected_payment + 0.01 where rowid = 0",
        "update claimable_codes set service_date = service_date + 1 where rowid = 0",
        "update undocumented_time set dollars_at_stake = dollars_at_stake + 0.01 where rowid = 0",
        "update undocumented_time set found_on = found_on + 1 where rowid = 0",
        "update enrollment_funnel set patients = patients + 1 where rowid = 5",
        "update row_accounting set rows_superseded = rows_superseded + 1 where rowid = 5",
        "delete from quarantine where rowid = 0",
        "update enrollment_status set state = 'nobody' where rowid = 5",
        "update enrollment_status set stage = 'paid' where rowid = 5",
        "update enrollment_status set stage_since = '2001-01-01' where rowid = (select min(rowid) from enrollment_status where stage is not null)",
        "update enrollment_status set stalled_reason = 'denied_claim' where rowid = 5",
        "delete from worklist where rowid = (select max(rowid) from worklist)",
        "update worklist set due_on = due_on + 1 where rowid = (select max(rowid) from worklist)",
        "update worklist set dollars_at_stake = dollars_at_stake + 1 where rowid = 0",
        "update worklist set kind = 'denied_claim' where rowid = 0",
        "insert into worklist select * replace ('other' as item_id, 'denied_claim' as kind) from worklist where rowid = 0",
        "update revenue_gap set dollars = dollars + 0.01 where rowid = 5",
        "update enrollment_projection set enrolled = enrolled + 3, monthly_revenue = monthly_revenue / enrolled * (enrolled + 3) "
        "where rowid = (select min(rowid) from enrollment_projection where enrolled > 0 and basis = 'pace')",
        "update enrollment_projection set monthly_revenue = monthly_revenue + 1 where rowid = 5",
        "delete from enrollment_projection where rowid = 5",
    ],
)
def test_one_changed_value_is_one_difference(opinion: Opinion, marts: Path, tmp_path: Path, change: str) -> None:
    changed = tmp_path / "marts.duckdb"
    shutil.copy(marts, changed)
    with duckdb.connect(str(changed)) as connection:
        connection.execute(change)
    table = next(name for name in KEYS if f" {name} " in change)
    assert len(differences(opinion, changed, (table,))) == 1


def test_a_patient_counted_under_another_cause_is_noticed_though_the_sum_still_agrees(
    opinion: Opinion, marts: Path, tmp_path: Path
) -> None:
    changed = tmp_path / "marts.duckdb"
    shutil.copy(marts, changed)
    with duckdb.connect(str(changed)) as connection:
        practice_id, month, cause, value = connection.execute(
            "select practice_id, month, cause, dollars / patients from revenue_gap where patients > 0 and cause <> 'other' limit 1"
        ).fetchone()
        for name, sign in ((cause, -1), ("other", 1)):
            connection.execute(
                "update revenue_gap set patients = patients + ?, dollars = dollars + ? where practice_id = ? and month = ? and cause = ?",
                [sign, sign * value, practice_id, month, name],
            )
    assert len(differences(opinion, changed)) == 2


@pytest.mark.parametrize("source", ["dbt", "great_expectations"])
def test_a_night_that_ends_well_with_a_red_check_is_no_good_night(
    source: verdicts.Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staging, "ccm", lambda *arguments, home: Ran(0, "", ""))
    yellow = verdicts.Finding("looks_odd", "claims", source, "warn", False)
    red = verdicts.Finding("adds_up", "claims", source, "error", False, ("lakeside",), "1 rows fail (fail)")
    verdicts.save(House(tmp_path), source, "inputs", [yellow])
    staging.nightly(tmp_path)
    verdicts.save(House(tmp_path), source, "inputs", [yellow, red])
    with pytest.raises(AssertionError, match="adds_up"):
        staging.nightly(tmp_path)
