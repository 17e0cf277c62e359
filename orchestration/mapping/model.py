"""What a mapping file says, validated: every complaint has the line it is about."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal
from zoneinfo import available_timezones

import duckdb
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from orchestration.contracts import NOTE, Column, ExtractContract, extract_contracts
from orchestration.mapping.forms import DURATIONS, INSTANT_WORDS, file_form, time_form

# How a version of a key says that there is nothing any more, by table: the columns that say it. No rule knows the word itself, as in what the FHIR importer
# lands; a time entry of which all versions are such is none (staging).
WITHDRAWN = {
    "time_entries": {"activity": "WITHDRAWN", "voided": "true"},
    "services": {"procedure_code": "WITHDRAWN"},
    "appointments": {"status": "cancelled"},
}
NIGHT = "(night)"  # stands in the place of a column's name for the night the file is of
AS_IT_IS = "as_is"
_TEMPLATE = re.compile(r"\{([^{}]+)\}")


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _one_column(value: Any) -> Any:
    return {"from": value} if isinstance(value, str | list) else value


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


Texts = Annotated[tuple[str, ...], BeforeValidator(_listed), Field(min_length=1)]


class Split(_Strict):
    """One part of a value, counted from 1, or from the end with -1."""

    by: Annotated[str, Field(min_length=1)]
    part: int

    @field_validator("part")
    @classmethod
    def _counted(cls, part: int) -> int:
        if part == 0:
            raise ValueError("parts are counted from 1, or from the end with -1")
        return part


class Plus(_Strict):
    """A duration in another column, added to an instant: where a start and a length are exported, and an end is wanted."""

    source: str = Field(alias="from")
    duration: Texts

    @field_validator("duration")
    @classmethod
    def _forms(cls, forms: tuple[str, ...]) -> tuple[str, ...]:
        return _checked_durations(forms)


class ColumnRule(_Strict):
    """How one column of a contract comes out of the export's. The steps are taken in the order in which they stand here."""

    # one of the four
    source: Texts | None = Field(default=None, alias="from")
    first_of: Texts | None = None
    template: str | None = None
    constant: str | None = None
    join: str = " "
    # pieces
    split: Split | None = None
    pattern: str | None = None
    remove: str | None = None
    digits: bool = False
    case: Literal["upper", "lower"] | None = None
    zero_pad: int | None = Field(default=None, ge=1, le=40)
    # what is known by being there or not
    blank: str | None = None
    filled: str | None = None
    # one of the five
    date: Texts | None = None
    instant: Texts | None = None
    plus: Plus | None = None
    duration: Texts | None = None
    whole: bool = False
    words: dict[str, str] | None = None
    others: str | None = Field(default=None, alias="else")

    @model_validator(mode="after")
    def _fits(self) -> ColumnRule:
        given = [name for name, value in (("from", self.source), ("first_of", self.first_of), ("template", self.template),
                                          ("constant", self.constant)) if value is not None]  # fmt: skip
        if len(given) != 1:
            raise ValueError(f"wants one of from, first_of, template and constant{f', not {given}' if given else ''}")
        turned = [name for name, value in (("date", self.date), ("instant", self.instant), ("duration", self.duration),
                                           ("whole", self.whole), ("words", self.words is not None)) if value]  # fmt: skip
        if len(turned) > 1:
            raise ValueError(f"wants one of {', '.join(turned)}, not several")
        if self.constant is not None and len(self.model_fields_set) > 1:
            raise ValueError("a constant is what it is: nothing else goes with it")
        if self.template is not None and not _TEMPLATE.findall(self.template):
            raise ValueError("a template names columns in braces, such as '{Date} {Start}'; for fixed text use constant")
        if self.others is not None and self.words is None:
            raise ValueError("else goes with words")
        if self.plus is not None and (not self.instant or "iso" in self.instant):
            raise ValueError("plus goes with instant, in a form of YYYY, MM and so on")
        if self.filled is not None and turned:
            raise ValueError(f"filled says what the value is; {turned[0]} does not go with it")
        return self

    @field_validator("pattern")
    @classmethod
    def _pattern(cls, pattern: str | None) -> str | None:
        return pattern if pattern is None else _checked_pattern(pattern)

    @field_validator("date", "instant")
    @classmethod
    def _forms(cls, forms: tuple[str, ...] | None, info: Any) -> tuple[str, ...] | None:
        for form in forms or ():
            if not (info.field_name == "instant" and form in INSTANT_WORDS):
                time_form(form, is_instant=info.field_name == "instant")
        return forms and _checked_days(forms, is_instant=info.field_name == "instant")

    @field_validator("duration")
    @classmethod
    def _durations(cls, forms: tuple[str, ...] | None) -> tuple[str, ...] | None:
        return forms and _checked_durations(forms)

    @field_validator("words")
    @classmethod
    def _words(cls, words: dict[str, str] | None) -> dict[str, str] | None:
        seen: set[str] = set()
        for word in words or {}:
            if is_pattern(word):
                _checked_pattern(word[1:-1])
            elif not word.strip():
                raise ValueError("an empty word: what an empty value means is said with blank")
            elif word.strip().casefold() in seen:
                raise ValueError(f"{word!r} stands twice: words are alike in upper and lower case")
            seen.add(word.strip().casefold())
        return words

    def reads(self) -> tuple[str, ...]:
        """The columns of the export that this one comes from, in order; the night is none."""
        named = self.source or self.first_of or tuple(_TEMPLATE.findall(self.template or ""))
        named = (*named, self.plus.source) if self.plus else named
        return tuple(name for name in dict.fromkeys(named) if name != NIGHT)

    def fixed(self) -> Iterator[tuple[str, str]]:
        """(key, value) of every value that comes out as it stands in the mapping."""
        for key, value in (("constant", self.constant), ("blank", self.blank), ("filled", self.filled)):
            if value:
                yield key, value
        for word, value in (self.words or {}).items():
            if value:
                yield f"words, {word}", value
        if self.others and self.others != AS_IT_IS:
            yield "else", self.others


def is_pattern(word: str) -> bool:
    """`/.../` among words and filters is a regular expression, to be found anywhere in the value, in upper or lower case."""
    return len(word) > 2 and word.startswith("/") and word.endswith("/")


def _checked_durations(forms: tuple[str, ...]) -> tuple[str, ...]:
    if wrong := [form for form in forms if form not in DURATIONS]:
        raise ValueError(f"{wrong[0]!r} is no form of a duration; one of {', '.join(DURATIONS)}")
    if len({"seconds", "minutes", "hours"} & set(forms)) > 1 or {"h:mm", "mm:ss"} <= set(forms):
        raise ValueError("these forms cannot be told apart (90, 21:30); keep the one that the export means")
    return forms


def _checked_days(forms: tuple[str, ...], *, is_instant: bool) -> tuple[str, ...]:
    """Two forms that differ by the order of month, day and short year alone: the first that fits a text is taken, and both may fit."""
    known: dict[tuple[str, str | None], str] = {}
    for form in forms:
        if form not in INSTANT_WORDS:
            read = time_form(form, is_instant=is_instant)
            shape = re.sub("%[mdy]", "%d", read.strptime)
            if known.setdefault((shape, read.zone), read.strptime) != read.strptime:
                raise ValueError("these forms cannot be told apart (03/02/2026); keep the one that the export means")
    return forms


def _checked_pattern(pattern: str) -> str:
    try:
        groups = re.compile(pattern).groups
    except re.error as error:
        raise ValueError(f"no regular expression: {error}") from None
    try:
        with duckdb.connect() as con:
            con.execute("select regexp_matches('', ?)", [pattern])
    except duckdb.Error:
        raise ValueError(
            "no regular expression that DuckDB takes (RE2: nothing looks ahead, looks behind or refers back)"
        ) from None
    if groups > 1:
        raise ValueError("has several groups; keep one, the part that is wanted, and write the others (?:...)")
    return pattern


Rule = Annotated[ColumnRule, BeforeValidator(_one_column)]
Filter = dict[str, Texts]


def _checked_filters(filters: Filter) -> Filter:
    for words in filters.values():
        for word in words:
            if is_pattern(word):
                _checked_pattern(word[1:-1])
    return filters


class Each(_Strict):
    """Makes one row of each part of a column, which is called `name` then."""

    source: str = Field(alias="from")
    split: Annotated[str, Field(min_length=1)]
    name: Annotated[str, Field(alias="as", min_length=1)]


class RowRule(_Strict):
    """One row that a line gives: which lines give it, and its columns. `keep`: every column named has one of the words; `drop`: none has;
    `any_of`: one of these columns at least is filled."""

    keep: Filter = Field(default_factory=dict)
    drop: Filter = Field(default_factory=dict)
    any_of: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ()
    each: Each | None = None
    columns: dict[str, Rule] = Field(default_factory=dict)

    _expressions = field_validator("keep", "drop")(_checked_filters)


class Variant(RowRule):
    """A row that a line may give, whole. `keep_too`: what the table keeps of columns of which the row has a `keep` of its own; both must hold.
    `any_too`: the table's `any_of` beside the row's own. `takes_back`: what is set aside takes back what its key said before, as what `withdraw` names does."""

    keep_too: Filter = Field(default_factory=dict)
    any_too: tuple[str, ...] = ()
    withdraw: Filter = Field(default_factory=dict)
    takes_back: bool = False


class TableRule(RowRule):
    """How a table's rows come out of the file. With `rows` a line gives several; what stands beside them holds for all of them.

    In a table whose rows are versions of one another, a line that gives no row leaves the version before it in force. So there `withdraw` names the lines
    that take back what their key said before, and `set_aside` says what those are that `keep` and `drop` leave out."""

    file: str | None = None
    rows: Annotated[tuple[RowRule, ...], Field(max_length=100)] = ()
    withdraw: Filter = Field(default_factory=dict)
    set_aside: Literal["other_things", "withdrawn"] | None = None

    _withdrawn = field_validator("withdraw")(_checked_filters)

    def variants(self) -> tuple[Variant, ...]:
        """The rows that a line may give."""
        return tuple(
            Variant(
                keep={**self.keep, **row.keep},
                keep_too={column: words for column, words in self.keep.items() if column in row.keep},
                drop={
                    column: tuple(dict.fromkeys((*self.drop.get(column, ()), *row.drop.get(column, ()))))
                    for column in {**self.drop, **row.drop}
                },
                any_of=row.any_of,
                any_too=self.any_of,
                each=row.each or self.each,
                columns={**self.columns, **row.columns},
                withdraw=self.withdraw,
                takes_back=self.set_aside == "withdrawn",
            )
            for row in self.rows or (RowRule(),)
        )


class Format(_Strict):
    """What a CSV file of the export looks like, where it is not as the contracts want it."""

    delimiter: str = ","
    encoding: str = "utf-8"
    header_line: int = Field(default=1, ge=1, le=1000)
    columns: tuple[str, ...] | None = None

    @field_validator("delimiter")
    @classmethod
    def _one(cls, delimiter: str) -> str:
        delimiter = {"tab": "\t", "\\t": "\t", "pipe": "|", "semicolon": ";", "comma": ","}.get(delimiter, delimiter)
        if len(delimiter) != 1 or delimiter in '"\r\n\x00' or not delimiter.isascii():
            raise ValueError("is one ASCII character, or tab")
        return delimiter

    @field_validator("encoding")
    @classmethod
    def _known(cls, encoding: str) -> str:
        try:
            known = codecs.lookup(encoding)
            "".encode(known.name)
        except LookupError:
            raise ValueError(f"{encoding!r} is no encoding that Python knows, such as windows-1252 or utf-16") from None
        return known.name

    @model_validator(mode="after")
    def _either(self) -> Format:
        if self.columns is not None and self.header_line != 1:
            raise ValueError("columns are for files without a header, which have no header_line")
        if self.columns is not None and len(set(self.columns)) != len(self.columns):
            raise ValueError("columns: a name stands twice")
        return self


class Mapping(_Strict):
    """One source system's exports: which files, how they look, what becomes of their columns."""

    system: Annotated[str, Field(min_length=1)]
    file: str | None = None
    file_date: Literal["night", "day_after"] = "night"
    time_zone: str | None = None
    format: Format = Field(default_factory=Format)
    unused: tuple[str, ...] = ()  # columns of the export that are not wanted, so that they are not told every night
    optional: tuple[str, ...] = ()  # columns that a file may lack; without another that the mapping reads it is rejected
    tables: Annotated[dict[str, TableRule], Field(min_length=1)]

    @field_validator("time_zone")
    @classmethod
    def _zone(cls, zone: str | None) -> str | None:
        if zone is not None and zone not in available_timezones():
            raise ValueError(f"{zone!r} is no IANA time zone, such as America/Chicago")
        return zone


def faults(mapping: Mapping) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """(place, what is wrong) of all that a mapping says against the contracts."""
    known = extract_contracts()
    yield from _alike(mapping)
    for name, table in mapping.tables.items():
        place: tuple[str | int, ...] = ("tables", name)
        contract = known.get(name)
        if contract is None:
            yield place, f"{name!r} is no extract table; one of {', '.join(known)}"
            continue
        yield from _file_faults(mapping.file, ("file",)) if table.file is None else _file_faults(table.file, (*place, "file"))
        yield from _column_faults(contract, table.columns, (*place, "columns"))
        for number, row in enumerate(table.rows):
            yield from _column_faults(contract, row.columns, (*place, "rows", number, "columns"))
        if table.rows and any(NOTE in row.columns for row in table.variants()):
            yield place, f"{NOTE} goes with one row a line: a note's text is measured while it is read, and never kept"
        yield from _version_faults(contract, table, place)
        for number, row in enumerate(table.variants()):
            where = (*place, "rows", number) if table.rows else place
            for kept, words in row.keep_too.items():
                if not any(_meet(one, other) for one in words for other in row.keep[kept]):
                    yield (
                        (*where, "keep", kept),
                        f"{name}: this row keeps no word of {kept} that the table keeps, so that no line gives it; correct one of them",
                    )
            for column in contract.columns:
                if column.required and column.name not in row.columns:
                    yield where, f"{name} wants {column.name}, and no column of the export becomes it; add it to columns"


def _version_faults(
    contract: ExtractContract, table: TableRule, place: tuple[str | int, ...]
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """What is set aside where rows are versions of one another: the version before it would stay in force, and be billed, in silence."""
    name = contract.table
    said = [key for key in ("withdraw", "set_aside") if getattr(table, key)]
    if contract.ordered_by is None:
        for key in said:
            yield (
                (*place, key),
                f"{name}: its rows are no versions of one another, so that what is not there any more is gone; use drop",
            )
        return
    takes_back = "withdraw" if table.withdraw else "set_aside" if table.set_aside == "withdrawn" else None
    if takes_back and name not in WITHDRAWN:
        yield (
            (*place, takes_back),
            f"{name}: what was landed of it cannot be taken back; write drop, with set_aside: other_things beside it",
        )
    if table.set_aside == "withdrawn" and table.rows:
        yield (
            (*place, "set_aside"),
            f"{name}: of a line of several rows one would take back another; name the lines that take back in withdraw, and write set_aside: other_things",
        )
    if table.set_aside is not None:
        return
    for key in ("keep", "drop", "any_of"):
        for number, row in enumerate([table, *table.rows]):
            if getattr(row, key):
                yield (
                    (*place, *(("rows", number - 1) if number else ()), key),
                    f"{name}: rows are versions of one another, and a line that {key} sets aside would leave the version before it in force; "
                    + (
                        "name lines that take back what their key said before in withdraw (instead of drop), and "
                        if name in WITHDRAWN
                        else ""
                    )
                    + "write set_aside: other_things where no line that is set aside is ever a version of one that is kept"
                    + (", or set_aside: withdrawn where all of them may be" if name in WITHDRAWN and not table.rows else ""),
                )


def _meet(one: str, other: str) -> bool:
    """Whether a value may be both words of a filter. Of two patterns nobody knows."""
    if is_pattern(one) and is_pattern(other):
        return True
    if is_pattern(one):
        one, other = other, one
    value = one.strip()
    if is_pattern(other):
        return bool(value) and re.search(other[1:-1], value, re.IGNORECASE) is not None
    return value.casefold() == other.strip().casefold()


def _alike(mapping: Mapping) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Columns of the export whose names differ by upper and lower case alone: DuckDB does not tell them apart."""
    for table, rule in mapping.tables.items():
        seen: dict[str, str] = {}
        for row in rule.variants():
            named = [
                *row.keep,
                *row.drop,
                *row.any_of,
                *row.any_too,
                *row.withdraw,
                *(name for one in row.columns.values() for name in one.reads()),
            ]
            for name in [*named, *([row.each.source, row.each.name] if row.each else [])]:
                if seen.setdefault(name.casefold(), name) != name:
                    yield (
                        ("tables", table),
                        f"{name!r} and {seen[name.casefold()]!r} differ by case alone; correct the one that is wrong",
                    )


def _file_faults(file: str | None, place: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    if file is None:
        return
    try:
        file_form(file)
    except ValueError as error:
        yield place, str(error)
        return
    if format_of(file) is None:
        yield place, f"{file!r}: ends in none of {', '.join(ENDINGS)}"


def _column_faults(
    contract: ExtractContract, columns: dict[str, ColumnRule], place: tuple[str | int, ...]
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    known = {column.name: column for column in contract.columns}
    for name, rule in columns.items():
        column = known.get(name)
        if column is None:
            yield (*place, name), f"{name!r} is no column of {contract.table}; its columns are {', '.join(known)}"
            continue
        for what in _rule_faults(column, rule):
            yield (*place, name), f"{name}: {what}"


def _rule_faults(column: Column, rule: ColumnRule) -> Iterator[str]:
    for key, value in rule.fixed():
        if column.vocabulary and value not in column.vocabulary:
            yield f"{key}: {value!r} is not one of {', '.join(column.vocabulary)}"
        elif column.kind == "boolean" and value not in ("true", "false"):
            yield f"{key}: {value!r} is neither true nor false"
        elif column.kind == "integer" and not re.fullmatch("[+-]?[0-9]+", value):
            yield f"{key}: {value!r} is not a whole number"
        elif column.kind == "date" and not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
            yield f"{key}: {value!r} is not a date (YYYY-MM-DD)"
    wanted = {"date": "date", "instant": "instant", "duration": "integer", "whole": "integer"}
    for key, kind in wanted.items():
        if getattr(rule, key) and column.kind != kind:
            yield f"is {'an' if column.kind[0] in 'ai' else 'a'} {column.kind}; {key} makes another kind of value"
    if column.name == "birth_date" and any("YYYY" not in form for form in rule.date or ()):
        yield "a birth date with two digits for its year may be of two centuries; have the export write four"
    if column.name == NOTE and (rule.words or rule.others):
        yield "a note is measured, not translated; take words away"


ENDINGS = (".csv", ".txt", ".tsv", ".dat", ".csv.gz", ".txt.gz", ".tsv.gz", ".dat.gz", ".parquet")


def format_of(name: str) -> str | None:
    """`csv`, `csv.gz` or `parquet`, by a file's name; None for another."""
    lowered = name.lower()
    if lowered.endswith(".parquet"):
        return "parquet"
    if lowered.endswith(ENDINGS):
        return "csv.gz" if lowered.endswith(".gz") else "csv"
    return None
