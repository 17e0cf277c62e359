"""`make spark`: the demo's last month on DuckDB and on Apache Spark, from the same lake: every mart row for row, and a close byte for byte."""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
import sys
import time
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest

from orchestration.house import House
from orchestration.transform.spark import session
from orchestration.transform.spark.dialect import translated
from tests.answers.coverage import Answer, Member
from tests.engines.same import differences, plain, tables
from tests.faults.harness import closable, content
from tests.pipeline.homes import copy, installed_ccm
from tests.pipeline.planted import plant_bad_claims
from tests.properties.strategies import write_home

EVERYTHING = ("staging", "intermediate", "marts")


@pytest.fixture
def on_spark(monkeypatch):
    """ccm with CCM_ENGINE=spark."""

    def run(*arguments: str, home: Path):
        with monkeypatch.context() as patch:
            patch.setenv("CCM_ENGINE", "spark")
            began = time.monotonic()
            ran = installed_ccm(*arguments, home=home)
            print(f"ccm {arguments[0]} on Spark: {time.monotonic() - began:.0f} s")
            return ran

    return run


def eventful(home: Path) -> Path:
    """A demo home with what it lacks, to be taken in with its last night: calls, an answer about coverage, a row that nobody could read, a planted claim."""
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as con:
        practice, night = con.execute(
            "select practice_id, newest_night from staging.stg_practices where practice_id = 'hudson'"
        ).fetchall()[0]
        spoken_with = con.execute(
            "select patient_id, member_id, start_at from marts.time_entry_facts where practice_id = ? and start_at is not null order by start_at desc limit 40",
            [practice],
        ).fetchall()
        subscriber = con.execute(
            "select member_id from intermediate.int_coverages__current where practice_id = ? and coverage_type = 'medicare_part_b' order by 1 limit 1",
            [practice],
        ).fetchall()[0][0]
        npi, submitter = con.execute(
            "select npi, submitter_id from staging.stg_practices where practice_id = ?", [practice]
        ).fetchall()[0]
    advantage = ("EB*1**30*HN|DTP*291*D8*20261001|LS*2120|NM1*PRP*2*PLAN|LE*2120",)
    answer = Answer(members=(Member(mbi=subscriber, benefits=(*Member().benefits, *advantage)),), npi=npi, submitter=submitter)
    (home / "inbox" / "coverage.271").write_text(answer.text(is_judged=False))
    assert installed_ccm("respond", home=home).code == 0
    last = max((home / "landing" / practice).iterdir())
    assert date.fromisoformat(last.name) > night
    with (last / "calls.csv").open("w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["call_id", "patient_id", "member_id", "started_at", "duration_seconds"])
        for number, (patient, member, start) in enumerate(spoken_with):
            # Every other call on a day of its own, late in the evening: there is no entry of that.
            at = start + timedelta(days=number % 2, hours=12 * (number % 3))
            writer.writerow([f"C{number}", patient, member, at.strftime("%Y-%m-%dT%H:%M:%SZ"), 60 * (number % 20)])
    consents = last / "consents.csv"
    lines = consents.read_text().splitlines()
    broken = re.sub(r",\d{4}-\d\d-\d\d,", ",the day before,", lines[1], count=1)
    assert broken != lines[1]
    consents.write_text("\n".join([lines[0], broken, *lines[2:]]) + "\n")
    plant_bad_claims(
        next(path for path in sorted((home / "closes" / practice).glob("*/v1")) if "99439" in (path / "claims.csv").read_text())
    )
    return home


def test_the_demos_last_month_gives_the_same_tables_on_both_engines(demo, on_spark, tmp_path):
    duck = eventful(copy(demo[0], tmp_path / "duck"))
    spark = copy(duck, tmp_path / "spark")
    began = time.monotonic()
    ran = installed_ccm("nightly", "--full", home=duck)
    print(f"ccm nightly on DuckDB: {time.monotonic() - began:.0f} s")
    assert ran.code == 0, ran.err
    ran = on_spark("nightly", "--full", home=spark)
    assert ran.code == 0, ran.err

    expected, found = duck / "warehouse.duckdb", spark / "warehouse.duckdb"
    marts = tables(expected, ("marts",))
    assert len(marts) >= 39
    with duckdb.connect(str(expected), read_only=True) as con:
        rows = {name: con.execute(f'select count(*) from {schema}."{name}"').fetchall()[0][0] for schema, name in sorted(marts)}
    assert {name for name, count in rows.items() if not count} == set(), "a mart without a row compares nothing"
    assert differences(expected, found, ("marts",)) == []
    # What the close reads, and all on the way to it.
    assert differences(expected, found, EVERYTHING) == []
    print(f"{len(marts)} marts with {sum(rows.values())} rows are the same, and {len(tables(expected, EVERYTHING))} tables in all")

    # The text of JSON is DuckDB's in the warehouse; what Spark made says the same.
    with duckdb.connect() as con:
        con.execute(f"attach '{expected}' as duck (read_only)")
        for name, column in (("patient_month_decisions", "alternatives"), ("patient_month_evidence", "candidates")):
            key = f"practice_id, patient_id, month, cast({column} as varchar)"
            files = session.tables(House(spark)) / "marts.db" / name / "*.parquet"
            theirs = {row[:3]: plain(row[3], "JSON") for row in con.execute(f"select {key} from duck.marts.{name}").fetchall()}
            assert theirs == {
                row[:3]: plain(row[3], "JSON") for row in con.execute(f"select {key} from read_parquet('{files}')").fetchall()
            }

    # As private as the rest of the home, and nothing of the way is left.
    made = session.folder(House(spark))
    assert not [path for path in [made, *made.rglob("*")] if path.stat().st_mode & 0o077]
    assert sorted(path.name for path in made.iterdir()) == ["tables"]
    # Spark tells its plans and values to nobody.
    assert "== SQL ==" not in ran.err and " WARN " not in ran.err
    told = "".join(path.read_text(errors="replace") for path in (spark / ".state" / "dbt-spark").rglob("*.log"))
    with duckdb.connect(str(expected), read_only=True) as con:
        surnames = [
            row[0]
            for row in con.execute(
                "select distinct last_name from intermediate.int_patients__current where length(last_name) > 5"
            ).fetchall()
        ]
    assert surnames and not [name for name in surnames if name in told]


def test_a_close_of_what_spark_built_is_the_same_claims_byte_for_byte(on_spark, tmp_path):
    duck = tmp_path / "duck"
    write_home(duck, seed=9, practices=2, defects=False)
    spark = copy(duck, tmp_path / "spark")
    assert installed_ccm("nightly", home=duck).code == 0
    ran = on_spark("nightly", home=spark)
    assert ran.code == 0, ran.err
    assert differences(duck / "warehouse.duckdb", spark / "warehouse.duckdb", EVERYTHING) == []
    close = ("close", "--month", closable(duck), "--approved-by", "Ann Lee")
    assert installed_ccm(*close, home=duck).code in (0, 3)
    assert on_spark(*close, home=spark).code in (0, 3)
    expected, found = content(duck), content(spark)
    assert any(name.endswith("claims.837") for name in expected)
    alike = [
        name for name in expected if not name.startswith(("lake/", ".state", "landing")) and not name.endswith("approval.json")
    ]
    assert {name: expected[name] for name in alike} == {name: found.get(name) for name in alike}
    # A night on DuckDB over tables that Spark made recomputes everything, and finds the same.
    before = Path(shutil.copy(spark / "warehouse.duckdb", tmp_path / "before.duckdb"))
    assert installed_ccm("nightly", "--full", home=spark).code == 0
    assert differences(before, spark / "warehouse.duckdb", EVERYTHING) == []


def test_a_failed_statement_is_told_without_the_row_that_it_failed_on(tmp_path):
    """In a process of its own: a JVM's session is one for all of its life."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.engines.spark_session", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert "CAST_INVALID_INPUT" in found["told"] and "Zebra" not in found["told"] + done.stderr
    assert "UNRESOLVED_COLUMN" in found["unknown"] and "no_such" in found["unknown"]
    # The same expressions over the same grid of values, on both engines.
    assert found["expressions"] > 20 and found["different"] == []


def test_translation_is_what_the_session_runs():
    # Guards the import that the process above lives by.
    assert "SIZE" in translated("select len(x) from t")
