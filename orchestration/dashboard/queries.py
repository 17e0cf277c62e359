"""Every query of the dashboard and of the one-file reports, on marts.duckdb alone.

Named parameters, all of them optional (null: no filter): `practice` (practice_id), `month` (first day). Work list queries have more.
Money comes as dollars, minutes are floored. Timed at 100,000 patients by benchmarks/dashboard_queries.py.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from orchestration.macros import project_macros
from orchestration.mapping.sql import ROWS_OF_A_LINE

LONGEST_TABLE = 200  # rows of a page's table: a longer one is cut, and says so
MOST_ROWS = LONGEST_TABLE + 1  # of a query: one more, by which it is seen to be cut

# Without these a file was published by an older version; each page says so itself where it needs one of OPTIONAL.
REQUIRED = frozenset(
    {
        "claim_denials",
        "claims",
        "close_calendar",
        "close_holds",
        "enrollment_benchmark",
        "enrollment_funnel",
        "enrollment_projection",
        "enrollment_states",
        "enrollment_status",
        "extract_drift",
        "landed_files",
        "patient_month_decisions",
        "patient_month_evidence",
        "patient_month_minutes",
        "post_close_changes",
        "practice_nights",
        "quarantine",
        "revenue_gap",
        "revenue_table",
        "revenue_waterfall",
        "row_accounting",
        "rule_bands",
        "rule_decision_reasons",
        "rule_gap_causes",
        "rule_programs",
        "rule_waterfall_steps",
        "rule_worklist_kinds",
        "stage_durations",
        "undocumented_time",
        "undocumented_trend",
        "worklist",
    }
)


@dataclass(frozen=True)
class Query:
    """One statement, its parameters by name, and the tables that an older file may lack."""

    name: str
    sql: str
    needs: frozenset[str] = frozenset()
    of_one_month: bool = False  # never asked for all months at once
    parameters: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "parameters", tuple(dict.fromkeys(re.findall(r"\$([a-z_]+)", self.sql))))


def _here(alias: str = "", *, month: bool = True) -> str:
    """The two filters that nearly every query has."""
    dot = f"{alias}." if alias else ""
    by_month = f" and ($month::date is null or {dot}month = $month::date)" if month else ""
    return f"($practice::varchar is null or {dot}practice_id = $practice::varchar){by_month}"


def _said(macro: str) -> str:
    """What a macro of the dbt project's programs.sql says."""
    return (
        project_macros()
        .from_string(f"{{%- import 'programs.sql' as programs with context -%}}{{{{ programs.{macro}() }}}}")
        .render()
    )


NIGHTS = Query(
    "nights",
    "select practice_id, time_zone, first_night, newest_night, rules_version from practice_nights order by practice_id",
)
MONTHS = Query("months", f"select distinct month from enrollment_funnel where {_here(month=False)} order by month desc")
HEADLINE = Query(
    "headline",
    f"""
    with funnel as (
        select practice_id, month,
            sum(patients) filter (where stage = 'panel') as panel,
            sum(patients) filter (where stage = 'eligible') as eligible,
            sum(patients) filter (where stage = 'active') as active
        from enrollment_funnel where {_here()} group by all
    ),
    enrolled as (select practice_id, month, sum(patients) as enrolled from enrollment_states where state = 'enrolled' and {_here()} group by all),
    minutes as (select practice_id, month, sum(credited_seconds) // 60 as credited_minutes from patient_month_minutes where {_here()} group by all),
    money as (
        select practice_id, month,
            count(*) filter (where decision = 'claimed') as claimed,
            count(*) filter (where decision = 'held' and reason = 'month_open') as in_progress,
            sum(allowed_amount) filter (where decision = 'held' and reason = 'month_open') as in_progress_amount
        from patient_month_decisions where decision <> 'not_claimable' and {_here()} group by all
    ),
    -- As it went out: what a claimed month is worth by now is a post-close change.
    billed as (select practice_id, month, dollars as claimed_amount from revenue_waterfall where step = 'billed' and {_here()}),
    stake as (
        select practice_id, month, count(*) as undocumented, sum(dollars_at_stake) as at_stake_amount
        from undocumented_time where {_here()} group by all
    )
    select
        funnel.practice_id, funnel.month, nights.newest_night, funnel.panel, funnel.eligible, enrolled.enrolled, funnel.active,
        coalesce(minutes.credited_minutes, 0) as credited_minutes,
        closes.claimable, closes.claimable_amount,
        coalesce(money.claimed, 0) as claimed, coalesce(billed.claimed_amount, 0) as claimed_amount,
        coalesce(money.in_progress, 0) as in_progress, coalesce(money.in_progress_amount, 0) as in_progress_amount,
        closes.held, closes.held_amount,
        coalesce(stake.undocumented, 0) as undocumented, coalesce(stake.at_stake_amount, 0) as at_stake_amount,
        closes.state as close_state, closes.close_version, closes.first_close_on
    from funnel
    inner join practice_nights as nights on funnel.practice_id = nights.practice_id
    left join enrolled on funnel.practice_id = enrolled.practice_id and funnel.month = enrolled.month
    left join minutes on funnel.practice_id = minutes.practice_id and funnel.month = minutes.month
    left join money on funnel.practice_id = money.practice_id and funnel.month = money.month
    left join billed on funnel.practice_id = billed.practice_id and funnel.month = billed.month
    left join stake on funnel.practice_id = stake.practice_id and funnel.month = stake.month
    inner join close_calendar as closes on funnel.practice_id = closes.practice_id and funnel.month = closes.month
    order by funnel.practice_id, funnel.month
    """,
)
DECISIONS = Query(
    "decisions",
    f"""
    select decisions.decision, decisions.reason, reasons.meaning, reasons.remedy, count(*) as patients, sum(decisions.allowed_amount) as dollars
    from patient_month_decisions as decisions
    inner join rule_decision_reasons as reasons on decisions.reason = reasons.reason
    where {_here("decisions")}
    group by all
    order by patients desc, decisions.decision, decisions.reason
    """,
)

# --- enrollment and money
FUNNEL = Query(
    "funnel",
    f"""
    select funnel.practice_id, funnel.month, funnel.stage_number, funnel.stage, stages.meaning, funnel.patients
    from enrollment_funnel as funnel inner join rule_funnel_stages as stages on funnel.stage = stages.stage
    where {_here("funnel")} order by funnel.practice_id, funnel.month, funnel.stage_number
    """,
)
STATES = Query(
    "states",
    f"select state, sum(patients)::bigint as patients from enrollment_states where {_here()} group by all order by patients desc, state",
)
DURATIONS = Query(
    "durations",
    f"""
    select practice_id, stage_number, stage, patients, share_of_previous, median_days from stage_durations
    where {_here(month=False)} order by practice_id, stage_number
    """,
)
BENCHMARK = Query(
    "benchmark",
    f"""
    select practice_id, month, eligible_patients, enrolled_patients, national_share, net_enrolled, waiting_patients, cost_of_delay_amount
    from enrollment_benchmark where {_here(month=False)} order by practice_id, month
    """,
)
# A practice's projection begins behind its own newest month. Of several the months that all have, but for those that ended before the newest began.
PROJECTION = Query(
    "projection",
    f"""
    with here as (from enrollment_projection where {_here(month=False)}),
    spans as (select practice_id, min(month) as first_month, max(month) as last_month from here group by all),
    counted as (from spans where last_month >= (select max(first_month) from spans))
    select month, basis, sum(enrolled)::bigint as enrolled, sum(monthly_revenue) as monthly_revenue
    from here semi join counted on here.practice_id = counted.practice_id
    where month between (select max(first_month) from counted) and (select min(last_month) from counted)
    group by all order by month, basis
    """,
)
REVENUE_TABLE = Query(
    "revenue_table",
    f"""
    select practice_id, patients, base_code_amount, monthly_revenue, yearly_revenue from revenue_table
    where {_here(month=False)} order by practice_id, patients
    """,
)
STEPS = Query(
    "steps",
    f"""
    select steps.practice_id, steps.month, steps.step_number, steps.step, meanings.meaning, steps.patients, steps.dollars
    from revenue_waterfall as steps inner join rule_waterfall_steps as meanings on steps.step = meanings.step
    where {_here("steps")} order by steps.practice_id, steps.month, steps.step_number
    """,
)
GAP = Query(
    "gap",
    f"""
    select gap.practice_id, gap.month, gap.cause, causes.meaning, gap.patients, gap.dollars
    from revenue_gap as gap inner join rule_gap_causes as causes on gap.cause = causes.cause
    where {_here("gap")} order by gap.practice_id, gap.month, causes.precedence
    """,
)

# --- minutes
FIRST_UNIT = Query(
    "first_unit",
    f"""
    select min(first_unit_minutes) as first_unit_minutes
    from ({_said("first_codes")}) as first_codes
    cross join (select last_day(coalesce($month::date, max(newest_night))) as day from practice_nights)
    where program = {_said("chronic_care")} and day between effective_from and effective_to
    """,
)
# The line is that of `ccm`: principal care begins at another, and advanced primary care asks for no minutes.
MINUTES = Query(
    "minutes",
    f"""
    select least(minutes.credited_minutes // 5 * 5, 90) as minutes_from, count(*) as patients,
        count(*) filter (where minutes.logged_seconds > 0) as with_time
    from patient_month_minutes as minutes
    inner join enrollment_status as status using (practice_id, patient_id, month)
    inner join patient_month_evidence as evidence using (practice_id, patient_id, month)
    where
        evidence.program = {_said("chronic_care")} and (status.state = 'enrolled' or minutes.logged_seconds > 0)
        and {_here("minutes")} and {_here("status")} and {_here("evidence")}
    group by all
    order by minutes_from
    """,
    of_one_month=True,
)

# --- undocumented time
UNDOCUMENTED = Query(
    "undocumented",
    f"""
    select
        items.practice_id, items.member_id, items.kind,
        case
            when nights.newest_night - items.found_on <= 7 then '0 to 7 days'
            when nights.newest_night - items.found_on <= 14 then '8 to 14 days'
            when nights.newest_night - items.found_on <= 30 then '15 to 30 days'
            else 'over 30 days'
        end as age,
        count(*) as items, sum(coalesce(items.minutes, 0))::bigint as minutes, sum(items.dollars_at_stake) as dollars, min(items.due_on) as first_due_on
    from undocumented_time as items
    inner join practice_nights as nights on items.practice_id = nights.practice_id
    where {_here("items")}
    group by all
    order by items.practice_id, items.member_id, items.kind, age
    """,
)
TREND = Query(
    "trend",
    f"""
    select month, sum(credited_minutes)::bigint as credited_minutes, sum(undocumented_minutes)::bigint as undocumented_minutes, sum(items)::bigint as items
    from undocumented_trend where scope = 'practice' and {_here(month=False)} group by all order by month
    """,
)
MEMBER_TREND = Query(
    "member_trend",
    f"""
    select practice_id, member_id, month, credited_minutes, undocumented_minutes, items, undocumented_share
    from undocumented_trend where scope = 'member' and {_here()}
    order by undocumented_minutes desc, practice_id, member_id, month limit {MOST_ROWS}
    """,
)

# --- work lists. Further parameters: kind, member ('' is the billing office), due_by (date), put_off (boolean: with what was put off).
_ITEMS = f"""
    from worklist as items
    inner join rule_worklist_kinds as kinds on items.kind = kinds.kind
    inner join practice_nights as nights on items.practice_id = nights.practice_id
    where {_here("items")}
        and ($kind::varchar is null or items.kind = $kind::varchar)
        and ($member::varchar is null or coalesce(items.member_id, '') = $member::varchar)
        and ($due_by::date is null or items.due_on <= $due_by::date)
        and ($put_off::boolean or items.dismissed_until is null)
"""
ITEM_COLUMNS = """
    items.practice_id, items.item_id, items.kind, kinds.kind_group, items.detail, items.patient_id, items.member_id, items.month,
    items.minutes, items.dollars_at_stake, items.due_on, least(items.due_on, items.last_day) - nights.newest_night as days_left, items.last_day,
    items.dismissed_until, items.fact_fingerprint
"""
ITEM_ORDER = "order by abs(items.dollars_at_stake) desc, items.due_on, kinds.precedence, items.practice_id, items.item_id"
# Its page counts them, and says itself that there are more.
ITEMS = Query("items", f"select {ITEM_COLUMNS} {_ITEMS} {ITEM_ORDER} limit {LONGEST_TABLE}")
# For the download: every item that matches. Not timed as a page: it runs when the button is pressed.
ALL_ITEMS = Query("all_items", f"select {ITEM_COLUMNS} {_ITEMS} {ITEM_ORDER}")
ITEM_TOTALS = Query(
    "item_totals",
    f"""
    select kinds.kind_group, items.kind, count(*) as items, sum(items.dollars_at_stake) as dollars
    {_ITEMS} group by kinds.kind_group, items.kind, kinds.precedence order by kinds.precedence
    """,
)
KINDS = Query("kinds", "select kind, kind_group from rule_worklist_kinds order by precedence")
MEMBERS = Query(
    "members", f"select distinct coalesce(member_id, '') as member_id from worklist where {_here(month=False)} order by member_id"
)

# --- closes and claims
# What was claimed is what stands of it, as on the other pages: a claim that was turned back and went out again went out in two versions.
CLOSES = Query(
    "closes",
    f"""
    select calendar.practice_id, calendar.month, calendar.state, calendar.close_version, calendar.first_close_on, calendar.final_close_on,
        calendar.newest_night, calendar.claimable, calendar.claimable_amount, calendar.held, calendar.held_amount,
        billed.patients as claims, billed.dollars as claimed_amount, coalesce(rejected.claims, 0) as rejected
    from close_calendar as calendar
    inner join revenue_waterfall as billed
        on calendar.practice_id = billed.practice_id and calendar.month = billed.month and billed.step = 'billed'
    left join (select practice_id, month, count(*) as claims from claims where status = 'rejected' group by all) as rejected
        on calendar.practice_id = rejected.practice_id and calendar.month = rejected.month
    where {_here("calendar", month=False)} order by calendar.practice_id, calendar.month
    """,
)
# Denied or turned back, or paid but for a line that was denied: whether that took anything away, and can still be asked for, the work list says.
_TO_BE_WORKED = """
    (
        status in ('denied', 'rejected')
        or (status = 'paid' and (practice_id, patient_id, month) in (select (practice_id, patient_id, month) from worklist where kind = 'denied_claim'))
    )
"""
CLAIMS = Query(
    "claims",
    f"""
    select month, status, count(*) as claims, sum(billed_amount) as billed_amount, sum(paid_amount) as paid_amount,
        count(*) filter (where {_TO_BE_WORKED}) as to_be_worked
    from claims where {_here(month=False)} group by all order by month, status
    """,
)
DENIALS = Query(
    "denials",
    f"""
    select denial_code, likely_cause, fix, count(distinct claim_id) as claims, sum(amount) as amount
    from claim_denials where {_here(month=False)}
    group by all order by claims desc, denial_code, likely_cause, fix limit {MOST_ROWS}
    """,
)
DENIED = Query(
    "denied",
    f"""
    select practice_id, month, patient_id, claim_id, status, billed_amount, paid_amount,
        array_to_string(list_concat(denial_codes, rejection_codes), ', ') as codes
    from claims where {_TO_BE_WORKED} and {_here(month=False)} order by billed_amount desc, practice_id, claim_id limit {MOST_ROWS}
    """,
)
CHANGES = Query(
    "changes",
    f"""
    select practice_id, month, patient_id, claim_id, kind, claimed_amount, amount_now, claimed_service_date, service_date_now, found_on, due_on
    from post_close_changes where {_here(month=False)} order by due_on, practice_id, claim_id limit {MOST_ROWS}
    """,
)
PAYMENTS = Query(
    "payments",
    f"""
    select month, procedure_code, sum(units)::bigint as units, sum(expected_payment) as expected_payment, sum(paid_amount) as paid_amount,
        sum(patient_amount) as patient_amount, sum(denied_amount) as denied_amount, sum(difference_amount) as difference_amount
    from claim_line_payments where status in ('paid', 'denied') and {_here(month=False)} group by all order by month, procedure_code
    """,
    frozenset({"claim_line_payments"}),
)
UNDERPAID = Query(
    "underpaid",
    f"""
    select practice_id, month, patient_id, claim_id, line_id, procedure_code, expected_payment, paid_amount, difference_amount
    from claim_line_payments where status = 'paid' and difference_amount < 0 and {_here(month=False)}
    order by difference_amount, practice_id, claim_id, line_id limit {MOST_ROWS}
    """,
    frozenset({"claim_line_payments"}),
)
NOT_POSTED = Query(
    "not_posted",
    f"""
    select practice_id, array_to_string(kinds, ', ') as kinds, outcome, coalesce(reason, first_fault) as reason, held_amount, sha256
    from answer_files
    where (outcome in ('held', 'quarantined') or transactions_held > 0 or transactions_quarantined > 0 or envelope_faults > 0)
        and (practice_id is null or {_here(month=False)})
    order by file_id desc limit {MOST_ROWS}
    """,
    frozenset({"answer_files"}),
)
REMITTANCES = Query(
    "remittances",
    f"""
    select practice_id, payment_on, payer, check_number, status, total_amount, posted_amount, unmatched_amount, provider_adjustment_amount, held_amount
    from remittances where {_here(month=False)} or list_contains(practice_ids, $practice::varchar)
    order by status = 'posted', payment_on desc, check_number limit {MOST_ROWS}
    """,
    frozenset({"remittances"}),
)
AGING = Query(
    "aging",
    f"""
    select bucket, count(*) as claims, min(days_waiting) as days_from, max(days_waiting) as days_to, sum(expected_payment) as expected_payment
    from claim_aging where {_here(month=False)} group by all order by days_from
    """,
    frozenset({"claim_aging"}),
)

# --- what came in
ROWS_BY_NIGHT = Query(
    "rows_by_night",
    f"""
    select extract_date, sum(rows_received)::bigint as rows_received, sum(rows_accepted)::bigint as rows_accepted,
        sum(rows_quarantined)::bigint as rows_quarantined, sum(rows_superseded)::bigint as rows_superseded
    from row_accounting where {_here(month=False)} group by all order by extract_date
    """,
)
ROWS_BY_TABLE = Query(
    "rows_by_table",
    f"""
    select table_name, sum(rows_received)::bigint as rows_received, sum(rows_accepted)::bigint as rows_accepted,
        sum(rows_quarantined)::bigint as rows_quarantined, sum(rows_superseded)::bigint as rows_superseded
    from row_accounting where {_here(month=False)} group by all order by table_name
    """,
)
QUARANTINE = Query(
    "quarantine",
    f"""
    select table_name, column_name, reason, count(*) as rows, count(distinct practice_id) as practices, max(extract_date) as last_night
    from quarantine where line_number > 0 and {_here(month=False)} group by all order by rows desc, table_name, reason limit {MOST_ROWS}
    """,
)
# The newest first, by the file's own line (a mapping makes several rows of one). Rows of a file that failed as a whole stand with the file.
QUARANTINED_ROWS = Query(
    "quarantined_rows",
    f"""
    with failed as (
        select practice_id, extract_date, table_name from landed_files
        where {_here(month=False)} group by all having arg_max(outcome, version) = 'rejected'
    )
    select practice_id, extract_date, table_name, line_number % {ROWS_OF_A_LINE} as line_number, column_name, reason
    from quarantine anti join failed using (practice_id, extract_date, table_name)
    where line_number > 0 and {_here(month=False)}
    order by extract_date desc, practice_id, table_name, line_number, column_name, reason limit {MOST_ROWS}
    """,
)
HOLDS = Query(
    "holds",
    f"""
    select practice_id, extract_date, table_name, kind, coalesce(nullif(measure, ''), kind) as measure, explanation, count(*) as holds,
        bool_and(is_accepted) as is_accepted
    from close_holds where {_here(month=False)} group by all order by is_accepted, extract_date desc, practice_id, table_name, measure limit {MOST_ROWS}
    """,
)
DRIFT = Query(
    "drift",
    f"""
    select extract_date, practice_id, table_name, measure, is_harmful, explanation
    from extract_drift where measure <> 'rejected_file' and {_here(month=False)}
    order by extract_date desc, is_harmful desc, practice_id, table_name, measure, column_name limit {MOST_ROWS}
    """,
)
# Every version counts: a night that was landed again is no longer missing, but it did fail. What still stands rejected is what holds the close: a panel file
# does until a later one takes its place.
FAILED_FILES = Query(
    "failed_files",
    f"""
    with rejected as (
        select practice_id, extract_date, table_name, count(*) as rejected
        from landed_files where outcome = 'rejected' and {_here(month=False)} group by all
    ),
    failed as (
        select rejected.practice_id, rejected.extract_date, rejected.table_name, rejected.rejected, arg_max(files.outcome, files.version) as newest_outcome
        from landed_files as files
        inner join rejected
            on files.practice_id = rejected.practice_id and files.extract_date = rejected.extract_date and files.table_name = rejected.table_name
        group by all
    ),
    standing as (
        select practice_id, extract_date, table_name, bool_and(is_accepted) as is_accepted
        from close_holds where kind = 'rejected_file' and {_here(month=False)} group by all
    ),
    reasons as (
        select lines.practice_id, lines.extract_date, lines.table_name, arg_min(lines.reason, lines.line_number) as reason
        from quarantine as lines
        inner join failed
            on failed.practice_id = lines.practice_id and failed.extract_date = lines.extract_date and failed.table_name = lines.table_name
        group by all
    )
    select failed.practice_id, failed.extract_date, failed.table_name, failed.rejected, count(*) over () as failed_files,
        case
            when failed.newest_outcome = 'accepted' then 'landed_again'
            when standing.practice_id is null then 'replaced'
            when standing.is_accepted then 'accepted'
            else 'stands'
        end as since_then,
        case when failed.newest_outcome = 'rejected' then reasons.reason end as reason
    from failed
    left join reasons
        on failed.practice_id = reasons.practice_id and failed.extract_date = reasons.extract_date and failed.table_name = reasons.table_name
    left join standing
        on failed.practice_id = standing.practice_id and failed.extract_date = standing.extract_date and failed.table_name = standing.table_name
    order by since_then <> 'stands', failed.extract_date desc, failed.practice_id, failed.table_name limit {MOST_ROWS}
    """,
)

# --- the reports: each for all practices at once
TOP_ITEMS = Query(
    "top_items",
    f"""
    select {ITEM_COLUMNS}
    from worklist as items
    inner join rule_worklist_kinds as kinds on items.kind = kinds.kind
    inner join practice_nights as nights on items.practice_id = nights.practice_id
    where {_here("items")} and items.dismissed_until is null
    qualify row_number() over (partition by items.practice_id {ITEM_ORDER}) <= 20
    order by items.practice_id, abs(items.dollars_at_stake) desc, items.due_on, kinds.precedence, items.item_id
    """,
)
PRACTICE_ITEM_TOTALS = Query(
    "practice_item_totals",
    f"""
    select items.practice_id, kinds.kind_group, items.kind, count(*) as items, sum(items.dollars_at_stake) as dollars
    from worklist as items inner join rule_worklist_kinds as kinds on items.kind = kinds.kind
    where {_here("items")} and items.dismissed_until is null
    group by items.practice_id, kinds.kind_group, items.kind, kinds.precedence order by items.practice_id, kinds.precedence
    """,
)

QUERIES: dict[str, Query] = {value.name: value for value in list(globals().values()) if isinstance(value, Query)}
