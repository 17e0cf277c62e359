"""`ccm check` as the EHR vendor's people run it: real files, no home."""

from __future__ import annotations

import gzip
import json
import os
import sys
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orchestration.command.common import out
from orchestration.command.main import main
from tests.pipeline.homes import Ran, ccm
from tests.take_in.conftest import GOOD, csv_of, row


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Runs `ccm check`, by default in this process; whatever it makes besides its output is a fault."""
    scratch, home = tmp_path / "tmp", tmp_path / "home"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    monkeypatch.setenv("CCM_HOME", str(home))
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(out, "width", 200)

    def in_this_process(arguments: tuple[str, ...]) -> Ran:
        monkeypatch.setattr(sys, "argv", ["ccm", "check", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return Ran(ended.value.code or 0, *capsys.readouterr())

    def run(*arguments: str, as_a_user: bool = False) -> Ran:
        ran = ccm("check", *arguments, home=home) if as_a_user else in_this_process(arguments)
        # multiprocessing's own folder goes with the process that starts the others: the tests' own.
        assert not home.exists() and not [path for path in scratch.iterdir() if not path.name.startswith("pymp-")]
        assert "Traceback" not in ran.err + ran.out
        return ran

    return run


def entries(**values: str) -> str:
    rows = [row("time_entries", entry_id=f"e{number}", note_text="Zanzibar") for number in range(30)]
    for number, (name, value) in enumerate(values.items()):
        rows[number][name] = value
    return csv_of("time_entries", rows)


def test_a_clean_file_is_accepted_by_the_contract_of_its_name(check, tmp_path):
    path = tmp_path / "time_entries_2026-11-01.csv"
    path.write_text(entries())
    ran = check(str(path), as_a_user=True)
    assert ran.code == 0
    assert "accepted  " in ran.out and "30 rows received = 30 accepted" in ran.out
    assert "read as UTC" in ran.out and "its name must be time_entries.csv" in ran.out


def test_an_npi_that_a_spreadsheet_made_a_number_of_is_told_with_its_lines_and_is_no_fault_of_the_row(check, tmp_path):
    path = tmp_path / "care_team.csv"
    npis = ["1234567893", "1.23457E+09", "", "1234567890", "1.23457E+09"]
    path.write_text(csv_of("care_team", [row("care_team", member_id=f"m{n}", npi=npi) for n, npi in enumerate(npis)]))
    ran = check(str(path))
    assert ran.code == 0 and "5 rows received = 5 accepted" in ran.out
    assert "npi is not ten digits with a right check digit in line 3, 5, 6: nothing can be billed under it" in ran.out
    assert "1.23457" not in ran.out and "1234567890" not in ran.out
    path.write_text(csv_of("care_team", [row("care_team", npi="1234567893")]))
    assert "check digit" not in check(str(path)).out


def test_each_fault_is_told_with_column_lines_and_mending_and_without_a_value(check, tmp_path):
    path = tmp_path / "export.csv"
    bad = entries(program="Zanzibar", started_at="yesterday", voided="") + "Zanzibar,too,short\n" * 12
    path.write_text(bad.replace("note_text", "note_text,mood", 1).replace("Zanzibar,2026", "Zanzibar,,2026"))
    ran = check(str(path), "--contract", "time_entries", "--time-zone", "America/Chicago")
    assert ran.code == 1 and "accepted in part" in ran.out
    for told in (
        "program",
        "not one of ccm, pcm",
        "started_at",
        "not a timestamp",
        "voided",
        "required and empty",
        "wrong number of columns",
    ):
        assert told in ran.out
    assert "32, 33, 34" in ran.out and ", ..." in ran.out and "ignored: mood" in ran.out and "America/Chicago" in ran.out
    assert "Zanzibar" not in ran.out + ran.err and "yesterday" not in ran.out + ran.err


def test_several_files_of_every_format_as_json(check, tmp_path):
    text = entries(face_to_face="maybe")
    (tmp_path / "time_entries.csv.gz").write_bytes(gzip.compress(text.encode()))
    good = {name: [value] for name, value in row("stays").items()}
    pq.write_table(pa.table(good), tmp_path / "stays.parquet")
    (tmp_path / "patients.csv").write_bytes(b"")
    ran = check("--json", *(str(tmp_path / name) for name in ("time_entries.csv.gz", "stays.parquet", "patients.csv")))
    found = json.loads(ran.out)
    assert ran.code == 1 and found["time_zone"] == "UTC"
    zipped, stays, patients = found["files"]
    assert (zipped["rows_received"], zipped["rows_accepted"], zipped["rows_quarantined"]) == (30, 29, 1)
    assert [(f["column"], f["rows"], f["first_lines"]) for f in zipped["faults"]] == [("face_to_face", 1, [2])]
    assert stays["is_clean"] and stays["contract"] == "stays" and stays["rows_accepted"] == 1
    assert patients["outcome"] == "rejected" and patients["faults"][0]["first_lines"] == [0]


def test_what_cannot_be_judged_is_an_error_that_says_what_to_do(check, tmp_path):
    (tmp_path / "export.csv").write_text(entries())
    for arguments, told in (
        ([str(tmp_path / "export.csv")], "its name says no contract"),
        ([str(tmp_path / "export.csv"), "--contract", "recipes"], "one of appointments, assessments"),
        ([str(tmp_path / "stays.csv")], "no such file"),
        ([str(tmp_path / "stays.xlsx")], "ends in .csv"),
        ([str(tmp_path / "export.csv"), "--contract", "stays", "--time-zone", "Mars/Base"], "no IANA time zone"),
    ):
        ran = check(*arguments)
        assert ran.code == 1 and told in ran.err, arguments


def test_words_of_a_header_cannot_move_the_terminals_cursor(check, tmp_path):
    names = [*row("stays"), "\x1b[2Jmood", "[red]colour"]
    (tmp_path / "stays.csv").write_text(",".join(names) + "\n" + ",".join([*row("stays").values(), "1", "2"]) + "\n")
    ran = check(os.fspath(tmp_path / "stays.csv"))
    assert ran.code == 0 and "\x1b" not in ran.out and "?[2Jmood, [red]colour" in ran.out
    assert GOOD["date"] not in ran.out


@pytest.mark.parametrize("header", ["care_plan_id,established_on", "care_plan_id,patient_id,established_on\x0bc1,Smith,2026-01-05"])
def test_a_file_that_its_header_rejects_says_why_also_where_it_has_no_row(check, tmp_path, header):
    path = tmp_path / "care_plans.csv"
    path.write_text(f"{header}\n")
    said = check(str(path))
    (verdict,) = json.loads(check(str(path), "--json").out)["files"]
    assert said.code == 1 and "Smith" not in said.out + str(verdict)
    assert [(fault["rows"], fault["first_lines"]) for fault in verdict["faults"]] == [(0, [0])]
    what, _, mending = verdict["faults"][0]["reason"].partition("; ")
    assert "the file" in said.out and what in said.out and mending in said.out
