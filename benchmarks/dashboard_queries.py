"""Times every query of the dashboard on a synthetic marts.duckdb: `make bench-dashboard` (or python -m benchmarks.dashboard_queries PATIENTS MONTHS).

The file has the columns of the mart contracts, filled by SQL: 100 practices of equal size, about as many items, claims and odd rows per patient as
the demo has; a mart that a query names and nobody fills is refused. Prints and keeps the median of several runs of each query, for all practices and
for one, and fails above the limit.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

import duckdb

from orchestration.contracts import mart_contracts
from orchestration.dashboard.marts import open_marts
from orchestration.dashboard.queries import QUERIES, REQUIRED
from orchestration.house import DBT_PROJECT, House

PRACTICES, RUNS, LIMIT_MS = 100, 5, 200.0
# Run when a button is pressed or once a night, not while someone waits for a page.
NOT_A_PAGE = frozenset({"all_items", "top_items", "practice_item_totals"})
RESULT = Path(__file__).with_name("dashboard_queries.txt")
NEWEST = date(2026, 10, 1)
NEEDED = REQUIRED.union(*(query.needs for query in QUERIES.values()))

BASE = """
create temp table months as
select cast(date '{newest}' - to_months(cast(n as integer)) as date) as month, n as months_back from range({months}) as t (n);
create temp table patients as
select 'practice-' || lpad(cast(n % {practices} as varchar), 3, '0') as practice_id, 'P' || n as patient_id, n,
    'm' || n % {practices} || '-' || (n // {practices}) % 12 as member_id
from range({patients}) as t (n);
-- hash(...) % 1000 is a die that falls the same in every run.
create temp table patient_months as
select practice_id, patient_id, month, n, member_id, months_back, hash(n, months_back) % 1000 as die, hash(months_back, n, 7) % 1000 as second
from patients cross join months order by practice_id, patient_id, month;
create temp table practice_months as select distinct practice_id, month, months_back from patient_months;
create temp table nights as
select practice_id, cast(date '{newest}' + 20 - cast(n as integer) as date) as extract_date, n
from (select distinct practice_id from patients) cross join range({months} * 30) as t (n);
"""
# Each mart as a select of some of its columns; the others are null. What a query groups, filters, joins or sums is filled.
FILLED = {
    "practice_nights": """select distinct practice_id, 'America/New_York' as time_zone, date '2025-01-01' as first_night,
        cast(date '{newest}' + 20 as date) as newest_night, 'rules-synthetic' as rules_version from patients""",
    "enrollment_funnel": """select practice_id, month, stage_number, stage, cast(900 // stage_number as bigint) as patients
        from practice_months cross join rule_funnel_stages""",
    "enrollment_states": "select practice_id, month, state, cast(150 as bigint) as patients from practice_months cross join rule_enrollment_states",
    "enrollment_status": """select practice_id, patient_id, month, case when die < 600 then 'enrolled' else 'not_enrolled' end as state,
        month as state_since, 'active' as stage from patient_months""",
    "enrollment_benchmark": """select practice_id, month, 700 as eligible_patients, 400 as enrolled_patients, 0.04 as national_share, 5 as net_enrolled,
        200 as waiting_patients, 13000 as cost_of_delay_amount from practice_months""",
    "enrollment_projection": """select practice_id, cast(date '{newest}' + to_months(cast(n as integer)) as date) as month, basis, 400 + n as enrolled,
        26000 as monthly_revenue from (select distinct practice_id from patients) cross join range(1, 25) as t (n)
        cross join (select unnest(['history', 'pace']) as basis)""",
    "revenue_table": """select practice_id, size as patients, 66.13 as base_code_amount, size * 66.13 as monthly_revenue, size * 793.56 as yearly_revenue
        from (select distinct practice_id from patients) cross join (select unnest([50, 100, 200]) as size)""",
    "revenue_gap": "select practice_id, month, cause, 70 as patients, 4629.10 as dollars from practice_months cross join rule_gap_causes",
    "revenue_waterfall": """select practice_id, month, step_number, step, 500 as patients, 30000 as dollars
        from practice_months cross join rule_waterfall_steps""",
    "stage_durations": """select practice_id, stage_number, stage, 300 as patients, 0.8 as share_of_previous, 12.0 as median_days
        from (select distinct practice_id from patients) cross join rule_funnel_stages where stage_number between 4 and 9""",
    "patient_month_minutes": """select practice_id, patient_id, month, case when die < 550 then second * 4 else 0 end as logged_seconds,
        case when die < 500 then second * 4 else 0 end as credited_seconds, case when die < 500 then second * 4 else 0 end as staff_seconds,
        0 as practitioner_seconds, case when die < 500 then second * 4 // 60 else 0 end as credited_minutes from patient_months""",
    "patient_month_evidence": "select practice_id, patient_id, month, 'ccm' as program from patient_months",
    "patient_month_decisions": """select practice_id, patient_id, month,
        case when die >= 350 then 'not_claimable' when months_back = 0 or die < 30 then 'held' when months_back = 1 then 'claimable' else 'claimed' end
            as decision,
        case when die >= 700 then 'no_consent' when die >= 350 then 'below_threshold' when months_back = 0 then 'month_open'
            when die < 30 then 'undocumented_time' else 'ok' end as reason,
        [] as flags, '[]' as alternatives, case when die < 350 then 66.13 else 0 end as allowed_amount, 'rules-synthetic' as rules_version
        from patient_months""",
    "undocumented_time": """select practice_id, 'missing_note:' || patient_id || ':' || months_back as item_id, month, patient_id, member_id,
        case die % 3 when 0 then 'missing_note' when 1 then 'open_timer' else 'visit_without_time' end as kind, 9 as minutes,
        21.50 as dollars_at_stake,
        month + cast(second % 28 as integer) as found_on, month + 32 as due_on from patient_months where die < 60""",
    "undocumented_trend": """select practice_id, month, 'practice' as scope, '' as member_id, 40000 as credited_minutes, 1500 as undocumented_minutes,
        90 as items, 0.036 as undocumented_share from practice_months
        union all by name
        select practice_id, month, 'member' as scope, member_id, sum(second) as credited_minutes, sum(die) // 30 as undocumented_minutes, 9 as items,
        0.04 as undocumented_share from patient_months group by practice_id, month, member_id""",
    "worklist": """select practice_id, kinds.kind || ':' || patient_id || ':' || months_back as item_id, month, patient_id,
        case when die % 5 > 0 then member_id end as member_id, kinds.kind, 'Write the note for the 9 min logged on 2026-10-14.' as detail, 9 as minutes,
        (die % 90) + 0.57 as dollars_at_stake, month + 32 as due_on, month + 395 as last_day, md5(patient_id) as fact_fingerprint,
        case when die % 40 = 0 then date '2026-12-01' end as dismissed_until
        from patient_months inner join rule_worklist_kinds as kinds on die % 16 + 1 = kinds.precedence where die < 800 and months_back = 0 or die < 60""",
    "close_calendar": """select practice_id, month, case months_back when 0 then 'open' when 1 then 'due' else 'closed' end as state,
        case when months_back > 1 then 1 end as close_version, month + 34 as first_close_on, month + 51 as final_close_on, date '{newest}' + 20 as newest_night,
        300 as claimable, 20000 as claimable_amount, 20 as held, 1400 as held_amount, 300 as claims, 20000 as claimed_amount from practice_months""",
    "claims": """select practice_id, patient_id, month, 'CCM' || n || '-' || months_back as claim_id, 1 as close_version,
        case when die < 30 then 'denied' when die < 40 then 'rejected' when months_back = 2 then 'submitted' else 'paid' end as status, 110 as billed_amount,
        case when die < 40 then 0 else 52.00 end as paid_amount, case when die < 30 then ['CO-' || die] else [] end as denial_codes,
        case when die between 30 and 39 then ['A7:562'] else [] end as rejection_codes
        from patient_months where die < 350 and months_back > 1""",
    "post_close_changes": """select practice_id, patient_id, month, 'CCM' || n || '-' || months_back as claim_id, 66.13 as claimed_amount, 113.98 as amount_now,
        case die % 2 when 0 then 'reopen' else 'refund' end as kind, month + 50 as found_on, month + 110 as due_on
        from patient_months where die < 10 and months_back > 1""",
    "claim_line_payments": """select practice_id, 'CCM' || n || '-' || months_back as claim_id, 'L' || n || '-' || months_back as line_id, patient_id, month,
        '99490' as procedure_code, 1 as units, case when die < 30 then 'denied' when months_back = 2 then 'open' else 'paid' end as status,
        110 as charge_amount, 66.13 as allowed_amount, 51.85 as expected_payment, 52.00 as paid_amount, 13.00 as patient_amount, 0 as denied_amount,
        case when die < 60 then -12.00 else 0 end as difference_amount from patient_months where die < 350 and months_back > 1""",
    "claim_denials": """select practice_id, 'CCM' || n || '-' || months_back as claim_id, 'L' || n || '-' || months_back as line_id,
        'CO-' || die as denial_code, patient_id, month, [] as remark_codes, false as is_rejection, 'a cause' as likely_cause,
        'a fix' as fix, true as is_appealable, 110 as amount
        from patient_months where die < 30 and months_back > 1""",
    "claim_aging": """select practice_id, 'CCM' || n as claim_id, patient_id, month, 'submitted' as status, die % 90 as days_waiting,
        case when die % 90 < 14 then 'within_floor' else 'due' end as bucket, 110 as billed_amount, 51.85 as expected_payment
        from patient_months where die < 350 and months_back = 2""",
    "remittances": """select practice_id, 'R' || practice_id || '-' || n as remittance_id, extract_date as payment_on, 'MEDICARE' as payer,
        'C' || n as check_number,
        case when n % 30 = 0 then 'waiting' else 'posted' end as status, 5000 as total_amount, 4900 as posted_amount, 100 as unmatched_amount,
        0 as provider_adjustment_amount, 0 as held_amount from nights where n % 5 = 0""",
    "answer_files": """select case when n % 50 > 0 then practice_id end as practice_id, row_number() over (order by n, practice_id) as file_id,
        md5(practice_id || n) as sha256,
        case when n % 100 = 0 then 'held' when n % 150 = 5 then 'quarantined' else 'posted' end as outcome,
        case when n % 100 = 0 then 'the payment does not add up' end as reason, ['835'] as kinds, 1 as transactions,
        case when n % 100 = 0 then 1 else 0 end as transactions_held, case when n % 150 = 5 then 1 else 0 end as transactions_quarantined,
        0 as envelope_faults, case when n % 100 = 0 then 5000 else 0 end as held_amount from nights where n % 5 = 0""",
    "close_holds": """select practice_id, 'drift:' || practice_id || ':' || n || ':' || t as hold_id,
        case t when 0 then 'drift' else 'rejected_file' end as kind, 'practice' as holds_what,
        'table_' || t as table_name, extract_date, case t when 0 then 'rows' else '' end as measure,
        'far fewer rows than usual' as explanation, n % 60 > 0 as is_accepted from nights cross join range(2) as t (t) where n % 20 = 0
        union all by name
        select practice_id, 'quarantined_row:' || practice_id || ':' || n || ':' || t as hold_id, 'quarantined_row' as kind, 'claim' as holds_what,
        'table_3' as table_name, extract_date, '' as measure, 'a row that was not accepted' as explanation, false as is_accepted
        from nights cross join range(10) as t (t) where n % 20 = 0""",
    "extract_drift": """select practice_id, extract_date, 'table_' || t as table_name,
        case t when 0 then 'rejected_file' when 1 then 'rows' else 'new_column' end as measure,
        case when t > 1 then 'column_' || t end as column_name, t = 1 as is_harmful, 'far fewer rows than usual' as explanation
        from nights cross join range(4) as t (t) where hash(n, t) % 10 = 0""",
    "row_accounting": """select practice_id, extract_date, 'table_' || t as table_name, 1000 as rows_received, 999 as rows_accepted, 1 as rows_quarantined,
        0 as rows_superseded, 0 as rows_filtered from nights cross join range(12) as t (t)""",
    "landed_files": """select practice_id, n * 100 + t as file_id, extract_date, 'table_' || t as table_name, 1 as version, 'landed' as landed_path,
        case when hash(n, t) % 500 = 0 then 'rejected' else 'accepted' end as outcome, true as is_in_force from nights cross join range(12) as t (t)""",
    "quarantine": """select practice_id, extract_date, 'table_' || t as table_name, 7 as line_number, 'status' as column_name,
        'not one of scheduled, completed; correct the row and land the file again' as reason from nights cross join range(12) as t (t)""",
}


def make_marts(target: Path, patients: int, months: int) -> int:
    """Writes the synthetic file; returns the number of patient-months."""
    contracts = mart_contracts()
    values = {"newest": NEWEST, "months": months, "practices": PRACTICES, "patients": patients}
    with duckdb.connect(str(target)) as con:
        con.execute(BASE.format(**values))
        for seed in sorted((DBT_PROJECT / "seeds").rglob("rule_*.csv")):
            columns = seed.read_text(encoding="utf-8").split("\n")[0].split(",")
            dates = ", ".join(f"'{name}': 'DATE'" for name in columns if name.startswith("effective_"))
            types = f", types = {{{dates}}}" if dates else ""
            con.execute(f"create table \"{seed.stem}\" as from read_csv('{seed}', header = true{types})")
        for mart, select in FILLED.items():
            columns = ", ".join(f'"{column.name}" {column.type}' for column in contracts[mart].columns)
            con.execute(f'create table "{mart}" ({columns})')
            con.execute(f'insert into "{mart}" by name {select.format(**values)}')
        if missing := NEEDED - {row[0] for row in con.execute("select table_name from duckdb_tables()").fetchall()}:
            raise SystemExit(f"benchmarks/dashboard_queries.py: fill {', '.join(sorted(missing))} too")
        return int(con.execute("select count(*) from patient_months").fetchall()[0][0])


def main(patients: int, months: int) -> int:
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        house = House(Path(folder))
        patient_months = make_marts(house.marts, patients, months)
        lines.append(f"{patients:,} patients in {PRACTICES} practices, {months} months: {patient_months:,} patient-months")
        lines.append(f"median of {RUNS} runs in ms, DuckDB {duckdb.__version__}; the limit of a page's query is {LIMIT_MS:.0f}")
        lines.append(f"{'query':24}{'all practices':>16}{'all, one month':>16}{'one practice':>16}")
        too_slow = []
        for query in QUERIES.values():
            cells = []
            for asked in ({}, {"month": NEWEST}, {"practice": "practice-007", "month": NEWEST}):
                seen: list[float] = []
                for _ in range(0 if query.of_one_month and "month" not in asked else RUNS):
                    # As a page does it: the file is opened for the run.
                    with open_marts(house) as marts:
                        started = time.perf_counter()
                        marts.frame(query, put_off=False, **asked)
                        seen.append((time.perf_counter() - started) * 1000)
                cells.append(statistics.median(seen) if seen else 0.0)
            note = "  (not while a page waits)" if query.name in NOT_A_PAGE else ""
            lines.append(f"{query.name:24}" + "".join(f"{cell:16.1f}" for cell in cells) + note)
            if not note and max(cells) > LIMIT_MS:
                too_slow.append(query.name)
        lines.append(f"above the limit: {', '.join(too_slow) or 'none'}")
    text = "\n".join(lines) + "\n"
    print(text, end="")
    RESULT.write_text(text, encoding="utf-8")
    return 1 if too_slow else 0


if __name__ == "__main__":
    sys.exit(main(*(int(argument) for argument in sys.argv[1:3])) if len(sys.argv) > 2 else main(100_000, 12))
