"""Another system's files, taken in: what becomes of every line, and what is said of it."""

from __future__ import annotations

import gzip
import hashlib
import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import Environment, FileSystemLoader

from orchestration.house import HouseError
from orchestration.mapping import choice
from orchestration.take_in import csv_rows, scan
from orchestration.take_in.landing import discover
from orchestration.take_in.pending import pending, stays_by_another_clock
from tests.take_in.conftest import CHICAGO, csv_of, row

from .conftest import MappedHome, shipped

PLANS = """
system: plans of another system
file: "plans_{YYYYMMDD}*.csv"
format: {delimiter: semicolon}
unused: [Clinic]
tables:
  care_plans:
    drop: {Kind: [draft]}
    columns:
      care_plan_id: Plan
      patient_id: Chart
      established_on: {from: Made, date: MM/DD/YYYY}
      last_reviewed_on: {from: Seen, date: [MM/DD/YYYY, YYYY-MM-DD]}
"""
HEAD = "Kind;Plan;Chart;Made;Seen\n"


def plans(home: MappedHome, lines: str, night: str = "2026-02-01", **options: str) -> None:
    home.write("plans", PLANS)
    home.drop(f"plans_{night.replace('-', '')}.csv", options.get("head", HEAD) + lines, night)
    home.take_in(mapped=home.chosen(care_plans="plans"))


def ledger(home: MappedHome) -> list[tuple]:
    return home.ask(
        "select lines_read, rows_filtered, rows_received, rows_accepted, rows_quarantined, rows_superseded from {files} order by file_id"
    )


def reasons(home: MappedHome) -> list[tuple]:
    return home.ask("select line_number, column_name, reason, patient_id from {quarantine} order by file_id, line_number")


def test_every_line_is_accepted_quarantined_superseded_or_counted_as_filtered(home):
    plans(
        home,
        "x;1;p1;1/5/2026;\nx;1;p1;01/06/2026;\ndraft;2;p1;nonsense;\nx;3;p3;2026-01-05;\nx;;p4;01/05/2026;\nx;5;p5;01/05/2026\nDRAFT;6;;;\n",
    )
    assert ledger(home) == [(7, 2, 5, 1, 3, 1)]
    assert home.ask("select line_number, care_plan_id, established_on from {care_plans}") == [(3, "1", date(2026, 1, 6))]
    found = reasons(home)
    assert [(line, column, patient) for line, column, _, patient in found] == [
        (5, "Made", "p3"),
        (6, "Plan", "p4"),
        (7, None, None),
    ]
    assert found[0][2].startswith("not a date (MM/DD/YYYY) (it becomes established_on); ")
    assert found[1][2] == "required and empty (it becomes care_plan_id); correct the row and land the file again"
    assert found[2][2] == csv_rows.WRONG_COUNT


def test_the_ledger_says_which_mapping_read_a_file_and_the_lake_keeps_what_it_said(home):
    plans(home, "x;1;p1;1/5/2026;\n")
    sha256 = hashlib.sha256(PLANS.encode()).hexdigest()
    assert home.ask("select mapping, mapping_sha256, missing_columns, extra_columns from {files}") == [
        ("plans", sha256, ["copy_given_on"], [])
    ]
    assert (home.house.lake / "mappings" / f"{sha256}.yaml").read_text() == PLANS


def test_without_a_mapping_a_batch_has_the_columns_it_always_had(home):
    home.land("stays", csv_of("stays", [row("stays")]))
    home.take_in(mapped=home.chosen(care_plans="nobody"))
    assert "mapping" not in pq.read_schema(home.house.lake / "batches" / "000001" / "files.parquet").names


def test_every_row_of_a_large_file_has_the_number_of_its_line(home):
    home.write("plans", PLANS)
    lines = "".join(f"{'x' * 200};{line};p1;01/05/2026;\n" for line in range(2, 60_002))
    home.drop("plans_20260201.csv", HEAD + lines)
    home.take_in(mapped=home.chosen(care_plans="plans"))
    assert home.ask("select count(*), count(*) filter (care_plan_id <> line_number::varchar) from {care_plans}") == [(60_000, 0)]


def test_a_column_that_is_gone_rejects_the_file_and_a_new_one_is_told(home):
    plans(home, "x;1;p1;1/5/2026;c\n", head=HEAD.replace("Seen", "Looked At"))
    [(outcome, reason)] = home.ask("select outcome, reason from {files}")
    assert outcome == "rejected" and "column Seen is missing" in reason
    plans(home, "x;1;p1;1/5/2026;;c;d\n", "2026-02-02", head=HEAD.replace("\n", ";Clinic;Colour\n"))
    assert home.ask("select outcome, extra_columns from {files} order by file_id")[1] == ("accepted", ["Colour"])


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r"])
def test_a_file_with_a_title_in_another_encoding_keeps_its_own_line_numbers(home, end):
    home.write("plans", PLANS.replace("{delimiter: semicolon}", "{delimiter: tab, encoding: windows-1252, header_line: 3}"))
    text = "Plans of the day\r\n\r\nKind\tPlan\tChart\tMade\tSeen\r\nx\t1\tp\xe9\t1/5/2026\t\r\nx\t2\tp2\t1/52026\t\r\nx\t3\tp\x813\t1/5/2026\t\r\n"
    text = text.replace("\r\n", end)
    home.drop("plans_20260201.csv", text.encode("latin-1"))
    home.take_in(mapped=home.chosen(care_plans="plans"))
    assert home.ask("select line_number, patient_id from {care_plans}") == [(4, "pé")]
    assert [(line, column) for line, column, *_ in reasons(home)] == [(5, "Made"), (6, None)]
    assert home.ask("select sha256 from {files}") == [(hashlib.sha256(text.encode("latin-1")).hexdigest(),)]
    assert not [path for path in home.house.lake.rglob("*") if path.suffix in (".tmp", ".csv")]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8", "utf-8-sig"])
def test_a_file_without_a_header_is_read_by_the_names_that_the_mapping_gives(home, encoding):
    form = f"{{delimiter: pipe, encoding: {encoding}, columns: [Kind, Plan, Chart, Made, Seen]}}"
    home.write("plans", PLANS.replace("{delimiter: semicolon}", form).replace("*.csv", "*.txt.gz"))
    home.drop("plans_20260201.txt.gz", gzip.compress("x|1|p1|1/5/2026|\nx|2|p2||\n".encode(encoding)))
    home.take_in(mapped=home.chosen(care_plans="plans"))
    assert home.ask("select line_number from {care_plans}") == [(1,)]
    assert [(line, column) for line, column, *_ in reasons(home)] == [(2, "Made")]


def test_a_file_that_is_not_in_its_encoding_is_rejected_alone(home):
    home.write("plans", PLANS.replace("semicolon}", "semicolon, encoding: utf-16}"))
    home.drop("plans_20260201.csv", HEAD + "x;1;p1;1/5/2026;")
    home.land("stays", csv_of("stays", [row("stays")]))
    home.take_in(mapped=home.chosen(care_plans="plans"))
    assert home.ask("select table_name, outcome from {files} order by all") == [("care_plans", "rejected"), ("stays", "accepted")]


def test_parquet_of_another_system_is_read_by_its_own_types(home):
    home.write("plans", PLANS.replace("*.csv", "*.parquet"))
    table = pa.table({"Kind": ["x"], "Plan": [7], "Chart": ["p1"], "Made": ["1/5/2026"], "Seen": [date(2026, 1, 9)]})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    home.drop("plans_20260201.parquet", sink.getvalue().to_pybytes())
    home.take_in(mapped=home.chosen(care_plans="plans"))
    assert home.ask("select care_plan_id, established_on, last_reviewed_on from {care_plans}") == [
        ("7", date(2026, 1, 5), date(2026, 1, 9))
    ]


COVERAGES = """
system: one line a patient
file: panel.csv
tables:
  coverages:
    columns: {patient_id: MRN}
    rows:
      - keep: {B: "/./"}
        columns: {coverage_type: {constant: medicare_part_b}, effective_date: {from: B, date: M/D/YYYY}}
      - keep: {QMB: [Y]}
        drop: {QMB: [N, ""]}
        columns: {coverage_type: {constant: qmb}, effective_date: {from: QMB Since, date: M/D/YYYY}}
  conditions:
    each: {from: Problems, split: ";", as: Problem}
    columns:
      condition_id: {from: [MRN, Problem], join: "-"}
      patient_id: MRN
      icd10_code: Problem
      clinical_status: {constant: active}
"""


def test_one_line_gives_rows_of_several_tables_and_is_quarantined_once_a_table(home):
    home.write("panel", COVERAGES)
    home.drop(
        "panel.csv",
        "MRN,B,QMB,QMB Since,Problems\np1,1/1/2020,Y,2/1/2021,I10; E11.9; J44.9;F32.1;\np2,,N,,\np3,13/1/2020,Y,never,I10\np4,1/1/2020,maybe,,N18.3\n",
    )
    home.take_in(mapped=home.chosen(coverages="panel", conditions="panel"))
    assert home.ask("select patient_id, coverage_type, line_number % 1000000000 from {coverages} order by all") == [
        ("p1", "medicare_part_b", 2), ("p1", "qmb", 2), ("p4", "medicare_part_b", 5),
    ]  # fmt: skip
    assert [(line, column, patient) for line, column, _, patient in reasons(home)] == [(4, "B", "p3"), (5, "QMB", "p4")]
    wanted = ["p1-E11.9", "p1-F32.1", "p1-I10", "p1-J44.9", "p3-I10", "p4-N18.3"]
    assert [one for (one,) in home.ask("select condition_id from {conditions} order by all")] == wanted
    assert home.ask("select count(distinct (file_id, line_number)), count(*) from {conditions}") == [(6, 6)]
    # coverages: lines 2, 4 (twice) and 5 (twice) give rows, line 3 none.
    assert ledger(home) == [(4, 1, 6, 6, 0, 0), (4, 1, 6, 3, 3, 0)]


PROBLEMS = """
system: one line a problem
file: problems.csv
tables:
  conditions:
    keep: {State: [Open, "/^re/", Told]}
    drop: {Kind: [Test], State: [Closed]}
    columns: {patient_id: MRN, icd10_code: Code, clinical_status: {constant: active}}
    rows:
      - keep: {State: ["/o/"]}
        drop: {Kind: [Family history]}
        columns: {condition_id: {from: [MRN, Code], join: "-"}}
      - columns: {condition_id: {from: [MRN, Code, Kind], join: "-"}}
"""


def test_what_stands_beside_rows_holds_for_each_also_for_a_column_that_the_row_names(home):
    home.write("problems", PROBLEMS)
    home.drop(
        "problems.csv",
        "MRN,Code,Kind,State\np1,I10,Own,open\np1,E119,Test,open\np1,F329,Family history,Reopened\np1,J449,Own,recent\n"
        "p1,N183,Own,Told\np1,I509,Own,closed\np1,M199,Own,Foo\n",
    )
    home.take_in(mapped=home.chosen(conditions="problems"))
    # The second row takes what the table wants, the first only what has an o in its state, too, and is nobody's family.
    assert home.ask("select condition_id from {conditions} order by all") == [
        ("p1-F329-Family history",), ("p1-I10",), ("p1-I10-Own",), ("p1-J449-Own",), ("p1-N183",), ("p1-N183-Own",),
    ]  # fmt: skip
    # What a row neither keeps nor drops, all told, waits.
    assert [(line, column) for line, column, _, _ in reasons(home)] == [(5, "State"), (8, "State")]


PANEL = (
    "MRN,MBI,Medicare Priority,Part A Eff,Part A Term,Part B Eff,Part B Term,MA Plan,MA Member Id,MA Eff,MA Term,QMB,QMB Eff,QMB Term,"
    "Other Plan,Other Member Id,Other Priority,Other Eff,Other Term"
)


def test_a_plan_without_a_name_is_landed_or_waits_where_anything_else_is_said_of_it(home):
    def line(mrn: str, **said: str) -> str:
        given = dict.fromkeys(PANEL.split(","), "") | {"MRN": mrn, "Part B Eff": "01/01/2020", "QMB": "N"}
        return "\t".join((given | {key.replace("_", " "): value for key, value in said.items()}).values()) + "\n"

    panel = (
        shipped("panel_report").split("  patients:")[0]
        + "  coverages:"
        + shipped("panel_report").split("  coverages:")[1].split("  conditions:")[0]
    )
    home.write("panel", panel)
    lines = [
        line("1", MA_Member_Id="H123", MA_Eff="01/01/2026"), line("2", MA_Member_Id="H123"), line("3", Other_Priority="1", Other_Eff="01/01/2026"),
        line("4", Part_B_Eff="", Part_B_Term="01/31/2026"), line("5"),
    ]  # fmt: skip
    home.drop("CCM_Panel_2026-02-01.txt", PANEL.replace(",", "\t") + "\n" + "".join(lines))
    home.take_in(mapped=home.chosen(coverages="panel"))
    assert home.ask(
        "select patient_id, coverage_type, effective_date from {coverages} where coverage_type <> 'medicare_part_b'"
    ) == [("000001", "medicare_advantage", date(2026, 1, 1))]
    # Each row that a line gives is told in its own columns.
    assert [(number, column, why.split(";")[0]) for number, column, why, _ in reasons(home)] == [
        (3, "MA Eff", "required and empty (it becomes effective_date)"), (4, "Other Plan", "required and empty (it becomes coverage_type)"),
        (5, "Part B Eff", "required and empty (it becomes effective_date)"),
    ]  # fmt: skip
    assert home.ask("select count(*) from {coverages} where coverage_type = 'medicare_part_b'") == [(4,)]


def test_a_line_is_wanted_where_one_of_several_columns_is_filled_beside_what_the_table_wants(home):
    text = PROBLEMS.replace("    keep: {State", "    any_of: MRN\n    keep: {State").replace(
        '      - keep: {State: ["/o/"]}', "      - any_of: [Kind, Note]"
    )
    home.write("problems", text)
    home.drop("problems.csv", "MRN,Code,Kind,State,Note\np1,I10,,open,\np1,E119,,open,x\n,J449,Own,open,x\np1,F329,Own,open,\n")
    home.take_in(mapped=home.chosen(conditions="problems"))
    assert home.ask("select condition_id from {conditions} order by all") == [
        ("p1-E119",),
        ("p1-F329",),
        ("p1-F329-Own",),
        ("p1-I10",),
    ]


MACROS = Path(__file__).parents[2] / "dbt_project" / "macros"
CHARTS = """
system: charts of another system
file: charts.csv
tables:
  patients:
    drop: {Kind: [test]}
    keep: {Kind: [own]}
    columns:
      patient_id: MRN
      first_name: First
      last_name: Last
      birth_date: {from: Born, date: MM/DD/YYYY}
      sex: Sex
      deceased_date: {from: Died, date: MM/DD/YYYY}
      billing_practitioner_id: Doctor
"""


@pytest.mark.parametrize("form", ["Died", "{from: Died, date: MM/DD/YYYY}"], ids=["judged by the contract", "read by the mapping"])
def test_of_several_faults_of_a_patient_the_death_is_told_under_whatever_name_and_found_among_what_may_forbid_a_claim(home, form):
    home.write("charts", CHARTS.replace("{from: Died, date: MM/DD/YYYY}", form))
    home.drop(
        "charts.csv",
        "MRN,Kind,First,Last,Born,Sex,Died,Doctor\np1,own,A,B,soon,X,dead,\np2,what,A,B,01/02/1950,female,dead,D1\np3,own,A,B,soon,female,,D1\n",
    )
    home.take_in(mapped=home.chosen(patients="charts"))
    told = reasons(home)
    assert [(patient, column) for _, column, _, patient in told] == [("p1", "Died"), ("p2", "Died"), ("p3", "Born")]
    macros = Environment(loader=FileSystemLoader(MACROS), extensions=["jinja2.ext.do"]).get_template("lake.sql").module
    forbids = home.ask(f"select patient_id from {{quarantine}} as rows where {macros.may_forbid('rows')} order by all")
    assert forbids == [("p1",), ("p2",)]


def test_a_death_that_can_be_read_and_a_status_that_nobody_knows_are_found_whatever_else_is_at_fault_in_the_row(home):
    home.write("charts", CHARTS)
    home.drop(
        "charts.csv",
        "MRN,Kind,First,Last,Born,Sex,Died,Doctor\np1,own,A,B,soon,F,09/15/2026,D1\np2,own,A,B,01/02/1950,F,09/15/2026,\n"
        "p3,deceased,A,B,01/02/1950,F,,D1\np4,own,A,B,soon,F,,D1\np5,what,A,B,01/02/1950,F,09/15/2026,D1\n",
    )
    home.take_in(mapped=home.chosen(patients="charts"))
    told = {patient: (column, reason) for _, column, reason, patient in reasons(home)}
    assert [told[p][0] for p in ("p1", "p2", "p3", "p4", "p5")] == ["Born", "Doctor", "Kind", "Born", "Kind"]
    assert told["p1"][1].endswith(
        "(it becomes birth_date) (the row says deceased_date); correct the row, or teach the mapping this form, and land the file again"
    )
    assert not any("2026" in reason for _, reason in told.values())
    macros = Environment(loader=FileSystemLoader(MACROS), extensions=["jinja2.ext.do"]).get_template("lake.sql").module
    forbids = home.ask(f"select patient_id from {{quarantine}} as rows where {macros.may_forbid('rows')} order by all")
    assert forbids == [("p1",), ("p2",), ("p3",), ("p5",)]


@pytest.mark.parametrize(
    ("kept", "is_refused"),
    [("[Closed]", True), ("['']", True), ("['/^closed$/']", True), ("[open]", False), ("[Reopened]", False), ("['/^to/']", False),
     ("[Closed, Told]", False)],
)  # fmt: skip
def test_a_row_that_keeps_nothing_of_what_its_table_keeps_is_refused(kept, is_refused):
    text = PROBLEMS.replace('keep: {State: ["/o/"]}', f"keep: {{State: {kept}}}").replace('"/^re/", Told', "Told, Reopened")
    if not is_refused:
        choice.parse(text, "problems.yaml")
        return
    with pytest.raises(HouseError, match=r"line 10: conditions: .* keeps no word of State that the table keeps"):
        choice.parse(text, "problems.yaml")


def test_of_a_key_twice_the_later_line_wins_whichever_row_of_it_has_it(home):
    home.write("panel", COVERAGES)
    home.drop("panel.csv", "MRN,B,QMB,QMB Since,Problems\np1,,N,,I10;I10;x\np1,,N,,y;I10\n")
    home.take_in(mapped=home.chosen(conditions="panel"))
    assert home.ask("select condition_id, line_number % 1000000000 from {conditions} order by all") == [
        ("p1-I10", 3), ("p1-x", 2), ("p1-y", 3),
    ]  # fmt: skip
    assert ledger(home) == [(2, 0, 5, 3, 0, 2)]


TIMER_HEAD = "Task ID;Chart No;User;Service Line;Task Type;Started;Billable Seconds;Source;Mode;Note Ref;Note;Created (UTC);Modified (UTC);Deleted At\n"


def timer_line(task: str, seconds: str, modified: str, deleted: str = "", note: str = "called") -> str:
    return f"{task};p1;m01;CCM;Care plan review;02/03/2026 09:00:00 AM;{seconds};Timer;Phone;;{note};2026-02-03 15:30:00Z;2026-02-0{modified}Z;{deleted}\n"


def test_a_timer_entry_that_is_cut_down_or_deleted_later_comes_as_a_newer_version_of_it(home):
    for night, lines in {
        "2026-02-03": timer_line("t1", "1,265", "3 16:00:00") + timer_line("t2", "600", "3 16:00:00"),
        "2026-02-04": timer_line("t1", "900", "4 08:00:00") + timer_line("t2", "600", "4 08:00:00", "2026-02-04 08:00:00"),
    }.items():
        home.drop(f"task_timer_{night.replace('-', '')}.csv", TIMER_HEAD + lines, night)
    home.take_in(mapped=home.chosen(time_entries="task_timer"))
    assert home.ask(
        "select entry_id, duration_seconds, voided, started_at, recorded_at, member_id, note_length from {time_entries} order by entry_id, updated_at"
    ) == [
        (entry, seconds, voided, datetime(2026, 2, 3, 15), datetime(2026, 2, 3, 15, 30), "m01", 6)
        for entry, seconds, voided in (("t1", 1265, False), ("t1", 900, False), ("t2", 600, False), ("t2", 600, True))
    ]


def test_a_note_is_measured_and_its_text_is_nowhere(home):
    home.drop("task_timer_20260203.csv", TIMER_HEAD + timer_line("t1", "60", "3 16:00:00", note=" zqx-secret "), "2026-02-03")
    home.take_in(mapped=home.chosen(time_entries="task_timer"))
    assert home.ask("select note_length, note_sha256 from {time_entries}") == [(12, hashlib.sha256(b" zqx-secret ").hexdigest())]
    for path in home.house.lake.rglob("*"):
        assert not path.is_file() or b"zqx-secret" not in path.read_bytes()


def test_another_mapping_changes_nothing_until_the_file_is_landed_again(home):
    plans(home, "x;1;p1;1/5/2026;\n")
    home.write("plans", PLANS.replace("MM/DD/YYYY}", "DD/MM/YYYY}"))
    chosen = home.chosen(care_plans="plans")
    assert home.take_in(mapped=chosen) is None
    path = home.house.landing / "lakeside" / "2026-02-01" / "plans_20260201.csv"
    os.utime(path, (1, 1))
    [again] = home.take_in(mapped=chosen).files
    assert again.version == 2 and home.ask("select established_on from {care_plans} order by file_id") == [
        (date(2026, 1, 5),),
        (date(2026, 5, 1),),
    ]
    assert home.take_in(mapped=chosen) is None
    assert len(list((home.house.lake / "mappings").iterdir())) == 2


def test_a_mapping_is_chosen_from_a_night_on(home):
    home.write("plans", PLANS)
    home.write("later", PLANS.replace("MM/DD/YYYY}", "DD/MM/YYYY}"))
    home.land("care_plans", csv_of("care_plans", [row("care_plans")]), night="2026-01-31")
    for day in (1, 2):
        home.drop(f"plans_2026020{day}.csv", HEAD + "x;1;p1;1/5/2026;\n", f"2026-02-0{day}")
    home.take_in(mapped=home.chosen(care_plans={date(2026, 2, 1): "plans", date(2026, 2, 2): "later"}))
    assert home.ask("select extract_date, mapping from {files} order by all") == [
        (date(2026, 1, 31), None), (date(2026, 2, 1), "plans"), (date(2026, 2, 2), "later"),
    ]  # fmt: skip
    assert [day for (day,) in home.ask("select established_on from {care_plans} order by file_id")][1:] == [
        date(2026, 1, 5), date(2026, 5, 1),
    ]  # fmt: skip


def test_a_mapping_that_cannot_be_used_stops_its_own_files_alone(home):
    home.write("plans", PLANS.replace("patient_id: Chart", "patient: Chart"))
    home.drop("plans_20260201.csv", HEAD + "x;1;p1;1/5/2026;\n")
    home.land("stays", csv_of("stays", [row("stays")]))
    home.land("care_plans", csv_of("care_plans", [row("care_plans")]), practice="hilltop")
    report = home.take_in({**CHICAGO, "hilltop": "America/Phoenix"}, mapped=home.chosen(care_plans="plans"))
    assert [(one.practice_id, one.table_name) for one in report.files] == [("hilltop", "care_plans"), ("lakeside", "stays")]
    assert "plans.yaml, line 11: 'patient' is no column of care_plans" in "\n".join(report.notes)
    assert report.notes[-1].endswith("plans_20260201.csv: no extract table; left alone")
    home.write("other", COVERAGES)
    assert "has no table stays" in home.chosen(stays="other").troubles()["lakeside"][0]
    assert "is in none of" in home.chosen(stays="nobody").troubles()["lakeside"][0]


def test_a_file_of_another_night_is_left_alone_and_two_of_one_night_are_rejected(home):
    home.write("plans", PLANS)
    home.drop("plans_20260202.csv", HEAD, "2026-02-01")
    home.drop("care_plans.csv", HEAD, "2026-02-01")
    for number in (1, 2):
        home.drop(f"plans_20260203-{number}.csv", HEAD, "2026-02-03")
    notes: list[str] = []
    chosen = home.chosen(care_plans="plans")
    [two] = discover(home.house, CHICAGO, notes=notes, mapped=chosen)
    assert two.fault is not None and "2 files" in two.fault
    assert "comes by the mapping plans" in notes[0] and "its name says the night of 2026-02-02" in notes[1]


def test_a_name_dated_the_morning_after_is_of_the_night_before(home):
    home.write("plans", PLANS.replace("file:", "file_date: day_after\nfile:"))
    home.drop("plans_20260202.csv", HEAD + "x;1;p1;1/5/2026;\n", "2026-02-01")
    assert len(home.take_in(mapped=home.chosen(care_plans="plans")).files) == 1


def test_a_mapping_may_say_its_own_time_zone(home):
    head = "Id,Who,At,How,What\n"
    text = """
system: calls
time_zone: America/New_York
tables:
  outreach:
    columns:
      outreach_id: Id
      patient_id: Who
      attempted_at: {from: At, instant: MM/DD/YYYY HH:mm}
      channel: {from: How, words: {call: phone}}
      outcome: {from: What, words: {none: no_answer}}
"""
    home.write("calls", text)
    home.drop("outreach.csv", head + "1,p1,1/15/2026 10:00,Call,NONE\n")
    home.take_in(mapped=home.chosen(outreach="calls"))
    assert home.ask("select attempted_at from {outreach}") == [(datetime(2026, 1, 15, 15),)]


CALLS = """
system: calls
file: "calls_{YYYYMMDD}.csv"
tables:
  outreach:
    drop: {How: [fax]}
    columns:
      outreach_id: Id
      patient_id: Who
      attempted_at: {from: At, instant: MM/DD/YYYY HH:mm}
      channel: {from: How, words: {call: phone}}
      outcome: {constant: agreed}
"""
WITHOUT_CALLS = CALLS.replace("drop: {How: [fax]}", "drop: {How: [fax, call]}")
NEW_YORK = {"lakeside": "America/New_York"}


def attempts(home: MappedHome) -> list[tuple]:
    """Version, mapping and hours (UTC) of the calls that stand."""
    return home.ask(
        "select files.version, files.mapping, list(hour(attempted_at)) from {files} as files left join {outreach} as rows using (file_id) "
        "where files.table_name = 'outreach' group by all order by version desc limit 1"
    )


@pytest.fixture
def called(home) -> MappedHome:
    home.write("calls", CALLS)
    home.drop("calls_20260201.csv", "Id,Who,At,How\n1,p1,1/15/2026 10:00,Call\n")
    home.land("stays", csv_of("stays", [row("stays")]))
    home.take_in(mapped=home.chosen(outreach="calls"))
    assert attempts(home) == [(1, "calls", [16])]
    return home


def test_another_name_of_the_same_clock_changes_nothing_that_was_taken_in(called):
    called.write("calls", WITHOUT_CALLS)
    assert called.take_in({"lakeside": "US/Central"}, mapped=called.chosen(outreach="calls")) is None


@pytest.mark.parametrize(
    "now",
    [WITHOUT_CALLS, CALLS.replace("drop:", "drip:"), CALLS.replace("calls_", "phone_")],
    ids=["it says otherwise", "it cannot be used", "it reads other names"],
)
def test_a_night_that_is_read_again_for_its_time_zone_is_read_by_the_mapping_that_read_it(called, now):
    called.write("calls", now)
    chosen = called.chosen(outreach="calls")
    report = called.take_in(NEW_YORK, mapped=chosen)
    assert {(one.table_name, one.version, one.time_zone) for one in report.files} == {
        ("outreach", 2, "America/New_York"), ("stays", 2, "America/New_York"),
    }  # fmt: skip
    assert attempts(called) == [(2, "calls", [15])]
    assert called.take_in(NEW_YORK, mapped=chosen) is None
    assert stays_by_another_clock(called.house, NEW_YORK) == []


def test_a_night_read_by_no_mapping_is_read_so_again_for_its_time_zone(called):
    called.land("outreach", csv_of("outreach", [row("outreach", attempted_at="2026-01-15T10:00:00")]), night="2026-01-31")
    called.take_in()
    chosen = called.chosen(outreach="calls")
    assert {one.key[1:] for one in called.take_in(NEW_YORK, mapped=chosen).files} == {
        (date(2026, 1, 31), "outreach"), (date(2026, 2, 1), "outreach"), (date(2026, 2, 1), "stays"),
    }  # fmt: skip
    assert called.ask("select hour(attempted_at) from {outreach} order by file_id") == [(16,), (16,), (15,), (15,)]


def test_a_file_that_is_landed_again_is_read_by_the_mapping_of_now_in_another_time_zone_too(called):
    called.write("calls", WITHOUT_CALLS)
    os.utime(called.house.landing / "lakeside" / "2026-02-01" / "calls_20260201.csv", (1, 1))
    called.take_in(NEW_YORK, mapped=called.chosen(outreach="calls"))
    assert attempts(called) == [(2, "calls", [None])]


def test_a_night_whose_mapping_is_gone_stays_as_it_was_read_and_is_told_until_it_is_landed_again(called):
    [kept] = (called.house.lake / "mappings").iterdir()
    kept.unlink()
    called.write("calls", WITHOUT_CALLS)
    chosen = called.chosen(outreach="calls")
    assert [one.table_name for one in called.take_in(NEW_YORK, mapped=chosen).files] == ["stays"]
    assert attempts(called) == [(1, "calls", [16])]
    assert pending(called.house, discover(called.house, NEW_YORK, mapped=chosen), NEW_YORK) == []
    [said] = stays_by_another_clock(called.house, NEW_YORK)
    assert (
        said.startswith("landing/lakeside: 1 files up to 2026-02-01 stay as they were read in America/Chicago")
        and kept.name in said
    )
    os.utime(called.house.landing / "lakeside" / "2026-02-01" / "calls_20260201.csv", (1, 1))
    called.take_in(NEW_YORK, mapped=chosen)
    assert attempts(called) == [(2, "calls", [None])] and stays_by_another_clock(called.house, NEW_YORK) == []


def test_of_a_night_behind_a_link_it_is_not_told_that_its_mapping_is_gone(called, tmp_path):
    [kept] = (called.house.lake / "mappings").iterdir()
    kept.unlink()
    folder = called.house.landing / "lakeside"
    folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")
    assert stays_by_another_clock(called.house, NEW_YORK) == []


def test_an_end_is_a_start_and_the_length_in_another_column(home):
    columns = "{outreach_id: Id, patient_id: Who, channel: {constant: phone}, outcome: {constant: agreed}, attempted_at: %s}"
    rule = '{from: At, instant: "M/D/YYYY h:mm AM Z", plus: {from: Length, duration: [units, minutes]}}'
    home.write("calls", f"system: calls\ntables:\n  outreach:\n    columns: {columns % rule}\n")
    home.drop(
        "outreach.csv", "Id,Who,At,Length\n1,p,3/2/2026 9:15 AM Z,1h 05m\n2,p,3/2/2026 11:50 PM Z,20\n3,p,3/2/2026 9:15 AM Z,\n"
    )
    home.take_in(mapped=home.chosen(outreach="calls"))
    assert home.ask("select attempted_at from {outreach}") == [(datetime(2026, 3, 2, 10, 20),), (datetime(2026, 3, 3, 0, 10),)]
    assert [(line, column) for line, column, *_ in reasons(home)] == [(4, "At, Length")]


def test_a_wild_number_in_a_length_costs_its_own_row(home):
    columns = "{outreach_id: Id, patient_id: Who, channel: {constant: phone}, outcome: {constant: agreed}, attempted_at: %s}"
    rule = '{from: At, instant: "M/D/YYYY h:mm AM", plus: {from: Length, duration: hours}}'
    home.write("calls", f"system: calls\ntables:\n  outreach:\n    columns: {columns % rule}\n")
    wild = "2125553178", "99999999", "99999999999999999999"
    lines = "".join(f"{n},p,3/2/2026 9:15 AM,{length}\n" for n, length in enumerate(("1", *wild)))
    home.drop("outreach.csv", f"Id,Who,At,Length\n{lines}")
    home.take_in(mapped=home.chosen(outreach="calls"))
    assert home.ask("select outreach_id from {outreach}") == [("0",)]
    assert [(line, column) for line, column, *_ in reasons(home)] == [(3, "At, Length"), (4, "At, Length"), (5, "At, Length")]


CALLS_WITH_LENGTHS = """
system: calls
%s
tables:
  outreach:
    columns:
      outreach_id: Id
      patient_id: Who
      channel: {constant: phone}
      outcome: {constant: agreed}
      attempted_at: {from: At, instant: "M/D/YYYY HH:mm", plus: {from: Length, duration: minutes}}
"""


def ends(home: MappedHome, calls: list[tuple[str, int]], zone: str = "") -> list[datetime]:
    """When each of (start, minutes) ends, in UTC."""
    home.write("calls", CALLS_WITH_LENGTHS % zone)
    lines = "".join(f"{number:06},p,{at},{minutes}\n" for number, (at, minutes) in enumerate(calls))
    home.drop("outreach.csv", "Id,Who,At,Length\n" + lines)
    home.take_in(mapped=home.chosen(outreach="calls"))
    return [end for (end,) in home.ask("select attempted_at from {outreach} order by outreach_id")]


def test_a_length_is_elapsed_time_on_the_nights_on_which_the_clocks_change(home):
    # Of 01:50 on 1 November, which comes twice, the first: so it is read without a length, too.
    calls = [("11/1/2026 00:50", 80), ("11/1/2026 01:50", 20), ("11/1/2026 02:00", 20), ("3/8/2026 01:50", 80), ("3/8/2026 02:30", 20),
             ("3/8/2026 03:00", 20), ("10/31/2026 23:00", 600), ("7/1/2026 09:00", 20)]  # fmt: skip
    assert ends(home, calls) == [
        datetime(2026, 11, 1, 7, 10), datetime(2026, 11, 1, 7, 10), datetime(2026, 11, 1, 8, 20), datetime(2026, 3, 8, 9, 10),
        datetime(2026, 3, 8, 8, 50), datetime(2026, 3, 8, 8, 20), datetime(2026, 11, 1, 14), datetime(2026, 7, 1, 14, 20),
    ]  # fmt: skip


def test_a_length_is_elapsed_time_by_the_mappings_own_clock(home):
    calls = [
        ("4/5/2026 01:20", 40),
        ("4/5/2026 01:50", 20),
        ("10/4/2026 01:50", 20),
        ("1/1/2018 00:00", 20),
        ("12/31/2046 23:50", 20),
    ]
    wanted = [zoned("Australia/Lord_Howe", at, minutes) for at, minutes in calls]
    assert ends(home, calls, "time_zone: Australia/Lord_Howe") == wanted


def test_a_start_of_a_year_in_which_no_work_is_logged_has_its_end_all_the_same(home):
    calls = [("6/1/1962 10:00", 20), ("1/15/2099 10:00", 20)]
    assert ends(home, calls) == [zoned("America/Chicago", at, minutes) for at, minutes in calls]


def zoned(zone: str, at: str, minutes: int) -> datetime:
    """Python's own reading of a start and its length, in UTC."""
    start = datetime.strptime(at, "%m/%d/%Y %H:%M").replace(tzinfo=ZoneInfo(zone))
    return (start.astimezone(UTC) + timedelta(minutes=minutes)).replace(tzinfo=None)


@settings(max_examples=5, deadline=None)
@given(
    st.sampled_from(
        ["America/Chicago", "America/Phoenix", "America/St_Johns", "Pacific/Honolulu", "Europe/Dublin", "Asia/Kolkata"]
    ),
    st.lists(st.tuples(st.datetimes(datetime(2018, 1, 1), datetime(2046, 12, 31)), st.integers(0, 3000)), min_size=1, max_size=60),
)
def test_every_start_and_its_length_end_when_python_says(tmp_path_factory, zone, calls):
    written = [(at.strftime("%m/%d/%Y %H:%M"), minutes) for at, minutes in calls]
    home = MappedHome(tmp_path_factory.mktemp("ends"))
    assert ends(home, written, f"time_zone: {zone}") == [zoned(zone, at, minutes) for at, minutes in written]


FIELD = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=8),
    st.text(' ;"\n\r\tab', max_size=6),
    st.sampled_from(["", " ", "1/5/2026", "2026-01-05", "draft", "x;y", '"']),
)


@settings(max_examples=10, deadline=None)
@given(st.lists(st.lists(FIELD, min_size=5, max_size=5), max_size=12), st.sampled_from(["\n", "\r\n"]))
@pytest.mark.long
def test_duckdb_and_the_csv_module_read_a_mapped_file_alike(tmp_path_factory, lines, end):
    quoted = [";".join('"' + value.replace('"', '""') + '"' for value in line) + end for line in lines]
    found = []
    for is_plain in (True, False):
        home = MappedHome(tmp_path_factory.mktemp("alike"))
        whole = scan.scan

        def judged(*given, whole=whole, is_plain=is_plain):
            made = whole(*given)
            made.plain = made.plain and is_plain
            return made

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(scan, "scan", judged)
            plans(home, "".join(quoted), head=HEAD.replace("\n", end))
        found.append((ledger(home), home.ask("select * from {care_plans}"), reasons(home)))
    assert found[0] == found[1]
    assert found[0][0][0][0] == len(lines)


COMPLAINTS = [
    ("  care_plans:", "  careplans:", 7, "'careplans' is no extract table"),
    ("patient_id: Chart", "patient_id: {from: Chart, frm: x}", 11, "frm: is no known key"),
    ("patient_id: Chart", "chart_id: Chart", 11, "is no column of care_plans"),
    ("      patient_id: Chart\n", "", 7, "wants patient_id"),
    ("date: MM/DD/YYYY}", "date: MM-DD}", 12, "wants one year"),
    ("date: MM/DD/YYYY}", "instant: MM/DD/YYYY HH:mm}", 12, "instant makes another kind"),
    ("date: MM/DD/YYYY}", "date: [MM/DD/YYYY, D/M/YYYY]}", 12, "cannot be told apart"),
    ("date: MM/DD/YYYY}", "date: [YYYY-MM-DD, MM-DD-YY, YY-MM-DD]}", 12, "cannot be told apart"),
    ("delimiter: semicolon", "delimiter: ';;'", 4, "is one ASCII character"),
    ("delimiter: semicolon", "encoding: klingon", 4, "no encoding that Python knows"),
    ("care_plan_id: Plan", "care_plan_id: Plan\n      care_plan_id: Id", 11, "stands twice"),
    ("care_plan_id: Plan", "care_plan_id: &a Plan", 10, "anchors"),
    ("care_plan_id: Plan", "care_plan_id: {from: Plan, pattern: '('}", 10, "no regular expression"),
    ("care_plan_id: Plan", "care_plan_id: {from: Plan, pattern: '(?=x)'}", 10, "nothing looks ahead"),
    ("unused: [Clinic]", "unused: [Clinic", 6, "not valid YAML"),
    ('"plans_{YYYYMMDD}*.csv"', "plans.xlsx", 3, "ends in none of"),
]


@pytest.mark.parametrize(("old", "new", "line", "what"), COMPLAINTS)
def test_every_complaint_about_a_mapping_names_its_line(old, new, line, what):
    assert PLANS.count(old) >= 1
    with pytest.raises(HouseError) as told:
        choice.parse(PLANS.replace(old, new, 1), "plans.yaml")
    assert any(f"plans.yaml, line {line}: " in one and what in one for one in str(told.value).splitlines()), str(told.value)


def test_a_word_outside_the_contracts_vocabulary_is_refused_before_any_night():
    with pytest.raises(HouseError, match=r"line 15: sex: words, Female: 'W' is not one of F, M, U"):
        choice.parse((choice.SHIPPED / "panel_report.yaml").read_text().replace("Female: F", "Female: W"), "panel.yaml")
