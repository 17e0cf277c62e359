"""Great Expectations over what a night brought and over the month about to close.

It judges aggregates, never rows: DuckDB counts, per landed file and contract rule, the accepted rows that break the rule; the suite made from
the contract expects each count to be zero. So a night of fourteen million rows costs what a night of fourteen costs, and no value of a patient
ever reaches a report.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

import duckdb
import pandas as pd

from orchestration import lake_batches
from orchestration.contracts import ExtractContract, extract_contracts
from orchestration.engine import connect, open_warehouse, reading
from orchestration.gate import verdicts
from orchestration.gate.verdicts import Finding
from orchestration.house import DBT_PROJECT, House
from orchestration.money import in_dollars
from orchestration.sql import literal

if TYPE_CHECKING:
    from collections.abc import Iterable

os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")


@cache
def quarantine_share() -> float:
    """The share of a file's rows in quarantine that is worth a look: the settings' row for every table (drift_limits.csv)."""
    with (DBT_PROJECT / "settings" / "drift_limits.csv").open(encoding="utf-8", newline="") as handle:
        rows = [row for row in csv.DictReader(handle) if (row["measure"], row["table_name"]) == ("quarantined_share", "*")]
    return float(rows[0]["noticed_above"])


@dataclass(frozen=True)
class Rule:
    """One expectation on one column of a profile: every value lies between 0 and `at_most`."""

    column: str
    at_most: float
    severity: Literal["error", "warn"]
    meaning: str


def contract_rules(contract: ExtractContract) -> list[Rule]:
    """The rules of a contract as counts of accepted rows that break them, plus the share of rows in quarantine."""
    rules = [
        Rule(f"{column.name}__missing", 0, "error", f"{column.name} is required") for column in contract.columns if column.required
    ]
    rules += [
        Rule(f"{column.name}__outside_vocabulary", 0, "error", f"{column.name} is one of its contract's words")
        for column in contract.columns
        if column.vocabulary
    ]
    if contract.key:
        rules.append(Rule("key__repeated", 0, "error", f"{', '.join(contract.key)} names one row per file"))
    rules.append(Rule("rows__unaccounted", 0, "error", "received = accepted + quarantined + superseded"))
    rules.append(
        Rule(
            "quarantine__share",
            quarantine_share(),
            "warn",
            f"at most {quarantine_share():.0%} of a file's rows in quarantine",
        )
    )
    return rules


def profile(house: House, contract: ExtractContract, batch: int, con: duckdb.DuckDBPyConnection | None = None) -> pd.DataFrame:
    """One row per file of a batch: file_id, practice_id, extract_date and one count per rule of the contract. `con`: a connection as `connect` makes it."""
    if con is None:
        with connect(house) as con:
            return profile(house, contract, batch, con)
    counts = []
    for column in contract.columns:
        name = column.name
        if column.required:
            counts.append(f'count(*) filter (where "{name}" is null) as "{name}__missing"')
        if column.vocabulary:
            words = ", ".join(literal(word) for word in column.vocabulary)
            counts.append(f'count(*) filter (where "{name}" not in ({words})) as "{name}__outside_vocabulary"')
    if contract.key:
        key = ", ".join(f'"{name}"' for name in contract.key)
        counts.append(f"count(*) - count(distinct ({key})) as key__repeated")
    frame = con.execute(
        f"""
        with counted as (
            select file_id, count(*) as rows_stored, {", ".join(counts) if counts else "0 as nothing"}
            from read_parquet(?{reading()}) group by file_id
        )
        select
            files.file_id, files.practice_id, files.extract_date, counted.* exclude (file_id, rows_stored),
            abs(files.rows_received - coalesce(counted.rows_stored, 0) - files.rows_quarantined - files.rows_superseded)
                as rows__unaccounted,
            case when files.rows_received > 0 then files.rows_quarantined / files.rows_received else 0 end as quarantine__share
        from read_parquet(?) as files
        left join counted on files.file_id = counted.file_id
        where files.table_name = ? and files.outcome = 'accepted'
        order by files.practice_id, files.extract_date
        """,
        [lake_batches.table(house, batch, contract.table), lake_batches.table(house, batch, "files"), contract.table],
    ).df()
    return frame.fillna(0)


def judge_batch(house: House, batch: int) -> list[Finding]:
    """Great Expectations' verdict on every table that a batch brought, one validation per table."""
    findings: list[Finding] = []
    with connect(house) as con:
        frames = {table: profile(house, contract, batch, con) for table, contract in extract_contracts().items()}
    for table, contract in extract_contracts().items():
        if not frames[table].empty:
            findings += validate(table, f"lake/{table}", frames[table], contract_rules(contract))
    return findings


UNDOCUMENTED = {
    "missing_note": "no time without a note",
    "open_timer": "no timer without an end",
    "visit_without_time": "no completed CCM contact without time",
    "call_without_time": "no call of the phone system without time",
}
# A warning from the first day of the month, an error once the close is near; the gate reads neither: what time would change is held, not refused.
MONTH_RULES = [Rule(kind, 0, "warn", f"{text} in a month that may still close") for kind, text in UNDOCUMENTED.items()] + [
    Rule(f"{kind}__overdue", 0, "error", f"{text} in a month whose close is near") for kind, text in UNDOCUMENTED.items()
]
# So many practice-months are told of one by one; the mart has them all.
TOLD = 20


def months_judged(house: House) -> list[Finding]:
    """`judge_open_months` of the last build, asked once for each: a close changes what may still be documented, as a night does."""
    build, before = verdicts.load(house, "dbt"), verdicts.load(house, "great_expectations_months")
    if build is None or not house.warehouse.exists() or (before and before.inputs == build.inputs):
        return list(before.findings) if before else []
    with house.lock("warehouse"):
        findings = judge_open_months(house)
    verdicts.save(house, "great_expectations_months", build.inputs, findings)
    return findings


def judge_open_months(house: House) -> list[Finding]:
    """Undocumented time that a close can still take, of every practice's months before close.final_day of the following month. Of a month that closed it is
    what no claim went out for and would bring something: the next version takes it. What was claimed is no close's any more.

    An item is overdue from five business days before the month may close (int_months__close); until then it is worth a warning.
    """
    sums = ", ".join(
        f"""
        count(*) filter (where items.kind = '{kind}' and not months.is_overdue) as {kind},
        count(*) filter (where items.kind = '{kind}' and months.is_overdue) as {kind}__overdue,
        cast(coalesce(sum(items.minutes) filter (where items.kind = '{kind}'), 0) as bigint) as {kind}__minutes,
        coalesce(sum(items.dollars_at_stake) filter (where items.kind = '{kind}'), 0) as {kind}__dollars
        """
        for kind in UNDOCUMENTED
    )
    with open_warehouse(house) as warehouse:
        frame = warehouse.execute(
            f"""
            with months as (
                select
                    months.practice_id, months.month, calendar.close_version,
                    case when calendar.close_version is null then months.close_opens_on else months.close_ends_on end - 1 as due_on,
                    coalesce(months.newest_night >= months.overdue_from, false) as is_overdue
                from intermediate.int_months__close as months
                left join marts.close_calendar as calendar on months.practice_id = calendar.practice_id and months.month = calendar.month
                where months.is_open
            ),
            items as (
                select
                    items.*, decisions.decision = 'claimed' as is_claimed,
                    sum(items.dollars_at_stake) over (partition by items.practice_id, items.patient_id, items.month) as stake
                from marts.undocumented_time as items
                inner join marts.patient_month_decisions as decisions
                    on items.practice_id = decisions.practice_id and items.patient_id = decisions.patient_id and items.month = decisions.month
            )
            select months.practice_id, months.month, months.close_version, months.due_on, {sums}
            from months
            left join items
                on
                    months.practice_id = items.practice_id and months.month = items.month
                    and (months.close_version is null or (items.stake <> 0 and not items.is_claimed))
            group by months.practice_id, months.month, months.close_version, months.due_on, months.is_overdue
            order by months.practice_id, months.month
            """
        ).df()
    if frame.empty:
        return []
    for kind in UNDOCUMENTED:
        frame[f"{kind}__told"] = [_told_of(row, kind) for row in frame.to_dict("records")]
    return validate("months_open_to_mending", "marts/undocumented_time", frame, MONTH_RULES)


def _told_of(row: Mapping[Any, Any], kind: str) -> str:
    """A practice-month's items of a kind, in a sentence."""
    closed = "" if pd.isna(row["close_version"]) else f", of what v{row['close_version']:.0f} did not claim"
    return (
        f"{row['practice_id']} {row['month']:%Y-%m}{closed}: {row[kind] + row[f'{kind}__overdue']} items, {row[f'{kind}__minutes']} minutes, "
        f"{in_dollars(row[f'{kind}__dollars'])}, due {row['due_on']:%Y-%m-%d}"
    )


def validate(name: str, asset: str, frame: pd.DataFrame, rules: Sequence[Rule]) -> list[Finding]:
    """Runs one Great Expectations suite over a profile; one finding per rule, naming the practices at fault, and each row at fault by the
    profile's text for it (column `<rule>__told`), where it has one.

    A rule whose column is not in the profile, or whose metric fails, is an error of ours and not bad data: it raises.
    """
    import great_expectations as gx
    import great_expectations.expectations as gxe

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False, "metric_calculations": False}  # type: ignore[assignment]
    suite = gx.ExpectationSuite(
        name=name,
        expectations=[
            # The greatest is within exactly when all are, for counts and shares; row by row it takes twice as long.
            gxe.ExpectColumnMaxToBeBetween(column=rule.column, min_value=0, max_value=rule.at_most, meta={"meaning": rule.meaning})
            for rule in rules
        ],
    )
    # The batch itself is asked: the context's stores, which nobody reads, would write each suite and result as YAML.
    profiles = context.data_sources.add_pandas("profiles").add_dataframe_asset(name).add_batch_definition_whole_dataframe("all")
    result = profiles.get_batch({"dataframe": frame}).validate(suite, result_format="BASIC")
    by_column = {rule.column: rule for rule in rules}
    findings = []
    for outcome in result.results:
        assert outcome.expectation_config is not None
        column = outcome.expectation_config.kwargs["column"]
        rule = by_column[column]
        if any(_raised(info) for info in _infos(outcome.exception_info)):
            raise RuntimeError(f"Great Expectations could not evaluate {column} of {name}")
        at_fault = frame.loc[frame[column] > rule.at_most]
        findings.append(
            Finding(
                check=f"{column}",
                asset=asset,
                source="great_expectations",
                severity=rule.severity,
                passed=bool(outcome.success),
                practice_ids=tuple(sorted(at_fault["practice_id"].unique())),
                detail=""
                if outcome.success
                else f"{rule.meaning}; {len(at_fault)} of {len(frame)} do not keep to it{_told(at_fault, column)}",
                file_ids=tuple(sorted(int(f) for f in at_fault["file_id"])) if "file_id" in frame else (),
            )
        )
    return findings


def _told(at_fault: pd.DataFrame, column: str) -> str:
    text = f"{column.removesuffix('__overdue')}__told"
    if text not in at_fault:
        return ""
    lines = at_fault[text].tolist()
    return ": " + "; ".join(lines[:TOLD]) + (f"; and {len(lines) - TOLD} more" if len(lines) > TOLD else "")


def _infos(info: Any) -> Iterable[Any]:
    return info.values() if isinstance(info, dict) and "raised_exception" not in info else [info or {}]


def _raised(info: Any) -> bool:
    return bool(info.get("raised_exception")) if isinstance(info, dict) else False
