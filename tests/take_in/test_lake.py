"""The lake: batches, versions, Parquet extracts, and one practice alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import date, datetime, timedelta
from decimal import Decimal

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orchestration.contracts import extract_contracts, lake_columns
from orchestration.house import HouseError
from orchestration.take_in import lake, ledger, scan, typed
from orchestration.take_in.batch import Batch
from orchestration.take_in.landing import discover
from orchestration.take_in.layout import Layout
from orchestration.take_in.ledger import newest_files
from orchestration.take_in.pending import pending
from orchestration.take_in.tables import ensure_tables
from tests.faults.harness import heed_permissions
from tests.one_practice import forget_practice, give_practice

from .conftest import CHICAGO, csv_of, on, row

TWO = {"lakeside": "America/Chicago", "hilltop": "America/Phoenix"}


def plans(*ids: str) -> str:
    return csv_of("care_plans", [row("care_plans", care_plan_id=i) for i in ids])


def test_a_new_lake_begins_with_an_empty_batch_that_names_every_column(home):
    assert home.take_in() is None
    assert home.batches() == [0]
    for table, contract in extract_contracts().items():
        described = [(name, kind) for name, kind, *_ in home.ask(f"describe select * from {{{table}}}")]
        assert described == [
            ("practice_id", "VARCHAR"), ("extract_date", "DATE"), ("file_id", "BIGINT"), ("line_number", "BIGINT"),
            *lake_columns(contract),
        ]  # fmt: skip
    assert [kind for _, kind, *_ in home.ask("describe select * from {files}")] == [
        "BIGINT", "VARCHAR", "DATE", "VARCHAR", "BIGINT", "VARCHAR", "VARCHAR", "VARCHAR", "BIGINT", "BIGINT", "BIGINT", "VARCHAR",
        "VARCHAR", "VARCHAR", "BIGINT", "BIGINT", "BIGINT", "BIGINT", "VARCHAR[]", "VARCHAR[]",
    ]  # fmt: skip


def test_many_nights_and_practices_make_one_batch_with_one_file_per_table(home):
    for practice in TWO:
        for day in range(1, 10):
            home.land("care_plans", plans("a", "b"), night=f"2026-02-0{day}", practice=practice)
            home.land("stays", csv_of("stays", [row("stays")]), night=f"2026-02-0{day}", practice=practice, form="csv.gz")
    report = home.take_in(TWO)
    assert report.batch == 1 and home.batches() == [0, 1]
    assert len(list((home.house.lake / "batches" / "000001").iterdir())) == 16
    assert report.totals["care_plans"] == {
        "files": 18, "rows_received": 36, "rows_accepted": 36, "rows_quarantined": 0, "rows_superseded": 0,
    }  # fmt: skip
    order = home.ask("select practice_id, extract_date, line_number from {care_plans}")
    assert order == sorted(order) and len(order) == 36
    assert [f.file_id for f in report.files] == list(range(1_000_000, 1_000_036))


@pytest.mark.parametrize("says", ["what is so", "that they lie in order"])
def test_the_lake_has_the_rows_by_file_and_line_however_the_files_were_read(home, monkeypatch, says):
    """Files of two headers are read apart, one that is packed or quoted oddly after them; rows that are written as they lie are looked at."""
    if says == "that they lie in order":
        monkeypatch.setattr(Batch, "_lies_in_order", lambda self: True)
    turned = "\n".join(",".join(reversed(line.split(","))) for line in plans(*"abc").splitlines()) + "\n"
    for night, (content, form) in enumerate(
        [(plans(*"abc"), "csv"), (turned, "csv"), (plans(*"abc"), "csv"), (plans(*"abc"), "csv.gz"), (plans("a", 'b"', "c"), "csv"), (turned, "csv")], 1
    ):  # fmt: skip
        home.land("care_plans", content, night=f"2026-02-0{night}", form=form)
    home.take_in()
    written = home.ask("select file_id, line_number, care_plan_id from {care_plans}")
    assert [line for _, line, _ in written].count(2) == 6 and len(written) >= 17
    assert written == sorted(written)


def test_taking_in_twice_does_no_harm_and_a_touched_file_is_no_new_one(home):
    path = home.land("care_plans", plans("a"))
    assert home.take_in().batch == 1
    assert home.take_in() is None
    os.utime(path, (1, 1))
    assert home.take_in() is None
    assert home.batches() == [0, 1]


def test_a_night_landed_again_is_the_next_version_and_both_are_kept(home):
    home.land("care_plans", plans("a"))
    home.take_in()
    home.land("care_plans", plans("b", "c"))
    report = home.take_in()
    assert [(f.version, f.rows_accepted) for f in report.files] == [(2, 2)]
    assert home.ask("select care_plan_id from {care_plans} order by file_id, line_number") == [("a",), ("b",), ("c",)]
    assert [(f.version, f.file_id) for f in newest_files(home.house)] == [(2, 2_000_000)]


def test_the_ledger_is_asked_of_nights_and_says_of_them_what_the_whole_of_it_does(home):
    for practice in TWO:
        for day in (1, 2, 3, 5):
            home.land("care_plans", plans("a"), night=f"2026-02-0{day}", practice=practice)
    home.take_in(TWO)
    home.land("care_plans", plans("b"), night="2026-02-05")
    home.land("care_plans", "no header of ours\n", night="2026-02-07")
    home.land("stays", csv_of("stays", [row("stays")]), night="2026-02-03")
    home.take_in(TWO)
    whole = ledger.ledger(home.house)
    for day in (1, 3, 4, 8):
        since = on(f"2026-02-0{day}")
        assert ledger.ledger(home.house, since) == [record for record in whole if record.extract_date >= since]
    assert ledger.newest_accepted(home.house) == {
        ("lakeside", "care_plans"): on("2026-02-05"), ("hilltop", "care_plans"): on("2026-02-05"), ("lakeside", "stays"): on("2026-02-03"),
    }  # fmt: skip
    newest = {record.file_id for record in newest_files(home.house)}
    every = {record.file_id for record in whole}
    assert len(every - newest) == 1 and ledger.in_force(home.house, every).keys() == newest
    assert ledger.in_force(home.house, every - newest) == {} == ledger.in_force(home.house, set())
    assert ledger.files_and_rows(home.house) == (len(whole), sum(record.rows_received for record in whole))
    (home.house.lake / "batches" / "000001" / "files.parquet").write_bytes(b"spoiled")
    for asked in (
        lambda: ledger.ledger(home.house, on("2026-02-05")),
        lambda: ledger.newest_accepted(home.house),
        lambda: ledger.in_force(home.house, every),
    ):
        with pytest.raises(HouseError, match="restore this batch"):
            asked()


def test_old_nights_of_the_ledger_are_not_read_for_what_lands_now(home, monkeypatch):
    for day in (1, 2, 3):
        home.land("care_plans", plans("a"), night=f"2026-02-0{day}")
        home.take_in()
    for day in (1, 2):
        (home.house.landing / "lakeside" / f"2026-02-0{day}" / "care_plans.csv").unlink()
    made = []
    record = ledger.FileRecord
    monkeypatch.setattr(ledger, "FileRecord", lambda **row: made.append(row["extract_date"].day) or record(**row))
    assert home.take_in() is None
    assert made == [3]


def test_another_time_zone_takes_the_files_of_its_practice_in_again(home):
    home.land("outreach", csv_of("outreach", [row("outreach", attempted_at="2026-01-15T10:00:00")]))
    home.take_in()
    assert home.take_in({"lakeside": "America/New_York"}).files[0].version == 2
    assert [t.hour for (t,) in home.ask("select attempted_at from {outreach} order by file_id")] == [16, 15]


@pytest.mark.parametrize("linked", ["hilltop", "hilltop/2026-02-01"], ids=["the practice's", "a night's"])
def test_another_time_zone_does_not_look_behind_a_folder_that_is_a_link(home, tmp_path, linked):
    for name in TWO:
        home.land("outreach", csv_of("outreach", [row("outreach", attempted_at="2026-01-15T10:00:00")]), practice=name)
    home.take_in(TWO)
    folder = home.house.landing / linked
    folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")
    report = home.take_in(dict.fromkeys(TWO, "America/Denver"))
    assert [one.practice_id for one in report.files] == ["lakeside"] and f"landing/{linked}" in report.notes[0]


def test_nights_may_be_narrowed_and_other_practices_stay_where_they_are(home):
    for day in (1, 2, 3):
        home.land("care_plans", plans("a"), night=f"2026-02-0{day}")
    home.land("care_plans", plans("a"), practice="stranger")
    assert [
        f.extract_date.day for f in home.take_in(up_to=on("2026-02-02"), nights={on("2026-02-02"), on("2026-02-03")}).files
    ] == [2]
    assert [f.extract_date.day for f in home.take_in(up_to=on("2026-02-02")).files] == [1]
    assert [f.extract_date.day for f in home.take_in().files] == [3]


def test_what_is_no_extract_is_left_alone_and_named(home):
    home.land("care_plans", plans("a"))
    home.land("recipes", "x\n")
    home.land("patients", "x\n", form="xlsx")
    home.land(".care_plans", "x\n")
    home.land("stays", "x\n", night="2026-02-31")
    (home.house.landing / "lakeside" / "readme.txt").write_text("x")
    report = home.take_in()
    assert [f.table_name for f in report.files] == ["care_plans"]
    assert [note.split(":")[0].split("/", 2)[2] for note in report.notes] == [
        "2026-02-01/patients.xlsx", "2026-02-01/recipes.csv", "2026-02-31", "readme.txt",
    ]  # fmt: skip


def test_a_folder_that_cannot_be_listed_is_named_and_the_others_go_on(home):
    home.land("care_plans", plans("a"))
    (home.house.landing / "hilltop").write_text("a file where the practice's folder should be")
    (home.house.landing / "lakeside" / "2026-02-02").symlink_to(home.house.landing / "lakeside" / "nowhere")
    (home.house.landing / "lakeside" / "2026-02-03").symlink_to(home.house.landing / "lakeside" / "2026-02-03")
    (home.house.landing / "lakeside" / "2026-02-04").symlink_to(home.path("care_plans").parent)
    report = home.take_in(TWO)
    assert [f.table_name for f in report.files] == ["care_plans"]
    assert [note.split(":")[0] for note in report.notes] == [
        "landing/hilltop",
        *(f"landing/lakeside/2026-02-0{day}" for day in (2, 3, 4)),
    ]
    assert "cannot be listed" in report.notes[0]


def test_a_night_that_may_be_listed_and_not_entered_is_named_and_the_others_go_on(home):
    for night in ("2026-02-01", "2026-02-02"):
        home.land("care_plans", plans("a"), night=night)
    shut = home.path("care_plans").parent
    shut.chmod(0o600)
    found = """
import sys
from pathlib import Path
from orchestration.house import House
from orchestration.take_in.landing import discover
notes = []
landed = discover(House(Path(sys.argv[1])), ["lakeside"], notes=notes)
print(*(one.extract_date for one in landed), *notes)
"""
    try:
        ran = subprocess.run(
            [sys.executable, "-c", found, str(home.house.root)],
            preexec_fn=heed_permissions,
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        shut.chmod(0o700)
    assert ran.stdout.startswith("2026-02-02 landing/lakeside/2026-02-01: cannot be entered (Permission denied)"), ran.stderr


def test_a_practice_folder_that_is_a_link_is_left_alone_and_named_wherever_it_leads(home):
    home.land("care_plans", plans("a"))
    linked = home.house.landing / "hilltop"
    for leads_to in (home.house.landing / "lakeside", home.house.landing / "nowhere"):
        linked.unlink(missing_ok=True)
        linked.symlink_to(leads_to)
        notes = []
        assert [one.practice_id for one in discover(home.house, TWO, notes=notes)] == ["lakeside"]
        assert notes == [
            "landing/hilltop: is a link, no folder; nothing in it is taken in; make it a folder, or mount there what it leads to"
        ]
    linked.unlink()
    assert len(discover(home.house, TWO, notes=(notes := []))) == 1 and notes == []  # one that has not landed anything yet


def test_a_parquet_file_with_a_column_name_that_is_no_text_is_rejected_and_the_others_go_on(home):
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"care_plan_id": ["a"], "patient_id": ["a"], "colour": ["b"]}), sink, store_schema=False)
    home.land("care_plans", sink.getvalue().to_pybytes().replace(b"colour", b"c\xedlour"), form="parquet")
    home.land("stays", csv_of("stays", [row("stays")]))
    home.take_in()
    assert home.ask("select table_name, outcome from {files} order by all") == [("care_plans", "rejected"), ("stays", "accepted")]


def test_a_crash_leaves_nothing_to_see_and_the_next_run_takes_all_in(home, monkeypatch):
    home.land("care_plans", plans("a"))
    home.take_in()
    home.land("care_plans", plans("b"), night="2026-02-02")
    monkeypatch.setattr(lake, "move_into_place", lambda *_: (_ for _ in ()).throw(OSError("power cut")))
    with pytest.raises(OSError, match="power cut"):
        home.take_in()
    monkeypatch.undo()
    (home.house.lake / ".000002.99.tmp").mkdir()
    assert home.batches() == [0, 1]
    assert home.take_in().batch == 2
    assert sorted(p.name for p in home.house.lake.iterdir()) == ["batches"]


def test_a_file_that_changes_while_it_is_read_waits_for_the_next_run(home, monkeypatch):
    path = home.land("care_plans", plans("a"))
    home.land("stays", csv_of("stays", [row("stays")]))
    whole = scan.scan

    def slow_drop(landed, contract):
        found = whole(landed, contract)
        if landed.table == "care_plans":
            path.write_text(plans("a", "b"))
        return found

    monkeypatch.setattr(scan, "scan", slow_drop)
    report = home.take_in()
    assert [f.table_name for f in report.files] == ["stays"] and "changed while" in report.notes[0]
    assert home.ask("select * from {care_plans}") == []
    monkeypatch.undo()
    assert [f.rows_accepted for f in home.take_in().files] == [2]


def test_received_is_accepted_plus_quarantined_plus_superseded_and_the_lake_holds_just_that(home):
    rows = [row("care_plans", care_plan_id=f"c{i % 7}", established_on="x" if i % 5 == 0 else "2026-01-01") for i in range(50)]
    home.land("care_plans", csv_of("care_plans", rows) + "short,row\n")
    home.land("stays", "nothing of use\n1\n2\n")
    home.take_in()
    for received, accepted, quarantined, superseded in home.counts():
        assert received == accepted + quarantined + superseded
    assert home.counts()[0] == (51, 7, 11, 33)
    assert home.ask("select count(*) from {care_plans}") == [(7,)]
    assert home.ask("select table_name, count(*) from {quarantine} group by all order by all") == [
        ("care_plans", 11),
        ("stays", 2),
    ]


def test_lines_are_right_with_many_files_and_big_ones(home):
    for day in range(1, 25):
        size = 60_000 if day == 7 else day
        rows = [row("time_entries", entry_id=f"{day}-{line}", note_text='a "b",\nc' * (line % 3)) for line in range(2, size + 2)]
        if day % 6 == 0:
            rows[0]["note_text"] = "x\r\ny"
        home.land("time_entries", csv_of("time_entries", rows) + ("bad\n" if day % 5 == 0 else ""), night=f"2026-02-{day:02}")
    home.take_in()
    wrong = "select count(*), sum((entry_id = extract(day from extract_date) || '-' || line_number)::int) from {time_entries}"
    [(rows_, right)] = home.ask(wrong)
    assert rows_ == right == 60_000 + sum(range(1, 25)) - 7
    order = home.ask("select extract_date, line_number from {time_entries}")
    assert order == sorted(order)


@pytest.mark.parametrize("files", [pytest.param(1, marks=pytest.mark.long), 3, pytest.param(24, marks=pytest.mark.long)])
def test_every_row_of_a_large_plain_file_has_the_number_of_its_line(home, files):
    """DuckDB reads what is large in several threads: with time_entries it once lost the order of rows over a word of six."""
    for day in range(1, files + 1):
        rows = [row("time_entries", entry_id=f"{day}-{line}", note_text="called " * 40) for line in range(2, 60_000 // files + 2)]
        home.land("time_entries", csv_of("time_entries", rows), night=f"2026-02-{day:02}")
        found = scan.scan(discover(home.house, CHICAGO)[-1], Layout.of(extract_contracts()["time_entries"]))
        assert found.plain
    home.take_in()
    wrong = (
        "select count(*), count(*) filter (entry_id <> extract(day from extract_date) || '-' || line_number) from {time_entries}"
    )
    assert home.ask(wrong) == [(60_000, 0)]
    order = home.ask("select file_id, line_number from {time_entries}")
    assert order == sorted(order)


@pytest.mark.parametrize("table", sorted(extract_contracts()))
def test_rows_are_judged_as_they_are_read_and_keep_their_order(table, tmp_path):
    """A row has its line number from its place: behind a join or a grouping DuckDB keeps no order."""
    contract = extract_contracts()[table]
    path = tmp_path / "some.csv"
    path.write_text(csv_of(table, [row(table)]), encoding="utf-8")
    texts = {name: name for name in contract.names}
    source = (
        "(select 1::bigint as file_id, null::bigint as line_number, null::varchar as fault, null::varchar as fault_column, "
        f"{typed.staging(contract, texts)} from read_csv('{path}', all_varchar = true))"
    )
    with duckdb.connect(config={"threads": 2}) as con:
        con.execute(f"create table judged as {typed.judging(contract, source)} with no data")
        plan = json.loads(
            con.execute(f"explain (format json) insert into judged {typed.judging(contract, source)}").fetchall()[0][1]
        )
    found, steps = [plan[0]], set()
    while found:
        step = found.pop()
        steps.add(step["name"].strip())
        found += step["children"]
    assert steps <= {"BATCH_INSERT", "PROJECTION", "READ_CSV"}, steps


def test_a_home_with_odd_letters_in_its_name_works(tmp_path):
    from .conftest import Home

    home = Home(tmp_path / "it's [odd] *really?*")
    home.land("care_plans", plans("a"))
    home.land("care_plans", plans("b"), night="2026-02-02")
    assert home.take_in().totals["care_plans"]["rows_accepted"] == 2
    assert give_practice(home.house, "lakeside", tmp_path / "gift")["care_plans"] == 2
    assert forget_practice(home.house, "lakeside")["care_plans"] == 2


# --- Parquet extracts


def write_parquet(home, table: str, columns: dict, night: str = "2026-02-01") -> None:
    pq.write_table(pa.table(columns), home.path(table, night, form="parquet"))


def test_parquet_extracts_are_judged_as_csv_ones_are(home):
    at = datetime(2026, 1, 15, 10, 0, 0, 700_000)
    write_parquet(home, "services", {
        "service_id": pa.array([1, 2, 2, None]),
        "patient_id": pa.array([1001.0, 1002.0, 1002.0, 7.0]),
        "procedure_code": pa.array(["99490"] * 4).dictionary_encode(),
        "service_date": pa.array([date(2026, 1, 5)] * 4),
        "units": pa.array([1.0, None, 3.0, 1.5]),
        "billed_by": pa.array(["own_practice", "own_practice", "", "own_practice"]),
        "ccm_discussed": pa.array([True, None, False, True]),
        "updated_at": pa.array([at] * 4, pa.timestamp("us")),
        "colour": pa.array([[1]] * 4),
    })  # fmt: skip
    home.take_in()
    assert home.ask("select line_number, service_id, patient_id, units, ccm_discussed, updated_at, member_id from {services}") == [
        (2, "1", "1001", 1, True, datetime(2026, 1, 15, 16), None),
        (3, "2", "1002", None, None, datetime(2026, 1, 15, 16), None),
    ]
    assert home.faults() == [(4, "billed_by", "1002"), (5, "service_id", "7")]
    assert home.ask("select format, extra_columns from {files}") == [("parquet", ["colour"])]


def test_times_dates_and_decimals_of_parquet_take_their_text_form(home):
    at = datetime(2026, 1, 15, 10, 0, 0)
    write_parquet(home, "services", {
        "service_id": ["1", "2"],
        "patient_id": pa.array([b"p1", b"p2"]),
        "procedure_code": pa.array([99490, 99439], pa.int32()),
        "service_date": pa.array([datetime(2026, 1, 5), datetime(2026, 1, 5, 1)], pa.timestamp("ns")),
        "units": pa.array([Decimal("2.00"), Decimal("1.00")]),
        "billed_by": ["own_practice"] * 2,
        "updated_at": pa.array([at, at], pa.timestamp("ns", "America/New_York")),
    })  # fmt: skip
    home.take_in()
    assert home.ask("select patient_id, procedure_code, service_date, units, updated_at from {services}") == [
        ("p1", "99490", date(2026, 1, 5), 2, at)
    ]
    assert home.faults() == [(3, "service_date", "p2")]


def test_bytes_of_parquet_that_are_not_utf_8_and_nul_cost_their_row_only(home):
    write_parquet(home, "stays", {
        "stay_id": pa.array([b"s1", b"s\xff", b"s3"]),
        "patient_id": ["p1", "p2", "p3"],
        "stay_type": ["hospice"] * 3,
        "admitted_on": ["2026-01-05", "2026-01-05", "2026-01-05\x00"],
    })  # fmt: skip
    home.take_in()
    assert home.ask("select stay_id from {stays}") == [("s1",)]
    assert home.faults() == [(3, None, None), (4, None, "p3")]


def test_parquet_with_columns_missing_doubled_or_nested_is_rejected(home):
    write_parquet(home, "stays", {"stay_id": ["s1", "s2"], "PATIENT_ID": ["p1", "p2"], "stay_type": ["hospice"] * 2})
    columns = [pa.array(["x"])] * 5
    doubled = pa.table(columns, names=["stay_id", "patient_id", "stay_type", "admitted_on", "stay_id"])
    pq.write_table(doubled, home.path("stays", "2026-02-02", form="parquet"))
    write_parquet(home, "care_plans", {"care_plan_id": [["c1"]], "patient_id": ["p1"], "established_on": ["2026-01-01"]})
    home.take_in()
    assert home.counts() == [(1, 0, 1, 0), (2, 0, 2, 0), (1, 0, 1, 0)]
    assert home.faults() == [
        (2, "care_plan_id", None),
        (2, "patient_id", None),
        (3, "patient_id", None),
        (2, "stay_id", None),
    ]


def test_parquet_that_breaks_off_within_its_pages_is_rejected_whole(home):
    rows = 30_000
    write_parquet(home, "stays", {
        "stay_id": [f"s{i * 7919}" for i in range(rows)], "patient_id": [f"p{i}" for i in range(rows)],
        "stay_type": ["hospice"] * rows, "admitted_on": ["2026-01-05"] * rows,
    })  # fmt: skip
    path = home.path("stays", form="parquet")
    data = bytearray(path.read_bytes())
    data[2000:9000] = b"\xff" * 7000
    path.write_bytes(data)
    home.take_in()
    assert home.counts() == [(0, 0, 0, 0)] and home.faults() == [(0, None, None)]


def test_a_parquet_extract_gives_the_rows_of_the_same_csv(home):
    rows = [row("time_entries", entry_id=str(i), note_text="n" * i, duration_seconds=str(i)) for i in range(20)]
    home.land("time_entries", csv_of("time_entries", rows))
    write_parquet(home, "time_entries", {name: [r[name] for r in rows] for name in rows[0]}, night="2026-02-02")
    home.take_in()
    nights = [
        home.ask(f"select * exclude (extract_date, file_id) from {{time_entries}} where extract_date = '2026-02-0{n}'")
        for n in (1, 2)
    ]
    assert nights[0] == nights[1] and len(nights[0]) == 20


# --- one practice alone


def test_a_row_in_quarantine_keeps_the_key_of_a_change_where_it_can_be_read_and_goes_with_its_practice(home):
    log = [row("time_entries", entry_id=key, member_id="" if key != "good" else "M") for key in ("", "bad", "good")]
    cut_off = csv_of("time_entries", log).rstrip("\n") + "\n" + ",".join(log[0].values())[:20] + "\n"
    home.land("time_entries", cut_off)
    # Of a snapshot no key is kept: each is whole, and the next one has the row or has not. But whoever is not in the care team has left.
    home.land("care_plans", csv_of("care_plans", [row("care_plans", established_on="soon")]))
    home.land("care_team", csv_of("care_team", [row("care_team", member_id="M", credential="none")]))
    home.take_in(TWO)
    assert len(home.faults()) == 5
    assert home.ask("select practice_id, line_number, row_key from {quarantine_keys} order by all") == [
        ("lakeside", 2, "M"), ("lakeside", 3, "bad"),
    ]  # fmt: skip

    for batch in home.batches():  # a lake of before they were kept
        (home.house.lake / "batches" / f"{batch:06d}" / "quarantine_keys.parquet").unlink()
    ensure_tables(home.house)
    assert home.ask("select * from {quarantine_keys}") == []
    home.land("time_entries", cut_off.replace("bad", "worse"))
    home.take_in(TWO)
    assert home.ask("select row_key from {quarantine_keys}") == [("worse",)]
    forget_practice(home.house, "lakeside")
    assert home.ask("select row_key from {quarantine_keys}") == []


def test_one_practice_can_be_given_and_forgotten_without_the_others(home, tmp_path):
    for night in ("2026-02-01", "2026-02-02"):
        for practice in TWO:
            home.land("care_plans", plans("a", "b") + "bad\n", night=night, practice=practice)
        home.take_in(TWO)
    others = home.ask("select * from {care_plans} where practice_id = 'hilltop'")
    home.land("stays", csv_of("stays", [row("stays")]), practice="hilltop")
    home.take_in(TWO)
    untouched = (home.house.lake / "batches" / "000003" / "stays.parquet").stat().st_mtime_ns

    given = give_practice(home.house, "lakeside", tmp_path / "gift")
    assert (given["care_plans"], given["files"], given["quarantine"], given["stays"]) == (4, 2, 2, 0)
    assert pq.read_table(tmp_path / "gift" / "care_plans.parquet")["practice_id"].unique().to_pylist() == ["lakeside"]
    with pytest.raises(HouseError, match="never overwritten"):
        give_practice(home.house, "lakeside", tmp_path / "gift")

    assert forget_practice(home.house, "lakeside") == {"care_plans": 4, "quarantine": 2, "files": 2}
    assert forget_practice(home.house, "lakeside") == {}
    for table in ("care_plans", "files", "quarantine"):
        assert home.ask(f"select count(*) from {{{table}}} where practice_id = 'lakeside'") == [(0,)]
    assert home.ask("select * from {care_plans}") == others
    assert (home.house.lake / "batches" / "000003" / "stays.parquet").stat().st_mtime_ns == untouched
    assert home.take_in({"hilltop": TWO["hilltop"]}) is None


def test_pending_names_what_the_lake_does_not_hold(home):
    home.land("care_plans", plans("a"))
    home.take_in()
    home.land("stays", csv_of("stays", [row("stays")]))
    landed = discover(home.house, CHICAGO)
    assert [one.table for one in pending(home.house, landed, CHICAGO)] == ["stays"]
    assert len(pending(home.house, landed, {"lakeside": "Asia/Kolkata"})) == 2


def test_progress_is_told(home):
    home.land("care_plans", plans("a"))
    told = []
    home.take_in(progress=lambda *args: told.append(args))
    assert told == [("care_plans", 0, 1), ("care_plans", 1, 1)]


def test_a_night_of_2019_and_a_day_in_1900_are_taken_in(home):
    home.land("care_plans", csv_of("care_plans", [row("care_plans", established_on="1900-01-01")]), night="2019-01-01")
    assert home.take_in().totals["care_plans"]["rows_accepted"] == 1
    assert timedelta(0) == date(1900, 1, 1) - home.ask("select established_on from {care_plans}")[0][0]
