"""`ccm map`: tries a mapping on a file, with the code that takes it in."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from orchestration.command.check import as_json_of, judge_files, print_verdict
from orchestration.command.common import App, Json, app, day_of, out, print_json
from orchestration.contracts import ExtractContract, lake_columns
from orchestration.engine import connect, reading
from orchestration.house import House, HouseError

if TYPE_CHECKING:
    from orchestration.mapping.choice import Loaded, MappedTable

ROWS_SHOWN = 5
WORDS_SHOWN = 30
_LONGEST = 24

mappings = App(no_args_is_help=True, help="Mappings: how another system's exports become extracts (docs/mappings.md).")
app.add_typer(mappings, name="map")


@mappings.command("list")
def list_mappings(as_json: Json = False) -> None:
    """The mappings there are: the home's own and the shipped ones, with the files and tables of each; what is wrong with one that cannot be used."""
    from orchestration.mapping.choice import SHIPPED, load

    found: list[dict[str, Any]] = []
    for folder in (House.from_environment().mappings, SHIPPED):
        for path in sorted(folder.glob("*.yaml")):
            if path.stem in [one["name"] for one in found]:
                continue
            try:
                loaded = load(path)
                files = sorted({loaded.table(table).form.written for table in loaded.mapping.tables})
                told: dict[str, Any] = {
                    "system": loaded.mapping.system,
                    "files": files,
                    "tables": list(loaded.mapping.tables),
                    "fault": None,
                }
            except HouseError as error:
                told = {"system": None, "files": [], "tables": [], "fault": str(error)}
            found.append({"name": path.stem, "where": "home" if folder != SHIPPED else "shipped", **told})
    if as_json:
        print_json(found)
        return
    table = Table("mapping", "where", "system", "files", "tables", pad_edge=False)
    for one in found:
        table.add_row(one["name"], one["where"], one["fault"] or one["system"], "\n".join(one["files"]), ", ".join(one["tables"]))
    out.print(table)


@mappings.command("try")
def try_mapping(
    file: Annotated[Path, typer.Argument(help="A file as the other system exports it.")],
    mapping: Annotated[str, typer.Option("--mapping", "-m", help="A mapping's name, or the path of a YAML file.")],
    table: Annotated[
        str | None, typer.Option("--table", help="Only this table of the mapping; else all that its name is a file of.")
    ] = None,
    time_zone: Annotated[
        str, typer.Option("--time-zone", help="The practice's IANA time zone, in which times without an offset are local.")
    ] = "UTC",
    night: Annotated[
        str | None, typer.Option("--night", help="The night the file is of (YYYY-MM-DD), where its name does not say.")
    ] = None,
    words: Annotated[
        bool, typer.Option("--words", help="Also print the words that the mapping does not know. They are values of the file.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Tries a mapping: what would be accepted, what is unmapped, and how the first rows come out; exit 1 where something is at fault.

    Needs no home folder and keeps nothing. What identifies a patient is not printed, free text only by its shape (A for a letter, 9 for a digit).
    """
    loaded = _loaded(mapping)
    tables = _tables(loaded, file, table)
    days = {day for one in tables if (day := _night_of(one, file)) is not None}
    chosen = day_of("--night", night, "night") or (min(days) if days else date(2000, 1, 1))
    first: list[list[dict[str, Any]]] = []

    def look(batch: Path) -> None:
        first.extend(_first_rows(batch, one.contract) for one in tables)

    verdicts = judge_files([(file, one.contract) for one in tables], time_zone, tables, chosen, look)
    unknown = {one.contract.table: _unknown_words(one, file, chosen) for one in tables} if words else {}
    told = []
    for one, verdict, rows in zip(tables, verdicts, first, strict=True):
        told.append(
            {
                **as_json_of(verdict),
                "columns_without_a_source": list(one.without(dict.fromkeys((column.name for column in one.columns), 0))),
                "first_rows": rows,
                "unknown_words": unknown.get(one.contract.table, []),
            }
        )
    if as_json:
        print_json({"mapping": loaded.name, "sha256": loaded.sha256, "night": chosen, "time_zone": time_zone, "tables": told})
    else:
        for verdict, rest in zip(verdicts, told, strict=True):
            print_verdict(verdict)
            _print_rest(verdict.contract, rest)
        said = f"Read as of the night {chosen}; times without an offset as {loaded.mapping.time_zone or time_zone}."
        out.print(f"{said} {'' if words else '--words prints the words that the mapping does not know.'}".strip())
    if not all(verdict.is_clean for verdict in verdicts):
        raise typer.Exit(1)


def _loaded(mapping: str) -> Loaded:
    from orchestration.mapping.choice import find, load

    if mapping.endswith((".yaml", ".yml")) or "/" in mapping:
        return load(Path(mapping).expanduser())
    return load(find(House.from_environment(), mapping), mapping)


def _tables(loaded: Loaded, file: Path, table: str | None) -> list[MappedTable]:
    there = loaded.mapping.tables
    if table is not None:
        if table not in there:
            raise HouseError(f"--table {table!r}: {loaded.name} has {', '.join(there)}")
        return [loaded.table(table)]
    found = [one for name in there if _is_named(one := loaded.table(name), file)]
    if not found:
        forms = sorted({loaded.table(name).form.written for name in there})
        raise HouseError(f"{file}: {loaded.name} reads files named {' or '.join(forms)}; rename it, or name its table with --table")
    return found


def _is_named(one: MappedTable, file: Path) -> bool:
    try:
        one.night(file.name)
    except ValueError:
        return False
    return True


def _night_of(one: MappedTable, file: Path) -> date | None:
    return one.night(file.name) if _is_named(one, file) else None


def _first_rows(batch: Path, contract: ExtractContract) -> list[dict[str, Any]]:
    """The first rows as they came out. What identifies a patient is masked, other free text shown by its shape."""
    shown = []
    kinds = {column.name: column for column in contract.columns}
    for name, _ in lake_columns(contract):
        column = kinds.get(name)
        if column is None or column.vocabulary or (column.kind != "text" and not column.phi):
            shown.append(f'"{name}"::varchar as "{name}"')  # a note's length and hash among them
        elif column.phi:
            shown.append(f'case when "{name}" is not null then \'***\' end as "{name}"')
        else:
            shape = f"regexp_replace(regexp_replace(left(\"{name}\", {_LONGEST}), '\\p{{L}}', 'A', 'g'), '[0-9]', '9', 'g')"
            shown.append(f'{shape} as "{name}"')
    with connect() as con:
        cursor = con.execute(
            f"select line_number, {', '.join(shown)} from read_parquet(?{reading()}) order by file_id, line_number limit {ROWS_SHOWN}",
            [str(batch / f"{contract.table}.parquet")],
        )
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _unknown_words(one: MappedTable, file: Path, night: date) -> list[dict[str, Any]]:
    from orchestration.take_in.landing import lone
    from orchestration.take_in.unknown_words import unknown_words

    landed = lone(file.resolve(), one.contract.table, "tried", night, one)
    return unknown_words(landed)[:WORDS_SHOWN] if landed else []


def _print_rest(table: str, told: dict[str, Any]) -> None:
    if told["columns_without_a_source"]:
        out.print(f"  nothing becomes {', '.join(told['columns_without_a_source'])} of {table}")
    for one in told["unknown_words"]:
        out.print(f"  {one['column']} has {one['word']!r} in {one['lines']:,} lines: not one of the words of the mapping")
    if told["first_rows"]:
        names = list(told["first_rows"][0])
        shown = Table("column", *(f"row {number}" for number in range(1, len(told["first_rows"]) + 1)), pad_edge=False)
        for name in names:
            shown.add_row(name, *("" if row[name] is None else str(row[name])[:_LONGEST] for row in told["first_rows"]))
        out.print(shown)
