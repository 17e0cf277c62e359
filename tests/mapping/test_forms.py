"""What a mapping does to a value, against Python's own reading of it."""

from __future__ import annotations

from datetime import datetime

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.contracts import extract_contracts
from orchestration.mapping import sql
from orchestration.mapping.forms import file_form, time_form
from orchestration.mapping.model import ColumnRule, Variant


def turned(column: str, rule: object, values: list[str | None], table: str = "time_entries") -> list[tuple[str | None, str | None]]:
    """(value, column at fault) of each value of the export's column X."""
    row = Variant.model_validate({"columns": {column: rule}})
    with duckdb.connect() as con:
        con.execute(
            f'create table given (line_number bigint, fault varchar, "{sql.OF_EXPORT}X" varchar, "{sql.OF_EXPORT}Y" varchar)'
        )
        con.executemany("insert into given values (?, null, ?, 'y')", list(enumerate(values)) or [(0, None)])
        query = sql.query(extract_contracts()[table], [row], "given", "2026-02-03", "America/Chicago")
        return con.execute(f"select {column}, fault_column from ({query}) order by line_number").fetchall()


GOOD = None  # no fault


@pytest.mark.parametrize(
    ("column", "rule", "value", "wanted"),
    [
        ("entry_id", "X", "  7 ", "7"),
        ("entry_id", "X", " ", None),
        ("entry_id", {"from": ["X", "Y"], "join": "-"}, "7", "7-y"),
        ("entry_id", {"from": ["X", "Y"], "join": "-"}, None, "y"),
        ("entry_id", {"template": "{X}/{Y}"}, "7", "7/y"),
        ("entry_id", {"template": "{X}/{Y}"}, None, None),
        ("entry_id", {"template": "{(night)}-{X}"}, "7", "2026-02-03-7"),
        ("entry_id", {"first_of": ["X", "Y"]}, "", "y"),
        ("entry_id", {"constant": "it's"}, "7", "it's"),
        ("entry_id", {"from": "X", "split": {"by": ",", "part": -1}}, "Ortiz, Maria", "Maria"),
        ("entry_id", {"from": "X", "split": {"by": ",", "part": 3}}, "Ortiz, Maria", None),
        ("entry_id", {"from": "X", "pattern": r"\((\w+)\)$"}, "Adams, RN (M01)", "M01"),
        ("entry_id", {"from": "X", "remove": "- ", "case": "upper"}, "1eg4-te5 mk73", "1EG4TE5MK73"),
        ("entry_id", {"from": "X", "digits": True}, "(217) 555-0100", "2175550100"),
        ("entry_id", {"from": "X", "zero_pad": 5}, "602", "00602"),
        ("entry_id", {"from": "X", "zero_pad": 5}, "A02", "A02"),
        ("program", {"from": "X", "words": {"Chronic Care": "ccm"}}, "chronic care ", "ccm"),
        ("program", {"from": "X", "words": {"/ccm/": "ccm"}, "else": "other"}, "Monthly CCM call", "ccm"),
        ("program", {"from": "X", "words": {"/ccm/": "ccm"}, "else": "other"}, "x", "other"),
        ("activity", {"from": "X", "words": {"a": "b"}, "else": "as_is"}, "Call", "Call"),
        ("activity", {"from": "X", "words": {"N/A": ""}}, "n/a", None),
        ("voided", {"from": "X", "filled": "true", "blank": "false"}, "2026-01-01", "true"),
        ("voided", {"from": "X", "filled": "true", "blank": "false"}, " ", "false"),
        ("started_at", {"from": "X", "instant": "MM/DD/YYYY hh:mm AM"}, "3/2/2026 12:05 am", "2026-03-02T00:05:00"),
        ("started_at", {"from": "X", "instant": "MM/DD/YYYY HH:mm:ss.fff"}, "03/02/2026 21:05:59.987", "2026-03-02T21:05:59"),
        ("started_at", {"from": "X", "instant": "YYYY-MM-DD HH:mm Z"}, "2026-03-02 21:05 -0530", "2026-03-02T21:05:00-0530"),
        ("started_at", {"from": "X", "instant": "MMM D, YYYY h:mm AM TZ"}, "Mar 2, 2026 9:05 PM EST", "2026-03-02T21:05:00-05:00"),
        ("started_at", {"from": "X", "instant": "M/D/YY HH:mm"}, "3/2/70 21:05", "2070-03-02T21:05:00"),
        ("started_at", {"from": "X", "instant": "unix"}, "1772485500", "2026-03-02T21:05:00Z"),
        ("started_at", {"from": "X", "instant": "unix_ms"}, "1772485500123", "2026-03-02T21:05:00Z"),
        ("started_at", {"from": "X", "instant": ["iso", "unix"]}, "2026-03-02T21:05Z", "2026-03-02T21:05Z"),
        ("duration_seconds", {"from": "X", "duration": "seconds"}, "1,265.5", "1266"),
        ("duration_seconds", {"from": "X", "duration": "minutes"}, "21.5", "1290"),
        ("duration_seconds", {"from": "X", "duration": ["units", "h:mm:ss"]}, "1h 05m", "3900"),
        ("duration_seconds", {"from": "X", "duration": ["units", "h:mm:ss"]}, "00:21:30", "1290"),
        ("duration_seconds", {"from": "X", "duration": "units"}, "2 hrs, 5 min. 3s", "7503"),
        ("duration_seconds", {"from": "X", "duration": "mm:ss"}, "121:30", "7290"),
        ("duration_seconds", {"from": "X", "whole": True}, "1,000.00", "1000"),
    ],
)
def test_a_rule_makes_of_a_value_what_it_says(column, rule, value, wanted):
    assert turned(column, rule, [value]) == [(wanted, GOOD)]


@pytest.mark.parametrize(
    ("column", "rule", "value"),
    [
        ("entry_id", {"from": "X", "pattern": r"\((\w+)\)$"}, "Adams"),
        ("program", {"from": "X", "words": {"a": "ccm"}}, "b"),
        ("started_at", {"from": "X", "instant": "MM/DD/YYYY HH:mm"}, "2/30/2026 10:00"),
        ("started_at", {"from": "X", "instant": "MM/DD/YYYY HH:mm"}, "2/3/26 10:00"),  # the year 26
        ("started_at", {"from": "X", "instant": "MM/DD/YYYY HH:mm TZ"}, "2/3/2026 10:00 XST"),
        ("started_at", {"from": "X", "instant": "unix"}, "12"),
        ("duration_seconds", {"from": "X", "duration": "units"}, "1:05"),
        ("duration_seconds", {"from": "X", "duration": ["units", "h:mm:ss"]}, "90"),
        ("duration_seconds", {"from": "X", "duration": "h:mm"}, "1:75"),
        ("duration_seconds", {"from": "X", "duration": "seconds"}, "-60"),
        ("duration_seconds", {"from": "X", "whole": True}, "1.5"),
        # a telephone number, a day, what no number of DuckDB holds
        ("duration_seconds", {"from": "X", "duration": "hours"}, "2125553178"),
        ("duration_seconds", {"from": "X", "duration": "minutes"}, "202610011000"),
        ("duration_seconds", {"from": "X", "duration": "seconds"}, "2175550100"),
        ("duration_seconds", {"from": "X", "duration": "units"}, "2175550100h"),
        ("duration_seconds", {"from": "X", "duration": "units"}, "99999999999999999999h 5m"),
        ("duration_seconds", {"from": "X", "duration": ["h:mm", "minutes"]}, "9999999999999999:00"),
        ("duration_seconds", {"from": "X", "duration": "h:mm:ss"}, "9999999999999999999999:00:00"),
    ],
)
def test_what_a_rule_cannot_read_is_a_fault_of_the_exports_column(column, rule, value):
    assert turned(column, rule, [value, None]) == [(None, "X"), (None, GOOD)]


def test_what_is_there_and_would_become_nothing_is_a_fault_unless_the_target_is_text_or_the_mapping_says_that_it_is_none():
    died = {"from": "X", "digits": True, "date": "YYYYMMDD"}
    assert turned("deceased_date", died, ["yes (day not known)", "2026-01-05", " ", None], "patients") == [
        (None, "X"), ("2026-01-05", GOOD), (None, GOOD), (None, GOOD),
    ]  # fmt: skip
    assert turned("deceased_date", {**died, "blank": ""}, ["-"], "patients") == [(None, GOOD)]
    assert turned("started_at", {"from": "X", "remove": "-", "instant": "unix"}, ["--", None]) == [(None, "X"), (None, GOOD)]
    assert turned("voided", {"from": "X", "remove": "-", "filled": "true", "blank": "false"}, ["-", "7", None]) == [
        ("false", "X"), ("true", GOOD), ("false", GOOD),
    ]  # fmt: skip
    assert turned("program", {"from": "X", "digits": True, "words": {"1": "ccm"}}, ["one"]) == [(None, "X")]
    assert turned("note_id", {"from": "X", "digits": True}, ["none"]) == [(None, GOOD)]


def test_a_template_of_which_only_a_part_is_there_is_a_fault_unless_the_target_is_text_or_the_mapping_says_that_it_is_none():
    # Y is filled on every line.
    day = {"template": "{X}/{Y}", "date": "M/D/YYYY"}
    assert turned("last_reviewed_on", day, [None], "care_plans") == [(None, "X, Y")]
    assert turned("started_at", {"template": "{X} {Y}", "instant": "MM/DD/YYYY HH:mm"}, [None]) == [(None, "X, Y")]
    assert turned("started_at", {"template": "{X} {Y}", "instant": "MM/DD/YYYY HH:mm", "blank": ""}, [None]) == [(None, GOOD)]
    assert turned("started_at", {"template": "{(night)} {X}", "instant": "YYYY-MM-DD HH:mm"}, [None, "10:00"]) == [
        (None, GOOD), ("2026-02-03T10:00:00", GOOD),
    ]  # fmt: skip
    assert turned("note_id", {"template": "{X}-{Y}"}, [None, "a"]) == [(None, GOOD), ("a-y", GOOD)]


def test_a_part_that_a_split_does_not_find_and_a_group_that_a_pattern_need_not_have_are_none():
    end = {"from": "X", "split": {"by": "-", "part": 2}, "instant": "MM/DD/YYYY HH:mm"}
    assert turned("ended_at", end, ["02/03/2026 10:00-"]) == [(None, GOOD)]
    since = {"from": "X", "pattern": r"^[^(]*(?:\((.*)\))?$", "date": "MM/DD/YYYY"}
    assert turned("recorded_date", since, ["I10", "I10 (01/05/2026)"], "conditions") == [(None, GOOD), ("2026-01-05", GOOD)]


FORMS = {
    "MM/DD/YYYY": "%m/%d/%Y", "DD-MMM-YYYY": "%d-%b-%Y", "YYYYMMDD": "%Y%m%d", "MMMM DD, YYYY": "%B %d, %Y",
}  # fmt: skip
TIMES = {"HH:mm:ss": "%H:%M:%S", "hh:mm AM": "%I:%M %p", "HHmm": "%H%M"}


@settings(max_examples=40, deadline=None)
@given(
    at=st.lists(st.datetimes(datetime(2000, 1, 1), datetime(2099, 12, 31)), min_size=1, max_size=50),
    day=st.sampled_from(sorted(FORMS)),
    time=st.sampled_from(sorted(TIMES)),
)
def test_every_time_is_read_as_python_wrote_it(at, day, time):
    wrote = f"{FORMS[day]} {TIMES[time]}"
    wanted = [datetime.strptime(one.strftime(wrote), wrote).isoformat() for one in at]
    rule = {"from": "X", "instant": f"{day} {time}"}
    assert turned("started_at", rule, [one.strftime(wrote) for one in at]) == [(one, GOOD) for one in wanted]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 400_000), min_size=1, max_size=50), st.sampled_from(["seconds", "h:mm:ss", "mm:ss", "units"]))
def test_every_duration_is_read_as_it_was_written(seconds, form):
    def written(n: int) -> str:
        hours, minutes, rest = n // 3600, n // 60 % 60, n % 60
        units = f"{f'{hours}h ' if hours else ''}{f'{minutes:02}m ' if minutes else ''}{rest}s"
        return {"seconds": str(n), "h:mm:ss": f"{hours}:{minutes:02}:{rest:02}", "mm:ss": f"{n // 60}:{rest:02}", "units": units}[
            form
        ]

    rule = {"from": "X", "duration": form}
    assert turned("duration_seconds", rule, [written(n) for n in seconds]) == [(str(n), GOOD) for n in seconds]


@pytest.mark.parametrize("form", ["MM/DD", "mm/DD/YYYY", "MM/DD/YYYY hh:mm", "MM/DD/YYYY HH:mm AM", "the DD of MM, YYYY"])
def test_a_form_that_could_not_be_read_is_refused(form):
    with pytest.raises(ValueError, match=r"wants|goes with|no part"):
        time_form(form, is_instant=True)


def test_a_files_name_says_its_night_and_a_name_of_another_form_is_none():
    form = file_form("timer_{YYYYMMDD}_*.csv")
    assert str(form.night("timer_20260203_0415.csv")) == "2026-02-03"
    for name in (
        "timer_20260230_1.csv",
        "timer_2026023_1.csv",
        "Timer_20260203_1.csv",
        "timer_20260203_1.csv.exe",
        "x/timer_20260203_1.csv",
    ):
        with pytest.raises(ValueError):
            form.night(name)
    with pytest.raises(ValueError, match="without folders"):
        file_form("../timer_{YYYYMMDD}.csv")


def test_a_constant_takes_nothing_else():
    with pytest.raises(ValueError, match="nothing else"):
        ColumnRule.model_validate({"constant": "x", "case": "upper"})


@pytest.mark.parametrize(
    ("forms", "are_told_apart"),
    [
        (["MM/DD/YYYY HH:mm", "DD/MM/YYYY HH:mm"], False),
        (["iso", "M/D/YYYY h:mm AM", "DD/MM/YYYY hh:mm AM"], False),
        (["YYYYMMDDHHmm", "YYYYDDMMHHmm"], False),
        (["MM/DD/YYYY HH:mm", "M/D/YYYY H:mm"], True),  # one form, written twice
        (["MM/DD/YYYY HH:mm", "MM/DD/YYYY HH:mm:ss"], True),
        (["MM/DD/YYYY HH:mm", "DD/MM/YYYY hh:mm AM"], True),
        (["MM/DD/YYYY HH:mm", "DD/MM/YYYY HH:mm Z"], True),
        (["MM/DD/YYYY HH:mm", "DD-MM-YYYY HH:mm", "DD/MMM/YYYY HH:mm"], True),
    ],
)
def test_forms_are_refused_where_one_text_may_be_two_days(forms, are_told_apart):
    rule = {"from": "X", "instant": forms}
    if are_told_apart:
        ColumnRule.model_validate(rule)
        return
    with pytest.raises(ValueError, match="cannot be told apart"):
        ColumnRule.model_validate(rule)
