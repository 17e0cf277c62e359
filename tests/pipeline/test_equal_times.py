"""Time that begins and ends alike counts once and is nobody's overlap, however many rows there are and in whatever order they lie."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from orchestration.transform import compiled
from tests.answers.office import load_rules

PAIRS = 360  # of a few DuckDB sorts none otherwise twice


@pytest.fixture
def con() -> duckdb.DuckDBPyConnection:
    con = duckdb.connect()
    compiled.prepare(con)
    return con


def built(con: duckdb.DuckDBPyConnection, name: str) -> None:
    compiled.run(con, Path("/"), [compiled.models()[name]])


def test_of_two_members_who_worked_for_a_patient_at_one_time_one_is_credited_and_the_other_concurrent(con):
    con.execute(f"""
        create table staging.stg_time_entries as
            select 'f' as file_id, line as line_number, 'e' || line as entry_id, timestamp '2026-09-01 15:00' + to_days(line // 120) as start_at
            from range({2 * PAIRS}) as lines (line);
        create table intermediate.int_time_segments as
            select
                file_id, line_number, (line_number // 2) % 60 as patient_number, line_number % 2 as member_number, date '2026-09-01' as month,
                cast(start_at as date) as local_day, start_at, start_at + interval 26 minutes as end_at, 1560 as seconds, true as is_beside
            from staging.stg_time_entries;
    """)
    built(con, "int_time_slices")
    found = con.execute("""
        select count(*), count(distinct (patient_number, local_day)), min(entries), max(entries) from (
            select patient_number, local_day, disposition, count(*) as entries, sum(seconds) as seconds
            from intermediate.int_time_slices group by all having sum(seconds) = 1560
        )
    """).fetchone()
    assert found == (2 * PAIRS, PAIRS, 1, 1)


def test_a_members_time_with_one_patient_that_ends_at_one_moment_is_no_overlap(con):
    load_rules(con, "rule_limits")
    con.execute(f"""
        create table staging.stg_time_entries as
            select
                'p' as practice_id, 'e' || line as entry_id, 'f' as file_id, line as line_number, 'patient' || line // 2 as patient_id,
                'member' || line // 2 as member_id, 'ccm' as program, 'call' as activity, false as face_to_face, false as voided,
                true as is_documented, true as has_clock_times, 660 as elapsed_seconds, 1 as note_number, date '2026-09-02' as local_day,
                timestamp '2026-09-02 05:00' as start_at, timestamp '2026-09-02 05:11' as end_at, true as is_current, false as is_cut
            from range({2 * PAIRS}) as lines (line);
        create table intermediate.int_time_entries__cut as
            select *, 660 as seconds, start_at as entry_start_at, local_day as entry_day from staging.stg_time_entries where false;
        create table intermediate.int_time_entries__doubled (file_id varchar, line_number bigint);
    """)
    built(con, "int_staff_overlaps")
    assert con.execute("select count(*) from intermediate.int_staff_overlaps").fetchone() == (0,)
