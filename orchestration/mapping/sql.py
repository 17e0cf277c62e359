"""SQL made from a mapping: the export's text to the text that a contract judges, and what the mapping could not read.

Everything is one query over the rows of a file, so that DuckDB does it set by set.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from orchestration.contracts import NOTE, Column, ExtractContract
from orchestration.mapping.forms import INSTANT_WORDS, ZONE_NAMES, time_form
from orchestration.mapping.model import AS_IT_IS, NIGHT, WITHDRAWN, ColumnRule, Each, Variant, is_pattern
from orchestration.sql import literal, name
from orchestration.take_in import typed
from orchestration.take_in.layout import OF_EXPORT
from orchestration.take_in.typed import TOLD_FIRST
from orchestration.take_in.zones import LAST_DAY, switches

# A line gives its rows numbers of their own: the line, and which of its rows it is, times this. The first keeps the line's own number.
ROWS_OF_A_LINE = 1_000_000_000
_VARIANTS = 100  # rows of a line that the mapping writes out; the parts of `each` are counted in hundreds
_SPACE = "' ' || chr(9) || chr(10) || chr(13) || chr(160)"
_YEARS = "between 1850 and 2199"  # whatever is read as another year has been read in the wrong form
_NUMBER = r"(\d+|\d{1,3}(,\d{3})+)(\.\d+)?"
_LENGTH = "decimal(14, 6)"  # a larger number is no length; one of hours is, in seconds, a decimal(18, 6) still
_UNITS = (("h|hr|hrs|hour|hours", 3600), ("m|min|mins|minute|minutes", 60), ("s|sec|secs|second|seconds", 1))
_MEND_ROW = "correct the row, or teach the mapping this form, and land the file again"
_MEND_BLANK = "correct the row, or write blank: '' in the mapping where this means none, and land the file again"
_UNKNOWN_WORD = "not one of the words that the mapping keeps or drops"
_MAY_SAY_DECEASED = " (it may say deceased_date)"
_MEND_WORD = "add the word to the mapping, or correct the row, and land the file again"
# What a version that takes back says where a word of the contract's must stand and the line's own cannot be read.
_NOBODYS = {"program": "other", "entry_method": "manual", "billed_by": "own_practice"}


def line_of(line_number: int) -> int:
    """The file's own line of a row of the lake."""
    return line_number % ROWS_OF_A_LINE


@dataclass(frozen=True)
class Turned:
    """A column on its way: the value's expression, when it could not be made, and what is said then."""

    value: str
    is_bad: str | None = None
    reason: str = ""


def becomes(reason: str, column: str) -> str:
    """A reason that names what the export's column should have become."""
    what, _, mending = reason.partition("; ")
    return f"{what} (it becomes {column}); {mending}"


def label(rule: ColumnRule | None) -> str:
    """What the quarantine calls a column: the export's own names."""
    return ", ".join(rule.reads()) or NIGHT if rule else ""


def query(contract: ExtractContract, variants: Sequence[Variant], source: str, night: str, zone: str) -> str:
    """Query: part, line_number, fault, fault_column, is_kept, the staged columns (`typed.staged_columns`).

    `source`: a relation of line_number, fault and the export's columns as text (`of_export`); `night`: YYYY-MM-DD;
    `zone`: of times without an offset. Every line comes out at least once.
    """
    return " union all by name ".join(
        f"({_variant(contract, row, number if len(variants) > 1 else None, source, night, zone)})"
        for number, row in enumerate(variants)
    )


def _variant(contract: ExtractContract, row: Variant, place_of_row: int | None, source: str, night: str, zone: str) -> str:
    """`place_of_row`: which of the rows of a line; None where it is the only one."""
    number = place_of_row or 0
    rules = [(column.name, row.columns[column.name]) for column in contract.columns if column.name in row.columns]
    kept, unknown = _kept(row)
    withdrawn = _withdrawn(row, kept)
    kinds = {column.name: column for column in contract.columns}
    taken, pieces, turned = [], [], []
    told_first: list[tuple[str, str, str]] = []
    further: list[tuple[str, str, str]] = []
    for place, (column, rule) in enumerate(rules):
        found: list[tuple[str, str, str]] = []
        is_note = column == NOTE
        taken.append(f"{_taken(rule, night, is_note)} as q{place}")
        pieces.append(f"{_pieces(rule, f'q{place}', is_note)} as r{place}")
        made = _turned(rule, f"r{place}", f"v{place}", zone)
        turned.append(f"{_known(rule, made, f'r{place}')} as v{place}")
        shown = literal(label(rule))
        if rule.pattern is not None:
            whole = _part(rule, f"q{place}")
            found.append((f"{whole} is not null and not regexp_matches({whole}, {literal(rule.pattern)})", shown, literal(
                becomes(f"not of the form that the mapping's pattern wants; {_MEND_ROW}", column))))  # fmt: skip
        if made.is_bad is not None:
            found.append((f"r{place} is not null and ({made.is_bad})", shown, literal(becomes(made.reason, column))))
        if kinds[column].kind != "text" or kinds[column].vocabulary:
            found += [
                (condition, shown, literal(becomes(reason, column))) for condition, reason in _lost(rule, f"q{place}", f"r{place}")
            ]
        # Of several rows each has its own words for what it lacks: judging would tell it in those of the first.
        if place_of_row is not None and kinds[column].required:
            found.append((f"v{place} is null", shown, literal(becomes(typed.EMPTY, column))))
        # Of a line that takes back, what must be read is what it takes back, and when.
        if withdrawn and column not in (*contract.key, contract.ordered_by):
            found = [(f"not is_withdrawn and ({condition})", shown, reason) for condition, _, reason in found]
        (told_first if column == TOLD_FIRST else further).extend(found)
    # Of a status that nobody knows one may be `Deceased`, and the patient's last good row says living.
    may_say = _MAY_SAY_DECEASED if TOLD_FIRST in contract.names else ""
    words = [(condition, literal(column), literal(f"{_UNKNOWN_WORD}{may_say}; {_MEND_WORD}")) for column, condition in unknown]
    if withdrawn:
        words = [(f"not is_withdrawn and ({condition})", column, reason) for condition, column, reason in words]
    faults = [*told_first, *words, *further]
    texts = {column: f"v{place}" for place, (column, _) in enumerate(rules)}
    wanted = "is_wanted"
    if withdrawn:
        # What has no key takes nothing back, and without its time nobody knows what came after what.
        there = [
            f"q{place} is not null" for place, (column, _) in enumerate(rules) if column in (*contract.key, contract.ordered_by)
        ]
        wanted = f"case when is_withdrawn then {' and '.join(there)} else is_wanted end"
        texts = {
            column: f"case when is_withdrawn then {_in_its_place(contract, kinds[column], texts, night)} else {text} end"
            for column, text in texts.items()
        }
    reasons = " ".join(f"when {condition} then {reason}" for condition, _, reason in faults)
    named = " ".join(f"when {condition} then {shown}" for condition, shown, _ in faults)
    start, part = _each(row.each, number, source)
    return f"""
with lines as ({start}),
taken as (select *, {kept} as is_wanted{f", {withdrawn} as is_withdrawn" if withdrawn else ""}{_more(taken)} from lines),
pieces as (select *{_more(pieces)} from taken),
turned as (select *{_more(turned)} from pieces)
select
    cast({part} as bigint) as part,
    line_number,
    case when fault is not null then fault {reasons} end as fault,
    case when fault is not null then null {named} end as fault_column,
    case when fault is not null then {"is_first" if number == 0 else "false"} else {wanted} and has_part end as is_kept,
    {typed.staging(contract, texts)}
from turned"""


def _withdrawn(row: Variant, kept: str) -> str | None:
    """Whether a line takes back what its key said before; None where the mapping says of none that it does."""
    named = [_is(_clean(of_export(column)), words) for column, words in row.withdraw.items()]
    if row.takes_back:
        return " or ".join([*named, f"not ({kept})"])
    if not named:
        return None
    others = [f"not {_is(_clean(of_export(column)), words)}" for column, words in row.drop.items()]
    return " and ".join([f"({' or '.join(named)})", *others])


def _in_its_place(contract: ExtractContract, column: Column, texts: dict[str, str], night: str) -> str:
    """What a version that takes back says in a column: the line's own where it can be read, so that it is seen where the version before it was."""
    text = texts[column.name]
    if column.name in (*contract.key, contract.ordered_by):
        return text
    if (said := WITHDRAWN[contract.table].get(column.name)) is not None:
        return literal(said)
    instead = "null::varchar"
    if column.required:
        instead = {
            "text": literal("WITHDRAWN"), "date": literal(night), "instant": texts[contract.ordered_by or ""], "integer": "'0'", "boolean": "'false'",
        }[column.kind] if column.vocabulary is None else literal(_NOBODYS.get(column.name, column.vocabulary[-1]))  # fmt: skip
    is_read = f"{text} is not null"
    if column.vocabulary is not None:
        is_read = f"coalesce({text} in ({', '.join(map(literal, column.vocabulary))}), false)"
    elif column.kind == "instant":
        head = f"left({text}, 19)"
        is_read = (
            f"coalesce(isfinite(try_cast({head} as timestamp)) and try_cast({head} as timestamp)::varchar = replace({head}, 'T', ' ') "
            f"and regexp_full_match(substr({text}, 20), '(Z|[+-][0-9]{{2}}:?[0-9]{{2}})?'), false)"
        )
    elif column.kind == "date":
        is_read = f"coalesce(try_cast({text} as date)::varchar = {text}, false)"
    elif column.kind == "integer":
        is_read = f"coalesce(regexp_full_match({text}, '[+-]?[0-9]+') and try_cast({text} as bigint) is not null, false)"
    elif column.kind == "boolean":
        is_read = f"coalesce({text} in ('true', 'false'), false)"
    return f"case when {is_read} then {text} else {instead} end"


def _lost(rule: ColumnRule, text: str, left: str) -> list[tuple[str, str]]:
    """(condition, reason) of what is there and would become nothing: a fact that nobody could read is no fact that is not there. `blank: ""` says
    that it is none. (A part that a split does not find and a group that a pattern need not have say so by themselves.)"""
    if rule.blank == "":
        return []
    lost = []
    if rule.template is not None:
        pieces = [piece for piece in re.findall(r"\{([^{}]+)\}", rule.template) if piece != NIGHT]
        some = " or ".join(f"{_clean(of_export(piece))} is not null" for piece in pieces)
        if len(pieces) > 1:
            lost.append((f"{text} is null and ({some})", f"only a part of it is there; {_MEND_BLANK}"))
    if rule.remove is not None or rule.digits:
        before = _patterned(rule, text)
        lost.append((f"{left} is null and {before} is not null", f"nothing of what is there can be used; {_MEND_BLANK}"))
    return lost


def _more(parts: Sequence[str]) -> str:
    return "".join(f", {part}" for part in parts)


def _each(each: Each | None, number: int, source: str) -> tuple[str, str]:
    """The lines, one for each part where a column is split into rows; and the number of the row within its line."""
    if each is None:
        return f"select *, true as has_part, true as is_first from {source}", str(number)
    parts = f"list_filter(list_transform(string_split({of_export(each.source)}, {literal(each.split)}), x -> trim(x, {_SPACE})), x -> x <> '')"
    return (
        f"""
    select listed.* exclude (parts), unnest(coalesce(nullif(parts, []), [null])) as {of_export(each.name)},
        generate_subscripts(coalesce(nullif(parts, []), [null]), 1) as nth, coalesce(len(parts), 0) > 0 as has_part, true as is_first
    from (select *, {parts}::varchar[] as parts from {source}) as listed""",
        f"{number} + (nth - 1) * {_VARIANTS}",
    )


def _clean(text: str) -> str:
    return f"nullif(trim({text}, {_SPACE}), '')"


def of_export(column: str) -> str:
    """A column of the export as an SQL identifier: whatever it is called, it is none of ours."""
    return name(f"{OF_EXPORT}{column}")


def _column(column: str, night: str) -> str:
    return literal(night) if column == NIGHT else of_export(column)


def _taken(rule: ColumnRule, night: str, is_note: bool) -> str:
    """What a rule takes from the export, before anything is done to it. The text of a note stays as it is."""
    if rule.constant is not None:
        return f"nullif({literal(rule.constant)}, '')"
    if rule.template is not None:
        pieces = [
            _clean(_column(piece[1:-1], night)) if piece.startswith("{") else literal(piece)
            for piece in re.split(r"(\{[^{}]+\})", rule.template)
            if piece
        ]
        return f"({' || '.join(pieces)})"  # null where one of them is
    named = [_column(column, night) for column in rule.first_of or rule.source or ()]
    if is_note and len(named) == 1:
        return named[0]
    cleaned = [_clean(column) for column in named]
    if rule.first_of:
        return f"coalesce({', '.join(cleaned)})"
    return cleaned[0] if len(cleaned) == 1 else f"nullif(concat_ws({literal(rule.join)}, {', '.join(cleaned)}), '')"


def _part(rule: ColumnRule, text: str) -> str:
    return text if rule.split is None else _clean(f"string_split({text}, {literal(rule.split.by)})[{rule.split.part}]")


def _patterned(rule: ColumnRule, text: str) -> str:
    made = _part(rule, text)
    if rule.pattern is not None:
        made = _clean(f"regexp_extract({made}, {literal(rule.pattern)}, {re.compile(rule.pattern).groups})")
    return made


def _pieces(rule: ColumnRule, text: str, is_note: bool) -> str:
    made = _patterned(rule, text)
    if rule.remove is not None:
        made = _clean(f"translate({made}, {literal(rule.remove)}, '')")
    if rule.digits:
        made = f"nullif(regexp_replace({made}, '[^0-9]', '', 'g'), '')"
    if rule.case is not None:
        made = f"{rule.case}({made})"
    if rule.zero_pad is not None:
        made = f"case when length({made}) < {rule.zero_pad} and regexp_full_match({made}, '[0-9]+') then lpad({made}, {rule.zero_pad}, '0') else {made} end"
    return made


def _known(rule: ColumnRule, made: Turned, text: str) -> str:
    """The value, where being there or not is not all that counts."""
    if rule.blank is None and rule.filled is None:
        return made.value
    blank = literal(rule.blank) if rule.blank else "null"
    filled = f"nullif({literal(rule.filled)}, '')" if rule.filled is not None else made.value
    return f"case when {text} is null then {blank} else {filled} end"


def _turned(rule: ColumnRule, text: str, made: str, zone: str) -> Turned:
    """What becomes of a text; `made`: what the value is called once it is there; `zone`: of times without an offset."""
    if rule.date:
        value = f"strftime({_day(rule.date, text)}, '%Y-%m-%d')"
        return Turned(value, f"{made} is null", f"not a date ({' or '.join(rule.date)}); {_MEND_ROW}")
    if rule.instant:
        value = f"coalesce({', '.join(_instants(rule.instant, text, _added(rule), zone))})"
        wanted = " or ".join(rule.instant) + (f", plus {' or '.join(rule.plus.duration)}" if rule.plus else "")
        return Turned(value, f"{made} is null", f"not a timestamp ({wanted}); {_MEND_ROW}")
    if rule.duration:
        value = f"cast(coalesce({', '.join(_seconds(form, text) for form in rule.duration)}) as varchar)"
        return Turned(value, f"{made} is null", f"not a duration ({', '.join(rule.duration)}); {_MEND_ROW}")
    if rule.whole:
        bare = f"replace({text}, ',', '')"
        value = f"case when regexp_full_match({bare}, '[+-]?[0-9]+([.]0*)?') then regexp_extract({bare}, '^[^.]+') end"
        return Turned(value, f"{made} is null", f"not a whole number; {_MEND_ROW}")
    if rule.words is not None:
        cases = " ".join(f"when {_is(text, [word])} then nullif({literal(to)}, '')" for word, to in rule.words.items())
        others = "null" if rule.others is None else text if rule.others == AS_IT_IS else f"nullif({literal(rule.others)}, '')"
        value = f"case {cases} else {others} end" if cases else others
        is_bad = f"not ({_is(text, rule.words)})" if rule.others is None else None
        return Turned(value, is_bad, f"not one of the words of the mapping; {_MEND_WORD}")
    return Turned(text)


def _is(text: str, words: Iterable[str]) -> str:
    """Whether a cleaned text is one of these words, or has one of these patterns; an empty word means an empty value. Never null."""
    plain, others = [], []
    for word in words:
        if is_pattern(word):
            others.append(f"coalesce(regexp_matches({text}, {literal(word[1:-1])}, 'i'), false)")
        elif not word.strip():
            others.append(f"{text} is null")
        else:
            plain.append(literal(word.strip().lower()))
    if plain:
        others.insert(0, f"coalesce(lower({text}) in ({', '.join(plain)}), false)")
    return f"({' or '.join(others)})" if others else "false"


def _kept(row: Variant) -> tuple[str, list[tuple[str, str]]]:
    """Whether a line is wanted; and (column, condition) of what is neither kept nor dropped where both are said: nobody knows what that is."""
    conditions, unknown = [], []
    for column, words in row.keep.items():
        text = _clean(of_export(column))
        is_kept = _is(text, words)
        if column in row.keep_too:
            is_kept = f"({is_kept} and {_is(text, row.keep_too[column])})"
        if column in row.drop:
            unknown.append((column, f"not {is_kept} and not {_is(text, row.drop[column])}"))
        else:
            conditions.append(is_kept)
    conditions += [f"not {_is(_clean(of_export(column)), words)}" for column, words in row.drop.items()]
    for columns in (row.any_of, row.any_too):
        if columns:
            conditions.append(f"coalesce({', '.join(_clean(of_export(column)) for column in columns)}) is not null")
    return " and ".join(conditions) or "true", unknown


def _in_years(stamp: str) -> str:
    return f"case when year({stamp}) {_YEARS} then {stamp} end"


def _stamp(form: str, text: str, is_instant: bool) -> str:
    read = time_form(form, is_instant=is_instant)
    stamp = f"try_strptime({text}, {literal(read.strptime)})"
    if read.has_short_year:
        stamp = f"({stamp} + to_years(case when year({stamp}) < 2000 then 100 else 0 end))"
    return _in_years(stamp)


def _day(forms: Sequence[str], text: str) -> str:
    return f"coalesce({', '.join(_stamp(form, text, False) for form in forms)})"


def _added(rule: ColumnRule) -> str:
    """What is added to a stamp, as SQL that goes behind it."""
    if rule.plus is None:
        return ""
    length = _clean(of_export(rule.plus.source))
    return f" + to_seconds(coalesce({', '.join(_seconds(form, length) for form in rule.plus.duration)}))"


def _ahead_of_utc(stamp: str, zone: str) -> str:
    """The offset of a time by the zone's clock, to stand behind it. With it a length that is added is elapsed time, whatever the clocks do meanwhile.

    Empty on days that no work is logged on, which `zones` does not hold: there a length is by the clock, and only a night of their change differs."""
    (start, offset), *rest = switches(zone)
    cases = [f"when {stamp} < timestamp '{start}' then ''"]
    for switch, after in rest:
        cases.append(f"when {stamp} < timestamp '{switch}' then '{_sign(offset)}'")
        offset = after
    return f"case {' '.join(cases)} when {stamp} < timestamp '{LAST_DAY + timedelta(days=1)}' then '{_sign(offset)}' else '' end"


def _sign(offset: int) -> str:
    return f"{'-' if offset < 0 else '+'}{abs(offset) // 3600:02}:{abs(offset) // 60 % 60:02}"


def _instants(forms: Sequence[str], text: str, added: str, clock: str) -> list[str]:
    """Texts of the contract's form, one for each form of the export's that fits."""
    iso = "'%Y-%m-%dT%H:%M:%S'"
    made = []
    for form in forms:
        if form == "iso":
            made.append(rf"case when regexp_full_match({text}, '\d{{4}}-\d{{2}}-\d{{2}}[T ]\d.*') then {text} end")
        elif form in INSTANT_WORDS:
            digits, unit = (r"\d{9,10}([.]\d+)?", 1) if form == "unix" else (r"\d{12,13}", 1000)
            seconds = f"floor(try_cast({text} as decimal(24, 6)) / {unit})::bigint"
            made.append(
                f"case when regexp_full_match({text}, '{digits}') then strftime(make_timestamp({seconds} * 1000000){added}, {iso}) || 'Z' end"
            )
        else:
            zone = time_form(form, is_instant=True).zone
            tail = r"Z|[+-]\d{2}:?\d{2}" if zone == "Z" else "|".join(ZONE_NAMES)
            cut = f"'(?i)^(.*?) ?({tail})$'"
            body = f"regexp_extract({text}, {cut}, 1)" if zone else text
            behind = ""
            if zone == "Z":
                behind = f" || upper(regexp_extract({text}, {cut}, 2))"
            elif zone:
                offsets = " ".join(f"when {literal(short)} then {literal(offset)}" for short, offset in ZONE_NAMES.items())
                behind = f" || case upper(regexp_extract({text}, {cut}, 2)) {offsets} end"
            elif added:
                behind = f" || {_ahead_of_utc(_stamp(form, body, True), clock)}"
            made.append(f"strftime({_stamp(form, body, True)}{added}, {iso}){behind}")
    return made


def _seconds(form: str, text: str) -> str:
    """Whole seconds, the half rounded up; null where the text is not of the form, or a number that no length has."""
    if form in ("seconds", "minutes", "hours"):
        of = {"seconds": 1, "minutes": 60, "hours": 3600}[form]
        number = f"try_cast(replace({text}, ',', '') as {_LENGTH})"
        return f"case when regexp_full_match({text}, '{_NUMBER}') then floor({number} * {of} + 0.5)::bigint end"
    if form == "units":
        parts = [rf"(?:(\d+(?:[.]\d+)?)\s*(?:{units})[.]?)?" for units, _ in _UNITS]
        whole = r"(?i)^" + r",?\s*".join(parts) + "$"
        total = " + ".join(
            f"try_cast(coalesce(nullif(regexp_extract({text}, '{whole}', {place}), ''), '0') as {_LENGTH}) * {of}"
            for place, (_, of) in enumerate(_UNITS, 1)
        )
        return rf"case when regexp_matches({text}, '{whole}') then floor({total} + 0.5)::bigint end"
    shapes = {
        "h:mm": (r"(\d+):([0-5]\d)", (3600, 60)),
        "mm:ss": (r"(\d+):([0-5]\d)", (60, 1)),
        "h:mm:ss": (r"(\d+):([0-5]\d):([0-5]\d)(?:[.]\d+)?", (3600, 60, 1)),
    }
    shape, units = shapes[form]
    total = " + ".join(
        f"try_cast(regexp_extract({text}, '{shape}', {place}) as decimal(8, 0))::bigint * {of}" for place, of in enumerate(units, 1)
    )
    return f"case when regexp_full_match({text}, '{shape}') then {total} end"


def unknown_words(variants: Sequence[Variant], held: str) -> tuple[str, str] | None:
    """(select list, query): what of the rows to keep as the table `held`, and column_name, word, lines of what the words of a mapping do not know, as
    the export has it. None where it has no words."""
    asked = []
    columns: dict[str, None] = {}
    for row in variants:
        made = row.each.name if row.each else None
        for rule in row.columns.values():
            if rule.words is not None and rule.others is None and made not in rule.reads():
                columns |= dict.fromkeys(rule.reads())
                taken = _pieces(rule, _taken(rule, "", False), False)
                asked.append(
                    f"select {literal(label(rule))} as column_name, {taken} as word, line_number from {held} "
                    f"where fault is null and {taken} is not null and not {_is(taken, rule.words)}"
                )
    if not asked:
        return None
    return ", ".join(["line_number", "fault", *map(of_export, columns)]), (
        f"select column_name, word, count(distinct line_number) as lines from ({' union all '.join(asked)}) "
        "group by all order by column_name, lines desc, word"
    )
