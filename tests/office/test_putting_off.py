"""What `ccm worklist` does with a list of three items: whose they are, how many days are left, and what a dismissal writes."""

from __future__ import annotations

from datetime import date

import duckdb
import pytest

from orchestration import access
from orchestration.answer import dismissals, publish, report, worklist_files
from orchestration.answer.worklist import work_items
from orchestration.command import main
from orchestration.dashboard import queries
from orchestration.house import House
from orchestration.transform import rebuild, state

MONTH, NIGHT = date(2026, 10, 1), date(2026, 10, 27)


@pytest.fixture
def house(tmp_path, monkeypatch):
    """Published marts with as much as the lists ask for; a dismissal that builds nothing."""
    house = House(tmp_path / "home").prepare()
    monkeypatch.setenv("CCM_HOME", str(house.root))
    items = [
        # practice, id, kind, due, last day
        ("bayview", "near_threshold:P1:2026-10", "near_threshold", date(2026, 11, 2), date(2026, 10, 31)),
        ("bayview", "stale", "near_threshold", date(2026, 10, 20), date(2026, 10, 31)),
        ("bayview", "missing_note:e1:2026-10", "missing_note", date(2026, 11, 2), date(2027, 10, 31)),
        ("hudson", "missing_note:e1:2026-10", "missing_note", date(2026, 11, 2), date(2027, 10, 31)),
    ]
    with duckdb.connect(str(house.marts)) as marts:
        marts.execute(
            """
            create table worklist (
                practice_id varchar, item_id varchar, kind varchar, detail varchar, patient_id varchar, member_id varchar, month date, minutes integer,
                dollars_at_stake decimal(12, 2), due_on date, last_day date, dismissed_until date, fact_fingerprint varchar
            );
            create table rule_worklist_kinds as
            select * from (values ('near_threshold', 'minutes', 1), ('missing_note', 'notes', 2)) as kinds (kind, kind_group, precedence);
            create table practice_nights as select unnest(['bayview', 'hudson']) as practice_id, date '2026-10-27' as newest_night
            """
        )
        for practice_id, item_id, kind, due_on, last_day in items:
            row = [practice_id, item_id, kind, "Do it.", "P1", None, MONTH, 4, 66.13, due_on, last_day, None, "f"]
            marts.execute("insert into worklist values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
    monkeypatch.setattr(state, "build_inputs", lambda house: "as published")
    monkeypatch.setattr(state, "is_up_to_date", lambda house, inputs: True)
    monkeypatch.setattr(rebuild, "rebuild", lambda *given: None)
    monkeypatch.setattr(rebuild, "not_built", lambda results: [])
    monkeypatch.setattr(publish, "publish", lambda house: None)
    return house


@pytest.fixture
def written(monkeypatch):
    """Whose lists and reports were written."""
    found = []
    monkeypatch.setattr(worklist_files, "write_worklists", lambda house, practice_ids: found.append(("lists", practice_ids)))
    monkeypatch.setattr(report, "write_reports", lambda house, practice_ids: found.append(("reports", practice_ids)))
    return found


def test_no_more_days_are_left_than_there_are_up_to_the_last_day_on_which_doing_it_helps(house):
    left = {(item.practice_id, item.item_id): item.days_left for item in work_items(house)}
    assert left[("bayview", "near_threshold:P1:2026-10")] == 4  # Saturday the 31st, though the month closes on the 3rd
    assert left["bayview", "stale"] == -7 and left["bayview", "missing_note:e1:2026-10"] == 6
    with duckdb.connect(str(house.marts), read_only=True) as marts:
        asked = {**dict.fromkeys(queries.ALL_ITEMS.parameters), "put_off": True}
        rows = marts.execute(queries.ALL_ITEMS.sql, asked)
        columns = [column[0] for column in rows.description]
        shown = [dict(zip(columns, row, strict=True)) for row in rows.fetchall()]
    assert {(row["practice_id"], row["item_id"]): row["days_left"] for row in shown} == left


def run(monkeypatch, *arguments):
    monkeypatch.setattr("sys.argv", ["ccm", "worklist", *arguments])
    code = main._run()
    access.finish(code)
    return code


PUT_OFF = ("--until", "2026-11-20", "--why", "asked the nurse", "--by", "Ann Lee")


@pytest.mark.parametrize("place", ["before", "behind"])
def test_only_the_item_of_the_practice_that_is_named_before_or_behind_dismiss_is_put_off(
    house, written, monkeypatch, capsys, place
):
    item, practice = "missing_note:e1:2026-10", ("--practice", "hudson")
    arguments = (*practice, "dismiss", item) if place == "before" else ("dismiss", item, *practice)
    assert run(monkeypatch, *arguments, *PUT_OFF) == 0
    assert capsys.readouterr().out == f"hudson {item}: put off until 2026-11-20.\n"
    assert run(monkeypatch, "--practice", "hudson", "dismiss", "stale", *PUT_OFF) == 1
    assert "stale: no such item on the work list of hudson" in capsys.readouterr().err
    assert len((house.worklists / "dismissals.jsonl").read_text().splitlines()) == 1


def test_what_cannot_be_meant_before_dismiss_is_refused(house, written, monkeypatch, capsys):
    for before, said in (
        (("--practice", "hudson"), "--practice hudson and --practice bayview: name one"),
        (("--month", "2026-10"), "--month: chooses what is shown"),
        (("--dismissed",), "--dismissed: chooses what is shown"),
    ):
        assert run(monkeypatch, *before, "dismiss", "stale", "--practice", "bayview", *PUT_OFF) == 1
        assert said in capsys.readouterr().err
    assert run(monkeypatch, "--json", "dismiss", "stale", *PUT_OFF) == 0
    assert '"practice_id": "bayview"' in capsys.readouterr().out


def test_what_is_put_off_leaves_the_nights_files_and_its_report_at_once(house, written):
    dismissals.dismiss(house, ["stale"], date(2026, 11, 20), "asked the nurse", by="Ann Lee")
    assert written == [("lists", ["bayview"]), ("reports", ["bayview"])]
