"""What section 3 of the interface says about reading a file, sentence by sentence."""

from __future__ import annotations

import hashlib
import io
from datetime import date, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.second_opinion.landing import UNSEEN

from .conftest import csv_of, row

PLAN = "care_plan_id,patient_id,established_on,last_reviewed_on,copy_given_on\n"


def test_empty_is_null_and_dates_become_dates(home):
    home.land("care_plans", PLAN + 'c1,p1,2026-01-05,,""\n')
    home.take_in()
    assert home.ask("select * exclude (file_id) from {care_plans}") == [
        ("lakeside", date(2026, 2, 1), 2, "c1", "p1", date(2026, 1, 5), None, None)
    ]


def test_columns_may_come_in_any_order_and_extra_ones_are_reported(home):
    home.land("care_plans", "mood,established_on,patient_id,care_plan_id,Colour\nx,2026-01-05,p1,c1,y\n")
    home.take_in()
    assert home.ask("select care_plan_id, patient_id, copy_given_on from {care_plans}") == [("c1", "p1", None)]
    assert home.ask("select extra_columns from {files}") == [(["mood", "Colour"],)]


def test_a_missing_required_column_rejects_the_file_and_quarantines_every_row(home):
    home.land("care_plans", "care_plan_id,Patient_ID,established_on\nc1,p1,2026-01-05\nc2,p2,2026-01-05\n")
    home.take_in()
    assert home.counts() == [(2, 0, 2, 0)]
    assert home.faults() == [(2, "patient_id", None), (3, "patient_id", None)]
    [(outcome, reason)] = home.ask("select outcome, reason from {files}")
    assert outcome == "rejected" and "'Patient_ID'" in reason


def test_a_known_column_named_twice_rejects_the_file_and_an_unknown_one_does_not(home):
    home.land("care_plans", PLAN.replace("copy_given_on", "patient_id") + "c1,p1,2026-01-05,,p1\n")
    home.land("stays", "stay_id,patient_id,stay_type,admitted_on,x,x\ns1,p1,hospice,2026-01-05,1,2\n")
    home.take_in()
    assert home.ask("select table_name, outcome from {files} order by all") == [
        ("care_plans", "rejected"),
        ("stays", "accepted"),
    ]
    assert home.faults() == [(2, "patient_id", None)]


def test_lines_of_a_rejected_file_are_counted_as_a_spreadsheet_does(home):
    home.land("care_plans", 'care_plan_id,established_on\n\nc1,2026-01-05\nc2,"a\nb"\n')
    home.take_in()
    assert home.counts() == [(2, 0, 2, 0)]
    assert home.faults() == [(3, "patient_id", None), (4, "patient_id", None)]


def test_a_file_without_its_header_row_gives_no_value_of_it_away(home):
    home.land("care_plans", "c1,Smith,2026-01-05,,\n")
    home.take_in()
    assert "Smith" not in str(home.ask("select * from {files}")) + str(home.ask("select * from {quarantine}"))


@pytest.mark.parametrize("said", ["sep=,", "sep=;", '"sep=,"', "\ufeffSEP=,", "sep=\t", "\nsep=,"])
def test_excels_line_before_the_header_is_named_once_for_the_file(home, said):
    home.land("care_plans", f"{said}\r\n{PLAN}c1,p1,2026-01-05,,\r\nc2,p2,2026-01-05,,\r\n")
    home.take_in()
    [(outcome, reason)] = home.ask("select outcome, reason from {files}")
    assert outcome == "rejected" and reason.casefold().startswith("begins with a line `sep=")
    assert home.faults() == [(0, None, None)]


@pytest.mark.parametrize("last", ["copy_given_on", "patient_id"])  # the second must be there
@pytest.mark.parametrize("end", ["\x0b", "\x0c", "\x1e", "\x85", "\u2028"])
def test_a_header_that_ends_in_another_kind_of_line_break_is_rejected_and_gives_no_value_away(home, end, last):
    # Drawn by make fuzz-extracts: of a flipped bit the first row became names of unknown columns, which are told, and the file was one without rows.
    names = sorted(PLAN.strip().split(","), key=lambda name: name == last)
    home.land("care_plans", ",".join(names) + end + ",".join("Smith" for _ in names) + "\n")
    home.take_in()
    [(outcome, reason)] = home.ask("select outcome, reason from {files}")
    assert outcome == "rejected" and f"column {last} " in reason and "line feed" in reason
    assert "Smith" not in str(home.ask("select * from {files}")) + str(home.ask("select * from {quarantine}"))


def test_names_of_unknown_columns_are_not_told_where_a_row_may_stand_in_the_headers_line(home):
    glued = {
        "care_plans": PLAN.replace("\n", "J") + "c1,Smith,2026-01-05,,",
        "conditions": "condition_id,patient_id,icd10_code,clinical_status,Jc1,Smith,E119,active",
        "stays": "stay_id,patient_id,stay_type,admitted_on,room,Smith,-1.5",
    }
    for table, header in glued.items():
        home.land(table, f"{header}\n")
    home.take_in()
    told = home.ask("select table_name, extra_columns, outcome from {files} order by all")
    assert "Smith" not in str(told) and len(told) == 3
    assert all(outcome == "accepted" and len(extra) == 1 and "not told" in extra[0] for _, extra, outcome in told)


@pytest.mark.parametrize(
    ("content", "form"),
    [
        (b"", "csv"),
        (b"", "csv.gz"),
        (b"\xef\xbb\xbf", "csv"),
        (b"\n\n", "csv"),
        (PLAN.encode("utf-16"), "csv"),
        (PLAN.encode("utf-16-le"), "csv"),
        (b"sep=,\r\n" + PLAN.encode() + b"c1,p1,2026-01-05,,\r\n", "csv"),
        (b"PAR1 and no more", "parquet"),
        (b"", "parquet"),
    ],
)
def test_a_file_that_cannot_be_read_counts_no_row_and_stands_at_line_0(home, content, form):
    home.land("care_plans", content, form=form)
    home.take_in()
    assert home.counts() == [(0, 0, 0, 0)]
    assert home.faults() == [(0, None, None)]
    assert home.ask("select outcome from {files}") == [("rejected",)]


def test_a_truncated_gzip_file_is_rejected_whole(home):
    path = home.land("care_plans", PLAN + "".join(f"c{i},p{i * 7919},2026-01-05,,\n" for i in range(3000)), form="csv.gz")
    path.write_bytes(path.read_bytes()[:-200])
    home.take_in()
    assert home.counts() == [(0, 0, 0, 0)] and home.faults() == [(0, None, None)]
    assert home.ask("select sha256 from {files}") == [(hashlib.sha256(path.read_bytes()).hexdigest(),)]


def test_a_folder_or_a_link_in_the_place_of_a_file_is_rejected(home):
    home.path("stays").mkdir()
    target = home.house.root / "elsewhere.csv"
    target.write_text(PLAN + "c1,p1,2026-01-05,,\n")
    home.path("care_plans").symlink_to(target)
    home.take_in()
    assert home.faults() == [(0, None, None)] * 2
    assert home.take_in() is None


def test_one_table_in_two_formats_of_one_night_is_rejected(home):
    home.land("care_plans", PLAN + "c1,p1,2026-01-05,,\n")
    home.land("care_plans", PLAN + "c1,p1,2026-01-05,,\n", form="csv.gz")
    home.take_in()
    assert home.counts() == [(0, 0, 0, 0)] and home.faults() == [(0, None, None)]
    home.path("care_plans", form="csv.gz").unlink()
    assert home.take_in().files[0].outcome == "accepted"


def test_a_header_alone_is_an_accepted_file_of_no_rows(home):
    home.land("care_plans", PLAN.strip())
    home.take_in()
    assert home.counts() == [(0, 0, 0, 0)] and home.faults() == []


@pytest.mark.parametrize(
    "header",
    ["\n" + PLAN.strip(), "  \n\n" + PLAN.strip(), PLAN.strip() + ',"mood\nor colour"', "\n" * 1_100_000 + PLAN],
    ids=["a blank line before", "blanks before", "a line break in it", "a megabyte of blank lines before"],
)
def test_a_header_is_found_wherever_it_begins_and_ends(home, header):
    home.land("care_plans", header)
    home.take_in()
    assert home.ask("select outcome, rows_received from {files}") == [("accepted", 0)]


def test_a_bad_row_is_quarantined_with_its_line_and_the_others_go_on(home):
    good = "c{},p{},2026-01-05,,\n"
    text = (
        PLAN
        + good.format(1, 1)
        + "c2,p2,2026-01-05\n"
        + good.format(3, 3)
        + "c4,p4,2026-13-05,,\n"
        + "c5,,x,,\n"
        + good.format(6, 6)
    )
    home.land("care_plans", text.encode() + b"c7,p\xff,2026-01-05,,\n" + good.format(8, 8).encode())
    home.take_in()
    assert [n for (n,) in home.ask("select line_number from {care_plans} order by 1")] == [2, 4, 7, 9]
    assert home.faults() == [(3, None, None), (5, "established_on", "p4"), (6, "patient_id", None), (8, None, None)]


def test_the_line_is_counted_as_a_spreadsheet_does(home):
    text = csv_of("time_entries", [row("time_entries", entry_id="e1", note_text="a\n\nb")]) + "\n   \n" + "too,few\n" + "\n"
    home.land("time_entries", text + csv_of("time_entries", [row("time_entries", entry_id="e2")]).split("\n")[1] + "\n\n")
    home.take_in()
    assert home.ask("select line_number, entry_id, note_length from {time_entries} order by 1") == [
        (2, "e1", 4),
        (7, "e2", 2),
    ]
    assert home.faults() == [(5, None, None)]
    assert home.counts() == [(3, 2, 1, 0)]


@pytest.mark.parametrize("form", ["csv", "csv.gz"])
@pytest.mark.parametrize(
    "ends", [["\n"] * 4, ["\r\n"] * 4, ["\r"] * 4, ["\r\n", "\r", "\n", "\r"], ["\r", "\r\n", "\n", ""]], ids=repr
)
def test_every_kind_of_line_end_is_read(home, ends, form):
    lines = csv_of("care_plans", [row("care_plans", care_plan_id=f"c{i}") for i in range(3)]).splitlines()
    content = "".join(line + end for line, end in zip(lines, ends, strict=True)).encode()
    home.land("care_plans", content, form=form)
    home.take_in()
    assert home.ask("select line_number, care_plan_id from {care_plans} order by 1") == [
        (2, "c0"),
        (3, "c1"),
        (4, "c2"),
    ]


def test_a_byte_order_mark_and_a_missing_last_line_end_do_no_harm(home):
    home.land("care_plans", b"\xef\xbb\xbf" + (PLAN + "c1,p1,2026-01-05,,").encode())
    home.land(
        "stays",
        b'\xef\xbb\xbf"stay_id",patient_id,stay_type,admitted_on\n\ns1,p1,hospice,2026-01-05'.replace(b"\r", b""),
    )
    home.take_in()
    assert home.counts() == [(1, 1, 0, 0)] * 2


def test_quotes_out_of_place_and_never_closed_cost_their_row_only(home):
    home.land("care_plans", PLAN + 'c1,"p1"x,2026-01-05,,\nc2,p2,2026-01-05,,\nc3,"p3,2026-01-05,,\n')
    home.take_in()
    assert home.ask("select care_plan_id from {care_plans}") == [("c2",)]
    assert home.faults() == [(2, None, None), (4, None, None)]


@pytest.mark.parametrize("form", ["csv", "csv.gz"])
def test_a_row_with_one_empty_value_too_many_is_quarantined_however_the_file_is_read(home, form):
    home.land("care_plans", PLAN + "c1,p1,2026-01-05,,\nc2,p2,2026-01-05,,,\nc3,p3,2026-01-05,,\n", form=form)
    home.take_in()
    assert home.ask("select care_plan_id from {care_plans} order by 1") == [("c1",), ("c3",)]
    assert home.faults() == [(3, None, None)]


@pytest.mark.parametrize(
    "behind", ["", 'c9,say ""x,2026-01-05,,\n', 'c9,"p""9",2026-01-05,,\n'], ids=["no quote", "bare", "quoted"]
)
def test_a_quote_that_is_never_closed_does_not_swallow_the_rows_behind_it(home, behind):
    rows = "".join(f"c{number},p{number},2026-01-05,,\n" for number in range(3, 8))
    home.land("care_plans", PLAN + 'c2,"p2,2026-01-05,,\n' + rows + behind)
    home.take_in()
    assert home.faults() == [(2, None, None)]
    assert [line for (line,) in home.ask("select line_number from {care_plans} order by 1")][:5] == [3, 4, 5, 6, 7]
    assert home.counts()[0][0] == 6 + bool(behind)


@pytest.mark.parametrize("name", ['"care"_plan_id', '"care_plan_id" ', '"care_plan_id'])
def test_a_header_with_quotes_out_of_place_rejects_the_file_and_loses_no_row(home, name):
    home.land("care_plans", PLAN.replace("care_plan_id", name) + "c1,p1,2026-01-05,,\nc2,p2,2026-01-05,,\n")
    home.take_in()
    assert home.counts() == [(2, 0, 2, 0)]
    assert home.faults() == [(2, None, None), (3, None, None)]
    [(outcome, reason)] = home.ask("select outcome, reason from {files}")
    assert outcome == "rejected" and "header" in reason


def test_a_nul_byte_costs_its_row_only(home):
    home.land("care_plans", PLAN.encode() + b"c1\x00,p1,2026-01-05,,\nc2,p2,2026-01-05,,\n")
    home.take_in()
    assert home.ask("select care_plan_id from {care_plans}") == [("c2",)]
    assert home.faults() == [(2, None, "p1")]


@pytest.mark.parametrize(
    "text",
    [
        "2026-1-05",
        "2026-02-30",
        "05/01/2026",
        "2026-01-05 ",
        "20260105",
        "infinity",
        "0000-01-01",
        "2026-01-05T00:00:00",
        "epoch",
    ],
)
def test_a_date_is_a_real_day_in_one_form(home, text):
    home.land("care_plans", csv_of("care_plans", [row("care_plans", established_on=text)]))
    home.take_in()
    assert home.faults() == [(2, "established_on", "x1")]


@pytest.mark.parametrize(
    ("text", "value"),
    [("1", 1), ("+5", 5), ("-0", 0), ("007", 7), ("9223372036854775807", 2**63 - 1), ("9223372036854775808", None), ("1.0", None),
     ("1e3", None), (" 1", None), ("0x1", None), ("1_000", None), ("one", None), ("\u0661", None)],
)  # fmt: skip
def test_an_integer_is_digits_with_or_without_a_sign(home, text, value):
    home.land("coverages", csv_of("coverages", [row("coverages", priority=text)]))
    home.take_in()
    assert home.ask("select priority from {coverages}") == ([(value,)] if value is not None else [])


def test_booleans_and_vocabularies_are_exact(home):
    rows = [row("consents", consent_id=str(i), documented=text) for i, text in enumerate(["true", "false", "True", "1", "yes"])]
    rows += [row("consents", consent_id="v", method="Verbal"), row("consents", consent_id="w", program="ccm ")]
    home.land("consents", csv_of("consents", rows))
    home.take_in()
    assert home.ask("select documented from {consents} order by line_number") == [(True,), (False,)]
    assert [(line, name) for line, name, _ in home.faults()] == [
        (4, "documented"), (5, "documented"), (6, "documented"), (7, "method"), (8, "program"),
    ]  # fmt: skip


def test_the_first_faulty_column_of_the_contract_names_the_row(home):
    home.land("consents", csv_of("consents", [row("consents", patient_id="", program="x", documented="x", revoked_on="x")]))
    home.take_in()
    assert home.faults() == [(2, "patient_id", None)]


INSTANTS = {
    "2026-01-15T10:00:00Z": "2026-01-15 10:00:00",
    "2026-01-15 10:00:00Z": "2026-01-15 10:00:00",
    "2026-01-15T10:00Z": "2026-01-15 10:00:00",
    "2026-01-15T10:00:00.999Z": "2026-01-15 10:00:00",
    "2026-01-15T10:00:59.9999999-06:00": "2026-01-15 16:00:59",
    "2026-01-15T10:00:00-06:00": "2026-01-15 16:00:00",
    "2026-01-15T10:00:00-0600": "2026-01-15 16:00:00",
    "2026-01-15T10:00:00+05": "2026-01-15 05:00:00",
    "2026-01-15T10:00+05": "2026-01-15 05:00:00",
    "2026-01-15T10:00+05:30": "2026-01-15 04:30:00",
    "2026-01-15T10:00:00": "2026-01-15 16:00:00",
    "2026-01-15 10:00": "2026-01-15 16:00:00",
    "2026-07-15T10:00:00.5": "2026-07-15 15:00:00",
    "2026-01-15T24:00:00Z": None,
    "2026-01-15T24:00": None,
    "2026-01-15T10:00:60Z": None,
    "2026-01-15T10:60Z": None,
    "2026-02-29T10:00:00": None,
    "2026-01-15": None,
    "2026-01-15T10": None,
    "2026-01-15T10:00:00z": None,
    "2026-01-15T10:00:00 Z": None,
    "2026-01-15T10:00:00+24:00": None,
    "2026-01-15T10:00:00+05:60": None,
    "2026-01-15T10:00.5": None,
    "2026-01-15_10:00:00": None,
    "2026-01-15T10:00:00.Z": None,
    "2026-01-15T1:00:00Z": None,
    "01/15/2026 10:00 AM": None,
    "ünstimmig und so Z ": None,
    "infinity": None,
    "-infinity": None,
    "Infinity": None,
    "infinityZ": None,
    "epoch": None,
}


def test_instants_are_iso_8601_with_or_without_an_offset(home):
    home.land(
        "outreach",
        csv_of("outreach", [row("outreach", outreach_id=f"o{i}", attempted_at=t) for i, t in enumerate(INSTANTS)]),
    )
    home.take_in()
    found = dict(home.ask("select outreach_id, attempted_at from {outreach}"))
    assert found == {f"o{i}": datetime.fromisoformat(value) for i, value in enumerate(INSTANTS.values()) if value}
    assert [line for line, _, _ in home.faults()] == [line for line, value in enumerate(INSTANTS.values(), 2) if value is None]


@pytest.mark.parametrize("prefix", ["", "\n"], ids=["by DuckDB", "record by record"])
def test_a_moment_without_end_is_none_and_its_correction_waits_in_quarantine(home, prefix):
    columns = ("started_at", "ended_at", "recorded_at", "updated_at")
    rows = [row("time_entries", **{name: text}) for name in columns for text in ("infinity", "-infinity")]
    home.land("time_entries", prefix + csv_of("time_entries", rows))
    home.take_in()
    first = 2 + len(prefix)
    assert home.faults() == [(first + place, name, "x1") for place, name in enumerate(name for name in columns for _ in range(2))]


def test_the_last_good_line_of_a_key_wins_in_a_snapshot(home):
    rows = [row("care_plans", care_plan_id="c1", patient_id=p) for p in ("p1", "p2", "p3")] + [row("care_plans", care_plan_id="c2")]
    rows[2]["established_on"] = "never"
    home.land("care_plans", csv_of("care_plans", rows))
    home.take_in()
    assert home.ask("select line_number, patient_id from {care_plans} order by 1") == [(3, "p2"), (5, "x1")]
    assert home.counts() == [(4, 2, 1, 1)]


def test_the_newest_change_of_a_key_wins_and_of_equal_ones_the_later_line(home):
    at = ["2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z", "2026-01-01T00:00:00Z", "2026-01-03T00:00:00.7Z"]
    rows = [row("services", service_id="s1", updated_at=t) for t in at] + [row("services", service_id="s2", updated_at=at[0])]
    home.land("services", csv_of("services", [*rows[:3], rows[4]]), night="2026-02-01")
    home.land("services", csv_of("services", rows), night="2026-02-02")
    home.take_in()
    assert home.ask("select extract_date::varchar, line_number from {services} order by all") == [
        ("2026-02-01", 3), ("2026-02-01", 5), ("2026-02-02", 5), ("2026-02-02", 6),
    ]  # fmt: skip
    assert home.counts() == [(4, 2, 0, 2), (5, 2, 0, 3)]


def test_every_row_of_coverages_stands(home):
    home.land("coverages", csv_of("coverages", [row("coverages")] * 3))
    home.take_in()
    assert home.counts() == [(3, 3, 0, 0)]


@pytest.mark.parametrize("prefix", ["", "\n"], ids=["by DuckDB", "record by record"])
def test_a_note_is_kept_as_length_and_hash_and_a_blank_one_as_none(home, prefix):
    notes = ["", "   ", "\u00a0\u2003\t\x1c", *UNSEEN, f" {UNSEEN}", "Ça va 👍🏽", 'say "hi",\nthen go', " x "]
    home.land(
        "time_entries",
        prefix + csv_of("time_entries", [row("time_entries", entry_id=str(i), note_text=n) for i, n in enumerate(notes)]),
    )
    home.take_in()
    assert home.ask("select note_length, note_sha256 from {time_entries} order by line_number") == [
        (len(n), hashlib.sha256(n.encode()).hexdigest()) if n.strip(f"{UNSEEN}\u00a0\u2003\t\x1c ") else (None, None) for n in notes
    ]
    lake = b"".join(path.read_bytes() for path in home.house.lake.rglob("*") if path.is_file())
    assert b"then go" not in lake and not list(home.house.lake.glob(".*"))


def test_reasons_hold_no_value_of_the_file(home):
    rows = [
        dict.fromkeys(row("patients"), "Zanzibar"),
        *({**row("patients"), n: "Zanzibar"} for n in ("sex", "birth_date")),
    ]
    home.land("patients", csv_of("patients", rows))
    home.take_in()
    assert "Zanzibar" not in str(home.ask("select reason, column_name from {quarantine}")) + str(home.ask("select * from {files}"))


def test_files_and_folders_of_the_lake_are_private(home):
    home.land("care_plans", PLAN)
    home.take_in()
    assert {p.stat().st_mode & 0o777 for p in (home.house.lake / "batches").rglob("*") if p.is_file()} == {0o600}
    assert {p.stat().st_mode & 0o777 for p in (home.house.lake / "batches").rglob("*") if p.is_dir()} == {0o700}


def test_a_line_of_the_separator_alone_is_no_row_where_the_separator_is_another(home):
    # Drawn by make fuzz-extracts: such a file has one column for us, and a line of tabs was counted as a row of it.
    home.land("outreach", csv_of("outreach", [row("outreach")]).replace(",", "\t") + "\t\t\t\n\t\n")
    home.take_in()
    assert home.counts() == [(1, 0, 1, 0)]


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_blank_around_a_name_of_the_header_is_no_part_of_it_in_whatever_format(home, form):
    names = {"deceased_date": "deceased_date ", "sex": " sex", "patient_id": "\tpatient_id"}
    one = {names.get(name, name): value for name, value in row("patients", patient_id="p1", deceased_date="2026-09-15").items()}
    sink = io.BytesIO()
    pq.write_table(pa.table({name: [value] for name, value in one.items()}), sink)
    home.land("patients", csv_of("patients", [one]) if form == "csv" else sink.getvalue(), form=form)
    home.take_in()
    assert home.ask("select patient_id, sex, deceased_date from {patients}") == [("p1", one[" sex"], date(2026, 9, 15))]
    assert home.ask("select outcome, extra_columns from {files}") == [("accepted", [])]


def test_two_columns_of_a_parquet_file_that_differ_by_a_blank_are_one_named_twice(home):
    sink = io.BytesIO()
    pq.write_table(pa.table({**{n: [v] for n, v in row("stays").items()}, "discharged_on ": ["2026-01-09"]}), sink)
    home.land("stays", sink.getvalue(), form="parquet")
    home.take_in()
    [(outcome, reason)] = home.ask("select outcome, reason from {files}")
    assert outcome == "rejected" and "discharged_on stands twice" in reason


def test_a_parquet_file_whose_footer_contradicts_itself_cannot_be_read(home):
    # Drawn by make fuzz-extracts: the file was said to have no row, one of its groups to have four.
    told = io.BytesIO()
    pq.write_table(pa.table({"care_plan_id": ["c1", "c2"], "patient_id": ["p1", "p2"], "established_on": ["2026-01-05"] * 2}), told)
    content = told.getvalue()
    rows = pq.ParquetFile(io.BytesIO(content)).metadata.num_rows
    spoiled = [
        content[:place] + b"\x00" + content[place + 1 :]
        for place in range(len(content) - 8, 4, -1)
        if content[place] == 2 * rows and _rows_told(content[:place] + b"\x00" + content[place + 1 :]) in ((0, 2), (2, 0))
    ]
    assert spoiled
    for night, damaged in enumerate(spoiled, 1):
        home.land("care_plans", damaged, night=f"2026-02-{night:02}", form="parquet")
    home.take_in()
    assert home.counts() == [(0, 0, 0, 0)] * len(spoiled)
    assert home.faults() == [(0, None, None)] * len(spoiled)


def _rows_told(content):
    """Rows by the file's footer: of the file, and of its groups; none of what cannot be read."""
    try:
        told = pq.ParquetFile(io.BytesIO(content)).metadata
        return told.num_rows, sum(told.row_group(group).num_rows for group in range(told.num_row_groups))
    except (pa.ArrowException, OSError):
        return None
