"""How landed files become the tables of a batch: their rows are read, judged by the contract, and written."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from orchestration.contracts import ExtractContract, lake_columns
from orchestration.engine import reading
from orchestration.house import HouseError, no_pattern
from orchestration.mapping import plain
from orchestration.mapping import sql as mapping_sql
from orchestration.mapping.choice import MappedTable
from orchestration.take_in import scan, typed
from orchestration.take_in.csv_rows import LINES, csv_batches, line_batches
from orchestration.take_in.landing import LandedTable, fetched, release
from orchestration.take_in.layout import Layout, Scan, scratch_schema
from orchestration.take_in.ledger import FileRecord
from orchestration.take_in.parquet_files import parquet_batches
from orchestration.take_in.scratch import copy_to, plain_copies
from orchestration.take_in.tables import quarantine_table
from orchestration.take_in.zones import far_days, zone_days

SUPERSEDED = -1  # the code of a judged row, beside those of faults (typed.reasons)
FILES_A_BATCH = 999_999  # file_id = batch x 1,000,000 + place
Progress = Callable[[str, int, int], None]
"""Called with what is being read, how many files are done, and of how many."""


@dataclass
class Batch:
    """A batch in the making. Tables of the engine: quarantined (all), and per extract table in turn files, staged (rows that Python read or a mapping
    made, as text) and judged. A row of `judged` without a line number has it from its place: a file's rows lie together, as it has them."""

    engine: duckdb.DuckDBPyConnection
    number: int
    practices: Mapping[str, str]
    newest: Mapping[tuple[str, date, str], FileRecord]
    scratch: Path
    progress: Progress
    of: int
    foreign_zones: frozenset[str] = frozenset()  # of mappings that name their own
    done: int = 0
    records: list[FileRecord] = field(default_factory=list)
    written: dict[str, Path] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    # Of the table that is being taken, by place: how each file is read, what it is read from where that is a copy, and of mapped ones the lines
    # and those that gave no row.
    layouts: dict[int, Layout] = field(default_factory=dict)
    copies: dict[int, Path] = field(default_factory=dict)
    lines: dict[int, int] = field(default_factory=dict)
    filtered: dict[int, int] = field(default_factory=dict)
    tellers: dict[str, int] = field(default_factory=dict)  # SHA-256 of each mapping that was used, numbered

    def __post_init__(self) -> None:
        self.engine.execute(quarantine_table())
        zones = sorted({*self.practices.values(), *self.foreign_zones})
        self.zones = {zone: number for number, zone in enumerate(zones)}
        days = zone_days(zones)
        self.engine.register("days", days)
        self.engine.execute("create table zone_days as select * from days")
        self.engine.unregister("days")

    def _add_far_days(self, days: list[tuple[int, date]]) -> None:
        if days:
            names = {number: zone for zone, number in self.zones.items()}
            self.engine.register("far", far_days((number, names[number], day) for number, day in days))
            self.engine.execute("insert into zone_days from far anti join zone_days using (zone, day)")
            self.engine.unregister("far")

    def take(self, contract: ExtractContract, files: list[tuple[int, LandedTable]]) -> None:
        """Reads all files of one table, quarantines, and writes the table's Parquet file."""
        if not files:
            return
        self.progress(contract.table, self.done, self.of)
        tables, changed = fetched([one for _, one in files])
        files = [(place, one) for (place, _), one in zip(files, tables, strict=True)]
        self.layouts = {place: Layout.of(contract) for place, one in files if one.mapped is None}
        self.copies, self.filtered, self.lines = {}, {}, {}
        with ThreadPoolExecutor(2) as pool:  # hashing and reading release the interpreter
            scans = dict(zip((place for place, _ in files), pool.map(lambda item: self._scan(*item), files), strict=True))
        self._name_files(files)
        columns = ", ".join(f"{typed.name(name)} {kind}" for name, kind in typed.staged_columns(contract))
        self.engine.execute(
            f"create table staged (file_id BIGINT, line_number BIGINT, fault VARCHAR, fault_column VARCHAR, {columns})"
        )
        self.engine.execute(f"create table judged as {typed.judging(contract, 'staged')} with no data")
        readable = [(place, one) for place, one in files if scans[place].fault is None and scans[place].column_fault is None]
        self._stage(contract, [item for item in readable if item[1].mapped is None], scans)
        for place, one in readable:
            if one.mapped is not None:
                self._stage_mapped(contract, place, one, one.mapped, scans[place])
        self.engine.execute(f"insert into judged {typed.judging(contract, 'staged')}; drop table staged")
        unreliable = {place for order, (place, one) in enumerate(files) if order in changed or not one.is_as_it_was()}
        for place, one in files:
            if place in unreliable:
                self.notes.append(f"landing/{one.file_name}: changed while it was read; it is taken in by the next run")
                self.engine.execute("delete from judged where file_id = ?", [self._file_id(place)])
        self._judge(contract, [item for item in files if item[0] not in unreliable], scans)
        release(tables)
        shutil.rmtree(plain_copies(self.scratch), ignore_errors=True)
        self.done += len(files)
        self.progress(contract.table, self.done, self.of)

    def _file_id(self, place: int) -> int:
        return self.number * 1_000_000 + place

    def _zone_of(self, one: LandedTable) -> str:
        return (one.mapped and one.mapped.loaded.mapping.time_zone) or self.practices[one.practice_id]

    def _name_files(self, files: list[tuple[int, LandedTable]]) -> None:
        """The table `files`: whose each file is, of which night, by which clock, and in whose words its faults are told."""
        rows = [
            {
                "file_id": self._file_id(place),
                "practice_id": one.practice_id,
                "extract_date": one.extract_date,
                "zone": self.zones[self._zone_of(one)],
                "told_by": self._told_by(one),
            }
            for place, one in files
        ]
        kinds = [
            ("file_id", pa.int64()), ("practice_id", pa.string()), ("extract_date", pa.date32()), ("zone", pa.int64()), ("told_by", pa.int64()),
        ]  # fmt: skip
        self.engine.register("named", pa.Table.from_pylist(rows, schema=pa.schema(kinds)))
        self.engine.execute("create table files as select * from named")
        self.engine.unregister("named")

    def _scan(self, place: int, one: LandedTable) -> Scan:
        if one.mapped is None:
            return scan.scan(one, self.layouts[place])
        path = None
        if plain.wants_copy(one, one.mapped):
            path = plain_copies(self.scratch) / f"{place}.csv"
            path.parent.mkdir(exist_ok=True, mode=0o700)
            if (fault := plain.copy(one, one.mapped, path)) is not None:
                return Scan(sha256=scan.digest(one), fault=fault)
            self.copies[place] = path
        self.layouts[place] = plain.layout(one.mapped, path)
        return scan.scan(one, self.layouts[place], path)

    # staging: text in, line by line

    def _stage(self, contract: ExtractContract, files: list[tuple[int, LandedTable]], scans: dict[int, Scan]) -> None:
        """Every row of these files, judged at once where DuckDB can read it, else as text."""
        alike: dict[tuple[str, ...], list[tuple[int, LandedTable]]] = {}
        singly = []
        for item in files:
            if item[1].format != "parquet" and scans[item[0]].plain:
                alike.setdefault((*scans[item[0]].header, item[1].format), []).append(item)
            else:
                singly.append(item)
        for group in alike.values():
            good = self._judge_alike(contract, group, scans)
            singly += [item for item in group if item[0] not in good]
        for place, one in singly:
            self._stage_one(contract, place, one, scans[place])

    def _judge_alike(self, contract: ExtractContract, files: list[tuple[int, LandedTable]], scans: dict[int, Scan]) -> set[int]:
        """One DuckDB statement for all plain files of one header. Gives the places of those it read in full."""
        header = scans[files[0][0]].header
        texts = {name: f"c{place}" for name, place in scans[files[0][0]].positions.items()}
        types = ", ".join(f"'c{place}': 'VARCHAR'" for place in range(len(header)))
        # No join: DuckDB keeps the order of rows through a projection, and by it they have their line numbers.
        source = (
            "(select cast($ids as bigint[])[file_index::bigint + 1] as file_id, null::bigint as line_number, "
            f"null::varchar as fault, null::varchar as fault_column, {typed.staging(contract, texts)} from read_csv($paths, "
            f"columns = {{{types}}}, header = true, auto_detect = false, delim = ',', quote = '\"', escape = '\"', "
            "strict_mode = true, store_rejects = true, rejects_limit = 1))"
        )
        threads = int(self._one("select current_setting('threads')"))
        shares = _shares(files, threads)
        statement = f"insert into judged {typed.judging(contract, source)}"
        cursors = [self.engine.cursor() for _ in shares]

        def read(cursor: duckdb.DuckDBPyConnection, share: list[tuple[int, LandedTable]]) -> set[str]:
            cursor.execute("begin")
            cursor.execute(
                statement,
                {"ids": [self._file_id(place) for place, _ in share], "paths": [no_pattern(one.files[0]) for _, one in share]},
            )
            rejected = cursor.execute(
                "select s.file_path from reject_errors e join reject_scans s using (scan_id, file_id)"
            ).fetchall()
            cursor.execute("drop table if exists reject_errors; drop table if exists reject_scans")
            return {path for (path,) in rejected}

        try:
            with _one_thread_each(self.engine, threads, of=len(shares)), ThreadPoolExecutor(len(shares)) as pool:
                rejected = set[str]().union(*pool.map(read, cursors, shares))
            for cursor in cursors:  # in their order: so lie their rows
                cursor.execute("commit")
        except (duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException):
            raise  # no file's fault
        except duckdb.Error:
            return set()  # nothing is committed
        finally:
            for cursor in cursors:
                cursor.close()
        # Rows and places: a file's rows lie together.
        lying = {
            file_id: (rows, places)
            for file_id, rows, places in self.engine.execute(
                "select file_id, count(*), max(rowid) - min(rowid) + 1 from judged group by all"
            ).fetchall()
        }
        good = {
            place
            for place, one in files
            if str(one.files[0]) not in rejected and lying.get(self._file_id(place), (0, 0)) == (scans[place].rows,) * 2
        }
        if bad := [self._file_id(place) for place, _ in files if place not in good]:
            self.engine.execute(f"delete from judged where file_id in ({', '.join(map(str, bad))})")
        return good

    def _stage_one(self, contract: ExtractContract, place: int, one: LandedTable, found: Scan) -> None:
        """One file, record by record. A file that breaks off halfway gives nothing: its Scan gets the fault."""
        names = ", ".join(
            f"nullif({typed.name(name)}, '')" if kind == "VARCHAR" else typed.name(name)
            for name, kind in typed.staged_columns(contract)
        )
        with self._rows(scratch_schema(self.layouts[place]), self._batches(place, one, found)) as failed:
            self.engine.execute(
                f"insert into staged select {self._file_id(place)}, line_number, fault, null, {names} from rows_of_one"
            )
        if failed:
            found.fault = _broke_off(failed[0])

    def _batches(self, place: int, one: LandedTable, found: Scan) -> Iterator[pa.RecordBatch]:
        if one.format == "parquet":
            return parquet_batches(one.files[0], found, self.layouts[place])
        return csv_batches(one, found, self.layouts[place], self.copies.get(place))

    def _stage_mapped(self, contract: ExtractContract, place: int, one: LandedTable, mapped: MappedTable, found: Scan) -> None:
        """One file of another system: its columns as text, turned into the contract's by the mapping, and what it sets aside counted."""
        made = False
        if one.format != "parquet" and found.plain:
            made = self._map(contract, place, one, mapped, self._read_plain(place, one, found), wanted=found.rows)
        if not made:
            layout = self.layouts[place]
            with self._rows(scratch_schema(layout), self._batches(place, one, found)) as failed:
                try:
                    self._map(contract, place, one, mapped, "rows_of_one")
                except duckdb.Error as error:  # whatever a mapping asks for must not stop the others
                    failed.append(error)
            if failed:
                found.fault = _broke_off(failed[0])
                if isinstance(failed[0], duckdb.Error):
                    found.fault = (
                        f"cannot be mapped ({type(failed[0]).__name__}); see it with `ccm map try`, and correct the mapping"
                    )
                self.engine.execute("drop table if exists mapped")
                return
        self.lines[place], self.filtered[place] = self.engine.execute(
            "select count(*), count(*) filter (where not is_kept) from (select bool_or(is_kept) as is_kept from mapped group by line_number)"
        ).fetchall()[0]
        names = ", ".join(typed.name(name) for name, _ in typed.staged_columns(contract))
        self.engine.execute(
            f"insert into staged select {self._file_id(place)}, line_number + part * {mapping_sql.ROWS_OF_A_LINE}, fault, fault_column, {names} "
            "from mapped where is_kept"
        )
        self.engine.execute("drop table mapped")

    def _read_plain(self, place: int, one: LandedTable, found: Scan) -> str:
        """A plain file as a relation of line_number, fault and the columns that the mapping reads."""
        layout = self.layouts[place]
        types = ", ".join(f"'c{number}': 'VARCHAR'" for number in range(len(found.header)))
        texts = ", ".join(
            f"{f'c{found.positions[column]}' if column in found.positions else 'null::varchar'} as {mapping_sql.of_export(column)}"
            for column in layout.names
        )
        path = no_pattern(self.copies.get(place, one.files[0]))
        packed = ", compression = 'gzip'" if one.format == "csv.gz" and place not in self.copies else ""
        return (
            f"(select row_number() over () + {layout.first_line} as line_number, null::varchar as fault{', ' if texts else ''}{texts} "
            f"from read_csv([{typed.literal(path)}], columns = {{{types}}}, header = true, auto_detect = false, "
            f"delim = {typed.literal(layout.delimiter)}, quote = '\"', escape = '\"', strict_mode = true{packed}))"
        )

    def _map(
        self, contract: ExtractContract, place: int, one: LandedTable, mapped: MappedTable, source: str, wanted: int | None = None
    ) -> bool:
        """Makes the table `mapped`; False when DuckDB did not read every row that is `wanted`, and then there is no table."""
        night, variants = one.extract_date.isoformat(), mapped.variants
        zone = self._zone_of(one)
        # Several rows of a line are made of what was read once. No note is in such a file (mapping/model.py): its text is never kept.
        query = (
            mapping_sql.query(contract, variants, source, night, zone)
            if len(variants) == 1
            else f"with source as materialized (select * from {source}) {mapping_sql.query(contract, variants, 'source', night, zone)}"
        )
        try:
            self.engine.execute(f"create table mapped as {query}")
        except duckdb.Error:
            if wanted is None:
                raise
            return False
        if wanted is not None and self._one("select count(distinct line_number) from mapped") != wanted:
            self.engine.execute("drop table mapped")
            return False
        return True

    @contextmanager
    def _rows(self, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> Iterator[list[Exception]]:
        """A transaction in which `batches` are the view rows_of_one. Whatever breaks off the reading is in the list that is given,
        and nothing is kept: a damaged file must not stop the others."""
        failed: list[Exception] = []

        def guarded() -> Iterator[pa.RecordBatch]:
            try:
                yield from batches
            except Exception as error:
                failed.append(error)

        self.engine.execute("begin")
        self.engine.register("rows_of_one", pa.RecordBatchReader.from_batches(schema, guarded()))
        yield failed
        self.engine.unregister("rows_of_one")
        self.engine.execute("rollback" if failed else "commit")

    # judging: text to types, faults to quarantine, one row a key

    def _judge(
        self,
        contract: ExtractContract,
        files: list[tuple[int, LandedTable]],
        scans: dict[int, Scan],
    ) -> None:
        engine = self.engine
        if self._one("select bool_or(local != 0) from judged"):
            self._add_far_days(engine.execute(typed.far_days(contract, "judged", "files")).fetchall())
            for statement in typed.to_utc(contract, "judged", "files", "zone_days"):
                engine.execute(statement)
        engine.execute("""
            create table lying as select file_id, min(rowid) as first_row, max(rowid) as last_row, count(line_number) as numbered from judged group by all;
            create view lines as
            select j.* replace (coalesce(j.line_number, j.rowid - lying.first_row + 2) as line_number), j.rowid as place
            from judged as j inner join lying on j.file_id = lying.file_id
        """)
        self._quarantine_files(contract, files, scans)
        self._quarantine_rows(contract, files)
        superseded = self._superseded(contract)
        self._write(contract)
        self._record(contract, files, scans, superseded)
        engine.execute("drop view lines; drop table judged; drop table lying; drop table files; drop table if exists alike")

    def _told_by(self, one: LandedTable) -> int:
        """A number for the mapping that read a file, 0 for none: by it a fault is told in the export's words."""
        sha256 = one.mapping_sha256
        return 0 if sha256 is None else self.tellers.setdefault(sha256, len(self.tellers) + 1)

    def _quarantine_files(self, contract: ExtractContract, files: list[tuple[int, LandedTable]], scans: dict[int, Scan]) -> None:
        """Line 0 of a file that gives no row; every line of one whose header is at fault."""
        for place, one in files:
            found = scans[place]
            file_id = self._file_id(place)
            common = (file_id, one.practice_id, one.extract_date, contract.table)
            if found.fault is None and found.column_fault is not None:
                insert = "insert into quarantined select ?, ?, ?, ?, line_number, ?, ?, null, null from "
                given = [*common, *found.column_fault]
                if one.format == "parquet" or found.plain:
                    first = self.layouts[place].first_line + 1
                    self.engine.execute(f"{insert} (select range + {first} as line_number from range(?))", [*given, found.rows])
                    continue
                with self._rows(LINES, line_batches(one, self.layouts[place], self.copies.get(place))) as failed:
                    self.engine.execute(f"{insert} rows_of_one", given)
                if failed:
                    found.fault = _broke_off(failed[0])
                else:
                    found.rows = int(self._one("select count(*) from quarantined where file_id = ?", [file_id]))
            if found.fault is not None:
                self.engine.execute("insert into quarantined values (?, ?, ?, ?, 0, null, ?, null, null)", [*common, found.fault])

    def _quarantine_rows(self, contract: ExtractContract, files: list[tuple[int, LandedTable]]) -> None:
        """Each row with its first fault. A line of which several rows are made is quarantined once, with the fault of the first of them."""
        reasons = typed.reasons(contract)
        known = [f"({code}, {typed.literal(column)}, {typed.literal(reason)}, 0)" for code, column, reason in reasons]
        mapped = {self._told_by(one): one.mapped for _, one in files if one.mapped is not None}
        for told_by, table in mapped.items():
            rule_of = {name: rule for row in reversed(table.variants) for name, rule in row.columns.items()}
            known += [
                f"({code}, {typed.literal(mapping_sql.label(rule_of.get(column)))}, "
                f"{typed.literal(mapping_sql.becomes(reason, column))}, {told_by})"
                for code, column, reason in reasons
            ]
        line = f"j.line_number % {mapping_sql.ROWS_OF_A_LINE}" if mapped else "j.line_number"
        reason = "if(j.code = 0, j.fault, r.reason)"
        if typed.TOLD_FIRST in contract.names:
            # A day that cannot be read is told by itself (`judging`): any other is here. What to do stands behind the first of these marks.
            told = [str(code) for code, column, _ in reasons if column == typed.TOLD_FIRST]
            says = f"j.{typed.name(typed.TOLD_FIRST)} is not null and j.code not in ({', '.join(told)})"
            reason = f"if({says}, regexp_replace({reason}, '; ', ' {typed.SAYS_DECEASED}; '), {reason})"
        self.engine.execute(f"""
            insert into quarantined
            select j.file_id, f.practice_id, f.extract_date, {typed.literal(contract.table)}, {line},
                   if(j.code = 0, j.fault_column, r.column_name), {reason},
                   {"j.patient_id" if "patient_id" in contract.names else "null"},
                   {f"j.{typed.name(contract.key[0])}" if contract.ordered_by or contract.table == "care_team" else "null"}
            from lines as j
            inner join files as f on j.file_id = f.file_id
            left join (values {", ".join(known)}) as r (code, column_name, reason, told_by) on j.code = r.code and f.told_by = r.told_by
            where j.code is not null
            {f"qualify row_number() over (partition by j.file_id, {line} order by j.line_number) = 1" if mapped else ""}
        """)

    def _superseded(self, contract: ExtractContract) -> dict[int, int]:
        """How many good rows of each file lost to another of their key: newest wins where rows are ordered, then the later line. Their code is SUPERSEDED."""
        if not contract.key:
            return {}
        key = ", ".join(f"j.{typed.name(column)}" for column in contract.key)
        # A number is grouped at half of what names cost, and it rules out nearly every file: rows of one key always share it.
        self.engine.execute(f"""
            create or replace table alike as
            select hash(j.file_id, {key}) as number from judged as j where j.code is null group by all having count(*) > 1
        """)
        if not self._one("select count(*) from alike"):
            return {}
        newest = f"j.{typed.name(contract.ordered_by)} desc, " if contract.ordered_by else ""
        self.engine.execute(f"""
            update judged set code = {SUPERSEDED} where rowid in (
                select j.place from lines as j
                where j.code is null and hash(j.file_id, {key}) in (select number from alike)
                qualify row_number() over (
                    partition by j.file_id, {key}
                    order by {newest}j.line_number % {mapping_sql.ROWS_OF_A_LINE} desc, j.line_number desc
                ) > 1
            )
        """)
        return dict(self.engine.execute(f"select file_id, count(*) from judged where code = {SUPERSEDED} group by all").fetchall())

    def _write(self, contract: ExtractContract) -> None:
        columns = ", ".join(f"j.{typed.name(name)}" for name, _ in lake_columns(contract))
        path = self.scratch / f"{contract.table}.parquet"
        # What a row has from its file is looked up in lists, by the file's place: behind a join the order would be lost.
        self.engine.execute(f"""
            set variable of_files = (
                select {{'practices': list(practice_id order by place), 'nights': list(extract_date order by place), 'rows': list(first_row order by place)}}
                from (select unnest(range({self._file_id(0)}, (select max(file_id) from files) + 1)) as place)
                left join files on place = files.file_id left join lying on place = lying.file_id
            )
        """)
        at = f"[j.file_id - {self._file_id(0)} + 1]"
        rows = (
            f"select getvariable('of_files').practices{at} as practice_id, getvariable('of_files').nights{at} as extract_date, j.file_id, "
            f"coalesce(j.line_number, j.rowid - getvariable('of_files').rows{at} + 2) as line_number, {columns} from judged as j where j.code is null"
        )
        # file_id runs by practice and night. Rows that lie in this order already are written as they lie, and what was written is looked at.
        is_written = False
        if self._lies_in_order():
            copy_to(self.engine, rows, path)
            is_written = self._is_in_order(path)
        if not is_written:
            copy_to(self.engine, f"from ({rows}) order by file_id, line_number", path)
        self.written[contract.table] = path

    def _lies_in_order(self) -> bool:
        """Whether `judged` has the rows by file and line: no file before or among another of a lower number, and every line number from its place."""
        return bool(
            self._one(
                "select bool_and(numbered = 0 and first_row > coalesce(before, -1)) "
                "from (select numbered, first_row, lag(last_row) over (order by file_id) as before from lying)"
            )
        )

    def _is_in_order(self, path: Path) -> bool:
        return not self._one(
            "select count(*) from (select file_id, line_number, lag(file_id) over () as file_before, lag(line_number) over () as line_before "
            f"from {_source(path)}) where file_before > file_id or (file_before = file_id and line_before >= line_number)"
        )

    def _record(
        self,
        contract: ExtractContract,
        files: list[tuple[int, LandedTable]],
        scans: dict[int, Scan],
        lost: Mapping[int, int],
    ) -> None:
        counts = {
            file_id: (received, bad)
            for file_id, received, bad in self.engine.execute(
                f"select file_id, count(*), count(code) filter (code <> {SUPERSEDED}) from judged group by all"
            ).fetchall()
        }
        stored = 0
        for place, one in files:
            found = scans[place]
            file_id = self._file_id(place)
            is_rejected = found.fault is not None or found.column_fault is not None
            received, bad = counts.get(file_id, (0, 0))
            if found.column_fault is not None and found.fault is None:
                received = bad = found.rows
            accepted = received - bad - lost.get(file_id, 0)
            stored += accepted
            reason = found.fault or (found.column_fault[1] if found.column_fault else None)
            held = self.newest.get(one.key)
            self.records.append(
                FileRecord(
                    file_id=file_id,
                    practice_id=one.practice_id,
                    extract_date=one.extract_date,
                    table_name=contract.table,
                    version=held.version + 1 if held else 1,
                    file_name=one.file_name,
                    format=one.format,
                    sha256=found.sha256,
                    size_bytes=one.size_bytes,
                    mtime_ns=one.mtime_ns,
                    ctime_ns=one.ctime_ns,
                    time_zone=self.practices[one.practice_id],
                    outcome="rejected" if is_rejected else "accepted",
                    reason=reason,
                    rows_received=received,
                    rows_accepted=accepted,
                    rows_quarantined=bad,
                    rows_superseded=lost.get(file_id, 0),
                    extra_columns=() if is_rejected else found.extra_columns,
                    missing_columns=None if is_rejected else self._missing(contract, one, found),
                    **self._mapping(place, one, received),
                )
            )
        # received = accepted + quarantined + superseded holds by the sum above; that as much was written is
        # checked here
        if self._one(f"select count(*) from {_source(self.written[contract.table])}") != stored:
            raise HouseError(
                f"{contract.table}: the rows written are not those accounted for; report this fault, nothing was taken in"
            )

    def _missing(self, contract: ExtractContract, one: LandedTable, found: Scan) -> tuple[str, ...]:
        if one.mapped is not None:
            return one.mapped.without(found.positions)
        return tuple(name for name in contract.names if name not in found.positions)

    def _mapping(self, place: int, one: LandedTable, received: int) -> dict[str, Any]:
        if one.mapped is None:
            return {}
        return {
            "mapping": one.mapped.loaded.name,
            "mapping_sha256": one.mapped.loaded.sha256,
            "lines_read": self.lines.get(place, received),
            "rows_filtered": self.filtered.get(place, 0),
        }

    def _one(self, query: str, given: list[Any] | None = None) -> Any:
        row = self.engine.execute(query, given or []).fetchone()
        assert row is not None
        return row[0]


def _source(path: Path) -> str:
    """A table of the lake to select from."""
    return f"read_parquet({typed.literal(no_pattern(path))}{reading()})"


def _broke_off(error: Exception) -> str:
    return f"cannot be read to its end ({type(error).__name__}); land the whole file again"


def _shares(files: list[tuple[int, LandedTable]], threads: int) -> list[list[tuple[int, LandedTable]]]:
    """Files in their order, a share for each thread of about as many bytes; a single share where one file is more than that."""
    sizes = [one.size_bytes for _, one in files]
    share = sum(sizes) / threads
    if threads == 1 or not share or max(sizes) > share:
        return [files]
    shares: list[list[tuple[int, LandedTable]]] = [[] for _ in range(threads)]
    before = 0
    for item, size in zip(files, sizes, strict=True):
        shares[min(int(before / share), threads - 1)].append(item)
        before += size
    return [one for one in shares if one]


@contextmanager
def _one_thread_each(engine: duckdb.DuckDBPyConnection, threads: int, of: int) -> Iterator[None]:
    """Of several statements at once each has one of the `threads`: it reads its files one after the other, and what it reads lies as it was read. (A
    statement of several threads keeps the order as well, at a third more CPU.)"""
    if of == 1:
        yield
        return
    engine.execute("set threads = 1")
    try:
        yield
    finally:
        engine.execute(f"set threads = {threads}")
