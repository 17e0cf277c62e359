"""A month that was closed and of which no extract speaks any more: what the commands say of it."""

from __future__ import annotations

import json

import duckdb
import pytest

from orchestration import access
from orchestration.answer import report, status
from orchestration.command import main
from orchestration.house import House
from tests.holds.clinic import Clinic, configure


@pytest.fixture
def house(tmp_path, monkeypatch):
    """Practice `kona` closed 2025-09; its marts begin in 2025-10, and have a refund of the month before."""
    house = House(tmp_path / "home").prepare()
    configure(house.root, [Clinic("kona", 1)])
    monkeypatch.setenv("CCM_HOME", str(house.root))
    packet = house.closes / "kona" / "2025-09" / "v1"
    packet.mkdir(parents=True)
    (packet / "manifest.json").write_text(json.dumps({"practice_id": "kona", "month": "2025-09", "version": 1}))
    with duckdb.connect(str(house.marts)) as marts:
        marts.execute(
            """
            create table worklist as
            select 'kona' as practice_id, 'refund_due:C1' as item_id, 'refund_due' as kind, 'Pay it back.' as detail, 'P1' as patient_id,
                cast(null as varchar) as member_id, date '2025-09-01' as month, cast(null as integer) as minutes,
                cast(-63.54 as decimal(12, 2)) as dollars_at_stake, date '2026-01-02' as due_on, date '2026-01-02' as last_day,
                cast(null as date) as dismissed_until, 'f' as fact_fingerprint;
            create table rule_worklist_kinds as select 'refund_due' as kind, 'claims' as kind_group, 1 as precedence;
            create table practice_nights as select 'kona' as practice_id, date '2025-11-05' as newest_night;
            create table close_calendar as select 'kona' as practice_id, date '2025-10-01' as month
            """
        )
    monkeypatch.setattr(status, "months_status", lambda *given: [])
    monkeypatch.setattr(report, "write_reports", lambda *given: [])
    return house


@pytest.fixture
def says(monkeypatch, capsys):
    """What a command prints of 2025-09."""

    def run(*arguments, month="2025-09"):
        monkeypatch.setattr("sys.argv", ["ccm", *arguments, "--month", month])
        code = main._run()
        access.finish(code)
        assert code == 0
        return capsys.readouterr().out

    return run


GONE = "kona 2025-09: closed v1, and no extract speaks of it now; `ccm diff --month 2025-09 --from v1` says what became of it\n"


def test_the_work_list_shows_what_a_month_asks_for_that_no_extract_speaks_of(house, says):
    printed = says("worklist")
    assert "refund_due:C1" in printed and "1 items, -$63.54" in printed and "has this month" not in printed


def test_of_a_month_that_was_closed_it_is_said_and_of_another_that_there_is_none(house, says):
    with duckdb.connect(str(house.marts)) as marts:
        marts.execute("delete from worklist")
    assert says("worklist") == says("worklist", "--practice", "kona") == GONE
    assert says("status").endswith(GONE)
    assert says("worklist", month="2025-08") == "2025-08: no practice has this month; `ccm status` lists the months there are\n"


def test_that_no_page_can_be_made_of_a_close_is_not_told_as_if_there_were_none(house, says):
    assert says("report").startswith("Nothing to report: 2025-09 is closed, and nothing is published of it any more")
    assert says("report", month="2025-08") == "Nothing to report: no such month is closed.\n"
