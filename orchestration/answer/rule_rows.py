"""Rule rows that hold for a month in one of two states of it and not in the other: the rows that can have done a change of it.

A row that begins behind the month did nothing in it, nor did what becomes of a row behind it. One that ended before it may have judged a visit or a
condition of then: it is told of the month once, and of a patient only where nothing else is. A fee has to hold in the month, be of the practice's own
locality and participation, and be the newest release (rules.md A7).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from orchestration.answer.explain.source import Row, Source
from orchestration.macros import project_macros
from orchestration.practices import fee_state, next_month

# Columns of a rule row that explain it, and tables of nothing else; they decide nothing.
_WORDS = {"citation", "meaning", "remedy", "evidence", "confidence", "name", "description"}
_LEDGERS = {"rule_citations", "rule_fee_files"}

# A fee's key; and what else says which release it is of, but not what it comes to.
_FEES = {
    "rule_rvus": ("procedure_code",),
    "rule_gpcis": ("mac", "state", "locality"),
    "rule_conversion_factors": ("qualifying_apm_participant",),
}
_OF_A_RELEASE = {"release", "released_on", "locality_name", "status_code"}

ROWS_TOLD = 20


@dataclass(frozen=True)
class DifferingRules:
    """Sentences, one a row. `ended`: of rows that ended before the month. `fees`: each with its procedure code, '' where it is of every code."""

    rules: tuple[str, ...]
    ended: tuple[str, ...]
    fees: tuple[tuple[str, str], ...]

    def fees_of(self, codes: Iterable[str]) -> list[str]:
        """Of the fees those that price these codes; none of no code."""
        wanted = set(codes)
        return [said for code, said in self.fees if code in wanted or (wanted and not code)]


def differing_rules(before: Source, after: Source, month: date) -> DifferingRules:
    """What only one side has that holds in the month (its first day), by the columns that both sides know."""
    rules: list[str] = []
    ended: list[str] = []
    fees: list[tuple[str, str]] = []
    old_columns, new_columns = _columns(before), _columns(after)
    for table in sorted((old_columns.keys() | new_columns.keys()) - _LEDGERS):
        if table not in old_columns or table not in new_columns:
            rules.append(f"rules: {table} is only {'before' if table in old_columns else 'after'}")
            continue
        names = sorted((old_columns[table] & new_columns[table]) - _WORDS)
        old, new = (dict(_holding(source, table, names, month)) for source in (before, after))
        gone, come = ({what: one[what] for what in sorted(one.keys() - other.keys())} for one, other in ((old, new), (new, old)))
        if table in _FEES:
            for mark, rows in (("without", gone), ("with", come)):
                fees += [(row.get("procedure_code", ""), _said(mark, table, row)) for row in rows.values()]
            continue
        for mark, sentences in _sentences(table, gone, come, month).items():
            for is_over, into in ((False, rules), (True, ended)):
                own = [said for had_ended, said in sentences if had_ended is is_over]
                into += own[:ROWS_TOLD]
                if len(own) > ROWS_TOLD:
                    into.append(f"rules: {mark} {len(own) - ROWS_TOLD} further rows of {table}")
    return DifferingRules(tuple(rules), tuple(ended), tuple(fees))


def _sentences(table: str, gone: dict[str, Row], come: dict[str, Row], month: date) -> dict[str, list[tuple[bool, str]]]:
    """By what became of the rows: each with whether it had ended before the month, and its sentence. One that only ends on another day is one row."""
    moved = []
    for then, now in _with_another_end(gone, come):
        one, other = gone.pop(then), come.pop(now)
        ends = " -> ".join(str(row["effective_to"] or "none") for row in (one, other))
        had_ended = _has_ended(one, month) and _has_ended(other, month)
        moved.append((had_ended, f"rules: {_named(table, _beginning(one))}: effective_to {ends}"))
    only = {
        mark: [(_has_ended(row, month), _said(mark, table, row)) for row in rows.values()]
        for mark, rows in (("without", gone), ("with", come))
    }
    return {"another end of": moved, **only}


def _has_ended(row: Row, month: date) -> bool:
    return (row.get("effective_to") or date.max) < month


def _beginning(row: Row) -> Row:
    return {name: value for name, value in row.items() if name != "effective_to"}


def _with_another_end(gone: Mapping[str, Row], come: Mapping[str, Row]) -> list[tuple[str, str]]:
    """The same row on both sides but for the day on which it ends: by what it says on either."""
    then = {json.dumps(_beginning(row), default=str, sort_keys=True): what for what, row in gone.items()}
    keys = {what: json.dumps(_beginning(row), default=str, sort_keys=True) for what, row in come.items()}
    return [(then.pop(key), what) for what, key in keys.items() if key in then]


def _columns(source: Source) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for row in source.rows(
        "select table_name as t, column_name as c from information_schema.columns where starts_with(table_name, 'rule_')"
    ):
        found.setdefault(row["t"], set()).add(row["c"])
    return found


def _said(mark: str, table: str, row: Row) -> str:
    return f"rules: {mark} {_named(table, row)}"


def _named(table: str, row: Row) -> str:
    return f"{table} ({', '.join(f'{name} {value}' for name, value in row.items() if value is not None)})"


def _holding(source: Source, table: str, names: list[str], month: date) -> Iterator[tuple[str, Row]]:
    """Each row that holds, by what it says of the month."""
    first, last = month, next_month(month) - timedelta(days=1)
    listed = ", ".join(f'"{name}"' for name in names)
    if table in _FEES:
        rows = _pricing(source, table, listed, first, last)
    else:
        rows = [row for row in source.rows(f'select {listed} from "{table}"') if (row.get("effective_from") or date.min) <= last]
    for row in rows:
        what = {name: value for name, value in row.items() if table not in _FEES or name not in _OF_A_RELEASE}
        if "effective_to" in what:
            what["effective_to"] = min(what["effective_to"] or date.max, last)
        if table in _FEES and "effective_from" in what:
            what["effective_from"] = max(what["effective_from"], first)
        yield json.dumps(what, default=str, sort_keys=True), row


_PRICING = """
{%- from 'fees.sql' import newest_release with context -%}
{%- set days -%}
    (
        select distinct {{ key | join(', ') }}, cast(days.day as date) as service_date
        from {{ ref(table) }} cross join (select unnest(generate_series(?::date, ?::date, interval 1 day)) as day) as days
        where true {% for name in own %} and {{ name }} = ? {% endfor %}
    )
{%- endset -%}
select distinct {{ listed }} from ({{ newest_release(table, days, key) }})
"""


def _pricing(source: Source, table: str, listed: str, first: date, last: date) -> list[Row]:
    """The practice's own fees that price some day from the first to the last."""
    practice, key = source.practice, _FEES[table]
    settings = {
        "mac": practice.get("mac"),
        "state": fee_state(practice),
        "locality": practice.get("locality"),
        "qualifying_apm_participant": practice.get("qualifying_apm_participant", False),
    }
    own = {name: settings[name] for name in key if name in settings}
    query = project_macros().from_string(_PRICING).render(table=table, listed=listed, key=key, own=own)
    return source.rows(query, [first, last, *own.values()])
