"""A decision goes by the rules of the month's last day; what explains it goes by the same row, whatever held on the service date or on the first. An entry
is judged as a whole by the limit of the day on which it began."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from orchestration.answer.explain.source import Source
from orchestration.answer.explain.story import _candidates
from orchestration.dashboard.queries import FIRST_UNIT
from orchestration.house import House
from orchestration.transform import compiled

JANUARY = date(2027, 1, 1)


@pytest.mark.parametrize(("service_date", "new_from"), [("2027-01-05", "2027-01-15"), ("2027-01-31", "2027-01-01")])
def test_a_story_names_the_cap_by_which_the_units_were_decided(service_date, new_from):
    con = duckdb.connect()
    con.execute(
        f"""
        create table rule_track_choice as select 'documented' as track_policy, 'ccm' as program, 'ccm' as track, 2 as choice_group,
            'national' as amount_basis, 2 as tie_rank, date '0001-01-01' as effective_from, null::date as effective_to, 'A6' as citation;
        create table fee_schedule_prices (practice_id text, procedure_code text, service_date date, payment_share decimal(3, 2));
        create table rule_caps as select * from (values
            ('99439', 2, date '2019-01-01', date '{new_from}' - 1, 'old'), ('99439', 3, date '{new_from}', null, 'new')
        ) as caps (procedure_code, max_units, effective_from, effective_to, citation);
        """
    )
    code = {
        "track": "ccm", "place": 1, "minutes": 95, "service_date": service_date, "procedure_code": "99439", "units": 3, "is_capped": True,
        "unit_amount": None, "allowed_amount": None, "national_amount": None,
    }  # fmt: skip
    source = Source(House(Path("/nowhere")), con, {"track_policy": "documented"}, "marts.duckdb")
    evidence = {"program": "ccm", "payment_share": Decimal("1.00"), "candidates": json.dumps([code])}
    ((told,),) = (track["codes"] for track in _candidates(source, "p", evidence, {"month": JANUARY, "track": "ccm"}))
    assert (told["cap"], told["citation"]) == (3, "new")


@pytest.mark.parametrize(("month", "newest_night"), [(JANUARY, "2027-03-02"), (None, "2027-01-14")])
def test_the_dashboard_draws_the_line_where_the_months_last_day_has_it(month, newest_night):
    con = duckdb.connect()
    con.execute(
        f"""
        create table practice_nights as select date '{newest_night}' as newest_night;
        create table rule_programs as select 'ccm' as program, 'ccm' as staff_track, date '0001-01-01' as effective_from, null::date as effective_to;
        create table rule_bands as select 'ccm' as program, * from (values
            ('ccm', '99490', true, 20, date '2015-01-01', date '2027-01-14'), ('ccm', '99490', true, 15, date '2027-01-15', null)
        ) as bands (track, procedure_code, is_base, first_unit_minutes, effective_from, effective_to);
        """
    )
    assert con.execute(FIRST_UNIT.sql, {"month": month}).fetchall() == [(15,)]


@pytest.mark.parametrize(
    ("limits", "survives"),
    [((180, 120), True), ((120, 180), False)],
    ids=["lower from midnight on", "higher from midnight on"],
)
def test_a_timer_over_the_midnight_on_which_the_limit_changes_runs_away_whole_or_not_at_all(limits, survives):
    con = duckdb.connect()
    compiled.prepare(con)
    con.execute(
        """
        create table rules.rule_limits as select 'runaway_timer' as limit_name, * from (values
            (?, date '0001-01-01', date '2026-12-31'), (?, date '2027-01-01', null)
        ) as limits (amount, effective_from, effective_to);
        """,
        limits,
    )
    # 150 minutes over midnight in Chicago, and twenty with another patient before it and after it.
    con.execute(
        """
        create table staging.stg_practices as select 'p' as practice_id, 'America/Chicago' as time_zone;
        create table staging.stg_time_entries as
            select 'p' as practice_id, entry_id, 'f' as file_id, row_number() over () as line_number, patient_id, 'rn' as member_id, 'ccm' as program,
                'call' as activity, false as face_to_face, false as voided, true as is_documented, true as has_clock_times,
                date_diff('second', start_at, end_at) as elapsed_seconds, 1 as note_number, local_day, last_local_day, start_at, end_at,
                true as is_current, local_day < last_local_day as is_cut
            from (values
                ('over', 'x', date '2026-12-31', date '2027-01-01', timestamp '2027-01-01 05:00', timestamp '2027-01-01 07:30'),
                ('before', 'y', date '2026-12-31', date '2026-12-31', timestamp '2027-01-01 05:20', timestamp '2027-01-01 05:40'),
                ('after', 'y', date '2027-01-01', date '2027-01-01', timestamp '2027-01-01 06:20', timestamp '2027-01-01 06:40')
            ) as entries (entry_id, patient_id, local_day, last_local_day, start_at, end_at);
        create table intermediate.int_time_entries__doubled (file_id varchar, line_number bigint);
        """
    )
    for model in ("int_time_entries__cut", "int_staff_overlaps"):
        compiled.run(con, Path("/"), [compiled.models()[model]])
    days = con.execute("select local_day from intermediate.int_staff_overlaps order by local_day").fetchall()
    assert days == ([(date(2026, 12, 31),), (JANUARY,)] if survives else [])
