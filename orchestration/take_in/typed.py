"""SQL made from a contract: landed text to typed columns, and the first fault of each row."""

from __future__ import annotations

from orchestration.blanks import BLANK
from orchestration.contracts import NOTE, NOTE_STORED, Column, ExtractContract
from orchestration.sql import literal, name
from orchestration.take_in.zones import FIRST_DAY, LAST_DAY

_SIGN = r"(Z|[+-]([01]\d|2[0-3])(:?[0-5]\d)?)?"
_TAIL = r"(\.\d+)?" + _SIGN  # behind the seconds
_EXACT = "%Y-%m-%dT%H:%M:%SZ"
_SHORT = r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}" + _SIGN  # without seconds
TOLD_FIRST = "deceased_date"
"""Column whose fault is told of a row that has several: for a patient who may be dead the close holds the claim (int_quarantined_facts)."""
SAYS_DECEASED = "(the row says deceased_date)"
"""In the reason of a row of `patients` that is at fault elsewhere and has a day of death: the last good row, which stands, may say living. No value."""
NEXT_STEP = "; correct the row and land the file again"
EMPTY = f"required and empty{NEXT_STEP}"


def staged_columns(contract: ExtractContract) -> list[tuple[str, str]]:
    """(name, type) of the staged text: the contract's columns as VARCHAR, the note already measured."""
    staged: list[tuple[str, str]] = []
    for column in contract.columns:
        staged.extend(NOTE_STORED if column.name == NOTE else [(column.name, "VARCHAR")])
    return staged


def staging(contract: ExtractContract, texts: dict[str, str]) -> str:
    """Select list that stages a reader's text columns; `texts` maps a column to its expression, absent ones
    are null."""
    parts = []
    for column in contract.columns:
        text = texts.get(column.name)
        if column.name == NOTE:
            held = f"{text} is not null and not regexp_full_match({text}, {literal(BLANK)})" if text else "false"
            text = text or "null::varchar"
            parts += [
                f"case when {held} then length({text}) end as note_length",
                f"case when {held} then sha256({text}) end as note_sha256",
            ]
        else:
            value = f"nullif({text}, '')" if text else "null::varchar"
            parts.append(f"{value} as {name(column.name)}")
    return ", ".join(parts)


def reasons(contract: ExtractContract) -> list[tuple[int, str, str]]:
    """(code, column, reason) of every fault that `judging` can find; code = 2 x place of the column, + 1
    if malformed."""
    found = []
    for place, column in enumerate(contract.columns, 1):
        if column.required:
            found.append((2 * place, column.name, EMPTY))
        if (wanted := _wanted(column)) is not None:
            found.append((2 * place + 1, column.name, wanted + NEXT_STEP))
    return found


def _wanted(column: Column) -> str | None:
    if column.vocabulary is not None:
        return f"not one of {', '.join(column.vocabulary)}"
    return {
        "text": None,
        "date": "not a date (YYYY-MM-DD)",
        "instant": "not a timestamp (ISO 8601, such as 2026-01-31T09:30:00Z)",
        "integer": "not a whole number",
        "boolean": "neither true nor false",
    }[column.kind]


def judging(contract: ExtractContract, source: str) -> str:
    """Query over a relation of file_id, line_number, fault, fault_column and the staged columns, row for row in its order: file_id, line_number,
    code (null: no fault; 0: the fault staged is told), fault, fault_column, local, the lake's columns.

    Instants come out in UTC, but for those with a bit in `local`, which are on their practice's clock until `to_utc` is run.
    """
    instants = _instants(contract)
    exacts, rests, heads, stamps, times, offsets = [], [], [], [], [], []
    for column in instants:
        # Nearly every value is of this form to the second: one look says so, and everything below is asked of the others alone.
        c, exact = name(column), name(f"exact {column}")
        exacts.append(
            f"case when strlen({c}) = {len('2026-01-31T09:30:00Z')} and strftime(try_cast({c} as timestamp), '{_EXACT}') = {c} "
            f"then try_cast({c} as timestamp) end as {exact}"
        )
        rest = name(f"rest {column}")
        rests.append(f"case when {exact} is null then {c} end as {rest}")
        c = rest
        head, tail, stamp, time, sign = (name(f"{part} {column}") for part in ("head", "tail", "stamp", "time", "sign"))
        heads.append(f"left({c}, 19) as {head}, substr({c}, 20) as {tail}")
        # DuckDB reads many forms as a timestamp; the round trip proves that it is this one.
        stamps.append(f"try_cast({head} as timestamp) as {stamp}")
        is_tail = f"({tail} = '' or {tail} = 'Z' or regexp_full_match({tail}, '{_TAIL}'))"
        # infinity is one, too, for DuckDB, and makes that round trip
        is_long = f"isfinite({stamp}) and {stamp}::varchar = replace({head}, 'T', ' ') and {is_tail}"
        short = f"left({c}, 10) || ' ' || substr({c}, 12, 5) || ':00'"
        times.append(
            f"case when {exact} is not null then {exact} when {is_long} then {stamp} when regexp_full_match({c}, '{_SHORT}') "
            f"and try_cast({short} as timestamp)::varchar = {short} then try_cast({short} as timestamp) end as {time}"
        )
        times.append(
            f"case when {exact} is not null or {tail} = 'Z' then 'Z' when {tail} = '' and substr({c}, 17, 1) = ':' then null "
            f"else nullif(regexp_extract(substr({c}, 17), '(Z|[+-][0-9]{{2}}(:?[0-9]{{2}})?)$'), '') end as {sign}"
        )
        offsets.append(f"{_offset_seconds(sign, time)} as {name('offset ' + column)}")
    values: list[str] = []
    told_first: list[str] = []
    faults: list[str] = []
    for place, held in enumerate(contract.columns, 1):
        if held.name == NOTE:
            values += [f"p.{stored}" for stored, _ in NOTE_STORED]
            continue
        c = f"p.{name(held.name)}"
        if held.required:
            faults.append(f"when {c} is null then {2 * place}")
        value, is_good = _typed(held, c)
        values.append(f"{value} as {name(held.name)}")
        if is_good is not None:
            fault = f"when {c} is not null and ({is_good}) is not true then {2 * place + 1}"
            (told_first if held.name == TOLD_FIRST else faults).append(fault)
    local = " + ".join(
        f"case when p.{name('time ' + column)} is not null and p.{name('sign ' + column)} is null then {2**number} else 0 end"
        for number, column in enumerate(instants)
    )
    stage = [
        f"{after} as (select {', '.join(['*', *parts])} from {before})"
        for before, after, parts in (
            ("texts", "looked", exacts), ("looked", "left_over", rests), ("left_over", "headed", heads), ("headed", "stamped", stamps),
            ("stamped", "timed", times), ("timed", "placed", offsets),
        )
    ]  # fmt: skip
    return f"""
with texts as (select * from {source}),
{("," + chr(10)).join(stage)}
select
    p.file_id,
    p.line_number,
    case {" ".join(told_first)} when p.fault is not null then 0 {" ".join(faults)} end::integer as code,
    p.fault,
    p.fault_column,
    ({local or "0"})::integer as local,
    {", ".join(values)}
from placed as p"""


def far_days(contract: ExtractContract, judged: str, files: str) -> str:
    """A query of the days (zone, day) of local instants that `zone_days` does not have: few, and most of them slips of the pen."""
    return " union ".join(
        f"select f.zone, j.{name(column)}::date as day from {judged} as j inner join {files} as f on j.file_id = f.file_id "
        f"where j.local & {2**number} != 0 and j.{name(column)}::date not between date '{FIRST_DAY}' and date '{LAST_DAY}'"
        for number, column in enumerate(_instants(contract))
    )


def to_utc(contract: ExtractContract, judged: str, files: str, zone_days: str) -> list[str]:
    """Statements that take the instants of the table `judged` which have a bit in `local` from their practice's clock to UTC. `files` (file_id,
    zone) and `zone_days` are names of tables; every day of theirs is in the latter (`far_days`)."""
    statements = []
    for number, column in enumerate(_instants(contract)):
        c = f"j.{name(column)}"
        day = f"{c}::date"
        second = f"(epoch_us({c}) // 1000000) - (epoch_us({c}::date::timestamp) // 1000000)"
        offset = f"case when {second} < z.switch_second then z.offset_before else z.offset_after end"
        statements.append(
            f"update {judged} as j set {name(column)} = make_timestamp(epoch_us({c}) - {offset} * 1000000) from {files} as f, {zone_days} as z "
            f"where j.file_id = f.file_id and z.zone = f.zone and z.day = {day} and j.local & {2**number} != 0"
        )
    return statements


def _instants(contract: ExtractContract) -> list[str]:
    return [column.name for column in contract.columns if column.kind == "instant"]


def _offset_seconds(sign: str, time: str) -> str:
    """Seconds east of UTC that the text itself names; null where it is local or no instant at all."""
    hours = f"substr({sign}, 2, 2)::bigint * 3600"
    minutes = f"coalesce(nullif(replace(substr({sign}, 4), ':', ''), '')::bigint, 0) * 60"
    return (
        f"case when {time} is null or {sign} is null then null when {sign} = 'Z' then 0 "
        f"else ({hours} + {minutes}) * case when {sign}[1] = '-' then -1 else 1 end end"
    )


def _typed(column: Column, c: str) -> tuple[str, str | None]:
    """(typed value, condition under which it is one) of a staged text."""
    if column.vocabulary is not None:
        # Not `in`: of five words and more DuckDB makes a join, and behind a join it keeps no order of rows. A row has its line number from its place.
        return c, f"case {c} {' '.join(f'when {literal(word)} then true' for word in column.vocabulary)} else false end"
    if column.kind == "date":
        return f"try_cast({c} as date)", f"length({c}) = 10 and try_cast({c} as date)::varchar = {c}"
    if column.kind == "integer":
        return (
            f"try_cast({c} as bigint)",
            f"regexp_full_match({c}, '[+-]?[0-9]+') and try_cast({c} as bigint) is not null",
        )
    if column.kind == "boolean":
        return f"{c} = 'true'", f"{c} in ('true', 'false')"
    if column.kind == "instant":
        time, offset = f"p.{name('time ' + column.name)}", f"p.{name('offset ' + column.name)}"
        exact = f"p.{name('exact ' + column.name)}"
        return f"coalesce({exact}, make_timestamp(epoch_us({time}) - coalesce({offset}, 0) * 1000000))", f"{time} is not null"
    return c, None
