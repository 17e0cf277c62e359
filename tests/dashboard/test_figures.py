"""What `ccm status` and the pages' queries say, asked without a browser."""

from __future__ import annotations

import csv
import json
import re
import shutil
from datetime import date
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import MagicMock

import duckdb
import pandas as pd
import pytest
import yaml

from orchestration.command.closes import print_close
from orchestration.command.common import out
from orchestration.dashboard import look, queries
from orchestration.dashboard.marts import View, open_marts
from orchestration.dashboard.views import closes, quality
from orchestration.house import House
from tests.pipeline.homes import ccm, copy, rows

pytestmark = pytest.mark.xdist_group("close_states")


def standing(home: Path) -> dict[tuple[str, str], tuple[int, Decimal]]:
    """(practice, month) -> patient-months whose claim stands and was not turned back, and what their claim files say they are worth."""
    found: dict[tuple[str, str], tuple[int, Decimal]] = {}
    for claim in rows(home, "select practice_id, month, claim_id, close_version from claims where status <> 'rejected'"):
        key = claim["practice_id"], f"{claim['month']:%Y-%m}"
        with (home / "closes" / key[0] / key[1] / f"v{claim['close_version']}" / "claims.csv").open() as handle:
            worth = sum(Decimal(line["allowed_amount"]) for line in csv.DictReader(handle) if line["claim_id"] == claim["claim_id"])
        count, total = found.get(key, (0, Decimal(0)))
        found[key] = count + 1, total + worth
    return found


def test_what_a_month_claimed_is_what_its_claim_files_say_and_not_what_it_would_be_worth_by_now(demo):
    home, _ = demo
    stands = {key: worth for key, (_, worth) in standing(home).items()}
    worth_now = {
        (row["practice_id"], f"{row['month']:%Y-%m}"): row["worth"]
        for row in rows(
            home,
            "select practice_id, month, sum(allowed_amount) as worth from patient_month_decisions where decision = 'claimed' group by all",
        )
    }
    assert {key for key in stands if stands[key] != worth_now[key]}  # post-close changes, of which the demo has some
    said = {
        (row["practice_id"], row["month"][:7]): Decimal(row["claimed_amount"])
        for row in json.loads(ccm("status", "--json", home=home).out)
    }
    assert {key: dollars for key, dollars in said.items() if dollars} == stands
    with open_marts(House(home)) as marts:
        shown = {(row["practice_id"], f"{row['month']:%Y-%m}"): row["claimed_amount"] for row in marts.rows(queries.HEADLINE)}
    assert {key: dollars for key, dollars in shown.items() if dollars} == stands


def test_what_is_held_is_the_same_on_every_page_and_an_open_month_holds_nothing_by_being_open(demo):
    home, _ = demo
    assert rows(home, "from patient_month_decisions where reason = 'month_open'")
    with open_marts(House(home)) as marts:
        headline = {(row["practice_id"], row["month"]): (row["held"], row["held_amount"]) for row in marts.rows(queries.HEADLINE)}
        calendar = {(row["practice_id"], row["month"]): (row["held"], row["held_amount"]) for row in marts.rows(queries.CLOSES)}
    assert {key: held for key, held in calendar.items() if calendar[key] != headline[key]} == {}


def projected(*practices: tuple[str, str, int]) -> list[tuple[str, int]]:
    """(month, enrolled of all) as the page asks for it; of each practice its first month ahead and how many it has in each of two years."""
    with duckdb.connect() as con:
        con.execute(
            "create table enrollment_projection (practice_id varchar, month date, basis varchar, enrolled bigint, monthly_revenue decimal(12, 2))"
        )
        for name, first, enrolled in practices:
            con.execute(
                "insert into enrollment_projection select ?, (?::date + to_months(n::int))::date, 'pace', ?, 10 from range(24) as months (n)",
                [name, first, enrolled],
            )
        found = con.execute(queries.PROJECTION.sql, {"practice": None}).fetchall()
    return [(f"{month:%Y-%m}", enrolled) for month, _, enrolled, _ in found]


def test_a_projection_of_several_practices_has_the_months_that_all_of_them_have():
    of_two = projected(("a", "2026-11-01", 40), ("b", "2026-12-01", 60))
    assert of_two[0] == ("2026-12", 100) and of_two[-1] == ("2028-10", 100) and {enrolled for _, enrolled in of_two} == {100}
    # One whose last night is years old has no month in common with the others, and is no part of what is ahead.
    of_three = projected(("a", "2026-11-01", 40), ("b", "2026-12-01", 60), ("gone", "2023-02-01", 500))
    assert of_three == of_two


@pytest.mark.long
def test_the_close_calendar_counts_a_claim_that_was_turned_back_and_went_out_again_once(demo, tmp_path):
    home = copy(demo[0], tmp_path / "home")
    rejected = rows(
        home,
        "select patient_id from claims inner join patient_month_decisions using (practice_id, patient_id, month) "
        "where practice_id = 'bayview' and month = '2026-07-01' and status = 'rejected' and decision = 'claimable'",
    )
    assert rejected
    ran = ccm("close", "--month", "2026-07", "--practice", "bayview", "--approved-by", "Office Manager", home=home)
    assert ran.code == 0, ran.err
    with open_marts(House(home)) as marts:
        shown = {
            (row["practice_id"], f"{row['month']:%Y-%m}"): row for row in marts.rows(queries.CLOSES) if row["state"] == "closed"
        }
    stands = standing(home)
    assert ("bayview", "2026-07") in stands
    assert {key: (row["claims"], row["claimed_amount"]) for key, row in shown.items()} == stands


@pytest.mark.parametrize(
    ("rows_found", "caption"), [(200, None), (201, "The first 200 rows; there are more."), (250, "The first 200 of 250 rows.")]
)
def test_a_table_that_is_cut_says_so(monkeypatch, rows_found, caption):
    shown: list[str] = []
    monkeypatch.setattr(look.st, "html", shown.append)
    look.table(pd.DataFrame({"place": range(rows_found)}), {"place": ("Place", look.whole)})
    assert shown[0].count("<tr>") == 201  # the header's is one of them
    assert (caption in shown[0]) if caption else "caption" not in shown[0]


@pytest.mark.parametrize(
    ("version", "claims", "said"),
    [
        (1, 0, "proposed v1, 0 claims, $0.00 allowed, 3 held"),
        (2, 0, "nothing new to close, 3 held"),
        (2, 1, "proposed v2, 1 claims, $66.13 allowed, 3 held"),
    ],
)
def test_a_proposal_with_nothing_new_says_so_but_for_the_first(version, claims, said):
    totals = {"claims": claims, "allowed_amount": "66.13" if claims else "0.00", "held": 3}
    row = {
        "practice_id": "p",
        "month": "2026-10",
        "outcome": "proposed",
        "version": version,
        "totals": totals,
        "held": {},
        "changes": {},
        "proposal": "001.json",
    }
    with out.capture() as printed:
        print_close([row])
    assert printed.get().startswith(f"p 2026-10: {said}")


@pytest.fixture
def published(demo, tmp_path) -> Path:
    """A home of nothing but the demo's practices and published marts, which a test may change."""
    home = tmp_path / "home"
    home.mkdir()
    for name in ("marts.duckdb", "practices.yaml"):
        shutil.copy2(demo[0] / name, home / name)
    return home


def change(home: Path, statement: str) -> None:
    with duckdb.connect(str(home / "marts.duckdb")) as con:
        con.execute(statement)


def test_a_month_that_closed_without_a_claim_is_closed_in_the_status(published):
    change(published, "delete from claims where practice_id = 'bayview' and month = '2026-08-01'")
    ran = ccm("status", "--month", "2026-08", home=published)
    line = next(line for line in ran.out.splitlines() if "bayview" in line)
    assert "closed v1" in line


def test_the_close_calendar_says_what_became_of_a_closed_months_claims(published):
    def said() -> str:
        with open_marts(House(published)) as marts:
            [row] = [
                row for row in marts.rows(queries.CLOSES) if (row["practice_id"], row["month"]) == ("bayview", date(2026, 8, 1))
            ]
        return closes._cell(SimpleNamespace(**row)).partition(">")[2].removesuffix("</td>")

    of_month = "where practice_id = 'bayview' and month = '2026-08-01'"
    [whole] = rows(published, f"select count(*) as n from claims {of_month}")
    change(
        published, f"update claims set status = 'rejected' {of_month} and claim_id = (select min(claim_id) from claims {of_month})"
    )
    assert re.fullmatch(r"✔ closed v1<br>\$[0-9,.]+<br>\d rejected", said())
    change(published, f"update claims set status = 'rejected' {of_month}")
    change(published, f"update revenue_waterfall set patients = 0, dollars = 0 {of_month} and step = 'billed'")
    assert said() == f"✔ closed v1<br>{whole['n']} rejected"
    change(published, f"delete from claims {of_month}")
    assert said() == "✔ closed v1<br>no claims"


@pytest.mark.long
def test_the_status_names_a_practice_of_which_nothing_was_taken_in_and_a_month_that_nobody_has(published):
    described = yaml.safe_load((published / "practices.yaml").read_text())
    described["practices"].append({**described["practices"][0], "practice_id": "newcomer", "submitter_id": "NEWCOMER1"})
    (published / "practices.yaml").write_text(yaml.safe_dump(described, sort_keys=False))
    ran = ccm("status", home=published)
    assert ran.code == 0 and "newcomer: no night has been taken in" in ran.out
    assert len(json.loads(ccm("status", "--json", home=published).out)) == 20
    ran = ccm("status", "--month", "2040-01", home=published)
    assert ran.code == 0 and "2040-01: no practice has this month" in ran.out


def test_the_months_to_choose_from_are_those_of_the_practice_that_is_chosen(published):
    change(published, "delete from enrollment_funnel where practice_id = 'highpines' and month = '2026-11-01'")
    with open_marts(House(published)) as marts:
        assert marts.rows(queries.MONTHS)[0]["month"] == date(2026, 11, 1)
        assert marts.rows(queries.MONTHS, practice="highpines")[0]["month"] == date(2026, 10, 1)


def asked(home: Path, query: queries.Query, **values) -> list[dict]:
    with open_marts(House(home)) as marts:
        return marts.rows(query, **values)


def test_the_minutes_are_laid_beside_the_line_of_their_own_program_alone(published):
    month = date(2026, 9, 1)
    [wanted] = rows(
        published,
        """
        select count(*) filter (where program = 'ccm') as n, count(*) filter (where program = 'pcm' and credited_minutes between 20 and 29) as short_of_30
        from patient_month_minutes
        inner join patient_month_evidence using (practice_id, patient_id, month)
        inner join enrollment_status using (practice_id, patient_id, month)
        where month = date '2026-09-01' and (state = 'enrolled' or logged_seconds > 0)
        """,
    )
    assert wanted["short_of_30"]  # they reach no code, and the line of 20 minutes is none of theirs
    assert sum(row["patients"] for row in asked(published, queries.MINUTES, month=month)) == wanted["n"]


def test_the_claims_to_be_worked_are_those_of_the_work_list_those_of_which_a_line_was_denied_among_them(published):
    listed = {
        row["item_id"].partition(":")[2]
        for row in rows(published, "select item_id from worklist where kind in ('denied_claim', 'rejected_claim')")
    }
    denied = asked(published, queries.DENIED)
    assert {row["claim_id"] for row in denied} == listed
    assert {row["status"] for row in denied} == {"denied", "paid", "rejected"}
    assert sum(row["to_be_worked"] for row in asked(published, queries.CLAIMS)) == len(listed)
    # Paid in full, for all that was said against one of its lines: the work list asks for nothing of it.
    in_full = "select min(claim_id) from claims where status = 'paid' and len(denial_codes) = 0"
    change(published, f"update claims set denial_codes = ['CO-97'] where claim_id = ({in_full})")
    assert {row["claim_id"] for row in asked(published, queries.DENIED)} == listed


def test_what_was_paid_too_little_was_paid_and_not_denied(published):
    listed = {
        row["item_id"].partition(":")[2] for row in rows(published, "select item_id from worklist where kind = 'underpaid_claim'")
    }
    assert {row["claim_id"] for row in asked(published, queries.UNDERPAID)} == listed


def test_more_failed_files_than_a_page_shows_are_all_counted(published):
    change(
        published,
        """
        insert into landed_files by name
        select 'hudson' as practice_id, -n as file_id, cast(date '2020-01-01' + cast(n as integer) as date) as extract_date, 'stays' as table_name,
            1 as version, 'landed' as landed_path, 'rejected' as outcome, false as is_in_force from range(300) as t (n)
        """,
    )
    failed = asked(published, queries.FAILED_FILES)
    assert len(failed) == queries.MOST_ROWS
    assert {row["failed_files"] for row in failed} == {301}


def test_what_became_of_a_file_that_failed_is_what_the_hold_of_the_close_says(published):
    def since() -> str:
        failed = {
            (row["practice_id"], row["extract_date"], row["table_name"]): row for row in asked(published, queries.FAILED_FILES)
        }
        return quality.SINCE[failed["bayview", date(2026, 8, 19), "conditions"]["since_then"]]

    key = "practice_id = 'bayview' and table_name = 'conditions' and extract_date = '2026-08-19'"
    [night] = rows(
        published, "select max(extract_date) as newest from landed_files where table_name = 'conditions' and outcome = 'accepted'"
    )
    assert night["newest"] > date(2026, 8, 19) and since() == "✔ a later file took its place"
    change(
        published,
        "insert into close_holds by name select 'bayview' as practice_id, 'h' as hold_id, 'rejected_file' as kind, 'conditions' as table_name, "
        "date '2026-08-19' as extract_date, false as is_accepted",
    )
    assert since() == "✘ nothing took its place: it holds the close"
    assert asked(published, queries.FAILED_FILES)[0]["since_then"] == "stands"
    change(published, f"update close_holds set is_accepted = true where kind = 'rejected_file' and {key}")
    assert since() == "✔ its loss was accepted"
    change(
        published,
        f"insert into landed_files by name select * replace (9 as version, 'accepted' as outcome) from landed_files where {key} limit 1",
    )
    assert since() == "✔ landed again"


def test_what_is_claimable_or_held_since_a_close_stands_with_its_dollars(demo, monkeypatch):
    shown: list[tuple[pd.DataFrame, dict]] = []
    monkeypatch.setattr(closes, "st", MagicMock())
    monkeypatch.setattr(look, "table", lambda frame, columns, **_: shown.append((frame, columns)))
    with open_marts(House(demo[0])) as marts:
        closes.show(View(House(demo[0]), marts, None, None))
    _, (frame, columns) = shown
    for count, amount in (("claimable", "claimable_amount"), ("held", "held_amount")):
        assert list(columns).index(amount) == list(columns).index(count) + 1 and columns[amount][1] is look.money
        assert (frame.loc[frame[count] > 0, amount] > 0).all()


def test_a_row_of_the_time_log_in_quarantine_is_named_with_its_line_and_rows_of_a_file_that_failed_are_not(published):
    listed = {
        (row["practice_id"], row["extract_date"], row["table_name"], row["line_number"])
        for row in asked(published, queries.QUARANTINED_ROWS)
    }
    log = rows(
        published, "select practice_id, extract_date, table_name, line_number from quarantine where table_name = 'time_entries'"
    )
    assert log and {tuple(row.values()) for row in log} <= listed
    assert ("bayview", date(2026, 8, 19), "conditions") not in {row[:3] for row in listed}
    change(published, "update quarantine set line_number = line_number + 1_000_000_000 where table_name = 'time_entries'")
    again = asked(published, queries.QUARANTINED_ROWS)
    assert {(row["practice_id"], row["extract_date"], row["table_name"], row["line_number"]) for row in again} == listed


def test_the_status_says_of_a_practice_whose_files_were_all_rejected_that_they_came(published):
    change(published, "delete from practice_nights where practice_id = 'hudson'")
    change(published, "delete from enrollment_funnel where practice_id = 'hudson'")
    ran = ccm("status", home=published)
    assert ran.code == 0
    assert "hudson: nothing that landed could be taken in; `ccm nightly` says why" in ran.out
    assert "hudson: no night has been taken in" not in ran.out


def test_names_are_written_of_no_list_without_items(published):
    change(published, "delete from worklist where practice_id = 'hudson'")
    ran = ccm("worklist", "--practice", "hudson", "--with-names", home=published)
    assert ran.code == 0
    assert ran.out == "Nothing to write: no item is asked for.\n"
    assert "delete them" not in ran.err
