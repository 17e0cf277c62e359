"""What `ccm accept` refuses, and what it prints: against a published file with holds of every kind."""

from __future__ import annotations

import json
from datetime import date

import duckdb
import pytest

from orchestration.answer.holds import Wanted, holds, record_acceptance
from orchestration.close import acceptances
from orchestration.contracts import mart_contracts
from orchestration.house import House, HouseError
from tests.pipeline.homes import ccm

from .clinic import Clinic, configure

NIGHT = date(2026, 11, 4)
MEANT = Wanted("alpha", NIGHT, "patients")


@pytest.fixture
def house(tmp_path):
    home = tmp_path / "home"
    configure(home, [Clinic("alpha", 1)])
    with duckdb.connect(str(home / "marts.duckdb")) as con:
        columns = ", ".join(f"{column.name} {column.type}" for column in mart_contracts()["close_holds"].columns)
        con.execute(f"create table close_holds ({columns})")
        for hold_id, kind, table, line, acceptable, accepted in (
            ("a", "drift", "patients", None, True, None),
            ("b", "rejected_file", "stays", None, False, None),
            ("c", "quarantined_row", "consents", 7, True, None),
            ("d", "rejected_file", "time_entries", None, True, "R. Roe"),
        ):
            con.execute(
                """
                insert into close_holds by name select 'alpha' as practice_id, ? as hold_id, ? as kind, ? as table_name, ? as extract_date,
                    case ? when 'drift' then 'rows' else '' end as measure, '' as column_name, ? as line_number, 'told' as explanation,
                    case ? when 'quarantined_row' then 'claim' else 'practice' end as holds_what, ? as is_acceptable, ? is not null as is_accepted,
                    case when line_number = 7 then date '2026-10-01' end as first_month_held,
                    case when line_number = 7 then date '2026-11-01' end as last_month_held
                """,
                [hold_id, kind, table, NIGHT, kind, line, kind, acceptable, accepted],
            )
    return House(home)


@pytest.mark.parametrize(
    ("wanted", "by", "reason", "said"),
    [
        (Wanted("omega", NIGHT, "patients"), "R. Roe", "right", "--practice omega: not in"),
        (Wanted("alpha", NIGHT, "patient"), "R. Roe", "right", "--table patient: is no extract table; there is assessments"),
        (Wanted("alpha", NIGHT, None), "R. Roe", "right", "--table: say what is accepted"),
        (Wanted("alpha", None, "patients"), "R. Roe", "right", "--night: say what is accepted"),
        (Wanted("alpha", date(2026, 11, 3), "patients"), "R. Roe", "right", "alpha patients of 2026-11-03: nothing waits"),
        (Wanted("alpha", NIGHT, "patients", "minutes"), "R. Roe", "right", "nothing waits to be accepted there"),
        (Wanted("alpha", NIGHT, "consents", None, (7, 8)), "R. Roe", "right", "line 8 is no row that waits"),
        (Wanted("alpha", NIGHT, "stays"), "R. Roe", "right", "a rejected panel file cannot be accepted"),
        (Wanted("alpha", NIGHT, "time_entries"), "R. Roe", "right", "accepted already; "),
        (MEANT, None, "right", "--by: say the name"),
        (MEANT, "  ", "right", "--by: say the name"),
        (MEANT, "R. Roe", "", "--reason: say why"),
        (MEANT, "R.\nRoe", "right", "--by: holds a line break or another control character"),
        (MEANT, "R. Roe", "right\x1b[2J", "--reason: holds a line break or another control character"),
        (MEANT, "R. Roe", "\u202eright", "--reason: holds a line break or another control character"),
        (MEANT, "R. Roe", "x" * 501, "--reason: at most 500 characters"),
        (Wanted("alpha' or true; --", NIGHT, "patients"), "R. Roe", "right", "not in"),
    ],
)
def test_what_is_not_said_or_does_not_wait_is_refused_and_nothing_is_recorded(house, wanted, by, reason, said):
    with pytest.raises(HouseError, match="(?s)" + said.replace(".", r"\.")):
        record_acceptance(house, wanted, by, reason)
    assert not acceptances.path_of(house, "alpha").exists()


def test_quotes_in_a_measure_are_text_and_find_nothing(house):
    assert holds(house, Wanted(measure="' or 1=1 --")) == []


def test_the_list_shows_what_waits_and_what_cannot_be_accepted(house):
    shown = ccm("accept", "--list", home=house.root)
    assert shown.code == 0, shown.err
    assert (
        "cannot be accepted: stands until a later file is" in shown.out
        and "3 wait." in shown.out
        and "time_entries" not in shown.out
    )
    listed = json.loads(ccm("accept", "--list", "--json", home=house.root).out)
    assert [hold["hold_id"] for hold in listed] == ["a", "c", "b"]
    # A row of the time log holds the months from the one on to the other.
    assert [(hold["first_month_held"], hold["last_month_held"]) for hold in listed] == [
        (None, None),
        ("2026-10-01", "2026-11-01"),
        (None, None),
    ]
