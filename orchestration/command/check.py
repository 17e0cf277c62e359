"""`ccm check`: judges extracts before they are sent, with the code that takes them in."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import available_timezones

import typer
from rich.table import Table
from rich.text import Text

from orchestration.code_forms import is_valid_npi
from orchestration.command.common import Json, app, out, print_json
from orchestration.contracts import ExtractContract, extract_contracts
from orchestration.engine import connect, reading
from orchestration.house import House, HouseError

if TYPE_CHECKING:
    from orchestration.mapping.choice import MappedTable
    from orchestration.take_in.landing import LandedTable
    from orchestration.take_in.ledger import FileRecord

LINES_SHOWN = 10
_NIGHT = date(2000, 1, 1)  # a checked file is of no night; nothing depends on it


@dataclass(frozen=True)
class Fault:
    """Rows at fault for one reason. `column` is None where the row as a whole is; line 0 is the file as a whole."""

    column: str | None
    reason: str
    rows: int
    first_lines: list[int]


@dataclass(frozen=True)
class Verdict:
    """What taking in would make of a file. `notices`: what is no fault but may be none of the sender's intentions."""

    file: str
    contract: str
    outcome: str
    rows_received: int
    rows_accepted: int
    rows_quarantined: int
    rows_superseded: int
    faults: list[Fault]
    notices: list[str]
    rows_filtered: int | None = None  # lines of which a mapping makes no row

    @property
    def is_clean(self) -> bool:
        return self.outcome == "accepted" and not self.faults


@app.command()
def check(
    files: Annotated[list[Path], typer.Argument(help="Extracts: .csv, .csv.gz or .parquet.")],
    contract: Annotated[
        str | None,
        typer.Option("--contract", help="The contract of all of them, such as time_entries; else read off each file's name."),
    ] = None,
    time_zone: Annotated[
        str, typer.Option("--time-zone", help="The practice's IANA time zone, in which times without an offset are local.")
    ] = "UTC",
    as_json: Json = False,
) -> None:
    """Judges extracts before they are sent: what would be accepted, and each fault with its column, lines and mending; exit 1 if there is one.

    Needs no home folder and keeps nothing. Prints line numbers and columns, never a value of the file.
    """
    verdicts = judge_files([(path, _contract_of(path, contract)) for path in files], time_zone)
    if as_json:
        print_json({"time_zone": time_zone, "files": [as_json_of(verdict) for verdict in verdicts]})
    else:
        for verdict in verdicts:
            print_verdict(verdict)
        out.print(f"Times without an offset were read as {time_zone}; --time-zone names another.")
    if not all(verdict.is_clean for verdict in verdicts):
        raise typer.Exit(1)


def as_json_of(verdict: Verdict) -> dict[str, Any]:
    """A verdict for machines; what only a mapping has is there only then."""
    told = {**asdict(verdict), "is_clean": verdict.is_clean}
    return told if verdict.rows_filtered is not None else {name: value for name, value in told.items() if name != "rows_filtered"}


def _contract_of(path: Path, named: str | None) -> ExtractContract:
    """The contract that --contract or else the file's name says. HouseError when that is none, or more than one."""
    known = extract_contracts()
    if named is not None:
        if named not in known:
            raise HouseError(f"--contract {named!r}: no contract of this name; one of {', '.join(sorted(known))}")
        return known[named]
    stem = path.name.partition(".")[0].lower().replace("-", "_")
    found = [stem] if stem in known else [table for table in known if table in path.name.lower().replace("-", "_")]
    if len(found) != 1:
        raise HouseError(f"{path}: its name says no contract; give one with --contract: {', '.join(sorted(known))}")
    return known[found[0]]


def judge_files(
    files: list[tuple[Path, ExtractContract]],
    time_zone: str,
    mapped: list[MappedTable] | None = None,
    night: date = _NIGHT,
    look: Callable[[Path], None] | None = None,
) -> list[Verdict]:
    """Takes the files in, each by its contract, into a private scratch folder that is gone afterwards. Raises HouseError.

    `mapped`: how each of them is read, where they are another system's; `look` is given the batch's folder while it is there.
    """
    from orchestration.lake_batches import batch_folder
    from orchestration.take_in.lake import take_in_files

    if time_zone not in available_timezones():
        raise HouseError(f"--time-zone {time_zone!r}: no IANA time zone; write one like America/Chicago")
    tables: list[MappedTable | None] = [*mapped] if mapped else [None] * len(files)
    landed = [_landed(path, contract, number, night, tables[number]) for number, (path, contract) in enumerate(files)]
    with tempfile.TemporaryDirectory(prefix="ccm-check-") as folder:  # 0700
        house = House(Path(folder))
        report = take_in_files(house, landed, {one.practice_id: time_zone for one in landed})
        records = {record.practice_id: record for record in report.files}
        faults = _faults(batch_folder(house, report.batch)) if report.files else {}
        npis = _wrong_npis(batch_folder(house, report.batch)) if any(r.table_name == "care_team" for r in report.files) else {}
        if look is not None and report.files:
            look(batch_folder(house, report.batch))
    verdicts = []
    for (path, contract), one in zip(files, landed, strict=True):
        if one.practice_id not in records:
            raise HouseError(f"{path}: changed while it was read; check it when its export has ended")
        record = records[one.practice_id]
        found = faults.get(record.file_id, [])
        if record.reason and not found:  # rejected for its header, and no row stands in quarantine for it
            found = [Fault(None, record.reason, 0, [0])]
        verdicts.append(
            Verdict(
                str(path), contract.table, record.outcome, record.rows_received, record.rows_accepted, record.rows_quarantined,
                record.rows_superseded, found,
                [*_notices(path, record, contract), *npis.get(record.file_id, ())],
                record.rows_filtered,
            )
        )  # fmt: skip
    return verdicts


def _landed(path: Path, contract: ExtractContract, number: int, night: date, mapped: MappedTable | None) -> LandedTable:
    from orchestration.mapping.model import ENDINGS, format_of
    from orchestration.take_in.landing import FORMATS, lone

    if mapped is not None and format_of(path.name) is None:
        raise HouseError(f"{path}: the name of a file that a mapping reads ends in one of {', '.join(ENDINGS)}")
    if mapped is None and not path.name.lower().endswith(tuple(f".{form}" for form in FORMATS)):
        raise HouseError(f"{path}: the name of an extract ends in .{', .'.join(FORMATS)}")
    try:
        landed = lone(path.resolve(), contract.table, f"file-{number}", night, mapped)
    except (OSError, RuntimeError):
        landed = None
    if landed is None:
        raise HouseError(f"{path}: there is no such file, or this user may not look into its folder")
    return landed


def _faults(batch: Path) -> dict[int, list[Fault]]:

    with connect() as con:
        rows = con.execute(
            f"""
            select file_id, column_name, reason, count(*), min(line_number, {LINES_SHOWN}) as first_lines
            from read_parquet(?{reading()}) group by all order by file_id, min(line_number), column_name
            """,
            [str(batch / "quarantine.parquet")],
        ).fetchall()
    found: dict[int, list[Fault]] = {}
    for file_id, column, reason, count, lines in rows:
        found.setdefault(file_id, []).append(Fault(column, reason, count, list(lines)))
    return found


def _wrong_npis(batch: Path) -> dict[int, list[str]]:
    """Of care team files: what is said of each NPI that is none. Its row is no fault, since a nurse's time counts without one."""
    with connect() as con:
        rows = con.execute(
            f"""
            select file_id, npi, count(*), min(line_number, {LINES_SHOWN}) as first_lines
            from read_parquet(?{reading()}) where npi is not null group by file_id, npi order by file_id, min(line_number)
            """,
            [str(batch / "care_team.parquet")],
        ).fetchall()
    found: dict[int, list[tuple[int, list[int]]]] = {}
    for file_id, npi, count, lines in rows:
        if not is_valid_npi(npi):
            found.setdefault(file_id, []).append((count, lines))
    said = {}
    for file_id, wrong in found.items():
        lines = sorted(line for _, some in wrong for line in some)
        more = ", ..." if sum(count for count, _ in wrong) > LINES_SHOWN else ""
        said[file_id] = [
            f"npi is not ten digits with a right check digit in line {', '.join(map(str, lines[:LINES_SHOWN]))}{more}: nothing can be billed under "
            "it; a spreadsheet that opened the file may have made a number of it"
        ]
    return said


def _notices(path: Path, record: FileRecord, contract: ExtractContract) -> list[str]:
    said = []
    if record.rows_superseded:
        which = f"the newest {contract.ordered_by}" if contract.ordered_by else "the last line"
        said.append(
            f"rows that lose to another of the same {', '.join(contract.key)}, where {which} wins: {record.rows_superseded:,}"
        )
    if record.extra_columns:
        who = "mapping" if record.mapping else "contract"
        said.append(f"columns that the {who} does not know are ignored: {', '.join(record.extra_columns)}")
    if contract.table == "patients" and record.outcome == "accepted" and not record.rows_accepted:
        said.append("a patients file without a good row changes nothing: the panel of the night before stays in force")
    if record.mapping is None and path.name != f"{contract.table}.{record.format}":
        said.append(f"in the landing folder its name must be {contract.table}.{record.format}")
    return said


def print_verdict(verdict: Verdict) -> None:
    outcome = "accepted" if verdict.is_clean else "accepted in part" if verdict.outcome == "accepted" else "rejected"
    out.print(Text.assemble((outcome, "green" if verdict.is_clean else "red"), f"  {verdict.file} as {verdict.contract}"))
    out.print(
        f"  {verdict.rows_received:,} rows received = {verdict.rows_accepted:,} accepted + {verdict.rows_quarantined:,} quarantined "
        f"+ {verdict.rows_superseded:,} superseded"
        + (f"; {verdict.rows_filtered:,} lines give no row" if verdict.rows_filtered else "")
    )
    if verdict.faults:
        table = Table(pad_edge=False)
        for name in ("column", "rows", "first lines", "fault", "what to do"):
            table.add_column(name, justify="right" if name == "rows" else "left", overflow="fold")
        for fault in verdict.faults:
            what, _, mending = fault.reason.partition("; ")
            more = ", ..." if fault.rows > len(fault.first_lines) else ""
            lines = "the file" if fault.first_lines == [0] else ", ".join(map(str, fault.first_lines)) + more
            table.add_row(
                *map(Text, (fault.column or "", "" if fault.first_lines == [0] else f"{fault.rows:,}", lines, what, mending))
            )
        out.print(table)
    for notice in verdict.notices:
        out.print(f"  {notice}", markup=False)
