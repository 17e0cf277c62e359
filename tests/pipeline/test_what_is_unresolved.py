"""When overlapping and runaway time is told to stand against a claim: the model alone, over its tables as a few rows."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from orchestration.transform import compiled
from tests.answers.office import load_rules

TABLES = """
    create table staging.stg_practices as select 'p' as practice_id, date '2026-11-04' as newest_night, 20 as close_final_day;
    create table intermediate.int_patient_months__basis as select 'p' as practice_id, 'x' as patient_id, date '2026-10-01' as month,
        date '2026-10-31' as month_end, true as has_initiating_visit, 'k' as consent_id, true as is_consent_documented, true as is_consent_in_force,
        true as has_care_plan, true as has_practitioner, true as may_bill, true as has_valid_npi, 0 as other_primary_days;
    create table intermediate.int_claims__current (practice_id varchar, patient_id varchar, month date, status varchar);
    create table intermediate.int_service_findings (practice_id varchar, patient_id varchar, month date, finding varchar, kind varchar);
    create table intermediate.int_eligibility (practice_id varchar, patient_id varchar, month date, is_eligible boolean, reason varchar);
    create table intermediate.int_patient_months__minutes (scenario varchar, practice_id varchar, patient_id varchar, month date);
    create table intermediate.int_tracks__chosen (
        scenario varchar, practice_id varchar, patient_id varchar, month date, place integer, allowed_amount decimal(18, 2),
        codes struct(code varchar, units bigint)[], service_date date
    );
"""
Codes = list[tuple[str, int]]
NONE, ONE, TWO = [], [("99490", 1)], [("99490", 1), ("99439", 1)]


@pytest.mark.parametrize(
    ("actual", "documented", "resolved", "told"),
    [
        (NONE, ONE, ONE, ["undocumented_time"]),
        (ONE, TWO, TWO, ["undocumented_time"]),
        (NONE, ONE, TWO, ["undocumented_time", "unresolved_time"]),
        (ONE, None, TWO, ["unresolved_time"]),
        (NONE, NONE, ONE, ["unresolved_time"]),
        (ONE, ONE, TWO, ["unresolved_time"]),
        (ONE, ONE, ONE, []),
        (NONE, NONE, NONE, []),
    ],
    ids=str,
)
def test_time_is_unresolved_only_where_it_brings_more_than_the_undocumented_time_alone(
    tmp_path: Path, actual: Codes, documented: Codes | None, resolved: Codes, told: list[str]
) -> None:
    with duckdb.connect() as con:
        compiled.prepare(con)
        con.execute(TABLES)
        load_rules(con, "rule_decision_reasons rule_limits")
        for scenario, codes in (("actual", actual), ("documented", documented), ("resolved", resolved)):
            if codes is not None:
                con.execute(
                    "insert into intermediate.int_patient_months__minutes values (?, 'p', 'x', date '2026-10-01')", [scenario]
                )
            if codes:
                con.execute(
                    "insert into intermediate.int_tracks__chosen values (?, 'p', 'x', date '2026-10-01', 1, 66.13, ?, date '2026-10-31')",
                    [scenario, [{"code": code, "units": units} for code, units in codes]],
                )
        models = compiled.models()
        compiled.run(con, tmp_path, [models["int_scenario_changes"], models["int_decision_findings"]])
        found = con.execute(
            "select reason from intermediate.int_decision_findings where decision = 'held' order by precedence"
        ).fetchall()
    assert [reason for (reason,) in found] == told
